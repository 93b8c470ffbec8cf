"""From `inbound` or `backfill` to `customers`: batches of partitions, one of each, in one transaction.

Drop repeats, resolve identifiers to customers, settle orders, quarantine what is unusable, append. New rows are
inserted optimistically: where another partition was faster with the same key, the batch is decided again from
what stands now.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import msgspec
import orjson

from services.interaction import arrivals, sharing
from services.interaction.arrivals import CUSTOMER_ID, Arrival, partition_for
from services.interaction.cases import COMPLAINT, Step, case_of, read_step
from services.interaction.cloudevents import as_structured
from services.interaction.erasing import UNDISTURBED, bury
from services.interaction.filing import keep_steps
from services.interaction.judging import Judge, Refused
from services.interaction.naming import name_customers
from services.interaction.orders import (
    SETTLED_TYPES,
    Fact,
    Order,
    Told,
    order_in,
    order_key,
    settle,
)
from services.interaction.recalling import UNKNOWN_CONTENT
from services.interaction.resolving import (
    EXCLUSIVE,
    Key,
    Known,
    Resolution,
    Resolved,
    resolve,
)
from shared import codec, metrics
from shared.database import Connection
from shared.erasing import erased_among
from shared.failpoints import hit
from shared.identity import digest
from shared.identity import known as owners_of
from shared.ids import new_id, new_id_in, partition_of
from shared.kernel import Kernel
from shared.language import HistoryClosed, IdentifiersAdded, IdentifiersLinked
from shared.language.identifiers import TYPES
from shared.language.personal import holds_personal, split
from shared.log import Entry, Record, Topic, check_sizes
from shared.loop.company import Company
from shared.loop.lease import Lease, Leases, mark_of
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.quarantine import Parked, put_aside
from shared.replaying import try_again

SERVICE = "interaction"
ATTEMPTS = 20

_encode = msgspec.msgpack.Encoder().encode

# The first question of every attempt: nobody is erased between it and the end of the transaction.
_PASSED = f"""
SELECT NULL::bytea AS key, NULL::bytea AS content FROM ({UNDISTURBED}) AS undisturbed
UNION ALL
SELECT key, content FROM door WHERE key = ANY($1)
"""


class _RacedError(Exception):
    """Another partition inserted the same key first."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One event of the batch that is not known to be a repeat."""

    record: Record
    arrival: Arrival
    key: bytes
    content: bytes
    event_id: str


@dataclass(slots=True)
class Sorted:
    """The records of a batch, judged one by one, and the lease before and after it."""

    before: Lease
    after: Lease
    last: Record
    pending: list[Pending] = field(default_factory=list)
    unusable: list[Parked] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Decided:
    """What is to be appended, by partition; the events that are unusable; and of the others that are no repeats,
    the customer of each."""

    entries: list[tuple[int, Entry]] = field(default_factory=list)
    unusable: list[Parked] = field(default_factory=list)
    customers: list[UUID] = field(default_factory=list)
    erased: Collection[UUID] = ()
    """Those of them who are erased."""


