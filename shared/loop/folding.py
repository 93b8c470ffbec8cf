"""Batches of partitions of `customers`, one of each, in one transaction.

Skip what was seen; make and lock the rows; fold; derive; write back; park what cannot be applied; move the
checkpoints by compare-and-set; append the announcements. All of it commits, or nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared import codec, metrics
from shared.codec import Event
from shared.database import Connection, uuid_of
from shared.erasing import forget
from shared.errors import Poison
from shared.failpoints import hit
from shared.grouping import Move, regroup
from shared.identity import remember
from shared.ids import partition_of
from shared.keyring import Keyring
from shared.language import (
    ClockTicked,
    CustomerErased,
    CustomerNumbered,
    CustomerRegrouped,
    HistoryClosed,
    IdentifiersAdded,
    PolicyPublished,
)
from shared.log import Entry, Log, Record
from shared.loop.company import Company
from shared.loop.gaps import Gaps, Missing
from shared.loop.lease import Lease, Leases, mark_before
from shared.loop.rows import ALWAYS, Held, Rows
from shared.loop.telling import Known, Telling
from shared.outbox import OUTBOX
from shared.policies import load_policies, store_policy
from shared.projection import Policy
from shared.quarantine import Parked, park
from shared.replaying import try_again
from shared.service import Service
from shared.tables import ORIGINS

DUE_CHUNK = 200
FEW = 20
"""Customers told of at once that nobody has to give way for."""
_OPENED = frozenset({"identifiers.added"})
"""Event types of which every service reads what is personal: whose identifiers are whose."""
_INDEX = {origin: index for index, origin in enumerate(ORIGINS)}
_OF_THE_KERNEL = frozenset(
    {
        *(ClockTicked, HistoryClosed, PolicyPublished),
        *(CustomerErased, CustomerNumbered, CustomerRegrouped, IdentifiersAdded),
    }
)


@dataclass(slots=True)
class Batch:
    """What is to be done with the records of one batch, and what its partition knows."""

    before: Lease
    after: Lease
    policies: dict[str, Policy] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Histories that are."""
    recorded_at: datetime = ALWAYS
    """When the log took the last record."""
    events: list[tuple[Event, bytes]] = field(default_factory=list)
    kernel: list[Event] = field(default_factory=list)
    """Those of them that mean something to the kernel itself: few."""
    parked: list[Parked] = field(default_factory=list)
    repeated: int = 0
    flood: bool = False
    """Whether it makes very many rows due of which much will be told."""

    def add(self, event: Event, value: bytes) -> None:
        """`value`: its bytes on the log."""
        self.events.append((event, value))
        if type(event.data) in _OF_THE_KERNEL:
            self.kernel.append(event)


class About(NamedTuple):
    """What batches say of one part."""

    partition: int
    cause: Event
    """The last of them, or the one by which it moved."""
    events: Sequence[Event] = ()
    closed: Collection[str] = ()
    """Histories that are."""


