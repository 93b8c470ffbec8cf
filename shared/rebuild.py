"""Make a service's rows anew from the log, while the old ones serve.

    python -m services.<name>.rebuild

New tables are filled beside the old ones, in a schema of their own; nobody reads them and nothing is announced. Once
they have caught up the partitions are taken from the workers for a moment, the last events are folded, and in one
transaction the new tables take the place of the old ones, and the checkpoints their place on the log. Whatever ends it
before that transaction leaves the old rows as they were; another start begins anew. Afterwards the workers tell, bit by
bit, what differs from what was told before (`cause: rebuild`).
"""

import argparse
import asyncio
import contextlib
import gc
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared import logging
from shared.database import Connection, Database
from shared.errors import is_passing
from shared.genesis import belong
from shared.http.serving import run
from shared.kernel import Kernel, open_kernel
from shared.loop.lease import Leases
from shared.loop.refolding import Refolding
from shared.loop.runner import Runner
from shared.outbox import OUTBOX
from shared.relay import Relay
from shared.service import Service
from shared.settings import KernelSettings, ServiceSettings
from shared.tables import ORIGINS

BESIDE, BEFORE = "rebuilding", "rebuilt"
"""Schemas: of the new tables while they are filled, of the old ones until they are dropped."""
OWNER = "rebuild"
IN_FLIGHT = 2
CHUNK = 2000
"""Rows that are derived in one transaction."""
NEAR_EVENTS = 200
"""So few events behind, the rest is done while nobody else folds."""
ROUNDS = 10
TAKEN_SECONDS = 20.0
PROGRESS_SECONDS = 2.0
LOOK_SECONDS = 0.005
_LIMITS = {"statement_timeout": "60000", "lock_timeout": "5000", "synchronous_commit": "off"}
"""Nothing of what is beside need survive anything: only the exchange waits until all of it is on disk."""
_COLLECTED_AT = (50_000, 20, 50)
_LOCK = 7_203_115
_PLACE = "topic, version, partition, next_offset, last_event, mark, seen, clock, epoch"
_PARKED = (
    "id, kind, reason, stage, detail, topic, partition, log_offset, origin, origin_sequence,"
    " event_type, event_id, source, received_at, value"
)

Say = Callable[[str], None]


class RebuildFailedError(Exception):
    """One sentence; the old rows serve on."""


@dataclass(slots=True)
class Partition:
    """One partition while it is folded anew."""

    folding: Refolding
    runner: Runner

    @property
    def place(self) -> int:
        """Up to where it is folded and written."""
        return self.folding.committed.next_offset


