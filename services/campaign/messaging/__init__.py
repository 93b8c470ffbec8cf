"""Messages to customers: asked for by people, decided when they are due, handed to a mail server at most once.

A message is a row first. `sending` is committed before the socket opens, and what became of it is written with its
event; whatever is left in `sending` by a process that ended is `uncertain`, and never sent again by itself.
"""
