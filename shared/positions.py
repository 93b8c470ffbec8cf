"""Reading your writes: a position names numbers of outboxes, known at commit and valid in every service."""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared import metrics
from shared.database import Database
from shared.errors import BadRequest, NotCaughtUp, TooManyRequests
from shared.tables import ORIGINS

WAIT_SECONDS = 2.0
POLL_SECONDS = 0.01
MOST_WAITERS = 2000
MOST_PARTS = 1024
"""A policy is told to every partition; an installation has no more of them."""

_PART = re.compile(r"([a-z]{1,20})\.(\d{1,5})\.(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """One event's number: `origin.partition.sequence`."""

    origin: str
    partition: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.origin}.{self.partition}.{self.sequence}"


def render(positions: Sequence[Position]) -> str:
    """The token that a write answers."""
    return ",".join(str(position) for position in positions)


def parse(token: str, partitions: int) -> list[Position]:
    """The positions of a token. Raises BadRequest("invalid_position")."""
    parts = [part.strip() for part in token.split(",")]
    if len(parts) > MOST_PARTS:
        raise BadRequest("invalid_position")
    found = []
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None or match[1] not in ORIGINS or int(match[2]) >= partitions:
            raise BadRequest("invalid_position")
        found.append(Position(match[1], int(match[2]), int(match[3])))
    return found


class Progress:
    """How far this service has folded. One poller a process, and only while somebody waits; no connection is
    held while waiting."""

    def __init__(self, service: str, database: Database, version: int) -> None:
        self._service = service
        self._database = database
        self._version = version
        self._waiters = 0
        self._changed = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._seen: Mapping[int, Sequence[int]] = {}

    async def seen(self) -> Mapping[int, Sequence[int]]:
        """For each partition the last number folded of each origin."""
        async with self._database.read() as conn:
            rows = await conn.fetch(
                "SELECT partition, seen FROM checkpoint WHERE topic = 'customers' AND version = $1",
                self._version,
            )
        return {row["partition"]: row["seen"] for row in rows}

    async def reached(self, positions: Sequence[Position], seconds: float) -> bool:
        """Whether all positions have been folded, waiting at most `seconds`."""
        if self._waiters >= MOST_WAITERS:
            metrics.waits.labels(self._service, "refused").observe(0)
            raise TooManyRequests
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._waiters += 1
        try:
            with contextlib.suppress(TimeoutError):  # the database is slow: this is late, too
                async with asyncio.timeout(WAIT_SECONDS):
                    self._learn(await self.seen())
            while not self._passed(positions):
                left = started + seconds - loop.time()
                if left <= 0:
                    metrics.waits.labels(self._service, "late").observe(loop.time() - started)
                    return False
                await self._next(left)
        finally:
            self._waiters -= 1
        metrics.waits.labels(self._service, "reached").observe(loop.time() - started)
        return True

    def _passed(self, positions: Sequence[Position]) -> bool:
        return all(
            self._seen.get(one.partition, (0,) * len(ORIGINS))[ORIGINS.index(one.origin)]
            >= one.sequence
            for one in positions
        )

    async def _next(self, seconds: float) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        event = self._changed
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    async def _poll(self) -> None:
        while self._waiters:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(Exception):  # who waits is told when the time is up
                self._learn(await self.seen())

    def _learn(self, seen: Mapping[int, Sequence[int]]) -> None:
        """Whoever finds out wakes all who wait: the next poll sees no difference any more."""
        if seen != self._seen:
            self._seen = seen
            event, self._changed = self._changed, asyncio.Event()
            event.set()


async def wait_for(progress: Progress, positions: Sequence[Position]) -> None:
    """Wait as long as a read may; raises `NotCaughtUp`."""
    if not await progress.reached(positions, WAIT_SECONDS):
        raise NotCaughtUp