@dataclass(slots=True)
class Rebuild:
    """One run for one service."""

    kernel: Kernel
    say: Say
    _beside: Database = field(init=False)
    _leases: Leases = field(init=False)
    _parts: dict[int, Partition] = field(init=False)

    async def run(self) -> None:
        """Until the new rows serve. Raises RebuildFailedError, and what the database or the log raise."""
        service, settings = self.kernel.service, self.kernel.settings
        limits = _LIMITS | {"search_path": f"{BESIDE}, public"}
        self._beside = Database(
            self.kernel.own.database_url, name=f"{service.name} rebuild", limits=limits
        )
        self._leases = Leases(
            database=self._beside,
            topic="customers",
            version=service.version,
            partitions=settings.partitions,
            worker=OWNER,
            seconds=3600.0,
        )
        try:
            async with self._alone(), _collecting_rarely():
                await self.kernel.log.check()
                await belong(self.kernel)
                await self._make_tables()
                await self._claim()
                await self._fill()
                await self._catch_up()
                await self._swap()
                await self._drop(BEFORE)
                await self._drop(BESIDE)
        finally:
            await self._beside.close()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One rebuild of a service at a time."""
        conn = await asyncpg.connect(self.kernel.own.database_url, timeout=10)
        try:
            if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                raise RebuildFailedError("another rebuild of this service is running")
            yield
        finally:
            await conn.close()

    # Filling -------------------------------------------------------------------------------------

    async def _make_tables(self) -> None:
        tables = await asyncio.to_thread(folded_tables, self.kernel.service)
        statements = [f"DROP SCHEMA IF EXISTS {BESIDE} CASCADE", f"CREATE SCHEMA {BESIDE}"]
        statements += [_sql(CreateTable(table)) for table in tables]
        async with self._beside.transaction() as conn:
            for statement in statements:
                await conn.execute(statement)

    async def _claim(self) -> None:
        await self._leases.prepare()
        async with self._beside.transaction() as conn:
            claimed = await self._leases.claim(conn, self._leases.partitions, [])
        slots = asyncio.Semaphore(IN_FLIGHT)
        self._parts = {}
        for lease in claimed:
            folding = Refolding(self.kernel.service, self._leases, lease, self.kernel.log, slots)
            runner = Runner(
                service=f"{self.kernel.service.name}-rebuild",
                leases=self._leases,
                lease=lease,
                handler=folding,
                log=self.kernel.log,
                slots=slots,
                most_events=self.kernel.settings.batch_events,
                settings=self.kernel.settings,
            )
            self._parts[lease.partition] = Partition(folding, runner)

    async def _fill(self) -> None:
        """Fold everything, derive everything, and only then make the indexes."""
        await self._fold_to(await self.kernel.log.ends("customers"), "folding")
        await self._derive()
        self.say("making indexes")
        for table in folded_tables(self.kernel.service):
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                async with self._beside.connection() as conn:
                    await conn.execute(_sql(CreateIndex(index)), timeout=3600)
            async with self._beside.connection() as conn:
                await conn.execute(f"ANALYZE {BESIDE}.{table.name}", timeout=3600)

    async def _catch_up(self) -> None:
        """Again and again what came meanwhile, until that is little."""
        for _ in range(ROUNDS):
            ends = await self.kernel.log.ends("customers")
            behind = sum(ends[n] - part.place for n, part in self._parts.items())
            if behind <= NEAR_EVENTS:
                return
            await self._fold_to(ends, "catching up")
            await self._derive()

    async def _fold_to(
        self,
        ends: Mapping[int, int],
        what: str,
        *,
        numbers: dict[int, int] | None = None,
    ) -> None:
        """Fold up to these offsets, and up to these numbers of the service's own."""
        own = ORIGINS.index(self.kernel.service.name)
        parts = {n: part for n, part in self._parts.items() if part.place < ends[n]}
        if numbers is not None:
            parts = dict(self._parts)
        for n, part in parts.items():
            part.folding.upto = ends[n]
        total = sum(ends[n] - part.place for n, part in parts.items())
        began = said = time.monotonic()
        async with _running([part.runner for part in parts.values()]):
            while True:
                for n, part in parts.items():
                    if part.runner.stopped is not None:
                        raise RebuildFailedError(
                            f"partition {n} cannot be folded: {part.runner.stopped}"
                        )
                left = sum(max(0, ends[n] - part.place) for n, part in parts.items())
                short = numbers is not None and any(
                    part.folding.committed.seen[own] < numbers[n] for n, part in parts.items()
                )
                if not left and not short:
                    break
                if time.monotonic() - said > PROGRESS_SECONDS:
                    said = time.monotonic()
                    folded = total - sum(
                        max(0, ends[n] - part.runner.lease.next_offset) for n, part in parts.items()
                    )
                    self.say(_progress(what, folded, total, said - began))
                await asyncio.sleep(LOOK_SECONDS)

    async def _derive(self) -> None:
        """Derive what was touched since the last time."""
        work = [
            (part.folding, projection, keys[start : start + CHUNK])
            for part in self._parts.values()
            for projection, keys in part.folding.take_touched()
            for start in range(0, len(keys), CHUNK)
        ]
        total = sum(len(keys) for _, _, keys in work)
        done, began = 0, time.monotonic()
        said = began
        for folding, projection, keys in work:
            await folding.derive(projection, keys)
            done += len(keys)
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                self.say(_progress("deriving", done, total, said - began))

    # Swapping ------------------------------------------------------------------------------------

    async def _swap(self) -> None:
        """Take the partitions, fold the rest, and put the new tables in the place of the old ones."""
        self.say("taking over")
        await self._drop(BEFORE)
        try:
            offsets, heads = await self._take()
            for n in self._parts:
                await self._send(n)
            ends = await self.kernel.log.ends("customers")
            ends = {n: max(end, offsets.get(n, 0)) for n, end in ends.items()}
            async with asyncio.timeout(TAKEN_SECONDS / 2):
                await self._fold_to(ends, "catching up", numbers=heads)
            await self._derive()
            await self._exchange()
        except BaseException:
            await asyncio.shield(self._give_back())
            raise
        self.say("the new rows serve")

    async def _take(self) -> tuple[dict[int, int], dict[int, int]]:
        """Fence the workers; answer how far they were, and the last numbers that they gave."""
        async with self.kernel.database.transaction() as conn:
            # In the order in which workers lock several: else one of them and we may wait for each other.
            await conn.execute(
                "SELECT 1 FROM checkpoint WHERE topic = 'customers' ORDER BY partition FOR UPDATE"
            )
            rows = await conn.fetch(
                "UPDATE checkpoint SET owner = $1, epoch = epoch + 1, until = now() + $2 * interval '1 second'"
                " WHERE topic = 'customers' RETURNING partition, version, next_offset",
                OWNER,
                TAKEN_SECONDS,
            )
            heads = await OUTBOX.heads(conn, list(self._parts))
        offsets: dict[int, int] = {}
        for row in rows:
            offsets[row["partition"]] = max(offsets.get(row["partition"], 0), row["next_offset"])
        return offsets, heads

    async def _send(self, partition: int) -> None:
        """What was announced last must stand on the log before it can be learned from there."""
        relay = Relay(self.kernel.service.name, self.kernel.database, self.kernel.log, partition)
        while await relay.send():
            pass

    async def _exchange(self) -> None:
        names = [table.name for table in swapped_tables(self.kernel.service)]
        version = self.kernel.service.version
        until = time.monotonic() + TAKEN_SECONDS / 2
        while True:
            try:
                async with self._beside.transaction() as conn:
                    # Who waits for the lock of a table holds up all that come after: not for long.
                    await conn.execute(
                        "SET LOCAL lock_timeout = '500ms'; SET LOCAL search_path = public;"
                        " SET LOCAL synchronous_commit = on"
                    )
                    await _move_checkpoints(conn, version)
                    await _settle_parked(conn)
                    # Readers wait from here on until the commit.
                    await conn.execute(f"CREATE SCHEMA {BEFORE};{''.join(map(_exchanged, names))}")
            except Exception as error:
                if not is_passing(error) or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _give_back(self) -> None:
        with contextlib.suppress(Exception):
            async with self.kernel.database.transaction() as conn:
                await conn.execute(
                    "UPDATE checkpoint SET owner = NULL, until = NULL WHERE owner = $1", OWNER
                )

    async def _drop(self, schema: str) -> None:
        async with self._beside.connection() as conn:
            await conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE", timeout=600)


