"""`python -m deploy.local`: the whole of Tenure on this machine, until Ctrl-C or SIGTERM.

Exit codes: 0 stopped as asked, 1 one sentence on standard error says why not.
"""

import argparse
import contextlib
import os
import signal
import sys
from types import FrameType

from deploy.local.errors import LocalRunError
from deploy.local.options import options
from deploy.local.processes import hold
from deploy.local.run import LocalRun, say
from deploy.local.state import local_folder

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stop(BaseException):
    """Somebody asked us to end, wherever we are."""


class _Ending:
    """Notices that it is time to end: a signal, or the end of the process that started us."""

    def __init__(self, *, with_parent: bool) -> None:
        self._parent = os.getppid() if with_parent else None
        self._asked = False
        for sign in _STOPS:
            if sign != signal.SIGHUP or signal.getsignal(sign) != signal.SIG_IGN:  # nohup
                signal.signal(sign, self._told)

    def _told(self, _sign: int, _frame: FrameType | None) -> None:
        if not self._asked:  # make passes on what the whole group got already
            self._asked = True
            raise _Stop

    def heed(self) -> None:
        """Raises once more: an exception in what Python runs around a fork leads nowhere."""
        if self._asked or (self._parent is not None and os.getppid() != self._parent):
            raise _Stop


def main(arguments: list[str]) -> int:
    """Run until we are told to end; answer the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="The whole of Tenure on this machine, until Ctrl-C or SIGTERM.",
        epilog="PORT, HOST, LOG, DEMO and the like are read from the environment: docs/operating.md.",
    )
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="also end when the process that started it does (make, killed)",
    )
    ending = _Ending(with_parent=parser.parse_args(arguments).with_parent)
    try:
        chosen, local = options(os.environ), local_folder()
        taken = "another make run of this checkout is running; stop it first (Ctrl-C there)."
        with hold(local / "lock", taken):
            return _run(LocalRun(chosen, local, ending.heed))
    except LocalRunError as error:
        return _refuse(str(error))
    except _Stop:
        return 0


def _run(run: LocalRun) -> int:
    try:
        run.start()
        run.serve()
    except _Stop:
        pass
    finally:
        for sign in _STOPS:  # what is being stopped need not be told again
            signal.signal(sign, signal.SIG_IGN)
        say("stopping")
        run.stop()
    say("stopped; make run goes on where it was")
    return 0


def _refuse(sentence: str) -> int:
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
