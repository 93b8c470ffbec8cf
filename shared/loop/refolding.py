"""Folding for a rebuild: from the first record on, beside the rows that serve.

Only states are folded, and what was announced is learned from the announcements that stand on the log. What it all
means is derived once at the end (`derive_rows`), and nothing is announced: a row that differs from what was told is
marked, and whoever folds it afterwards tells the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.codec import Event
from shared.database import Connection
from shared.grouping import regroup
from shared.language import HistoryClosed
from shared.log import Entry
from shared.loop.folding import Batch, Folding
from shared.loop.lease import Lease
from shared.loop.rows import ALWAYS, Held, Rows
from shared.loop.telling import Entries, Telling
from shared.policies import load_policies
from shared.projection import Announcement, Policy
from shared.quarantine import put_aside
from shared.service import Service

CAUSE = "rebuild"


class Refolding(Folding):
    """Folds one partition into rows that nobody reads yet."""

    touched: set[UUID]
    """Parts that were folded, or given another head, since they were derived last."""

    async def load(self, lease: Lease) -> None:
        await super().load(lease)
        self.due = False

    async def settle(self, lease: Lease) -> Lease:
        return lease

    async def _write(
        self, conn: Connection, batch: Batch, _policies: dict[str, Policy]
    ) -> list[tuple[int, Entry]]:
        moved = await regroup(conn, batch.kernel)
        for rows in self._rows:
            held, _ = await self._folded(conn, rows, batch, moved)
            for part, move in moved.items():
                held[part].head = move.head
            await rows.write_parts(conn, list(held.values()))
            self.touched |= held.keys()
            for event in batch.kernel:
                if isinstance(event.data, HistoryClosed):
                    await rows.forget_history(conn, batch.after.partition, event.data.history)
        await self._keep_in_journals(conn, batch)
        if batch.parked:
            await put_aside(conn, self._service.name, "parked", "customers", batch.parked)
        return []

    def _reads(self, projection: Any) -> frozenset[str]:
        return super()._reads(projection) | frozenset(projection.emits)

    def _evolve(self, projection: Any, held: Held, events: Sequence[Event]) -> None:
        for event in events:
            if event.type in projection.emits:
                held.told = projection.recalled(held.told, event)
        super()._evolve(projection, held, [e for e in events if e.type not in projection.emits])

    def _remember(self, batch: Batch, policies: dict[str, Policy]) -> None:
        super()._remember(batch, policies)
        self.due = False


@dataclass(slots=True)
class Slots:
    """When differences may be told: so many at once, so many in each minute of the partition's clock after that."""

    per_minute: int
    clock: datetime | None
    given: int = 0

    def next(self) -> datetime:
        minutes, self.given = self.given // self.per_minute, self.given + 1
        return (
            ALWAYS if self.clock is None or not minutes else self.clock + timedelta(minutes=minutes)
        )


@dataclass(slots=True, kw_only=True)
class Deriving(Telling):
    """Tells nobody, but marks who is to be told."""

    slots: Slots

    def _said(self, one: Held, announcements: Sequence[Announcement]) -> Entries:
        # It may have been marked before, by what was known then.
        one.cause, one.told_at = (CAUSE, self.slots.next()) if announcements else (None, None)
        return []

    async def _number(self, _views: Any) -> Entries:
        return []


async def derive_rows(
    conn: Connection,
    service: Service,
    rows: Rows,
    lease: Lease,
    keys: Sequence[UUID],
    *,
    partitions: int,
    slots: Slots,
) -> None:
    """Derive these rows of one partition, and write what is read of them."""
    held = await rows.hold(conn, dict.fromkeys(keys, lease.partition))
    deriving = Deriving(
        service=service,
        conn=conn,
        rows=rows,
        lease=lease,
        partitions=partitions,
        policies=await load_policies(conn, lease.partition),
        causes={},
        slots=slots,
    )
    await deriving.write({key: held[key] for key in keys}, {})
