"""The local run: one machine, one command, everything under `.local/`."""
