"""Read back before you write: what a worker does with a partition that it takes, before anything else.

A database may have gone back in time: restored from a backup, promoted from a standby that was behind. Then the log
holds events of this very service which its outbox knows nothing of, the next ones would get numbers that are given,
and every reader would drop them as repeats. And a log may have gone back, or be another one: then what is read next
is not what follows. Both show at the end of the log, and both are looked for before the first write.
"""

from collections.abc import Sequence
from hashlib import sha256

import structlog

from shared.database import Connection, Database, ReadConnection
from shared.errors import Gap, Pause
from shared.genesis import DOCUMENT
from shared.log import Entry, Log, Record
from shared.loop.lease import SERVER, Lease, Leases, mark_of
from shared.numbered import Numbered
from shared.outbox import OUTBOX
from shared.tables import ORIGINS

READ_EVENTS = 5000
READ_BYTES = 8 << 20
READ_SECONDS = 10.0

ALL_READ_BACK = f"NOT EXISTS (SELECT FROM relay WHERE server IS DISTINCT FROM {SERVER})"
"""SQL: whether every partition was read back in this life of the database."""

_logger = structlog.get_logger(__name__)


class WrongLog(Gap):
    """The log does not have what this database has read from it."""


async def all_read_back(database: Database) -> bool:
    """Whether every partition was read back: only then may anything be resolved, sent or done by the clock."""
    async with database.connection() as conn:
        return bool(await conn.fetchval(f"SELECT {ALL_READ_BACK}"))


async def to_be_read_back(conn: Connection, partitions: Sequence[int]) -> None:
    """They were taken just now: until they are read back, nobody sends or resolves anything."""
    await conn.execute("UPDATE relay SET server = NULL WHERE partition = ANY($1)", list(partitions))


async def end_of(log: Log, lease: Lease) -> int:
    """Where the log ends now. Raises `WrongLog` where it is not the one that was read up to this place."""
    end = (await log.ends(lease.topic))[lease.partition]
    where = f"{lease.topic} {lease.partition}"
    if end < lease.next_offset:
        raise WrongLog(
            f"{where} ends at {end}, but this database has read it up to {lease.next_offset}:"
            f" the log went back in time, or it is another one; see {DOCUMENT}"
        )
    if lease.mark is None or not lease.next_offset:
        return end
    last = await _record_at(log, lease, lease.next_offset - 1)
    if last is None:
        return end
    if mark_of(last) != lease.mark:
        raise WrongLog(
            f"{where} has another event at {last.offset} than the one that this database has read there"
            f" (the last known: {lease.last_event}): it is another log, or its end was written anew;"
            f" see {DOCUMENT}"
        )
    return end


async def _record_at(log: Log, lease: Lease, offset: int) -> Record | None:
    """The record at an offset; None where `inbound` has forgotten it, as it may."""
    try:
        found = await log.read(
            lease.topic, lease.partition, offset, events=1, size=1, wait=READ_SECONDS
        )
    except Gap:
        if lease.topic == "customers":
            raise
        return None
    if not found:
        raise Pause("log")
    return found[0] if found[0].offset == offset else None