class Resolver:
    """Resolves one partition of `inbound`, or of its slow lane."""

    def __init__(
        self, kernel: Kernel, leases: Leases, company: Company[Sorted] | None = None
    ) -> None:
        """`company`: with whom batches are committed; without one, each by itself."""
        self._kernel = kernel
        self._company = company
        self._leases = leases
        self._secret = kernel.settings.inbound_secret.encode()
        self._judge = Judge(kernel.settings, kernel.clock)
        self.due = self.flood = False

    async def load(self, lease: Lease) -> None:
        """Nothing is kept between batches."""

    async def settle(self, lease: Lease) -> Lease:
        """Time alone changes nothing here; a person may have asked to try something again."""
        entries: list[tuple[int, Entry]] = []
        async with self._kernel.database.transaction() as conn:

            async def apply(record: Record) -> None:
                batch = self._sort(lease, [await self._as_it_came(conn, lease.topic, record)])
                made = await self._decide(conn, [batch])
                for one in batch.unusable + made.unusable:
                    raise Refused(one.reason)
                sealed = await self._kernel.keyring.seal(made.entries)
                check_sizes(sealed)  # here, where one that is too large fails alone
                entries.extend(sealed)

            more = await try_again(conn, lease.topic, lease.partition, apply) > 0
            await self._leases.advance(conn, [(lease, lease)])
            await OUTBOX.append(conn, entries, self._kernel.clock())
        self.due = more
        return lease

    async def _as_it_came(self, conn: Connection, topic: Topic, record: Record) -> Record:
        """The quarantine keeps no signature, but knows whether our own door had written the event, and when the log
        took it: who was erased since must not come back by it."""
        kept = await conn.fetchrow(
            "SELECT detail -> 'signed' = 'true' AS signed, (detail ->> 'recorded_at')::timestamptz AS recorded_at"
            " FROM quarantine WHERE topic = $1 AND partition = $2 AND log_offset = $3 AND status = 'replay'",
            topic,
            record.partition,
            record.offset,
        )
        assert kept is not None, "it is being tried again"
        signature = arrivals.sign(record.value, self._secret) if kept["signed"] else None
        return msgspec.structs.replace(
            record, signature=signature, recorded_at=kept["recorded_at"] or record.recorded_at
        )

    async def apply(self, lease: Lease, records: Sequence[Record]) -> Lease:
        """Resolve the records; answer the lease as it is after the commit."""
        batch = self._sort(lease, records)
        if self._company is None:
            await self._commit([batch])
        else:
            await self._company.commit(batch, records, self._commit)
        metrics.events_folded.labels(SERVICE, lease.topic).inc(len(records))
        return batch.after

    async def _commit(self, batches: Sequence[Sorted]) -> None:
        """Each of another partition."""
        async with self._kernel.database.transaction() as conn:
            hit("resolve.begun")
            decided = await self._decide(conn, batches)
            unusable = [one for batch in batches for one in batch.unusable] + decided.unusable
            await self._put_aside(conn, batches[0].before.topic, unusable)
            entries = await self._kernel.keyring.seal(decided.entries)
            for batch in batches:
                entries += await self._close(conn, batch)
            await self._leases.advance(conn, [(batch.before, batch.after) for batch in batches])
            await OUTBOX.append(conn, entries, max(batch.last.recorded_at for batch in batches))
            hit("resolve.appended")
        hit("resolve.committed")

    async def park(self, lease: Lease, record: Record, error: BaseException) -> Lease:
        """A publisher's garbage never stops anything."""
        after = replace(lease, next_offset=record.offset + 1, mark=mark_of(record))
        with contextlib.suppress(Refused):
            record = as_structured(record)
        async with self._kernel.database.transaction() as conn:
            await self._put_aside(conn, lease.topic, [Parked.of(record, error, "resolve")])
            await self._leases.advance(conn, [(lease, after)])
        return after

    async def _put_aside(self, conn: Connection, topic: Topic, entries: Sequence[Parked]) -> None:
        """What a stranger wrote into headers is worth nothing, and may be what no column takes."""
        plain = []
        for entry in entries:
            record = entry.record
            ours = arrivals.is_ours(record.value, record.signature, self._secret)
            detail = entry.detail | {"recorded_at": record.recorded_at.isoformat()}
            detail |= {"signed": True} if ours else {}
            unnumbered = msgspec.structs.replace(record, origin=None, sequence=None)
            plain.append(replace(entry, record=unnumbered, detail=detail))
        if plain:
            await put_aside(conn, SERVICE, "quarantined", topic, plain)

    def _sort(self, lease: Lease, records: Sequence[Record]) -> Sorted:
        last = records[-1]
        after = replace(lease, next_offset=last.offset + 1, mark=mark_of(last))
        batch = Sorted(lease, after, last)
        for record in records:
            try:
                record = as_structured(record)  # noqa: PLW2901 - and so it is kept, where it is unusable
                arrival = self._read(record)
            except Refused as refused:
                batch.unusable.append(Parked(record, refused.code, "judge", refused.detail()))
                continue
            if arrival.type == arrivals.CLOSE:
                batch.closes.append(arrival.id)
                continue
            batch.pending.append(
                Pending(
                    record=record,
                    arrival=arrival,
                    key=arrivals.door_key(arrival.source, arrival.id),
                    content=bytes.fromhex(arrival.contenthash),
                    event_id=new_id(),
                )
            )
        if batch.pending:
            batch.after = replace(after, last_event=batch.pending[-1].event_id)
        return batch

    def _read(self, record: Record) -> Arrival:
        if arrivals.is_ours(record.value, record.signature, self._secret):
            return arrivals.decode(record.value)
        return self._judge.cloudevent(record.value, record.content_type, record.recorded_at)

    async def _decide(self, conn: Connection, batches: Sequence[Sorted]) -> Decided:
        pending = [one for batch in batches for one in batch.pending]
        return await decide(conn, pending, self._kernel.settings.partitions)

    async def _close(self, conn: Connection, batch: Sorted) -> list[tuple[int, Entry]]:
        """A backfill is closed when every partition of its lane has passed its close."""
        partitions = self._kernel.settings.partitions
        entries: list[tuple[int, Entry]] = []
        for history in dict.fromkeys(batch.closes):
            await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", history)
            await conn.execute(
                "INSERT INTO closing VALUES ($1, $2) ON CONFLICT DO NOTHING",
                history,
                batch.last.partition,
            )
            passed = await conn.fetchval("SELECT count(*) FROM closing WHERE history = $1", history)
            if passed == partitions:
                now = self._kernel.clock()
                closed = HistoryClosed(history=history)
                entries += everywhere(SERVICE, "history.closed", closed, now, partitions)
                await conn.execute(
                    "INSERT INTO closing VALUES ($1, -1) ON CONFLICT DO NOTHING", history
                )
        return entries


