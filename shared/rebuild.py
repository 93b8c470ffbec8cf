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
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared import logging
from shared.codec import Event
from shared.database import Connection, Database
from shared.errors import Fenced, Poison, is_passing
from shared.filling import (
    AWAY,
    BESIDE,
    OWNER,
    Filling,
    Help,
    Order,
    RebuildFailedError,
    crew,
    help_fill,
    leases_of,
    open_beside,
    seed,
)
from shared.genesis import belong
from shared.http.serving import run
from shared.kernel import Kernel, open_kernel
from shared.language import PolicyPublished
from shared.loop.folding import decode, keep_beside
from shared.loop.rows import Rows
from shared.outbox import OUTBOX
from shared.relay import Relay
from shared.service import Service
from shared.settings import KernelSettings, ServiceSettings

BEFORE = "rebuilt"
"""Schema of the old tables until they are dropped."""
NEAR_EVENTS = 200
"""So few events behind, the rest is done while nobody else folds."""
ROUNDS = 10
READ_EVENTS = 500
READ_BYTES = 8 << 20
READ_SECONDS = 2.0
MOST_PROCESSES = 4
"""Unless the settings say otherwise: more of them want more of the database than they leave to those who serve."""
TAKEN_SECONDS = 20.0
PROGRESS_SECONDS = 2.0
_COLLECTED_AT = (50_000, 20, 50)
_LOCK = 7_203_115
_PLACE = "topic, version, partition, next_offset, last_event, mark, seen, clock, epoch"
_PARKED = (
    "id, kind, reason, stage, detail, topic, partition, log_offset, origin, origin_sequence,"
    " event_type, event_id, source, received_at, value"
)

Say = Callable[[str], None]


