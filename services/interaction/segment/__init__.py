"""Segment's messages, told as events of ours. Pure: the moment of arrival and random ids are arguments."""