class Folding:
    """Folds one partition for one service; made anew with every lease."""

    def __init__(
        self,
        service: Service,
        leases: Leases,
        rows: Sequence[Rows],
        log: Log,
        *,
        parked_per_hour: int,
        company: Company[Batch] | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        """`company`: with whom batches are committed; without one, each by itself. `keyring`: opens what is sealed;
        without one it stays so."""
        self._service = service
        self._keyring = keyring
        self._opens = service.opens | _OPENED
        self._company = company
        self._most_parked = parked_per_hour
        self._leases = leases
        self._database = leases.database
        self._rows = rows
        self._gaps = Gaps(log)
        self._closed: set[str] = set()
        self._policies: dict[str, Policy] = {}
        self.due = True
        """Whether rows may be due: the clock moved, a policy came, a chunk was full."""
        self.flood = False
        """Whether that is so of very many, of whom much will be told: it gives way to what is live."""

    async def load(self, lease: Lease) -> None:
        """Read what a partition knows besides its rows."""
        async with self._database.connection() as conn:
            rows = await conn.fetch(
                "SELECT history FROM history WHERE partition = $1", lease.partition
            )
            self._closed = {row["history"] for row in rows}
            self._policies = await load_policies(conn, lease.partition)
        self.due = True

    async def apply(self, lease: Lease, records: Sequence[Record]) -> Lease:
        """Fold the records; answer the lease as it is after the commit."""
        batch = await self._sorted(lease, records)
        await self._reveal(batch)
        for event in batch.kernel:
            if isinstance(event.data, PolicyPublished):
                _take_policy(batch.policies, event.data)
        if self._company is None:
            await self._commit([batch])
        else:
            await self._company.commit(batch, records, self._commit)
        self._remember(batch)
        self._count(batch)
        return batch.after

    async def _reveal(self, batch: Batch) -> None:
        """Open what is sealed, as far as this service reads it."""
        if self._keyring is not None:
            await self._keyring.reveal(
                one
                for one in batch.events
                if one[0].sealed is not None and one[0].type in self._opens
            )

    async def _commit(self, batches: Sequence[Batch]) -> None:
        """Each of another partition."""
        async with self._database.transaction() as conn:
            written = await self._write(conn, batches)
            hit("fold.written")
            await self._leases.advance(conn, [(one.before, one.after) for one in batches])
            await OUTBOX.append(conn, written, max(one.recorded_at for one in batches))
            hit("fold.appended")
        hit("fold.committed")

    async def _sorted(self, lease: Lease, records: Sequence[Record]) -> Batch:
        """Sort, passing over a hole whose number was sent again further along."""
        while True:
            try:
                return self.sort(lease, records)
            except Missing as missing:
                if not await self._gaps.search(missing):
                    raise

    def sort(self, lease: Lease, records: Sequence[Record]) -> Batch:
        """Decide from numbers alone what is folded: the next is, a repeat is skipped, a hole is a `Gap`."""
        seen = list(lease.seen)
        offset = records[-1].offset + 1
        batch = self._batch(lease)
        batch.recorded_at = records[-1].recorded_at
        for record in records:
            origin = record.origin
            index = _INDEX.get(origin) if origin is not None else None
            if origin is None or index is None or record.sequence is None:
                batch.parked.append(Parked(record, "no_origin", "decode"))
                continue
            if record.sequence <= seen[index]:
                batch.repeated += 1
                continue
            if record.sequence > seen[index] + 1:
                if not self._gaps.coming(origin, seen[index] + 1):
                    if record is records[0]:
                        raise Missing(record, origin, seen[index])
                    offset = (
                        record.offset
                    )  # what stands before the hole is folded; the next batch meets it
                    break
                batch.repeated += 1  # it will be: everything behind the missing one comes again
                continue
            seen[index] = record.sequence
            self._decode(record, batch)
        ticks = [event.data.at for event in batch.kernel if isinstance(event.data, ClockTicked)]
        batch.after = replace(
            lease,
            next_offset=offset,
            last_event=batch.events[-1][0].id if batch.events else lease.last_event,
            seen=tuple(seen),
            clock=max((*ticks, *([lease.clock] if lease.clock else [])), default=None),
            mark=mark_before(records, offset),
        )
        return batch

    def _batch(self, lease: Lease) -> Batch:
        return Batch(lease, lease, dict(self._policies), self._closed)

    def _decode(self, record: Record, batch: Batch) -> Event | None:
        try:
            event = decode(record)
        except Poison as poison:
            batch.parked.append(Parked.of(record, poison, "decode"))
            return None
        batch.add(event, record.value)
        return event

    async def park(self, lease: Lease, record: Record, error: BaseException) -> Lease:
        """Put aside the one event that cannot be applied, and go past it."""
        batch = self.sort(lease, [record])
        async with self._database.transaction() as conn:
            parked = [Parked.of(record, error, "fold")]
            await park(conn, self._service.name, parked, self._most_parked)
            await self._leases.advance(conn, [(lease, batch.after)])
        return batch.after

    async def _write(self, conn: Connection, batches: Sequence[Batch]) -> list[tuple[int, Entry]]:
        appended: list[tuple[int, Entry]] = []
        kernel = [event for batch in batches for event in batch.kernel]
        await _remember_identities(conn, kernel)
        moved = await regroup(conn, kernel)
        erased = [event for event in kernel if isinstance(event.data, CustomerErased)]
        appended += await forget(conn, self._service, erased, self._leases.partitions)
        for rows in self._rows:
            appended += await self._fold(conn, rows, batches, moved)
        await self._keep_in_journals(conn, batches)
        if self._service.after is not None:
            await self._service.after(conn, [one for batch in batches for one in batch.events])
        for batch in batches:
            for event in batch.kernel:
                await self._system(conn, batch, event)
            if batch.parked:
                await park(conn, self._service.name, batch.parked, self._most_parked)
        return appended

    async def _keep_in_journals(self, conn: Connection, batches: Sequence[Batch]) -> None:
        for journal in self._service.journals:
            made = [journal.row(event, value) for batch in batches for event, value in batch.events]
            kept = [row for row in made if row is not None]
            if kept:
                await conn.copy_records_to_table(
                    journal.table.name, records=kept, columns=journal.columns
                )

    async def _system(self, conn: Connection, batch: Batch, event: Event) -> None:
        """Events of the stream itself: they change what every row of the partition means."""
        partition = batch.after.partition
        await _keep_system(conn, partition, event)
        match event.data:
            case HistoryClosed(history=history):
                for rows in self._rows:
                    if await rows.forget_history(conn, partition, history) > FEW:
                        batch.flood = True
            case PolicyPublished():
                for rows in self._rows:
                    if event.data.name in rows.projection.policies:
                        await rows.mark_all_due(conn, partition)
            case _:
                pass

    async def _fold(
        self,
        conn: Connection,
        rows: Rows,
        batches: Sequence[Batch],
        moved: dict[UUID, Move],
    ) -> list[tuple[int, Entry]]:
        about = self._about(rows.projection, batches, moved)
        known = {one.after.partition: Known(one.after.clock, one.policies) for one in batches}
        causes = {key: one.cause for key, one in about.items()}
        folded = await self._folded(conn, rows, about, moved)
        return await self._telling(conn, rows, known, causes).write(folded, moved)

    def _about(
        self, projection: Any, batches: Sequence[Batch], moved: Mapping[UUID, Move]
    ) -> dict[UUID, About]:
        """The parts that the batches are about."""
        about = {part: About(move.event.partition, move.event) for part, move in moved.items()}
        for batch in batches:
            for key, events in self._touching(projection, batch).items():
                about[key] = About(batch.after.partition, events[-1], events, batch.closed)
        return about

    async def _folded(
        self, conn: Connection, rows: Rows, about: dict[UUID, About], moved: Mapping[UUID, Move]
    ) -> Iterator[Held]:
        """Hold these parts; each is opened and folded when it is asked for."""
        if not about:
            return iter(())
        locked = {
            move.head: partition_of(str(move.head), self._leases.partitions)
            for move in moved.values()
        }
        locked |= {key: one.partition for key, one in about.items()}
        held = await rows.hold(conn, locked)
        items: dict[UUID, dict[str, bytes]] = {}
        if rows.projection.items_table is not None:
            items = await rows.load_items(conn, _items_of(rows.projection, about))

        def folded() -> Iterator[Held]:
            for key, one in about.items():
                # Taken out: packed again it needs the room a second time.
                opened = rows.open(held.pop(key), one.partition, items.pop(key, None))
                self._evolve(rows.projection, opened, one.events, one.closed)
                yield opened

        return folded()

    def _touching(self, projection: Any, batch: Batch) -> dict[UUID, list[Event]]:
        """The events that a projection reads, by customer, in their order."""
        reads = self._reads(projection)
        by_subject: defaultdict[str, list[Event]] = defaultdict(list)
        for event, _ in batch.events:
            if event.type in reads:
                by_subject[event.subject].append(event)
        by_subject.pop("", None)
        touching: dict[UUID, list[Event]] = {}
        for subject, events in by_subject.items():
            touching.setdefault(uuid_of(subject), []).extend(events)
        return touching

    def _reads(self, projection: Any) -> frozenset[str]:
        return frozenset(projection.consumes | projection.shows)

    def _evolve(
        self, projection: Any, held: Held, events: Sequence[Event], closed: Collection[str]
    ) -> None:
        state, evolve = held.state, projection.evolve
        for event in events:
            state = evolve(state, event)
            if event.history is not None and event.history not in closed:
                held.history.add(event.history)
        held.state = state

    def _telling(
        self, conn: Connection, rows: Rows, known: dict[int, Known], causes: dict[UUID, Event]
    ) -> Telling:
        return Telling(
            service=self._service,
            conn=conn,
            rows=rows,
            version=self._leases.version,
            partitions=self._leases.partitions,
            known=known,
            causes=causes,
        )

    async def settle(self, lease: Lease) -> Lease:
        """Derive one chunk of the rows whose time has come."""
        clock = lease.clock or ALWAYS
        more = False
        async with self._database.transaction() as conn:
            appended: list[tuple[int, Entry]] = []
            for rows in self._rows:
                due = await rows.due(conn, lease.partition, clock, DUE_CHUNK)
                more = more or len(due) == DUE_CHUNK
                if due:
                    held = await rows.hold(conn, dict.fromkeys(due, lease.partition))
                    known = {lease.partition: Known(lease.clock, self._policies)}
                    telling = self._telling(conn, rows, known, {})
                    opened = (rows.open(held[key], lease.partition) for key in due)
                    appended += await telling.write(opened, {})

            async def apply(record: Record) -> None:
                nonlocal appended
                batch = self._batch(lease)
                batch.add(decode(record), record.value)
                await self._reveal(batch)
                appended += await self._write(conn, [batch])

            tried = await try_again(conn, "customers", lease.partition, apply)
            await self._leases.advance(conn, [(lease, lease)])
            await OUTBOX.append(conn, appended, datetime.now(UTC))
            hit("settle.appended")
        self.due = more
        self.flood = more and len(appended) > FEW
        if tried:
            await self.load(lease)  # it may have been a policy, or the end of a backfill
        return lease

    def _remember(self, batch: Batch) -> None:
        self._policies = batch.policies
        self.flood = self.flood or batch.flood
        for event in batch.kernel:
            match event.data:
                case HistoryClosed(history=history):
                    self._closed.add(history)
                    self.due = True
                case ClockTicked() | PolicyPublished():
                    self.due = True
                case _:
                    pass

    def _count(self, batch: Batch) -> None:
        name = self._service.name
        metrics.events_folded.labels(name, "customers").inc(len(batch.events))
        if batch.repeated:
            metrics.events_repeated.labels(name, "customers").inc(batch.repeated)


async def keep_beside(
    conn: Connection, service: Service, events: Sequence[Event], partitions: int
) -> list[tuple[int, Entry]]:
    """Keep what events say beside the rows, where the rows are made otherwise; answer what is to be said of it."""
    kernel = [event for event in events if type(event.data) in _OF_THE_KERNEL]
    await _remember_identities(conn, kernel)
    erased = [event for event in kernel if isinstance(event.data, CustomerErased)]
    said = await forget(conn, service, erased, partitions)
    for event in kernel:
        await _keep_system(conn, event.partition, event)
    return said


async def _keep_system(conn: Connection, partition: int, event: Event) -> None:
    """What an event of the stream itself says of a partition."""
    match event.data:
        case HistoryClosed(history=history):
            await conn.execute(
                "INSERT INTO history VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                partition,
                history,
                event.time,
            )
        case PolicyPublished():
            await store_policy(conn, partition, event.data, event.time)
        case _:
            pass


def decode(record: Record) -> Event:
    """The event that a record carries."""
    assert record.origin is not None, "checked by the numbers"
    assert record.sequence is not None, "checked by the numbers"
    return codec.decode(
        record.value,
        origin=record.origin,
        sequence=record.sequence,
        partition=record.partition,
        offset=record.offset,
        recordedtime=record.recorded_at,
    )


def _items_of(projection: Any, about: Mapping[UUID, About]) -> list[tuple[UUID, str]]:
    """The child rows that the batches are about."""
    wanted: dict[tuple[UUID, str], None] = {}
    for customer_id, one in about.items():
        for event in one.events:
            for item in projection.item_keys(event):
                wanted[customer_id, item] = None
    return list(wanted)


def _take_policy(policies: dict[str, Policy], data: PolicyPublished) -> None:
    known = policies.get(data.name)
    if known is None or data.version > known.version:
        policies[data.name] = Policy(data.name, data.version, data.body)


async def _remember_identities(conn: Connection, events: Iterable[Event]) -> None:
    found: list[tuple[str, str, UUID]] = []
    for event in events:
        match event.data:
            case IdentifiersAdded(identifiers=identifiers):
                found += [
                    (type_, value, UUID(event.subject)) for type_, value in identifiers.items()
                ]
            case CustomerNumbered(number=number):
                found.append(("number", number, UUID(event.subject)))
            case _:
                pass
    if found:
        await remember(conn, found)