async def decide(conn: Connection, pending: Sequence[Pending], partitions: int) -> Decided:
    """Decide all of them, again where another partition was faster."""
    if not pending:
        return Decided()
    for _ in range(ATTEMPTS):
        try:
            async with conn.transaction():
                return await _attempt(conn, pending, partitions)
        except _RacedError:
            continue
    raise _RacedError


async def _attempt(conn: Connection, pending: Sequence[Pending], partitions: int) -> Decided:
    decided = Decided()
    fresh = await _fresh(conn, pending, decided.unusable)
    fresh = await _of_known_customers(conn, fresh, decided.unusable)
    if not fresh:
        return decided
    resolution = await _identify(conn, fresh, partitions)
    if resolution.erased or any(event.unsaid for event in resolution.events):
        fresh = [
            _what_is_left(one, event, resolution.erased)
            for one, event in zip(fresh, resolution.events, strict=True)
        ]
    decided.erased = resolution.erased
    anonymous = await _links(conn, fresh, resolution.events)
    await _remember(conn, fresh, resolution.events)
    told = await _settle_orders(conn, fresh, resolution.events)
    await _keep_cases(conn, fresh, resolution.events)
    for one, resolved, events in zip(fresh, resolution.events, told, strict=True):
        decided.customers.append(resolved.customer)
        decided.entries += _entries(one, resolved, events, anonymous, partitions)
    return decided


async def _fresh(
    conn: Connection, pending: Sequence[Pending], unusable: list[Parked]
) -> list[Pending]:
    """Those that were never resolved before. Other content under the same source and id is no repeat."""
    rows = await conn.fetch(_PASSED, [one.key for one in pending])
    passed: dict[bytes, bytes] = {row["key"]: row["content"] for row in rows}
    fresh = []
    for one in pending:
        content = passed.get(one.key)
        if content is None:
            passed[one.key] = one.content
            fresh.append(one)
        elif content in (one.content, UNKNOWN_CONTENT):
            metrics.events_repeated.labels(SERVICE, "inbound").inc()
        else:
            unusable.append(Parked(one.record, "conflicting_duplicate", "resolve"))
    return fresh


async def _of_known_customers(
    conn: Connection, fresh: Sequence[Pending], unusable: list[Parked]
) -> list[Pending]:
    """An event may name a customer by our own id or number; one that nobody has names nobody."""
    kept = []
    named = await name_customers(conn, [one.arrival for one in fresh])
    for one, arrival in zip(fresh, named, strict=True):
        if arrival is None:
            unusable.append(Parked(one.record, "customer_not_found", "resolve"))
        else:
            kept.append(one if arrival is one.arrival else replace(one, arrival=arrival))
    return kept


async def _identify(conn: Connection, fresh: Sequence[Pending], partitions: int) -> Resolution:
    customers = [one.arrival.customer for one in fresh]
    keys = {
        (type_, digest(type_, value))
        for customer in customers
        for type_, value in customer.items()
        if type_ in TYPES
    }

    def home(identifiers: Mapping[str, str]) -> str:
        """A new customer lives in the partition in which they were met, so that what came in together stays
        together: one batch of one partition goes on as one batch of one partition."""
        return new_id_in(partition_for(identifiers, partitions), partitions)

    received = [one.arrival.receivedtime for one in fresh]
    known = await _known(conn, customers, keys, min(received))
    resolution = resolve(customers, known, digest, home, received)
    if resolution.new:
        rows = sorted(resolution.new.items())
        made = await conn.fetch(
            "INSERT INTO identity SELECT * FROM unnest($1::text[], $2::bytea[], $3::uuid[])"
            " ON CONFLICT DO NOTHING RETURNING 1",
            [key[0] for key, _ in rows],
            [key[1] for key, _ in rows],
            [customer for _, customer in rows],
        )
        if len(made) < len(rows):
            raise _RacedError
    if resolution.moved:
        await sharing.move(conn, resolution.moved)
    if resolution.own and not await sharing.stand_alone(conn, resolution.own):
        raise _RacedError
    if resolution.tombstones:
        await bury(conn, resolution.tombstones)
    return resolution