def swapped_tables(service: Service) -> list[Table]:
    """The tables that are folds of the log and of nothing else."""
    tables = [service.metadata.tables["grouping"]]
    for projection in service.projections:
        tables.append(projection.table)
        if projection.items_table is not None:
            tables.append(projection.items_table)
    return [*tables, *(journal.table for journal in service.journals)]


def folded_tables(service: Service) -> list[Table]:
    """Those, and what folding keeps beside them, as they stand in the schema of the new tables."""
    metadata = MetaData()
    known = service.metadata.tables
    tables = [*swapped_tables(service), known["checkpoint"], known["quarantine"]]
    return [table.to_metadata(metadata, schema=BESIDE) for table in tables]


async def _move_checkpoints(conn: Connection, version: int) -> None:
    """The workers go on from where the new tables are. Of another topic it is the same place whatever the version."""
    await conn.execute(
        "DELETE FROM checkpoint WHERE topic = 'customers' AND version <> $1", version
    )
    await conn.execute(
        f"INSERT INTO public.checkpoint AS old ({_PLACE}) SELECT {_PLACE} FROM {BESIDE}.checkpoint"
        " WHERE topic = 'customers' AND version = $1"
        " ON CONFLICT (topic, version, partition) DO UPDATE SET next_offset = excluded.next_offset,"
        " last_event = excluded.last_event, mark = excluded.mark, seen = excluded.seen,"
        " clock = excluded.clock, epoch = old.epoch + 1, owner = NULL, until = NULL",
        version,
    )
    await conn.execute("UPDATE checkpoint SET owner = NULL, until = NULL WHERE topic = 'customers'")
    await conn.execute(
        "UPDATE checkpoint AS c SET version = $1 WHERE topic <> 'customers' AND version = ("
        " SELECT max(version) FROM checkpoint AS o WHERE o.topic = c.topic AND o.partition = c.partition)"
        " AND version <> $1",
        version,
    )


