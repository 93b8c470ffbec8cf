"""Models of what customers will do: pure functions of sufficient statistics."""
