"""Campaign's routes."""
