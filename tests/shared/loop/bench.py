"""Where a part of the kernel is tried by itself: an empty database with the tables of `tally` and of the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from deploy.local.postgres import PostgresServer
from shared import codec
from shared.codec import Event
from shared.database import Database
from shared.kernel import Kernel, open_kernel
from shared.log import Log, Record
from shared.log.tables import metadata as log_metadata
from shared.loop.company import Company
from shared.loop.folding import Batch, Folding
from shared.loop.lease import Lease, Leases
from shared.loop.pacing import Pacing
from shared.loop.rows import Rows
from shared.loop.runner import Runner
from shared.settings import KernelSettings, ServiceSettings
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import SERVICE, TALLY, Tally, TallyView, Told

NAME = "tally"
_made: set[int] = set()
KEPT = (
    "checkpoint",
    "tally",
    "tally_item",
    "folded",
    "outbox",
    "quarantine",
    "identity",
    "grouping",
    "history",
    "policy",
)
"""What a batch may change: all of it, or nothing."""


def _ddl(metadata: MetaData) -> str:
    dialect = postgresql()
    made = []
    for table in metadata.sorted_tables:
        made += [
            CreateTable(table),
            *(CreateIndex(index) for index in sorted(table.indexes, key=str)),
        ]
    return ";\n".join(str(one.compile(dialect=dialect)) for one in made)


async def _emptied(postgres: PostgresServer) -> str:
    """The address of the one database that all these tests use, one after the other: emptying it takes a
    tenth of the time that making one does."""
    url = postgres.url(NAME)
    if id(postgres) not in _made:
        postgres.create_database(NAME)
        await _run(url, _ddl(SERVICE.metadata), _ddl(log_metadata))
        _made.add(id(postgres))
    tables = [*SERVICE.metadata.tables, *log_metadata.tables]
    await _run(url, f"TRUNCATE {', '.join(tables)}")
    return url


async def _run(url: str, *statements: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def eventually(
    condition: Callable[[], Awaitable[Any]], what: str = "", *, seconds: float = 30.0
) -> Any:
    """What `condition` answers once that is true."""
    until = asyncio.get_running_loop().time() + seconds
    while not (answer := await condition()):
        assert asyncio.get_running_loop().time() < until, f"in vain: {what or condition}"
        await asyncio.sleep(0.01)
    return answer


@dataclass(frozen=True)
class RowOf:
    """One customer's row, decoded."""

    head: UUID
    parts: int
    state: Tally
    told: Told
    view: TallyView | None
    """None: nothing was ever read of it."""
    history: list[str]
    due_at: Any
    level: str | None
    count: int | None


