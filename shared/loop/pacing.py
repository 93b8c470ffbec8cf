"""The slow lane's turn: a backfill goes on only as fast as the slowest service folds.

Everything on `customers` is folded in the order of its partition, so a live event waits for what stands before it.
A backfill is therefore let onto `customers` batch by batch, one at a time, while no service has more than a window
of events before it. A service that stands still is not waited for until it moves again: an import must not depend
on everybody being there.
"""

import asyncio
from collections.abc import Sequence

from shared.log import Log
from shared.tables import ORIGINS

LOOK_SECONDS = 0.05
STILL_SECONDS = 5.0
"""A service that has folded nothing for so long, though there is something to fold, stands still."""


class Pacing:
    """Entered for each batch of a backfill; all backfill partitions of a process share one."""

    def __init__(self, log: Log, window: int, readers: Sequence[str] = ORIGINS) -> None:
        self._log = log
        self._window = window
        self._readers = readers
        self._turn = asyncio.Lock()
        self._still: dict[str, int] = {}

    async def __aenter__(self) -> None:
        """Return when it is this batch's turn, and there is room. Raises Pause where the log is away."""
        await self._turn.acquire()
        try:
            await self._room()
        except BaseException:
            self._turn.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        since: dict[str, tuple[int, float]] = {}
        while True:
            behind = await self._too_far_behind()
            for reader, place in behind.items():
                stood, moved = since.get(reader, (-1, 0.0))
                if stood != place:
                    since[reader] = (place, loop.time())
                elif loop.time() - moved > STILL_SECONDS:
                    self._still[reader] = place
            if not behind.keys() - self._still.keys():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _too_far_behind(self) -> dict[str, int]:
        """How far those have come who have more than the window before them and do not stand still."""
        ends = await self._log.ends("customers")
        noted = await self._log.noted("customers", self._readers)
        behind = {}
        for reader, places in noted.items():
            place = sum(min(places.get(n, 0), end) for n, end in ends.items())
            if self._still.get(reader) == place:
                continue
            self._still.pop(reader, None)
            if sum(ends.values()) - place > self._window:
                behind[reader] = place
        return behind
