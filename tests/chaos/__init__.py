"""Faults on purpose: a whole installation, a generator that writes down what it did, and an oracle of its own."""