@dataclass
class Bench:
    """One database, and what the tests ask it."""

    url: str
    database: Database

    def leases(self, worker: str = "one", *, seconds: float = 60.0, partitions: int = 1) -> Leases:
        return Leases(
            database=self.database,
            topic="customers",
            version=SERVICE.version,
            partitions=partitions,
            worker=worker,
            seconds=seconds,
        )

    async def claim(self, leases: Leases, most: int = 1, held: Sequence[int] = ()) -> list[Lease]:
        async with self.database.transaction() as conn:
            return await leases.claim(conn, most, list(held))

    async def owned(
        self,
        worker: str = "one",
        *,
        rows: Rows | None = None,
        log: Log | None = None,
        company: Company[Batch] | None = None,
        **more: Any,
    ) -> "Owner":
        """Somebody who owns the first partition that nobody has, and folds it."""
        leases = self.leases(worker, **more)
        await leases.prepare()
        [lease] = await self.claim(leases)
        folding = Folding(
            SERVICE,
            leases,
            [rows or Rows(TALLY)],
            log or MemoryLog(),
            parked_per_hour=KernelSettings().parked_per_hour,
            company=company,
        )
        await folding.load(lease)
        return Owner(leases, lease, folding)

    def runner(self, owner: "Owner", log: Log, giving_way: Pacing | None = None) -> Runner:
        return Runner(
            service=SERVICE.name,
            leases=owner.leases,
            lease=owner.lease,
            handler=owner.folding,
            log=log,
            slots=asyncio.Semaphore(2),
            most_events=KernelSettings().batch_events,
            settings=KernelSettings(),
            giving_way=giving_way,
        )

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        async with self.database.connection() as conn:
            return await conn.fetch(sql, *args)

    async def value(self, sql: str, *args: Any) -> Any:
        async with self.database.connection() as conn:
            return await conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> None:
        async with self.database.connection() as conn:
            await conn.execute(sql, *args)

    async def snapshot(self) -> dict[str, list[str]]:
        """Everything that a batch may change, as text; when a lease ends does not count."""
        kept = {}
        for table in KEPT:
            rows = await self.fetch(f"SELECT to_jsonb(t) - 'until' AS row FROM {table} AS t")
            kept[table] = sorted(str(row["row"]) for row in rows)
        return kept

    async def rows(self) -> dict[UUID, RowOf]:
        found = await self.fetch("SELECT * FROM tally")
        return {
            row["customer_id"]: RowOf(
                head=row["head"],
                parts=row["parts"],
                state=msgspec.msgpack.decode(row["state"], type=Tally) if row["state"] else Tally(),
                told=msgspec.msgpack.decode(row["told"], type=Told) if row["told"] else Told(),
                view=msgspec.msgpack.decode(row["view"], type=TallyView) if row["view"] else None,
                history=row["history"],
                due_at=row["due_at"],
                level=row["level"],
                count=row["count"],
            )
            for row in found
        }

    async def times(self) -> dict[tuple[UUID, str], int]:
        """How often each survey was folded for each customer."""
        rows = await self.fetch("SELECT customer_id, item, state FROM tally_item")
        return {
            (row["customer_id"], row["item"]): msgspec.msgpack.decode(row["state"])["times"]
            for row in rows
        }

    async def outbox(self, partition: int = 0) -> list[Event]:
        rows = await self.fetch(
            "SELECT * FROM outbox WHERE partition = $1 ORDER BY sequence", partition
        )
        return [
            codec.decode(
                row["value"],
                origin=SERVICE.name,
                sequence=row["sequence"],
                partition=partition,
                offset=-1,
                recordedtime=row["recorded_at"],
            )
            for row in rows
        ]

    async def said(self) -> dict[str, list[str]]:
        """The levels that were announced, by customer."""
        levels: dict[str, list[str]] = {}
        for event in await self.outbox():
            levels.setdefault(event.subject, []).append(event.data.state)
        return levels

    async def parked(self) -> list[Any]:
        return await self.fetch("SELECT * FROM quarantine ORDER BY log_offset, id")

    async def reached(self, offset: int, partition: int = 0) -> None:
        """Wait until everything below `offset` has been folded."""

        async def passed() -> bool:
            return bool((await self.checkpoint(partition))["next_offset"] >= offset)

        await eventually(passed, f"offset {offset}")

    async def checkpoint(self, partition: int = 0) -> Any:
        [row] = await self.fetch("SELECT * FROM checkpoint WHERE partition = $1", partition)
        return row

    def kernel(self, worker: str = "one", *, process: str = "worker", **settings: Any) -> Kernel:
        """A kernel on this database, which holds the log too."""
        kernel = KernelSettings(
            **({"event_log_url": self.url, "partitions": 1, "worker_name": worker} | settings)
        )
        return open_kernel(SERVICE, process, kernel, ServiceSettings(database_url=self.url))


@dataclass
class Owner:
    """A lease and who folds under it."""

    leases: Leases
    lease: Lease
    folding: Folding

    async def apply(self, records: Sequence[Record]) -> None:
        self.lease = await self.folding.apply(self.lease, records)

    async def settle(self) -> None:
        """Until nothing is due."""
        while self.folding.due:
            self.lease = await self.folding.settle(self.lease)

    async def fold(self, records: Sequence[Record]) -> None:
        """As the loop does: apply, then settle what is due."""
        await self.apply(records)
        await self.settle()


@asynccontextmanager
async def running(*things: Any) -> AsyncIterator[None]:
    """Runners and workers at work while the block runs; one that fails, fails the test."""
    tasks = [asyncio.create_task(thing.run()) for thing in things]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome


@asynccontextmanager
async def open_bench(postgres: PostgresServer) -> AsyncIterator[Bench]:
    url = await _emptied(postgres)
    limits = {"statement_timeout": "30000", "lock_timeout": "30000"}
    database = Database(url, name="bench", size=40, limits=limits)
    try:
        yield Bench(url, database)
    finally:
        await database.close()
