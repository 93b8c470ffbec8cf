"""What the measurements of loops share: preloaded topics, databases to begin with, a round in its own process."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared import migrations
from shared.ids import partition_of
from shared.log import open_log
from tests.bench.counters import COLUMNS, COUNTERS, Counters, Told, metadata
from tests.bench.events import FIRST, PARTITIONS, Stream, customer_ids, preload, share
from tests.bench.runner import Sizes, say
from tests.bench.servers import Servers

ROOT = Path(__file__).resolve().parent.parent.parent
ROUND_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A `customers` topic that is there."""

    namespace: str
    counts: Sequence[int]
    """Records of each partition."""

    @property
    def name(self) -> str:
        return f"{self.namespace}.customers"

    def limits(self, events: int) -> list[int]:
        """Where each partition ends for somebody who is to read so many."""
        return share(self.counts, events)


async def topic_of(bench: Servers, stream: Stream) -> Topic:
    """The topic of a stream, loaded when it is first asked for."""
    made = bench.kept.setdefault("topics", {})
    if stream not in made:
        say(f"  loading {stream.events:,} events of {stream.customers:,} customers ({stream.keys})")
        namespace = bench.name("n")
        log = open_log(
            bench.kafka.url,
            namespace=namespace,
            partitions=PARTITIONS,
            replication=1,
            client="bench",
        )
        try:
            await log.check()
            made[stream] = Topic(namespace, await preload(log, stream))
        finally:
            await log.close()
    found: Topic = made[stream]
    return found


def main_stream(sizes: Sizes) -> Stream:
    """What most is measured with: 10,000 customers, uniform keys."""
    events = sizes.pick(full=1_000_000, quick=40_000, tiny=3_000)
    return Stream(events=events, customers=sizes.pick(full=10_000, quick=10_000, tiny=200))


async def template_of(bench: Servers, service: str, customers: int = 0) -> str:
    """The address of a database with a service's tables, to be copied. `customers`: so many rows are there before
    (of `counters` only)."""
    made = bench.kept.setdefault("templates", {})
    key = (service, customers)
    if key not in made:
        url = bench.database("t")
        if service == "counters":
            await _create_counters(url, customers)
        else:
            await migrations.upgrade(service, url)
        made[key] = url
    found: str = made[key]
    return found


async def _create_counters(url: str, customers: int) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(_ddl(metadata))
        if customers:
            say(f"  loading the rows of {customers:,} customers")
            await _load_rows(conn, customers)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()


async def _load_rows(conn: asyncpg.Connection, customers: int) -> None:
    """Rows of customers who were there once before."""
    state = Counters(1, 1, 1999, FIRST, "purchase.completed")
    view = COUNTERS.derive(state, None, {})
    packed = (
        msgspec.msgpack.encode(state),
        msgspec.msgpack.encode(view),
        msgspec.msgpack.encode(Told()),
    )
    values = COUNTERS.row(view)
    ids = customer_ids(customers)
    for start in range(0, customers, 50_000):
        records = [
            (key, key, partition_of(text, PARTITIONS), *packed, *values)
            for text in ids[start : start + 50_000]
            for key in (UUID(text),)
        ]
        await conn.copy_records_to_table(
            "counters",
            records=records,
            columns=["customer_id", "head", "partition", "state", "view", "told", *COLUMNS],
        )


def _ddl(tables: MetaData) -> str:
    dialect = postgresql()
    made = []
    for table in tables.sorted_tables:
        made += [
            CreateTable(table),
            *(CreateIndex(index) for index in sorted(table.indexes, key=str)),
        ]
    return ";\n".join(str(one.compile(dialect=dialect)) for one in made)


async def program(
    module: str, task: dict[str, Any], *, python: Path | None = None
) -> dict[str, Any]:
    """Run a program of ours (or, with `python`, a file of the peers) with its task; answer what it printed last."""
    command = ["-m", module] if python is None else [str(ROOT / module)]
    process = await asyncio.create_subprocess_exec(
        str(python or sys.executable),
        *command,
        json.dumps(task),
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            out, err = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    lines = out.decode().strip().splitlines()
    if process.returncode != 0 or not lines:
        raise RuntimeError(f"{module} failed ({process.returncode}): {err.decode()[-2000:]}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


async def our_loop(
    bench: Servers, topic: Topic, service: str, events: int, *, customers: int = 0
) -> dict[str, Any]:
    """One round of one of our loops over the first records of a topic, in a database of its own."""
    database = await bench.copy(await template_of(bench, service, customers))
    try:
        return await program(
            "tests.bench.loop_program",
            {
                "service": service,
                "log": bench.kafka.url,
                "namespace": topic.namespace,
                "database": database,
                "limits": topic.limits(events),
            },
        )
    finally:
        bench.drop(database)


async def bare_loop(bench: Servers, topic: Topic, events: int) -> dict[str, Any]:
    """One round of the bare limit."""
    database = bench.database()
    try:
        return await program(
            "tests.bench.bare_loop",
            {
                "servers": bench.kafka.bootstrap,
                "topic": topic.name,
                "database": database,
                "limits": topic.limits(events),
            },
        )
    finally:
        bench.drop(database)


def rate(answer: dict[str, Any]) -> float:
    """Events a second."""
    return float(answer["events"] / answer["seconds"])