async def _settle_parked(conn: Connection) -> None:
    """What had been put aside and could be folded now has been; what could not be folded is put aside."""
    await conn.execute(
        "UPDATE quarantine AS q SET status = 'applied', resolved_by = $1, resolved_at = now()"
        " WHERE kind = 'parked' AND status IN ('open', 'replay') AND NOT EXISTS ("
        f" SELECT FROM {BESIDE}.quarantine AS n WHERE n.partition = q.partition AND n.log_offset = q.log_offset)",
        OWNER,
    )
    await conn.execute(
        f"INSERT INTO quarantine ({_PARKED}) SELECT {_PARKED} FROM {BESIDE}.quarantine AS n WHERE NOT EXISTS ("
        " SELECT FROM public.quarantine AS q WHERE q.kind = 'parked' AND q.partition = n.partition"
        " AND q.log_offset = n.log_offset)"
    )


def _exchanged(table: str) -> str:
    return (
        f" ALTER TABLE public.{table} SET SCHEMA {BEFORE};"
        f" ALTER TABLE {BESIDE}.{table} SET SCHEMA public;"
    )


@asynccontextmanager
async def _running(runners: Sequence[Runner]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _collecting_rarely() -> AsyncIterator[None]:
    """Hundreds of thousands of rows in memory have no cycles: looking for some is a fifth of the whole work."""
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTED_AT)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _sql(statement: Any) -> str:
    return str(statement.compile(dialect=postgresql()))  # type: ignore[no-untyped-call]


def _progress(what: str, done: int, total: int, seconds: float) -> str:
    rate = done / seconds if seconds else 0.0
    left = f", about {math.ceil((total - done) / rate)} s left" if rate else ""
    return f"{what}: {done} of {total} ({100 * done // max(total, 1)} %, {rate:.0f} a second{left})"


def main(service: Service, own: Callable[[], ServiceSettings]) -> None:
    """Exit code 0 once the new rows serve. It takes no arguments but `--help`; `own` reads the service's settings."""
    argparse.ArgumentParser(
        prog=f"python -m services.{service.name}.rebuild",
        description=f"Make the rows of {service.name} anew from the log, while the old ones serve.",
        epilog="It needs the environment of the service: docs/rebuilding.md.",
    ).parse_args()
    settings = KernelSettings()
    logging.configure(service=service.name, process="rebuild", level="WARNING")
    os.nice(settings.rebuild_nice)

    async def work() -> None:
        kernel = open_kernel(service, "rebuild", settings, own())
        began = time.monotonic()

        def say(words: str) -> None:
            print(f"{service.name}: {words}", flush=True)

        try:
            await Rebuild(kernel, say).run()
        except RebuildFailedError as error:
            raise SystemExit(f"{service.name}: {error}; the old rows serve on") from None
        finally:
            await kernel.close()
        say(f"rebuilt in {time.monotonic() - began:.1f} s")

    run(work())
