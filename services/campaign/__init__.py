"""Campaign: whom to act on. Segments so far; strategies, follow-ups and messages are to come."""
