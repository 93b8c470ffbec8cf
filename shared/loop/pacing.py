"""Who gives way to what is live: a backfill, and telling of very many customers at once.

Everything on `customers` is folded in the order of its partition, so a live event waits for what stands before it.
A backfill is therefore let onto `customers` batch by batch, one at a time, while no service has more than a window
of events before it; and so is what a closed backfill or a new policy makes of every customer, chunk by chunk. A
service that stands still is not waited for until it moves again: an import must not depend on everybody being there.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from shared.errors import Pause
from shared.log import Log
from shared.tables import ORIGINS

LOOK_SECONDS = 0.05
STILL_SECONDS = 5.0
"""A service that has folded nothing for so long, though there is something to fold, stands still."""
LEAST_SECONDS = 1.0
"""Whoever only asks for a turn gets one so often, however far behind the others are: they may never catch up."""


class Pacing:
    """One turn at a time, for all partitions of a process: waited for (`async with`), or taken if it is free now
    (`enter`, `leave`)."""

    def __init__(
        self,
        log: Log,
        window: int,
        readers: Sequence[str] = ORIGINS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._window = window
        self._readers = readers
        self._clock = clock
        self._turn = asyncio.Lock()
        self._stood: dict[str, tuple[int, float]] = {}
        """Where those who are too far behind stood when they were seen there first, and when that was."""
        self._left = self._looked = float("-inf")

    async def __aenter__(self) -> None:
        """Return when it is this batch's turn, and there is room. Raises Pause where the log is away."""
        await self._turn.acquire()
        try:
            await self._room()
        except BaseException:
            self._turn.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    async def enter(self) -> bool:
        """Take the turn if it is free and there is room, or the last is `LEAST_SECONDS` ago; whoever gets it calls
        `leave`. A log that is away has no room."""
        now = self._clock()
        if self._turn.locked() or now < max(self._left, self._looked) + LOOK_SECONDS:
            return False
        self._looked = now
        await self._turn.acquire()  # nobody has it: it is taken before anybody else runs
        try:
            granted = now >= self._left + LEAST_SECONDS or await self._has_room()
        except Pause:
            granted = False
        except BaseException:
            self._turn.release()
            raise
        if not granted:
            self._turn.release()
        return granted

    def leave(self) -> None:
        """Give the turn back. What was written now is on the log a moment later, so nobody looks before."""
        self._left = self._clock()
        self._turn.release()

    async def _room(self) -> None:
        while True:
            if await self._has_room():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _has_room(self) -> bool:
        """Whether all who are too far behind stand still."""
        behind = await self._too_far_behind()
        now = self._clock()
        self._stood = {
            reader: known
            if (known := self._stood.get(reader)) and known[0] == place
            else (place, now)
            for reader, place in behind.items()
        }
        return all(now - since > STILL_SECONDS for _, since in self._stood.values())

    async def _too_far_behind(self) -> dict[str, int]:
        """How far those have come who have more than the window before them."""
        ends = await self._log.ends("customers")
        noted = await self._log.noted("customers", self._readers)
        folded = {
            reader: sum(min(places.get(n, 0), end) for n, end in ends.items())
            for reader, places in noted.items()
        }
        written = sum(ends.values())
        return {reader: n for reader, n in folded.items() if written - n > self._window}