async def _known(
    conn: Connection, customers: Sequence[Mapping[str, str]], keys: set[Key], since: datetime
) -> Known:
    """What is known of the identifiers of a batch; `since`: when the first of its events came."""
    owners = await owners_of(conn, keys)
    shared, tombstones = await sharing.known_beside(conn, keys, since)
    erased = {one.customer for stones in tombstones.values() for one in stones}
    doubtful = erased or any(_is_doubtful(customer, owners) for customer in customers)
    exclusive = await sharing.exclusive_of(conn, erased.union(owners.values()) if doubtful else ())
    for customer, had in (await sharing.exclusive_of(conn, erased, "erased_identifier")).items():
        exclusive.setdefault(customer, set()).update(had)
    ids = {UUID(customer[CUSTOMER_ID]) for customer in customers if CUSTOMER_ID in customer}
    named = await erased_among(conn, ids) if ids else {}
    return Known(owners, exclusive, shared, tombstones, named)


def _what_is_left(one: Pending, resolved: Resolved, erased: Collection[UUID]) -> Pending:
    """The event without anything personal where its customer is erased; without identifiers of others who are."""
    type_, identifies = one.arrival.type, one.arrival.type == "customer.identified"
    if resolved.customer not in erased and not (identifies and resolved.unsaid):
        return one
    data = orjson.loads(bytes(one.arrival.data))
    if resolved.customer in erased:
        data, _ = split(type_, data)
    else:
        said = data["identifiers"].items()
        data["identifiers"] = {t: value for t, value in said if t not in resolved.unsaid}
    arrival = msgspec.structs.replace(one.arrival, data=msgspec.Raw(orjson.dumps(data)))
    return replace(one, arrival=arrival)


def _is_doubtful(customer: Mapping[str, str], owners: Mapping[Key, UUID]) -> bool:
    """Whether an event's customer may be another one than whom its weaker identifiers name."""
    keys = [(type_, digest(type_, value)) for type_, value in customer.items() if type_ in TYPES]
    found = [owners.get(key) for key in keys]
    new = any(key[0] in EXCLUSIVE and owner is None for key, owner in zip(keys, found, strict=True))
    return len(keys) > 1 and (new or len(set(found) - {None}) > 1)


async def _links(
    conn: Connection, fresh: Sequence[Pending], resolved: Sequence[Resolved]
) -> set[UUID]:
    """Count whom the identifiers of events that named several customers have linked; answer those of the customers
    who have only anonymous identifiers."""
    linked = [
        (event, [(t, digest(t, one.arrival.customer[t])) for t in event.named])
        for one, event in zip(fresh, resolved, strict=True)
        if event.parts
    ]
    anonymous = await sharing.anonymous_among(
        conn, {part for event, _ in linked for part in event.parts}
    )
    await sharing.count_links(conn, linked, anonymous)
    return anonymous


async def _remember(
    conn: Connection, fresh: Sequence[Pending], resolved: Sequence[Resolved]
) -> None:
    """Keep what has passed, in the order of the keys, so that two batches never wait for each other."""
    rows = sorted(
        (one.key, one.content, event.customer, UUID(one.event_id))
        for one, event in zip(fresh, resolved, strict=True)
    )
    made = await conn.fetchval(
        "WITH made AS (INSERT INTO door"
        " SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::uuid[], $4::uuid[])"
        " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM made",
        *map(list, zip(*rows, strict=True)),
    )
    if made < len(rows):
        raise _RacedError


