"""Time limits for very many short waits: one timer looks after all of them.

`asyncio.timeout` sets a timer and takes it away again for each, and once more whenever it is moved: a tenth of the work
of a small request. Here who is late is found by looking, so up to `LOOK_SECONDS` later than it was said.
"""

import asyncio
import math
import time
from types import TracebackType
from typing import Self

LOOK_SECONDS = 0.05
NEVER = math.inf


class Deadline:
    """`with` it, what the task does ends with TimeoutError some moments after `due` (of `time.monotonic`). It may be
    moved meanwhile."""

    __slots__ = ("_all", "_cancelling", "_task", "due", "expired")

    def __init__(self, among: "set[Deadline]", task: asyncio.Task[object], due: float) -> None:
        self._all = among
        self._task = task
        self._cancelling = 0
        self.due = due
        self.expired = False

    def __enter__(self) -> Self:
        self._cancelling = self._task.cancelling()
        self._all.add(self)
        return self

    def expire(self) -> None:
        """End it now."""
        self.expired = True
        self._all.discard(self)
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._all.discard(self)
        if self.expired:
            # As asyncio.timeout does: whoever else wants the task cancelled gets it cancelled.
            ours = self._task.uncancel() <= self._cancelling
            if ours and kind is asyncio.CancelledError:
                raise TimeoutError from error


class Deadlines:
    """The deadlines of one loop."""

    def __init__(self) -> None:
        self._all: set[Deadline] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking = False

    def within(self, seconds: float) -> Deadline:
        """A deadline of the current task, so many seconds from now."""
        # Asking which loop is running costs a call of the system (getpid); asking for its task does not.
        task = asyncio.current_task(self._loop) if self._looking else None
        if task is None:
            task = self._begin()
        return Deadline(self._all, task, time.monotonic() + seconds)

    def _begin(self) -> asyncio.Task[object]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._all = loop, set()
        self._looking = True
        loop.call_later(LOOK_SECONDS, self._look, loop)
        task = asyncio.current_task(loop)
        assert task is not None, "only a task can be ended"
        return task

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        now = time.monotonic()
        for late in [one for one in self._all if one.due <= now]:
            late.expire()
        self._looking = bool(self._all)
        if self._looking:
            loop.call_later(LOOK_SECONDS, self._look, loop)
