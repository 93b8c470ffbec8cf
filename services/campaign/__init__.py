"""Campaign: segments, strategies, follow-ups and messages. Not built yet; this package only keeps its place."""
