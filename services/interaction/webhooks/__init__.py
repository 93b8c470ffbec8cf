"""Signed webhooks out: events of the timeline, sent to those who asked for them (Standard Webhooks).

An endpoint is a row that people edit; a delivery is a row that is made in the transaction that puts the event on the
timeline (`making`), sent by a task (`sending`), and let go of when it is old (`trimming`).
"""
