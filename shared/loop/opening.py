"""What comes before the first batch of a partition that was taken: by turns, until it is open for work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from shared.log import Log, Record
from shared.loop.lease import Lease, Leases
from shared.loop.read_back import ReadBack, end_of
from shared.loop.recalling import Recalling

LOOK_SECONDS = 0.05


class Opening(Protocol):
    """Made anew with every lease."""

    async def begin(self, lease: Lease) -> Recalling | None:
        """Look at the log before anything is written; answer who folds what was forgotten, where something was.
        Raises `Gap` where the log is not what it was."""

    def forgotten(self, records: list[Record]) -> list[Record]:
        """Those up to where it was read back."""

    async def finish(self, lease: Lease) -> bool:
        """Whether the partition is open now; asked behind `begin`, and behind every batch until it is."""


class OfCustomers:
    """Read back; fold what was forgotten; then open."""

    def __init__(
        self,
        leases: Leases,
        back: ReadBack,
        recalling: Callable[[ReadBack], Recalling],
        remembered: Callable[[], None],
    ) -> None:
        """`remembered`: told when all that was forgotten is folded, whereupon rows of other partitions may be due."""
        self._leases = leases
        self._back = back
        self._make = recalling
        self._remembered = remembered
        self._recalling: Recalling | None = None
        self._until = 0

    async def begin(self, lease: Lease) -> Recalling | None:
        until = await self._back.read(lease)
        self._recalling = None
        if until is not None:
            self._until = until
            self._recalling = self._make(self._back)
            await self._recalling.load(lease)
        return self._recalling

    def forgotten(self, records: list[Record]) -> list[Record]:
        return [record for record in records if record.offset < self._until]

    async def finish(self, lease: Lease) -> bool:
        if self._recalling is not None:
            if lease.next_offset < self._until:
                return False
            await self._recalling.finish(lease)
            self._remembered()
            return True
        async with self._leases.database.transaction() as conn:
            await self._back.open(conn, lease)
            await self._leases.advance(conn, [(lease, lease)])
        return True


class OfInbound:
    """What comes in is not resolved before all that was resolved is remembered: else it would be resolved anew."""

    def __init__(self, log: Log, all_open: Callable[[], Awaitable[bool]]) -> None:
        self._log = log
        self._all_open = all_open

    async def begin(self, lease: Lease) -> None:
        await end_of(self._log, lease)
        while not await self._all_open():  # noqa: ASYNC110 - it is the database that knows
            await asyncio.sleep(LOOK_SECONDS)

    def forgotten(self, records: list[Record]) -> list[Record]:
        return records

    async def finish(self, _lease: Lease) -> bool:
        return True
