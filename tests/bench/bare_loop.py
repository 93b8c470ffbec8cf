"""The bare limit of a loop: what nobody can do without, and nothing else.

    python -m tests.bench.bare_loop '{"servers": ..., "topic": ..., "database": ..., "limits": [...]}'

`getmany`, decode, COPY of one row an event into a table without an index, and the offsets, in one transaction each
5,000 events. Nothing is dropped that came twice, no row is kept for a customer, nothing can be asked for.
"""

import asyncio
import gc
import json
import os
import sys
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.log.kafka import FETCH_BYTES
from tests.bench.runner import peak_mb

COMMIT_EVENTS = 5000
TABLE = (
    "CREATE TABLE bare (customer_id uuid, type text, amount text, at timestamptz)",
    "CREATE TABLE bare_offset (partition int PRIMARY KEY, next_offset bigint)",
)


def row(value: bytes) -> tuple[Any, ...]:
    """One row of an event."""
    event = orjson.loads(value)
    total = event["data"].get("total")
    subject = event.get("subject")
    return (
        UUID(subject) if subject else None,
        event["type"],
        total["amount"] if total else None,
        datetime.fromisoformat(event["time"]),
    )


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    conn = await asyncpg.connect(task["database"])
    for statement in TABLE:
        await conn.execute(statement)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=task["servers"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    limits = {TopicPartition(task["topic"], n): most for n, most in enumerate(task["limits"])}
    consumer.assign(list(limits))
    places = dict.fromkeys(limits, 0)
    total, done = sum(limits.values()), 0
    began: tuple[float, float] | None = None
    rows: list[tuple[Any, ...]] = []
    gc.collect()
    gc.freeze()
    while done < total:
        found = await consumer.getmany(timeout_ms=1000, max_records=COMMIT_EVENTS - len(rows))
        if found and began is None:
            began = time.perf_counter(), time.process_time()
        for partition, messages in found.items():
            kept = [message for message in messages if message.offset < limits[partition]]
            rows += [row(message.value) for message in kept]
            if kept:
                places[partition] = kept[-1].offset + 1
        if len(rows) == COMMIT_EVENTS or done + len(rows) == total:
            async with conn.transaction():
                await conn.copy_records_to_table("bare", records=rows)
                await conn.executemany(
                    "INSERT INTO bare_offset VALUES ($1, $2)"
                    " ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset",
                    [(partition.partition, place) for partition, place in places.items()],
                )
            done += len(rows)
            rows = []
    assert began is not None
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    await consumer.stop()
    await conn.close()
    return {
        "events": done,
        "seconds": wall,
        "processor": processor,
        "peak": peak_mb(os.getpid()),
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure(json.loads(sys.argv[1])))), flush=True)