async def _settle_orders(
    conn: Connection, fresh: Sequence[Pending], resolved: Sequence[Resolved]
) -> list[Sequence[Told]]:
    """What each event comes to once its order is settled; others come to themselves."""
    keys = {
        n: order_key(one.arrival.source, bytes(one.arrival.data))
        for n, one in enumerate(fresh)
        if one.arrival.type in SETTLED_TYPES
    }
    stored: dict[bytes, Order] = {}
    if keys:
        rows = await conn.fetch(
            "SELECT key, state FROM orders WHERE key = ANY($1) ORDER BY key FOR UPDATE",
            list(set(keys.values())),
        )
        stored = {row["key"]: order_in(row["state"]) for row in rows}
    orders = dict(stored)
    told: list[Sequence[Told]] = []
    for n, (one, event) in enumerate(zip(fresh, resolved, strict=True)):
        arrival = one.arrival
        data, customer = bytes(arrival.data), str(event.customer)
        if n not in keys:
            told.append((Told(arrival.type, customer, data),))
            continue
        fact = Fact(one.event_id, arrival.type, arrival.time, arrival.utcoffset, customer, data)
        orders[keys[n]], events = settle(orders.get(keys[n], Order()), fact)
        told.append(events)
    await _write_orders(conn, orders, stored)
    return told


async def _write_orders(
    conn: Connection, orders: dict[bytes, Order], stored: dict[bytes, Order]
) -> None:
    new = sorted((key, _encode(order)) for key, order in orders.items() if key not in stored)
    if new:
        made = await conn.fetchval(
            "WITH made AS (INSERT INTO orders SELECT * FROM unnest($1::bytea[], $2::bytea[])"
            " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM made",
            [key for key, _ in new],
            [state for _, state in new],
        )
        if made < len(new):
            raise _RacedError
    changed = [(key, order) for key, order in orders.items() if key in stored]
    if changed:
        await conn.execute(
            "UPDATE orders AS o SET state = u.state FROM unnest($1::bytea[], $2::bytea[]) AS u(key, state)"
            " WHERE o.key = u.key",
            [key for key, _ in changed],
            [_encode(order) for _, order in changed],
        )


async def _keep_cases(
    conn: Connection, fresh: Sequence[Pending], resolved: Sequence[Resolved]
) -> None:
    """Put every step of a complaint into its case."""
    steps: dict[UUID, list[tuple[UUID, Step]]] = {}
    for one, event in zip(fresh, resolved, strict=True):
        if one.arrival.type.startswith(COMPLAINT):
            step = read_step(one.event_id, one.arrival)
            case_id = case_of(event.customer, step.complaint_id)
            steps.setdefault(case_id, []).append((event.customer, step))
    if steps:
        await keep_steps(conn, steps)


def _entries(
    one: Pending,
    resolved: Resolved,
    told: Sequence[Told],
    anonymous: Collection[UUID],
    partitions: int,
) -> list[tuple[int, Entry]]:
    """An event with what its identifiers say before and beside it, ready for the outbox."""
    owner = str(resolved.customer)
    made: list[tuple[int, Entry]] = []
    if resolved.added:
        added = IdentifiersAdded(identifiers=resolved.added)
        made.append(_entry(one, "identifiers.added", owner, added, partitions))
    made += [
        _entry(one, event.type, event.customer, event.data, partitions, derived=event.derived)
        for event in told
    ]
    if resolved.parts:
        parts = [str(part) for part in resolved.parts]
        unsaid = {CUSTOMER_ID, *resolved.unsaid}
        evidence = {t: v for t, v in one.arrival.customer.items() if t not in unsaid}
        linked = IdentifiersLinked(
            parts=parts,
            evidence=evidence,
            named={type_: str(part) for type_, part in resolved.named.items()},
            anonymous=[str(part) for part in resolved.parts if part in anonymous],
        )
        made.append(_entry(one, "identifiers.linked", owner, linked, partitions))
    return made


def _entry(
    one: Pending,
    type_: str,
    customer: str,
    data: msgspec.Struct | bytes,
    partitions: int,
    *,
    derived: bool = False,
) -> tuple[int, Entry]:
    arrival = one.arrival
    beside = derived or isinstance(data, msgspec.Struct)
    event_id = new_id() if beside else one.event_id
    value = codec.encode(
        id=event_id,
        type=type_,
        subject=customer,
        time=arrival.time,
        receivedtime=arrival.receivedtime,
        utcoffset=arrival.utcoffset,
        source=f"tenure/{SERVICE}" if beside else arrival.source,
        sourceid=event_id if beside else arrival.id,
        correlationid=one.event_id,
        causationid=one.event_id if beside else None,
        history=arrival.history,
        data=data,
    )
    personal = holds_personal(type_, data)
    return partition_of(customer, partitions), Entry(key=customer, value=value, personal=personal)