@dataclass(slots=True)
class Rebuild:
    """One run for one service."""

    kernel: Kernel
    say: Say
    help: Help = field(default_factory=Help)
    _beside: Database = field(init=False)
    _filling: Filling = field(init=False)
    _lock_of: int = 0
    """The server's process that holds the lock of the only rebuild."""

    async def run(self) -> None:
        """Until the new rows serve. Raises RebuildFailedError, Fenced, and what the database or the log raise."""
        self._beside = open_beside(self.kernel)
        try:
            async with self._alone(), collecting_rarely():
                await self.kernel.log.check()
                await belong(self.kernel)
                await self._make_tables()
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
        # Nothing is asked over it meanwhile, which may be hours.
        alive = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10"}
        conn = await asyncpg.connect(
            self.kernel.own.database_url, timeout=10, server_settings=alive
        )
        try:
            if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                raise RebuildFailedError("another rebuild of this service is running")
            self._lock_of = await conn.fetchval("SELECT pg_backend_pid()")
            yield
        finally:
            await conn.close()

    async def _still_alone(self, conn: Connection) -> None:
        """Raises Fenced once the lock was lost: then the server may have forgotten what was committed last, since
        nobody waited for its disk, or another rebuild has begun."""
        held = await conn.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (classid::bigint << 32) + objid::bigint = $2)",
            self._lock_of,
            _LOCK,
        )
        if not held:
            raise Fenced

    # Filling -------------------------------------------------------------------------------------

    async def _make_tables(self) -> None:
        tables = await asyncio.to_thread(folded_tables, self.kernel.service)
        statements = [f"DROP SCHEMA IF EXISTS {BESIDE} CASCADE", f"CREATE SCHEMA {BESIDE}"]
        statements += [_sql(CreateTable(table)) for table in tables]
        async with self._beside.transaction() as conn:
            for statement in statements:
                await conn.execute(statement)
        await leases_of(self.kernel, self._beside, OWNER).prepare()
        async with self._beside.transaction() as conn:
            # Other epochs than those of a rebuild before: nobody who helped it writes anything here.
            await conn.execute(f"UPDATE {BESIDE}.checkpoint SET epoch = $1", time.time_ns() // 1000)

    async def _fill(self) -> None:
        """Fold everything, derive everything, and only then make the indexes."""
        ends = await self.kernel.log.ends("customers")
        partitions = self.kernel.settings.partitions
        if self.help.count:
            await self._fold_together(ends, partitions // (self.help.count + 1))
        else:
            self._filling = await Filling.claim(self.kernel, self._beside, OWNER, partitions)
            await self._filling.fold_to(ends, self._progress("folding", self._filling.behind(ends)))
        await self._derive()
        self.say("making indexes")
        for table in folded_tables(self.kernel.service):
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                async with self._beside.connection() as conn:
                    await conn.execute(_sql(CreateIndex(index)), timeout=3600)
            async with self._beside.connection() as conn:
                await conn.execute(f"ANALYZE {BESIDE}.{table.name}", timeout=3600)

    async def _fold_together(self, ends: Mapping[int, int], share: int) -> None:
        """Each process its share, this one the rest; afterwards all partitions are this one's."""
        partitions = self.kernel.settings.partitions
        rest = partitions - share * self.help.count
        async with crew(self.help, share, ends) as others:
            own = await Filling.claim(self.kernel, self._beside, OWNER, rest)
            say = self._progress("folding", sum(ends.values()))
            listening = asyncio.create_task(others.listen())

            def progress(done: int) -> None:
                if listening.done():
                    listening.result()  # who has failed is not waited for
                say(done + sum(others.folded.values()))

            try:
                await own.fold_to(ends, progress)
                await own.derive_alone()
                await listening
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        touched = [
            (n, index, keys)
            for n, part in own.parts.items()
            for index, keys in part.folding.take_touched()
        ]
        await own.release()
        self._filling = await Filling.claim(self.kernel, self._beside, OWNER, partitions)
        seed(self._filling, touched + others.touched)

    async def _catch_up(self) -> None:
        """Again and again what came meanwhile, until that is little."""
        for _ in range(ROUNDS):
            ends = await self.kernel.log.ends("customers")
            behind = self._filling.behind(ends)
            if behind <= NEAR_EVENTS:
                return
            await self._filling.fold_to(ends, self._progress("catching up", behind))
            await self._derive()

    async def _derive(self) -> None:
        began = said = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal said
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                self.say(_progress("deriving", done, total, said - began))

        await self._filling.derive(progress)

    def _progress(self, what: str, total: int) -> Callable[[int], None]:
        """Says now and then how far it is."""
        began = said = time.monotonic()

        def progress(done: int) -> None:
            nonlocal said
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                self.say(_progress(what, done, total, said - began))

        return progress

    # Swapping ------------------------------------------------------------------------------------

    async def _swap(self) -> None:
        """Take the partitions, fold the rest, and put the new tables in the place of the old ones."""
        self.say("taking over")
        await self._drop(BEFORE)
        try:
            offsets, heads = await self._take()
            for n in self._filling.parts:
                await self._send(n)
            ends = await self.kernel.log.ends("customers")
            ends = {n: max(end, offsets.get(n, 0)) for n, end in ends.items()}
            async with asyncio.timeout(TAKEN_SECONDS / 2):
                await self._filling.fold_to(ends, numbers=heads)
            await self._derive()
            await self._exchange(await self._unseen(offsets))
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
            heads = await OUTBOX.heads(conn, list(self._filling.parts))
        offsets: dict[int, int] = {}
        for row in rows:
            offsets[row["partition"]] = max(offsets.get(row["partition"], 0), row["next_offset"])
        return offsets, heads

    async def _send(self, partition: int) -> None:
        """What was announced last must stand on the log before it can be learned from there."""
        relay = Relay(self.kernel.service.name, self.kernel.database, self.kernel.log, partition)
        while await relay.send():
            pass

    async def _unseen(self, offsets: Mapping[int, int]) -> list[Event]:
        """What was folded into the new rows and by no worker: what it says beside the rows is to be kept, too."""
        unseen: list[tuple[Event, bytes]] = []
        for n, part in self._filling.parts.items():
            at = offsets.get(n, 0)
            while at < part.place:
                records = await self.kernel.log.read(
                    "customers", n, at, events=READ_EVENTS, size=READ_BYTES, wait=READ_SECONDS
                )
                if not records:
                    raise RebuildFailedError(f"partition {n} of the log cannot be read from {at}")
                for record in records:
                    if record.offset < part.place and record.sequence is not None:
                        with contextlib.suppress(Poison):  # it is put aside
                            unseen.append((decode(record), record.value))
                at = records[-1].offset + 1
        await self.kernel.keyring.reveal(one for one in unseen if one[0].sealed is not None)
        return [event for event, _ in unseen]

    async def _exchange(self, unseen: Sequence[Event]) -> None:
        names = [table.name for table in swapped_tables(self.kernel.service)]
        version = self.kernel.service.version
        until = time.monotonic() + TAKEN_SECONDS / 2
        while True:
            try:
                async with self._beside.transaction() as conn:
                    await self._still_alone(conn)
                    # Who waits for the lock of a table holds up all that come after: not for long.
                    await conn.execute(
                        "SET LOCAL lock_timeout = '500ms'; SET LOCAL search_path = public;"
                        " SET LOCAL synchronous_commit = on"
                    )
                    said = await keep_beside(
                        conn, self.kernel.service, unseen, self.kernel.settings.partitions
                    )
                    await _move_checkpoints(conn, version)
                    await _settle_parked(conn)
                    # Readers wait from here on until the commit.
                    await conn.execute(f"CREATE SCHEMA {BEFORE};{''.join(map(_exchanged, names))}")
                    await self._mark_due(conn, unseen)
                    await OUTBOX.append(conn, said, self.kernel.clock())
            except Exception as error:
                if not is_passing(error) or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _mark_due(self, conn: Connection, unseen: Sequence[Event]) -> None:
        """Rows were derived by the policies that the workers knew."""
        for event in unseen:
            if isinstance(event.data, PolicyPublished):
                for projection in self.kernel.service.projections:
                    if event.data.name in projection.policies:
                        await Rows(projection).mark_all_due(conn, event.partition)

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
async def collecting_rarely() -> AsyncIterator[None]:
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
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service.name}.rebuild",
        description=f"Make the rows of {service.name} anew from the log, while the old ones serve.",
        epilog="It needs the environment of the service: docs/rebuilding.md.",
    )
    parser.add_argument("--help-fill", metavar="ORDER", help=argparse.SUPPRESS)
    order = parser.parse_args().help_fill
    settings = KernelSettings()
    logging.configure(service=service.name, process="rebuild", level="WARNING")

    async def work() -> None:
        kernel = open_kernel(service, "rebuild", settings, own())
        try:
            if order is None:
                await _rebuild(kernel)
            else:
                async with collecting_rarely():
                    await help_fill(kernel, msgspec.json.decode(order, type=Order))
        finally:
            await kernel.close()

    if order is None:
        os.nice(settings.rebuild_nice)  # and with it those who will help
    run(work())


async def _rebuild(kernel: Kernel) -> None:
    name, began = kernel.service.name, time.monotonic()

    def say(words: str) -> None:
        print(f"{name}: {words}", flush=True)

    command = (sys.executable, "-m", f"services.{name}.rebuild", "--help-fill")
    try:
        await Rebuild(kernel, say, Help(_helpers(kernel.settings), command)).run()
    except (RebuildFailedError, Fenced) as error:
        raise SystemExit(f"{name}: {str(error) or AWAY}; the old rows serve on") from None
    say(f"rebuilt in {time.monotonic() - began:.1f} s")


def _helpers(settings: KernelSettings) -> int:
    """Processes beside this one."""
    wanted = settings.rebuild_processes or min(os.cpu_count() or 1, MOST_PROCESSES)
    return min(wanted, settings.partitions) - 1
