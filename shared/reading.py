"""What every read has: it waits for `Tenure-Wait-For`, and says how fresh its answer is."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Header, Request

from shared.kernel import Kernel
from shared.positions import Progress, parse, wait_for

CACHED_SECONDS = 0.25
PATIENCE_SECONDS = 0.2
WAIT_FOR = "Tenure-Wait-For"


class Freshness:
    """The age in seconds of the oldest event of `customers` that this service has not folded; 0 when caught up.

    Asked of the log at most four times a second, by one task; while the log is away the age of the last answer
    is added, so that it never looks fresher than it is.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._age = 0.0
        self._at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._oldest: dict[int, tuple[int, datetime]] = {}

    async def seconds(self) -> float:
        """Never waits long: what is known a moment later is good enough."""
        now = time.monotonic()
        if now - self._at > CACHED_SECONDS:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._ask())
                self._task.add_done_callback(_retrieved)  # whoever asked may have gone by then
            with contextlib.suppress(Exception):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await asyncio.shield(self._task)
        if self._at == float("-inf"):
            return self._age
        behind = time.monotonic() - self._at
        return self._age + (behind if behind > 1 else 0.0)

    async def _ask(self) -> None:
        kernel = self._kernel
        async with kernel.database.read() as conn:
            rows = await conn.fetch(
                "SELECT partition, next_offset FROM checkpoint WHERE topic = 'customers' AND version = $1",
                kernel.service.version,
            )
        ends = await kernel.log.ends("customers")
        oldest = []
        for row in rows:
            partition, offset = row["partition"], row["next_offset"]
            if offset < ends[partition]:
                oldest.append(await self._recorded(partition, offset))
        now = datetime.now(UTC)
        self._age = max(((now - at).total_seconds() for at in oldest), default=0.0)
        self._age = max(self._age, 0.0)
        self._at = time.monotonic()

    async def _recorded(self, partition: int, offset: int) -> datetime:
        known = self._oldest.get(partition)
        if known is not None and known[0] == offset:
            return known[1]
        records = await self._kernel.log.read(
            "customers", partition, offset, events=1, size=1, wait=0.05
        )
        at = records[0].recorded_at if records else datetime.now(UTC)
        self._oldest[partition] = (offset, at)
        return at


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


async def read_manners(
    request: Request,
    position: Annotated[
        str | None,
        Header(
            alias=WAIT_FOR,
            description="A `Tenure-Position`: wait until the answer knows of that write (2 s at most).",
        ),
    ] = None,
) -> None:
    """A dependency of every GET. Raises `BadRequest` for an unknown position, `NotCaughtUp` after 2 s."""
    state = request.app.state
    kernel: Kernel = state.kernel
    progress: Progress = state.progress
    freshness: Freshness = state.freshness
    if position is not None:
        await wait_for(progress, parse(position, kernel.settings.partitions))
    seconds = await freshness.seconds()
    request.state.answer_headers = [(b"tenure-freshness", f"{seconds:.3f}".encode())]
