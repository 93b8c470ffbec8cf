"""Folding for a rebuild: from the first record on, beside the rows that serve.

Only states are folded, and what was announced is learned from the announcements that stand on the log. Nobody reads
the new rows and nobody else writes them, so many batches go into one transaction: rows are kept folded in memory until
there are many of them, and after whatever goes wrong it is folded again from the last commit. What it all means is
derived last: of the rows that are in memory at the end as they are written, of the others in passes of their own.
Nothing is announced: a row that differs from what was told is marked, and whoever folds it afterwards tells the
difference.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from shared.codec import Event
from shared.database import Connection
from shared.errors import Pause, is_pause
from shared.grouping import regroup
from shared.keyring import Keyring
from shared.language import CustomerRegrouped, HistoryClosed
from shared.log import Entry, Log, Record
from shared.loop.bulk import Bulk
from shared.loop.folding import Batch, Folding
from shared.loop.lease import Lease, Leases
from shared.loop.rows import ALWAYS, HELD, OWN, READ, AnyProjection, Held, Rows
from shared.loop.telling import Entries, Known, Telling
from shared.policies import load_policies
from shared.projection import Announcement
from shared.quarantine import put_aside
from shared.service import Service

CAUSE = "rebuild"
ROWS_KEPT = 40_000
EVENTS_KEPT = 80_000
"""So many, of all partitions together, are kept in memory between two transactions."""
ANNOUNCED_PER_MINUTE = 1000
"""Customers a partition, of whom differences are told in one minute."""

UNCOUNTED = 0
"""Parts of a customer: who is not known to be alone."""
_ABOUT_OTHERS = (CustomerRegrouped, HistoryClosed)
"""What changes rows by statements of its own, not only by being folded."""


class NewRows(Rows):
    """Rows of one partition that only one process writes: not made before they are written, and not locked."""

    def __init__(self, projection: AnyProjection, partition: int) -> None:
        super().__init__(projection)
        self._partition = partition
        self._rows = _upsert(projection, "rows", (*OWN, *READ, *projection.columns), partition)
        self._parts = _upsert(projection, "parts", (*OWN, "head", "told", "due_at"), partition)

    async def read(self, conn: Connection, keys: Collection[UUID]) -> dict[UUID, Held]:
        """Those of these parts that have been written.

        Of whom it was ever said to which head they belong nobody knows how many parts they have before these are
        counted: others may have joined a head, and been derived, while it was somebody else's part."""
        rows = await conn.fetch(
            f"SELECT {HELD} FROM {self.projection.table.name} WHERE customer_id = ANY($1)", keys
        )
        found = {row["customer_id"]: self.open(row, self._partition) for row in rows}
        if found:
            regrouped = await conn.fetch(
                "SELECT customer_id FROM grouping WHERE customer_id = ANY($1)", list(found)
            )
            for row in regrouped:
                found[row["customer_id"]].parts = UNCOUNTED
        return found

    def nobody(self, key: UUID) -> Held:
        """A part of which nothing is known yet."""
        made = self.projection
        return Held(key, made.state(), made.told(), set(), {}, key, 1, self._partition)


def _upsert(projection: AnyProjection, name: str, columns: Sequence[str], partition: int) -> Bulk:
    """These columns of rows of the partition, new ones and others, the customer's id first. Whose head is not said is
    a customer alone."""
    table = projection.table.name
    own_head = "" if "head" in columns else ", head"
    head = "" if "head" in columns else ", u.customer_id"
    assign = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}{own_head}, partition)"
        f" SELECT u.*{head}, {partition} FROM {{rows}}"
        f" ON CONFLICT (customer_id) DO UPDATE SET {assign}"
    )
    return Bulk(projection.table, columns, statement, name=name)


@dataclass(slots=True)
class Kept:
    """What was folded since the last commit, of one partition."""

    rows: list[dict[UUID, Held]]
    """Of each projection."""
    written: list[set[UUID]]
    """Those of them that stand in the table already, as they were."""
    journals: list[list[tuple[Any, ...]]]
    """New rows of each journal."""
    events: int = 0

    @classmethod
    def nothing(cls, service: Service) -> Self:
        """Before the first event."""
        projections = service.projections
        return cls(
            [{} for _ in projections], [set() for _ in projections], [[] for _ in service.journals]
        )


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

    async def _number(self, _unnumbered: Sequence[UUID]) -> Entries:
        return []


