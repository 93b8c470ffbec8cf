"""One partition, run for as long as it is ours: read, apply, settle what is due, and again.

Two failures, two answers. *Poison* is this event, never: the batch is bisected down to it and it is put aside.
*Pause* is not now: back off and lose nothing. A hole in the numbers, or too many parked events, stop the partition
until a person has looked; it looks again by itself from time to time.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

import structlog

from shared import metrics
from shared.errors import Fenced, Gap, Pause, is_pause, is_statement_timeout
from shared.log import Log, Record
from shared.loop.company import BATCH_SECONDS
from shared.loop.lease import Lease, Leases
from shared.loop.opening import Opening
from shared.loop.pacing import LOOK_SECONDS, Pacing
from shared.quarantine import Stopped
from shared.settings import KernelSettings

BACKOFF_FIRST = 0.1
BACKOFF_MOST = 5.0
STOPPED_SECONDS = 5.0
IDLE_SECONDS = 1.0
LINGER_SECONDS = 0.1
LARGE_BATCH = 1000

_logger = structlog.get_logger(__name__)


class Handler(Protocol):
    """What is done with the records of one partition; made anew with every lease."""

    due: bool
    flood: bool
    """Whether what is due gives way to what is live."""

    async def load(self, lease: Lease) -> None: ...

    async def apply(self, lease: Lease, records: Sequence[Record]) -> Lease: ...

    async def park(self, lease: Lease, record: Record, error: BaseException) -> Lease: ...

    async def settle(self, lease: Lease) -> Lease: ...


def _within_keys(records: list[Record], most: int) -> list[Record]:
    """The records up to the one that would be of one customer too many."""
    keys: set[str] = set()
    for count, record in enumerate(records):
        keys.add(record.key)
        if len(keys) > most:
            return records[:count]
    return records


class Runner:
    """Runs one lease until it is cancelled or fenced."""

    def __init__(
        self,
        *,
        service: str,
        leases: Leases,
        lease: Lease,
        handler: Handler,
        log: Log,
        slots: AbstractAsyncContextManager[object],
        most_events: int,
        settings: KernelSettings,
        nudge: Callable[[], None] | None = None,
        giving_way: Pacing | None = None,
        opening: Opening | None = None,
    ) -> None:
        """`giving_way`: when a flood goes on; without one, at once. `opening`: what has to be done first, after the
        lease was taken."""
        self.lease = lease
        self.open = opening is None
        """Whether that is done: nothing of the partition may be sent, resolved or done by the clock before."""
        self._opening = opening
        self._recalling: Handler | None = None
        self.stopped: str | None = None
        self.behind_seconds = 0.0
        self._service = service
        self._leases = leases
        self._handler = handler
        self._log = log
        self._slots = slots
        self._most_events = most_events
        self._settings = settings
        self._nudge = nudge
        self._giving_way = giving_way
        self._labels = (service, lease.topic, str(lease.partition))
        self._backoff = BACKOFF_FIRST
        self._full = False
        self._gave_way = False

    def wake(self) -> None:
        """There is something to do besides new records."""
        self._handler.due = True

    async def run(self) -> None:
        """Return when another worker owns the partition."""
        metrics.paused.labels(*self._labels).set(0)
        metrics.stopped.labels(*self._labels).set(0)
        try:
            await self._go_on()
        finally:
            self._forget()

    def _forget(self) -> None:
        """How a partition fares that is not ours any more is for its owner to say."""
        self.stopped = None
        self.behind_seconds = 0.0
        for gauge in (metrics.paused, metrics.stopped, metrics.lag_seconds):
            gauge.remove(*self._labels)

    async def _go_on(self) -> None:
        fresh = False
        while True:
            try:
                if not fresh:
                    await self._reload()
                    fresh = True
                if not self.open and self._recalling is None:
                    await self._begin()
                await self._step()
                self._went_well()
            except Fenced:
                metrics.leases_lost.labels(self._service).inc()
                _logger.warning(
                    "lease_lost", topic=self.lease.topic, partition=self.lease.partition
                )
                return
            except (Gap, Stopped) as error:
                fresh = False
                await self._stop(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be skipped
                fresh = False
                await self._pause(error)

    @property
    def _at_work(self) -> Handler:
        return self._recalling or self._handler

    async def _begin(self) -> None:
        """Read back, before the first write."""
        assert self._opening is not None, "else it was open from the start"
        self._recalling = await self._opening.begin(self.lease)
        await self._finish()

    async def _finish(self) -> None:
        assert self._opening is not None, "else it was open from the start"
        self.open = await self._opening.finish(self.lease)
        if self.open:
            if self._recalling is not None:
                await self._handler.load(self.lease)
            self._recalling = None
            if self._nudge is not None:
                self._nudge()

    async def _reload(self) -> None:
        """After a failure the outcome of the last transaction may be unknown: ask the database."""
        self._recalling = None  # then it is begun again, and goes on where it was
        async with self._leases.database.connection() as conn:
            self.lease = await self._leases.reload(conn, self.lease)
        await self._handler.load(self.lease)

    async def _step(self) -> None:
        if self.behind_seconds > LINGER_SECONDS and not self._full:
            # Behind, few large transactions go further than many small ones: let some more come in.
            await asyncio.sleep(LINGER_SECONDS)
        records = await self._log.read(
            self.lease.topic,
            self.lease.partition,
            self.lease.next_offset,
            events=self._most_events,
            size=self._settings.batch_bytes,
            wait=self._patience(),
        )
        if self._recalling is not None and self._opening is not None:
            records = self._opening.forgotten(records)
        records = _within_keys(records, self._settings.batch_keys)
        if records:
            await self._apply(records)
            age = (datetime.now(UTC) - records[-1].recorded_at).total_seconds()
            self.behind_seconds = max(0.0, age)
            self._full = len(records) >= LARGE_BATCH
        else:
            self.behind_seconds = 0.0
        metrics.lag_seconds.labels(*self._labels).set(self.behind_seconds)
        if self._recalling is not None:
            await self._finish()
            return
        if self._at_work.due:
            await self._settle()
        if self._nudge is not None and (records or self._at_work.due):
            self._nudge()

    def _patience(self) -> float:
        """Seconds to wait for records. While something is recalled nothing is settled, so what is due stays due."""
        if not self._at_work.due or self._recalling is not None:
            return IDLE_SECONDS
        return LOOK_SECONDS if self._gave_way else 0.0

    async def _settle(self) -> None:
        """What is due, or a chunk of it; a flood only when it is its turn."""
        turn = self._giving_way if self._at_work.flood else None
        self._gave_way = turn is not None and not await turn.enter()
        if self._gave_way:
            return
        try:
            async with self._slots, asyncio.timeout(BATCH_SECONDS):
                self.lease = await self._at_work.settle(self.lease)
        finally:
            if turn is not None:
                turn.leave()

    async def _apply(self, records: Sequence[Record]) -> None:
        """Apply a batch in one transaction; where some event of it is to blame, find that event."""
        try:
            self.lease = await self._at_work.apply(self.lease, records)
        except (Fenced, Gap, Stopped):
            raise
        except Exception as error:
            if is_pause(error):
                raise
            await self._bisect(records, error)

    async def _bisect(self, records: Sequence[Record], error: Exception) -> None:
        if len(records) > 1:
            middle = len(records) // 2
            await self._apply(records[:middle])
            if self.lease.next_offset > records[middle - 1].offset:  # else a hole was in the way
                await self._apply(records[middle:])
            return
        if is_statement_timeout(error):
            raise Pause("statement_timeout") from error
        _logger.error(
            "event_parked",
            topic=self.lease.topic,
            partition=self.lease.partition,
            offset=records[0].offset,
            exc_info=error,
        )
        self.lease = await self._at_work.park(self.lease, records[0], error)

    def _went_well(self) -> None:
        if self._backoff > BACKOFF_FIRST or self.stopped:
            metrics.paused.labels(*self._labels).set(0)
            metrics.stopped.labels(*self._labels).set(0)
            _logger.info(
                "partition_resumed", topic=self.lease.topic, partition=self.lease.partition
            )
        self._backoff = BACKOFF_FIRST
        self.stopped = None

    async def _pause(self, error: Exception) -> None:
        cause = error.cause if isinstance(error, Pause) else type(error).__name__
        known = is_pause(error)
        log = _logger.warning if known else _logger.error
        log(
            "partition_paused",
            topic=self.lease.topic,
            partition=self.lease.partition,
            cause=cause,
            exc_info=None if known else error,
        )
        metrics.pauses.labels(self._service, cause).inc()
        metrics.paused.labels(*self._labels).set(1)
        await asyncio.sleep(self._backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._backoff = min(BACKOFF_MOST, self._backoff * 2)

    async def _stop(self, error: Gap | Stopped) -> None:
        if self.stopped is None:
            _logger.critical(
                "partition_stopped",
                topic=self.lease.topic,
                partition=self.lease.partition,
                reason=str(error),
            )
            metrics.pauses.labels(self._service, type(error).__name__).inc()
        self.stopped = str(error)
        metrics.paused.labels(*self._labels).set(1)
        metrics.stopped.labels(*self._labels).set(1)
        await asyncio.sleep(STOPPED_SECONDS)