class ReadBack:
    """Of one partition of `customers`, for one service."""

    def __init__(self, service: str, leases: Leases, log: Log) -> None:
        self._service = service
        self._leases = leases
        self._log = log

    async def read(self, lease: Lease) -> int | None:
        """Bring the outbox up to what the log has of it. Answer the offset up to which the events are to be folded
        as what was said and done before; None where nothing was forgotten.

        Raises `WrongLog`, `Gap`, `Fenced`.
        """
        end = await end_of(self._log, lease)
        first = await self._first_unknown(lease, end)
        async with self._leases.database.transaction() as conn:
            known: int | None = await conn.fetchval(
                "SELECT recalled_to FROM relay WHERE partition = $1", lease.partition
            )
            if first is not None:
                await self._restore(conn, lease, first, end)
                known = max(known or 0, end)
                await conn.execute(
                    "UPDATE relay SET recalled_to = $2 WHERE partition = $1", lease.partition, known
                )
            await self._leases.advance(conn, [(lease, lease)])
        return known

    async def open(self, conn: Connection, lease: Lease) -> None:
        """From now on this partition's events may be sent."""
        await conn.execute(
            f"UPDATE relay SET server = {SERVER}, recalled_to = NULL WHERE partition = $1",
            lease.partition,
        )

    async def _first_unknown(self, lease: Lease, end: int) -> Record | None:
        """The first event of our own on the log that our outbox does not have under its number. What it has, was
        acknowledged."""
        async with self._leases.database.connection() as conn:
            head = (await OUTBOX.heads(conn, [lease.partition]))[lease.partition]
            acked: int = await conn.fetchval(
                "SELECT acked_sequence FROM relay WHERE partition = $1", lease.partition
            )
        seen = lease.seen[ORIGINS.index(self._service)]
        if seen > head:
            raise Gap(
                f"customers {lease.partition}: the outbox ends at {head}, but {seen} was folded;"
                f" see {DOCUMENT}"
            )
        acknowledged = acked
        offset = lease.next_offset
        while offset < end:
            records = await self._next(lease, offset)
            own = [record for record in records if record.offset < end and self._is_ours(record)]
            async with self._leases.database.connection() as conn:
                known = await _hashes(conn, OUTBOX, lease.partition, own)
            for record in own:
                assert record.sequence is not None, "asked above"
                forgotten = record.sequence <= head and record.sequence not in known
                # A trimmed row was acknowledged long ago; nothing can be compared with it.
                if not forgotten and known.get(record.sequence) != sha256(record.value).digest():
                    return record
                if record.sequence == acknowledged + 1:  # behind a hole everything is sent again
                    acknowledged = record.sequence
            offset = records[-1].offset + 1
        if acknowledged > acked:
            await self._acknowledge(lease, acknowledged)
        return None

    async def _acknowledge(self, lease: Lease, sequence: int) -> None:
        """What stands on the log need not be sent again."""
        async with self._leases.database.connection() as conn:
            await conn.execute(
                "UPDATE relay SET acked_sequence = greatest(acked_sequence, $2) WHERE partition = $1",
                lease.partition,
                sequence,
            )

    def _is_ours(self, record: Record) -> bool:
        return record.origin == self._service and record.sequence is not None

    async def _next(self, lease: Lease, offset: int) -> list[Record]:
        records = await self._log.read(
            "customers",
            lease.partition,
            offset,
            events=READ_EVENTS,
            size=READ_BYTES,
            wait=READ_SECONDS,
        )
        if not records:
            raise Pause("log")
        return records

    async def _restore(self, conn: Connection, lease: Lease, first: Record, end: int) -> None:
        """Put the log's events into the outbox as sent; what was written here since gets numbers after them."""
        partition, sequence = lease.partition, first.sequence
        assert sequence is not None, "it was found by its number"
        await OUTBOX.lock(conn, partition)
        ours = await conn.fetch(
            "DELETE FROM outbox WHERE partition = $1 AND sequence >= $2"
            " RETURNING sequence, recorded_at, key, value",
            partition,
            sequence,
        )
        kept = {bytes(row["value"]): row for row in sorted(ours, key=lambda row: row["sequence"])}
        offset, last = first.offset, sequence - 1
        while offset < end:
            records = await self._next(lease, offset)
            offset = records[-1].offset + 1
            fresh = []
            for record in records:
                if record.offset >= end or not self._is_ours(record):
                    continue
                assert record.sequence is not None, "asked above"
                if record.sequence <= last:
                    continue  # sent twice
                if record.sequence != last + 1:
                    raise Gap(
                        f"customers {partition}: {self._service} goes from {last} to {record.sequence}"
                        f" at offset {record.offset}"
                    )
                last = record.sequence
                kept.pop(record.value, None)
                fresh.append(record)
            await OUTBOX.put(conn, fresh)
        await conn.execute(
            "UPDATE relay SET acked_sequence = $2 WHERE partition = $1", partition, last
        )
        unsent = [(partition, Entry(key=row["key"], value=row["value"])) for row in kept.values()]
        if unsent:
            await OUTBOX.append(conn, unsent, max(row["recorded_at"] for row in kept.values()))
        _logger.critical(
            "database_went_back",
            partition=partition,
            origin=self._service,
            restored=last - sequence + 1,
            renumbered=len(unsent),
            first=sequence,
        )


async def _hashes(
    conn: Connection | ReadConnection, table: Numbered, partition: int, records: Sequence[Record]
) -> dict[int, bytes]:
    """What the outbox has under these numbers."""
    rows = await conn.fetch(
        f"SELECT sequence, sha256(value) AS hash FROM {table.table}"
        " WHERE partition = $1 AND sequence = ANY($2)",
        partition,
        [record.sequence for record in records],
    )
    return {row["sequence"]: row["hash"] for row in rows}
