"""Erasing people: who was, the keys that go with it, what each service said of it."""
