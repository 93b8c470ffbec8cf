"""The HTTP routes of interaction."""
