"""Sends the outbox of every partition that this worker owns."""

import asyncio
import random
from collections.abc import Callable, Iterable

import structlog

from shared import metrics
from shared.database import Database
from shared.errors import is_pause
from shared.log import Log
from shared.outbox import OUTBOX
from shared.relay import Relay
from shared.wake import Hint

POLL_SECONDS = 0.1
BACKOFF_MOST = 5.0

_logger = structlog.get_logger(__name__)


class Relaying:
    """One query looks at all partitions; each that has something unsent gets a task of its own, so that one
    whose leader is away holds up no other."""

    def __init__(
        self,
        service: str,
        database: Database,
        log: Log,
        hint: Hint,
        owned: Callable[[], Iterable[int]],
        *,
        sends_if: str = "true",
    ) -> None:
        """`sends_if`: SQL, whether anything may be sent yet."""
        self._service = service
        self._database = database
        self._log = log
        self._hint = hint
        self._owned = owned
        self._sends_if = sends_if
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._look()
                except Exception as error:  # noqa: BLE001 - try again; nothing is lost
                    await self._wait_out(error, POLL_SECONDS * 5)
                await self._hint.wait(POLL_SECONDS)
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def _look(self) -> None:
        for partition, task in list(self._sending.items()):
            if task.done():
                del self._sending[partition]
        idle = [partition for partition in self._owned() if partition not in self._sending]
        if not idle:
            return
        async with self._database.connection() as conn:
            heads = await OUTBOX.heads(conn, idle)
            rows = await conn.fetch(
                "SELECT partition, acked_sequence FROM relay WHERE partition = ANY($1)"
                f" AND {self._sends_if}",
                idle,
            )
        for row in rows:
            partition = row["partition"]
            if heads[partition] > row["acked_sequence"]:
                self._sending[partition] = asyncio.create_task(self._drain(partition))

    async def _drain(self, partition: int) -> None:
        relay = Relay(self._service, self._database, self._log, partition, self._sends_if)
        backoff = POLL_SECONDS
        while partition in self._owned():
            try:
                if not await relay.send():
                    return
                backoff = POLL_SECONDS
            except Exception as error:  # noqa: BLE001 - from the first unacknowledged number again
                await self._wait_out(error, backoff)
                backoff = min(BACKOFF_MOST, backoff * 2)

    async def _wait_out(self, error: Exception, seconds: float) -> None:
        known = is_pause(error)
        log = _logger.warning if known else _logger.error
        log("relay_paused", cause=type(error).__name__, exc_info=None if known else error)
        metrics.pauses.labels(self._service, "relay").inc()
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
