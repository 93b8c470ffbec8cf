"""A table whose rows are numbered per partition: 1, 2, 3 ... without a hole, in the order of their commits.

The numbers are given as the last step of a transaction, under one advisory lock per partition that is held until
the commit is visible; so whoever reads up to a number has read everything below it. (Numbers from a sequence
would show 101 while 100 is still being written, and a reader that had gone past 100 would never see it.)
Used as every service's outbox, and as the log itself where that is PostgreSQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from shared.database import Connection, ReadConnection, Row
from shared.failpoints import hit
from shared.log import Entry, Record, check_sizes

_COLUMNS = [
    "partition",
    "sequence",
    "recorded_at",
    "key",
    "origin",
    "origin_sequence",
    "signature",
    "value",
]


@dataclass(frozen=True, slots=True)
class Numbered:
    """The functions of one such table."""

    table: str

    async def append(
        self, conn: Connection, entries: Sequence[tuple[int, Entry]], recorded_at: datetime
    ) -> list[int]:
        """Number and insert (partition, entry) pairs; answer their numbers, in the order given.

        Call it last in the transaction: the locks are held until it ends.
        """
        if not entries:
            return []
        check_sizes(entries)
        if any(entry.personal for _, entry in entries):
            raise ValueError("personal data in the clear is not appended")
        partitions = sorted({partition for partition, _ in entries})
        heads = await self._lock(conn, partitions)
        numbers: list[int] = []
        rows = []
        for partition, entry in entries:
            heads[partition] += 1
            number = heads[partition]
            numbers.append(number)
            rows.append(
                (
                    partition,
                    number,
                    recorded_at,
                    entry.key,
                    entry.origin,
                    entry.sequence,
                    entry.signature,
                    entry.value,
                )
            )
        await conn.copy_records_to_table(self.table, records=rows, columns=_COLUMNS)
        return numbers

    async def _lock(self, conn: Connection, partitions: Sequence[int]) -> dict[int, int]:
        """Lock in ascending order, then read the heads in a statement of its own: its snapshot must be
        younger than the locks."""
        lock_class = crc32(self.table.encode()) - (1 << 31)
        await conn.execute(
            "SELECT pg_advisory_xact_lock($1, p) FROM unnest($2::int[]) WITH ORDINALITY AS u(p, n) ORDER BY n",
            lock_class,
            partitions,
        )
        hit("append.locked")
        return await self.heads(conn, partitions)

    async def lock(self, conn: Connection, partition: int) -> int:
        """Keep everybody else from numbering until the transaction ends; answer the last number."""
        return (await self._lock(conn, [partition]))[partition]

    async def put(self, conn: Connection, records: Sequence[Record]) -> None:
        """Insert records under the numbers that they have already."""
        if not records:
            return
        rows = [
            (
                one.partition,
                one.sequence,
                one.recorded_at,
                one.key,
                None,
                None,
                one.signature,
                one.value,
            )
            for one in records
        ]
        await conn.copy_records_to_table(self.table, records=rows, columns=_COLUMNS)

    async def heads(
        self, conn: ReadConnection | Connection, partitions: Sequence[int]
    ) -> dict[int, int]:
        """The last number given in each partition, 0 where there is none."""
        rows = await conn.fetch(
            f"SELECT p, coalesce((SELECT sequence FROM {self.table} WHERE partition = p"
            " ORDER BY sequence DESC LIMIT 1), 0) AS head FROM unnest($1::int[]) AS u(p)",
            list(partitions),
        )
        return {row["p"]: row["head"] for row in rows}

    async def read(
        self,
        conn: ReadConnection | Connection,
        partition: int,
        after: int,
        *,
        events: int,
        size: int,
    ) -> list[Row]:
        """Rows above `after`, at most `events` and about `size` bytes, but always at least one that exists."""
        return await conn.fetch(
            f"SELECT sequence, recorded_at, key, origin, origin_sequence, signature, value FROM ("
            f" SELECT *, sum(octet_length(value)) OVER (ORDER BY sequence) - octet_length(value) AS before"
            f" FROM {self.table} WHERE partition = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
            ") AS rows WHERE before < $4 ORDER BY sequence",
            partition,
            after,
            events,
            size,
        )
