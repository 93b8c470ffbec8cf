"""Children that cannot outlive the process that started them, not even when that one is killed."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `death_signal` to the child when its parent's thread ends.

    To be called by the parent, from a thread that lives as long as the process (the main one).
    Other systems than Linux have no such signal: there children outlive a parent that is killed.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl: nobody would ever tell us
            os._exit(1)

    return before_exec