class Refolding(Folding):
    """Folds one partition into rows that nobody reads yet."""

    def __init__(
        self,
        service: Service,
        leases: Leases,
        lease: Lease,
        log: Log,
        turns: asyncio.Semaphore,
        keyring: Keyring | None = None,
    ) -> None:
        """`turns`: one is held by whoever folds or writes."""
        self._new = [NewRows(projection, lease.partition) for projection in service.projections]
        super().__init__(service, leases, self._new, log, parked_per_hour=0, keyring=keyring)
        self._turns = turns
        self.committed = lease
        """As it stands in the database."""
        self.upto = 0
        """From this offset on every batch is committed at once, and the rows in memory are derived with it."""
        self.touched: list[set[UUID]] = [set() for _ in service.projections]
        """Parts that were folded or given another head since they were derived last, and the heads that they had, which
        may live in other partitions."""
        self._slots = Slots(ANNOUNCED_PER_MINUTE, lease.clock)
        self._folded_to = lease
        self._alone_to = 0
        self._kept = Kept.nothing(service)

    async def load(self, lease: Lease) -> None:
        await super().load(lease)
        self.due = False
        self._begin(lease)

    def _begin(self, lease: Lease) -> None:
        """What is in the database is all there is."""
        self.committed = self._folded_to = lease
        self._kept = Kept.nothing(self._service)

    async def settle(self, lease: Lease) -> Lease:
        return lease

    async def park(self, lease: Lease, record: Record, error: BaseException) -> Lease:
        self._begin(await super().park(lease, record, error))
        return self.committed

    async def _commit(self, batches: Sequence[Batch]) -> None:
        [batch] = batches  # of the one partition
        others = self._folded_to != self.committed
        try:
            # Not in company: whoever ends a runner here goes on with its rows at once.
            async with self._turns:
                if self._stands_alone(batch):
                    await self._flush()
                    await super()._commit(batches)
                    self._begin(batch.after)
                else:
                    await self._keep(batch)
                    if self._is_enough():
                        await self._flush()
        except Exception as error:
            # Rows in memory may be folded half. Again from the last commit, and up to here each batch by itself: then
            # it is known which event is to blame.
            self._begin(self.committed)
            self._alone_to = batch.after.next_offset
            if others and not is_pause(error):
                raise Pause("folded_again") from error
            raise

    def _stands_alone(self, batch: Batch) -> bool:
        return (
            batch.before.next_offset < self._alone_to
            or bool(batch.parked)
            or any(isinstance(event.data, _ABOUT_OTHERS) for event in batch.kernel)
        )

    def _is_enough(self) -> bool:
        rows = max(map(len, self._kept.rows), default=0)
        return (
            self._folded_to.next_offset >= self.upto
            or rows >= ROWS_KEPT // self._leases.partitions
            or self._kept.events >= EVENTS_KEPT // self._leases.partitions
        )

    async def _keep(self, batch: Batch) -> None:
        """Fold a batch into the rows in memory."""
        kept = self._kept
        touching = [self._touching(rows.projection, batch) for rows in self._new]
        async with self._database.connection() as conn:
            for index, by_customer in enumerate(touching):
                await self._read(conn, index, by_customer)
        for index, by_customer in enumerate(touching):
            rows, projection = kept.rows[index], self._new[index].projection
            for customer_id, events in by_customer.items():
                self._evolve(projection, rows[customer_id], events, batch.closed)
        for journal, made in zip(self._service.journals, kept.journals, strict=True):
            of_events = (journal.row(event, value) for event, value in batch.events)
            made += [row for row in of_events if row is not None]
        kept.events += len(batch.events)
        self._folded_to = batch.after

    async def _read(self, conn: Connection, index: int, touching: dict[UUID, list[Event]]) -> None:
        """Have these customers' rows and child rows in memory."""
        rows, kept, written = self._new[index], self._kept.rows[index], self._kept.written[index]
        missing = [key for key in touching if key not in kept]
        if missing:
            found = await rows.read(conn, missing)
            written.update(found)
            kept.update((key, found.get(key) or rows.nobody(key)) for key in missing)
        wanted = {
            (key, item): None
            for key in touching.keys() & written
            for event in touching[key]
            for item in rows.projection.item_keys(event)
            if item not in kept[key].state.items
        }
        for key, items in (await rows.load_items(conn, list(wanted))).items():
            rows.put(kept[key], items)

    async def _flush(self) -> None:
        """Write what is in memory, and the checkpoint."""
        kept, after = self._kept, self._folded_to
        if after == self.committed:
            return
        derived: list[set[UUID]] = []
        async with self._database.transaction() as conn:
            for index, rows in enumerate(kept.rows):
                left = rows
                if after.next_offset >= self.upto:
                    left = await self._derive(conn, index, rows, after)
                await self._new[index].write_parts(conn, left.values())
                # Before the commit: who is ended in the middle of one does not know whether it happened.
                self.touched[index].update(left)
                derived.append(rows.keys() - left.keys())
            for journal, made in zip(self._service.journals, kept.journals, strict=True):
                if made:
                    await conn.copy_records_to_table(
                        journal.table.name, records=made, columns=journal.columns
                    )
            await self._leases.advance(conn, [(self.committed, after)])
        for touched, keys in zip(self.touched, derived, strict=True):
            touched.difference_update(keys)
        self._begin(after)

    async def _derive(
        self, conn: Connection, index: int, held: dict[UUID, Held], lease: Lease
    ) -> dict[UUID, Held]:
        """Derive and write the customers of one part; answer the rows that are left."""
        alone = {key: one for key, one in held.items() if one.alone}
        await (await self._deriving(conn, index, lease)).write(alone.values(), {})
        return {key: one for key, one in held.items() if key not in alone}

    async def _deriving(self, conn: Connection, index: int, lease: Lease) -> Deriving:
        self._slots.clock = lease.clock
        policies = await load_policies(conn, lease.partition)
        return Deriving(
            service=self._service,
            conn=conn,
            rows=self._new[index],
            version=lease.version,
            partitions=self._leases.partitions,
            known={lease.partition: Known(lease.clock, policies)},
            causes={},
            slots=self._slots,
        )

    def take_touched(self) -> list[tuple[int, list[UUID]]]:
        """Take what is to be derived: of each projection (by its place) the parts."""
        taken = [(index, sorted(keys)) for index, keys in enumerate(self.touched)]
        self.touched = [set() for _ in self.touched]
        return taken

    async def derive(self, index: int, keys: Sequence[UUID]) -> None:
        """Derive these parts' customers, in one transaction. Raises Fenced where anything was folded that we do not
        know of: as it was read before, a row would be written over what it is now."""
        async with self._database.transaction() as conn:
            await self._leases.advance(conn, [(self.committed, self.committed)])
            held = await self._new[index].read(conn, keys)
            await (await self._deriving(conn, index, self.committed)).write(held.values(), {})

    async def _write(self, conn: Connection, batches: Sequence[Batch]) -> list[tuple[int, Entry]]:
        [batch] = batches
        moved = await regroup(conn, batch.kernel)
        for rows, touched in zip(self._new, self.touched, strict=True):
            about = self._about(rows.projection, batches, moved)
            folded = list(await self._folded(conn, rows, about, moved))
            for part in folded:
                move = moved.get(part.customer_id)
                if move is not None:
                    touched.add(part.head)  # without the part it is another customer
                    part.head = move.head
            await rows.write_parts(conn, folded)
            touched.update(about)
            for event in batch.kernel:
                if isinstance(event.data, HistoryClosed):
                    await rows.forget_history(conn, batch.after.partition, event.data.history)
        await self._keep_in_journals(conn, batches)
        if batch.parked:
            await put_aside(conn, self._service.name, "parked", "customers", batch.parked)
        return []

    def _reads(self, projection: Any) -> frozenset[str]:
        return super()._reads(projection) | frozenset(projection.emits)

    def _evolve(
        self, projection: Any, held: Held, events: Sequence[Event], closed: Collection[str]
    ) -> None:
        said = projection.emits
        for event in events:
            if event.type in said:
                held.told = projection.recalled(held.told, event)
        super()._evolve(projection, held, [e for e in events if e.type not in said], closed)

    def _remember(self, batch: Batch) -> None:
        super()._remember(batch)
        self.due = False
