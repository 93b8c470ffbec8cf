"""What ends a replay."""


class ReplayError(Exception):
    """One sentence for the person who started the replay; the next start goes on from there."""
