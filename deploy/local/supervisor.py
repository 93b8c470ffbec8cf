"""Keeps children running: names one that died, starts it again, gives up when it keeps dying."""

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalRunError
from deploy.local.processes import Signals, end

_DEATHS, _WITHIN = 5, 60.0
"""So many deaths within so many seconds are no accident."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_POLITELY: Signals = ((signal.SIGTERM, 0),)
_BY_FORCE: Signals = ((signal.SIGKILL, 5),)
_PATIENCE = 12.0
"""Seconds that children get to end, all at the same time."""

Process = subprocess.Popen[bytes]


@dataclass(slots=True)
class Child:
    """One process: how it is begun, and where others find it."""

    name: str
    begin: Callable[[], Process]
    """Starts the process; returns when it runs (a server: when it serves)."""
    log_path: Path | None
    address: str | None = None
    """Its HTTP address, http://127.0.0.1:port."""
    stop: Callable[[], None] | None = None
    """How a server is ended; anything else gets SIGTERM."""
    process: Process | None = None
    begin_at: float = 0.0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_DEATHS))

    def entry(self) -> dict[str, Any]:
        pid = self.process.pid if self.process and self.process.poll() is None else None
        log = str(self.log_path) if self.log_path else None
        return {"name": self.name, "pid": pid, "address": self.address, "log": log}


class Supervisor:
    """Children in the order of their start. `changed` is called whenever a pid is another one."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._changed = changed
        self._clock = clock
        self.children: list[Child] = []

    def add(self, child: Child) -> None:
        """Begins the child and cares for it from now on."""
        self.children.append(child)
        child.process = child.begin()
        self._changed()

    def look(self) -> None:
        """One round: notices deaths and begins again those whose pause is over.

        Raises LocalRunError about a child that keeps dying."""
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._died(child, exit_code(child.process))
            if child.process is None and self._clock() >= child.begin_at:
                self._begin_again(child)

    def entries(self) -> list[Mapping[str, Any]]:
        return [child.entry() for child in self.children]

    def stop(self) -> None:
        """Ends everything, in reverse: who uses a server ends before it."""
        plain = [child for child in self.children if child.stop is None]
        for child in reversed(plain):
            end(child.process, _POLITELY)
        until = time.monotonic() + _PATIENCE
        while any(_runs(child) for child in plain) and time.monotonic() < until:
            time.sleep(0.05)
        for child in plain:
            end(child.process, _BY_FORCE)
        for child in reversed(self.children):
            if child.stop is not None:
                child.stop()

    def _begin_again(self, child: Child) -> None:
        try:
            child.process = child.begin()
        except LocalRunError as error:
            self._died(child, str(error))
        self._changed()

    def _died(self, child: Child, how: str) -> None:
        now = self._clock()
        child.process = None
        child.deaths.append(now)
        if len(child.deaths) == _DEATHS and now - child.deaths[0] <= _WITHIN:
            raise LocalRunError(
                f"{child.name} ended {_DEATHS} times within a minute, last with {how}; "
                f"everything stops. What it said: {child.log_path}"
            )
        recent = sum(now - death <= _WITHIN for death in child.deaths)
        child.begin_at = now + min(_FIRST_PAUSE * 2 ** (recent - 1), _LONGEST_PAUSE)
        self._changed()
        self._say(f"{child.name} ended with {how}; starting it again ({child.log_path})")


def exit_code(process: Process) -> str:
    """`exit code 1`, or which signal it was."""
    code = process.returncode
    if code is not None and code < 0:
        return f"exit code {code} ({signal.Signals(-code).name})"
    return f"exit code {code}"


def _runs(child: Child) -> bool:
    return child.process is not None and child.process.poll() is None
