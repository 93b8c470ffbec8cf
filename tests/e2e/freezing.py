"""SIGSTOP: a process that is there, holds its connections, and says nothing."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process and everything it has started stand still inside the block, and go on behind it in any case."""
    stopped: list[int] = []
    try:
        waiting = [pid]
        while waiting:  # a parent first: it cannot start anybody else then
            one = waiting.pop()
            if _send(one, signal.SIGSTOP):
                stopped.append(one)
                waiting += children_of(one)
        yield
    finally:
        for one in reversed(stopped):
            _send(one, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
