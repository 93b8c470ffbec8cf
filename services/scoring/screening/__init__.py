"""Prospects: who was seen and has not bought. How likely, and how much, by how they came."""
