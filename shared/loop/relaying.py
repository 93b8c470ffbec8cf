"""Sends the outbox of every partition that this worker owns."""

import asyncio
import random
from collections.abc import Callable, Iterable

import structlog

from shared import metrics
from shared.database import Database
from shared.errors import is_pause
from shared.log import Log
from shared.relay import Batch, acknowledge, send, unsent
from shared.wake import Hint

POLL_SECONDS = 0.1
BACKOFF_MOST = 5.0

_logger = structlog.get_logger(__name__)


class Relaying:
    """One question reads what is unsent of all partitions of which nothing is under way, one statement notes what was
    acknowledged at the same moment; between the two each partition is sent by a task of its own, so that one
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
        self._backoff: dict[int, float] = {}
        self._sent: dict[int, Batch] = {}
        self._noting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._look()
                except Exception as error:  # noqa: BLE001 - try again; nothing is lost
                    await self._wait_out(error, POLL_SECONDS * 5)
                await self._hint.wait(POLL_SECONDS)
        finally:
            tasks = [*self._sending.values(), *([self._noting] if self._noting else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        idle = [partition for partition in self._owned() if partition not in self._sending]
        if not idle:
            return
        async with self._database.connection() as conn:
            found = await unsent(conn, self._service, idle, self._sends_if)
        for partition, batch in found.items():
            self._sending[partition] = asyncio.create_task(self._send(partition, batch))

    async def _send(self, partition: int, batch: Batch) -> None:
        """Send one batch, and have it noted; then it is looked whether there is more."""
        try:
            await send(self._log, self._service, batch)
            self._sent[partition] = batch
            if self._noting is None:
                self._noting = asyncio.create_task(self._note())
            await asyncio.shield(self._noting)
            self._backoff.pop(partition, None)
        except Exception as error:  # noqa: BLE001 - from the first unacknowledged number again
            backoff = self._backoff.get(partition, POLL_SECONDS)
            self._backoff[partition] = min(BACKOFF_MOST, backoff * 2)
            await self._wait_out(error, backoff)
        finally:
            del self._sending[partition]
            self._hint.nudge()

    async def _note(self) -> None:
        await asyncio.sleep(0)  # acknowledgements mostly come together
        self._noting = None
        sent, self._sent = self._sent, {}
        async with self._database.connection() as conn:
            await acknowledge(conn, self._service, sent)

    async def _wait_out(self, error: Exception, seconds: float) -> None:
        known = is_pause(error)
        log = _logger.warning if known else _logger.error
        log("relay_paused", cause=type(error).__name__, exc_info=None if known else error)
        metrics.pauses.labels(self._service, "relay").inc()
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
