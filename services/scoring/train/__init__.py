"""Models learnt from the log itself: read it, see customers as they stood, learn, judge, keep."""
