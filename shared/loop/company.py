"""What several partitions have ready at the same moment goes into one transaction.

A transaction costs its dozen of round trips whatever it holds, and where little comes in that is nearly all that it
costs. So whoever finds every slot taken waits in company, and all who wait go together into the next transaction.
Where one of them cannot, each goes alone: then it is known whose fault it is, and the others are through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from shared import metrics
from shared.errors import Pause, is_pause
from shared.log import Record, Topic

IN_FLIGHT = 2
"""Transactions at work at once in one process: one folds while the other waits for its database."""

BATCH_SECONDS = 60.0

Part = TypeVar("Part")
Commit = Callable[[Sequence[Part]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Member(Generic[Part]):
    part: Part
    events: int
    size: int
    commit: Commit[Part]
    done: asyncio.Future[None]


class Company(Generic[Part]):
    """Of all partitions of a topic in one process."""

    def __init__(
        self,
        service: str,
        topic: Topic,
        slots: AbstractAsyncContextManager[object],
        *,
        events: int,
        size: int,
    ) -> None:
        """`slots`: held by each transaction. `events`, `size` (bytes): the most of one transaction."""
        self._labels = (service, topic)
        self._slots = slots
        self._events = events
        self._size = size
        self._waiting: list[_Member[Part]] = []
        self._carriers: set[asyncio.Task[None]] = set()

    async def commit(self, part: Part, records: Sequence[Record], commit: Commit[Part]) -> None:
        """Return when the part (made of these records) is committed, by `commit`, with those of others; raises what
        its transaction raises.

        Who is cancelled is not waited for: what is under way may be committed all the same, as after a kill.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        size = sum(len(record.value) for record in records)
        self._waiting.append(_Member(part, len(records), size, commit, done))
        if len(self._carriers) < IN_FLIGHT:
            self._carriers.add(asyncio.create_task(self._carry()))
        await done

    async def _carry(self) -> None:
        try:
            await self._carry_all()
        finally:
            # Not in a callback, which comes later: who waits from now on must not rely on us.
            self._carriers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _carry_all(self) -> None:
        while self._waiting:
            try:
                async with self._slots:
                    await self._together(self._take())
            except Exception as error:  # noqa: BLE001 - no slot: whoever waits is told
                _fail(self._take(), error)

    def _take(self) -> list[_Member[Part]]:
        """Those who have waited longest, as many as one transaction may hold; at least one. Who gave up is left out."""
        self._waiting = [one for one in self._waiting if not one.done.done()]
        events = size = count = 0
        for one in self._waiting:
            events, size = events + one.events, size + one.size
            if count and (events > self._events or size > self._size):
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _together(self, members: Sequence[_Member[Part]]) -> None:
        if not members:
            return
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await members[0].commit([one.part for one in members])
        except Exception as error:  # noqa: BLE001 - each is told
            if len(members) == 1 or is_pause(error):
                _fail(members, error)
                return
            for one in members:
                if not one.done.done():
                    await self._together([one])
        except asyncio.CancelledError:
            _fail(members, Pause("cancelled"))
            raise
        else:
            elapsed = asyncio.get_running_loop().time() - started
            metrics.batch_seconds.labels(*self._labels).observe(elapsed)
            metrics.batch_events.labels(*self._labels).observe(sum(one.events for one in members))
            for one in members:
                if not one.done.done():
                    one.done.set_result(None)


def _fail(members: Sequence[_Member[Any]], error: Exception) -> None:
    for one in members:
        if not one.done.done():
            one.done.set_exception(error)
