"""The log in PostgreSQL, for one machine: each topic is a numbered table.

NOTIFY is only a hint: it carries nothing, runs in a transaction of its own, at most once in 20 ms a process
(a commit that notifies takes a lock of the whole cluster). Readers look every 100 ms regardless.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

from shared.database import Database
from shared.errors import Gap, Pause, is_pause
from shared.ids import new_id
from shared.log import Entry, Genesis, Misconfigured, Record, Topic
from shared.numbered import Numbered
from shared.wake import Hint

POLL_SECONDS = 0.1
TABLES: dict[Topic, Numbered] = {topic: Numbered(topic) for topic in get_args(Topic)}


class _Tail:
    """Knows how far each partition of one topic goes, with one query for all of them."""

    def __init__(self, database: Database, topic: Topic, partitions: int) -> None:
        self.heads = dict.fromkeys(range(partitions), 0)
        self._topic: Topic = topic
        self._database = database
        self._grown = asyncio.Event()
        self._hint = Hint(database, f"log_{topic}")
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    async def grown(self, partition: int, offset: int, wait: float) -> bool:
        """Whether there is a record at `offset`, waiting at most `wait` seconds for it."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        until = asyncio.get_running_loop().time() + wait
        while self.heads[partition] <= offset:
            left = until - asyncio.get_running_loop().time()
            if self._error is not None:
                raise Pause("log") from self._error
            if left <= 0:
                return False
            event = self._grown
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):  # not wait_for, see `Hint.wait`
                    await event.wait()
        return True

    async def refresh(self) -> None:
        async with self._database.read() as conn:
            heads = await TABLES[self._topic].heads(conn, list(self.heads))
        if heads != self.heads:
            self.heads = heads
            self._wake()

    def _wake(self) -> None:
        event, self._grown = self._grown, asyncio.Event()
        event.set()

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
                self._error = None
            except Exception as error:  # noqa: BLE001 - whoever waits is told
                self._error = error
                self._wake()
                await asyncio.sleep(POLL_SECONDS * 2)
            await self._hint.wait(POLL_SECONDS)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._hint.close()


class PostgresLog:
    """See `shared.log.Log`."""

    def __init__(self, url: str, *, partitions: int, client: str) -> None:
        self._partitions = partitions
        self._database = Database(url, name=f"{client} log", size=6)
        self._tails = {topic: _Tail(self._database, topic, partitions) for topic in TABLES}
        self._hints = {topic: Hint(self._database, f"log_{topic}") for topic in TABLES}

    async def append(self, topic: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        async with self._database.transaction() as conn:
            await TABLES[topic].append(conn, entries, datetime.now(UTC))
        self._hints[topic].give()

    async def read(
        self, topic: Topic, partition: int, offset: int, *, events: int, size: int, wait: float
    ) -> list[Record]:
        tail = self._tails[topic]
        if not await tail.grown(partition, offset, wait):
            if tail.heads[partition] < offset:
                await tail.refresh()  # what was read last may be newer than what we knew of it
                if tail.heads[partition] < offset:
                    raise Gap(
                        f"{topic} {partition} ends at {tail.heads[partition]}, before {offset}"
                    )
            return []
        async with self._database.read() as conn:
            rows = await TABLES[topic].read(conn, partition, offset, events=events, size=size)
        return [
            Record(
                partition=partition,
                offset=row["sequence"] - 1,
                recorded_at=row["recorded_at"],
                key=row["key"],
                value=row["value"],
                origin=row["origin"],
                sequence=row["origin_sequence"],
                signature=row["signature"],
            )
            for row in rows
        ]

    async def ends(self, topic: Topic) -> dict[int, int]:
        async with self._database.read() as conn:
            return await TABLES[topic].heads(conn, range(self._partitions))

    async def trim_inbound(self, most: int) -> None:
        """Forget what came in more than seven days ago; the newest record of a partition stays."""
        for table in (TABLES["inbound"], TABLES["backfill"]):
            async with self._database.connection() as conn:
                heads = await table.heads(conn, range(self._partitions))
                for partition, head in heads.items():
                    await conn.execute(
                        f"DELETE FROM {table.table} WHERE (partition, sequence) IN"
                        f" (SELECT partition, sequence FROM {table.table}"
                        "  WHERE partition = $1 AND sequence < $2 AND recorded_at < now() - interval '7 days'"
                        "  ORDER BY sequence LIMIT $3)",
                        partition,
                        head,
                        most,
                    )

    async def note(self, reader: str, topic: Topic, offsets: Mapping[int, int]) -> None:
        async with self._database.transaction() as conn:
            await conn.execute(
                "INSERT INTO reader SELECT $1, $2, * FROM unnest($3::int[], $4::bigint[])"
                " ON CONFLICT (reader, topic, partition) DO UPDATE SET next_offset = excluded.next_offset",
                reader,
                topic,
                list(offsets),
                list(offsets.values()),
            )

    async def noted(self, topic: Topic, readers: Iterable[str]) -> dict[str, dict[int, int]]:
        async with self._database.read() as conn:
            rows = await conn.fetch(
                "SELECT reader, partition, next_offset FROM reader"
                " WHERE topic = $1 AND reader = ANY($2)",
                topic,
                list(readers),
            )
        found: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for row in rows:
            found[row["reader"]][row["partition"]] = row["next_offset"]
        return dict(found)

    async def check(self) -> None:
        """The number of partitions is fixed when the log is made, and never changes."""
        try:
            async with self._database.transaction() as conn:
                await conn.execute(
                    "INSERT INTO installation (partitions, uuid) VALUES ($1, $2)"
                    " ON CONFLICT (single) DO UPDATE SET uuid = excluded.uuid"
                    " WHERE installation.uuid IS NULL",
                    self._partitions,
                    UUID(new_id()),
                )
                made = await conn.fetchval("SELECT partitions FROM installation")
        except Exception as error:
            if is_pause(error):
                raise Pause("log") from error
            raise
        if made != self._partitions:
            raise Misconfigured(
                f"this log was made with {made} partitions, PARTITIONS says {self._partitions}"
            )

    async def genesis(self) -> Genesis:
        async with self._database.read() as conn:
            row = await conn.fetchrow("SELECT uuid, partitions FROM installation")
        if row is None or row["uuid"] is None:
            raise Pause("log")  # nobody has checked it yet
        return Genesis(str(row["uuid"]), row["partitions"])

    async def close(self) -> None:
        for tail in self._tails.values():
            await tail.close()
        for hint in self._hints.values():
            await hint.close()
        await self._database.close()
