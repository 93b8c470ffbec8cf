"""The checkpoint row is the lease: who owns a partition, how far it is, and what it has seen.

Workers claim partitions in PostgreSQL, whatever the broker believes. Each claim raises the epoch; a transaction of
an older epoch finds no row to advance and is rolled back. The commit of a batch renews the lease: progress is
liveness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Self

from shared.database import Connection, Database, Row
from shared.errors import Fenced
from shared.log import Misconfigured, Record, Topic
from shared.tables import ORIGINS

SERVER = (
    "(extract(epoch FROM pg_postmaster_start_time())::text || '.' ||"
    " (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
"""One life of one database. It differs after every start of the server and in every copy: wherever what is committed
may not be what was. Who has a lease from another life commits nothing, and starts again by reading back."""

_SEEN = [f"seen{n}" for n in range(len(ORIGINS))]
_ADVANCE = (
    "WITH u AS (SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[],"
    " $10::timestamptz[], $11::bytea[]"
    f"{''.join(f', ${12 + n}::bigint[]' for n in range(len(ORIGINS)))})"
    " AS u(partition, epoch, expected, next_offset, last_event, clock, mark,"
    f" {', '.join(_SEEN)})),"
    # In one order, whoever locks several: else two of them may wait for each other.
    " locked AS MATERIALIZED (SELECT partition FROM checkpoint WHERE topic = $1 AND version = $2"
    " AND partition = ANY($5) ORDER BY partition FOR UPDATE)"
    " UPDATE checkpoint AS c SET next_offset = u.next_offset, last_event = u.last_event, clock = u.clock,"
    f" mark = u.mark, seen = ARRAY[{', '.join(f'u.{name}' for name in _SEEN)}],"
    " until = now() + $3 * interval '1 second'"
    " FROM u JOIN locked USING (partition)"
    " WHERE c.topic = $1 AND c.version = $2 AND c.partition = u.partition AND c.epoch = u.epoch"
    f" AND c.next_offset = u.expected AND ($4::text IS NULL OR $4 = {SERVER})"
)

_COLUMNS = f"partition, next_offset, last_event, mark, seen, clock, epoch, {SERVER} AS server"


def mark_before(records: Sequence[Record], offset: int) -> bytes:
    """What tells the record that stands before `offset` from any other."""
    last = next(record for record in reversed(records) if record.offset < offset)
    return mark_of(last)


def mark_of(record: Record) -> bytes:
    """16 bytes that stand for a record's content."""
    return blake2b(record.value, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Lease:
    """One partition of one topic, owned under `epoch`, folded up to `next_offset`."""

    topic: Topic
    version: int
    partition: int
    epoch: int
    next_offset: int
    last_event: str | None
    seen: tuple[int, ...]
    clock: datetime | None
    mark: bytes | None = None
    """Of the last record before `next_offset`, as it was read: the log must have it there still. None: not known."""
    server: str | None = None
    """The life of the database (`SERVER`) in which the lease was taken."""

    @classmethod
    def of(cls, topic: Topic, version: int, row: Row) -> Self:
        return cls(
            topic=topic,
            version=version,
            partition=row["partition"],
            epoch=row["epoch"],
            next_offset=row["next_offset"],
            last_event=row["last_event"],
            seen=tuple(row["seen"]),
            clock=row["clock"],
            mark=row["mark"],
            server=row["server"],
        )


@dataclass(frozen=True, slots=True)
class Leases:
    """The checkpoints of one topic in one service's database."""

    database: Database
    topic: Topic
    version: int
    partitions: int
    worker: str
    seconds: float

    async def prepare(self) -> None:
        """Make the rows that are missing. Raises Misconfigured where another version of the folds made the rows."""
        async with self.database.transaction() as conn:
            made = await conn.fetchval(
                "SELECT max(version) FROM checkpoint WHERE topic = $1 AND next_offset > 0",
                self.topic,
            )
            if made is not None and made != self.version:
                raise Misconfigured(
                    f"the rows were made by version {made} of the folds, this code has version"
                    f" {self.version}: make them anew (python -m services.<name>.rebuild)"
                )
            await conn.execute(
                "INSERT INTO checkpoint (topic, version, partition, next_offset, seen, epoch)"
                " SELECT $1, $2, p, 0, $3, 0 FROM generate_series(0, $4 - 1) AS p ON CONFLICT DO NOTHING",
                self.topic,
                self.version,
                [0] * len(ORIGINS),
                self.partitions,
            )
            await conn.execute(
                "INSERT INTO relay SELECT p, 0 FROM generate_series(0, $1 - 1) AS p ON CONFLICT DO NOTHING",
                self.partitions,
            )

    async def claim(self, conn: Connection, most: int, held: list[int]) -> list[Lease]:
        """Take up to `most` partitions that nobody owns, or that this worker owned before it was killed."""
        rows = await conn.fetch(
            "UPDATE checkpoint SET epoch = epoch + 1, owner = $3, until = now() + $4 * interval '1 second'"
            " WHERE (topic, version, partition) IN ("
            "  SELECT topic, version, partition FROM checkpoint WHERE topic = $1 AND version = $2"
            "  AND (until IS NULL OR until < now() OR owner = $3) AND NOT partition = ANY($5)"
            "  ORDER BY partition LIMIT $6 FOR UPDATE SKIP LOCKED)"
            f" RETURNING {_COLUMNS}",
            self.topic,
            self.version,
            self.worker,
            self.seconds,
            held,
            most,
        )
        return [Lease.of(self.topic, self.version, row) for row in rows]

    async def renew(
        self, conn: Connection, epochs: dict[int, int], server: str | None = None
    ) -> set[int]:
        """Keep what is idle; answer the partitions that are still ours (none, where the database is not the one
        in whose life they were taken)."""
        rows = await conn.fetch(
            "WITH locked AS MATERIALIZED (SELECT partition FROM checkpoint WHERE topic = $1 AND version = $2"
            " AND partition = ANY($5) ORDER BY partition FOR UPDATE)"
            " UPDATE checkpoint AS c SET until = now() + $4 * interval '1 second'"
            " FROM unnest($5::int[], $6::bigint[]) AS mine(partition, epoch) JOIN locked USING (partition)"
            " WHERE c.topic = $1 AND c.version = $2 AND c.owner = $3"
            " AND c.partition = mine.partition AND c.epoch = mine.epoch"
            f" AND ($7::text IS NULL OR $7 = {SERVER}) RETURNING c.partition",
            self.topic,
            self.version,
            self.worker,
            self.seconds,
            list(epochs),
            list(epochs.values()),
            server,
        )
        return {row["partition"] for row in rows}

    async def release(self, conn: Connection, lease: Lease) -> None:
        """Let another worker have it at once. The epoch is raised: what is still under way commits nothing."""
        await conn.execute(
            "UPDATE checkpoint SET owner = NULL, until = NULL, epoch = epoch + 1"
            " WHERE topic = $1 AND version = $2 AND partition = $3 AND epoch = $4",
            lease.topic,
            lease.version,
            lease.partition,
            lease.epoch,
        )

    async def reload(self, conn: Connection, lease: Lease) -> Lease:
        """What the database says after a transaction whose outcome is unknown; `Fenced` if not ours."""
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM checkpoint"
            " WHERE topic = $1 AND version = $2 AND partition = $3 AND epoch = $4 AND owner = $5"
            f" AND ($6::text IS NULL OR $6 = {SERVER})",
            lease.topic,
            lease.version,
            lease.partition,
            lease.epoch,
            self.worker,
            lease.server,
        )
        if row is None:
            raise Fenced
        return Lease.of(lease.topic, lease.version, row)

    async def advance(self, conn: Connection, moves: Sequence[tuple[Lease, Lease]]) -> None:
        """Move checkpoints, each from one lease to what it is after, by compare-and-set, and renew the leases;
        `Fenced` where another owns one of them. In one life of one database, all of them."""
        before, after = [move[0] for move in moves], [move[1] for move in moves]
        seen = [[one.seen[n] for one in after] for n in range(len(ORIGINS))]
        moved = await conn.execute(
            _ADVANCE,
            self.topic,
            self.version,
            self.seconds,
            before[0].server,
            [one.partition for one in before],
            [one.epoch for one in before],
            [one.next_offset for one in before],
            [one.next_offset for one in after],
            [one.last_event for one in after],
            [one.clock for one in after],
            [one.mark for one in after],
            *seen,
        )
        if moved != f"UPDATE {len(moves)}":
            raise Fenced
