"""What ends a back-test, in one sentence for whoever started it."""


class BacktestError(Exception):
    """The message is the whole explanation; the process ends with code 2."""
