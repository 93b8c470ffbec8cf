"""Judging the scores by rolling origins, on the log or on a CSV of purchases."""
