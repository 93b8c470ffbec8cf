"""The counters in FastStream: one upsert an event, or, in its batch mode, one upsert statement a batch.

    .venv-peers/bin/python tests/bench/peers/faststream_loop.py '{"servers": ..., "topic": ..., "batch": true, ...}'

Seconds run from the first event to the end of the last statement.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvloop
from faststream.kafka import KafkaBroker

task = json.loads(sys.argv[1])

TABLE = (
    "CREATE TABLE counters (customer_id uuid PRIMARY KEY, events bigint NOT NULL, orders bigint NOT NULL,"
    " spend bigint NOT NULL, last_at timestamptz NOT NULL, last_kind text NOT NULL)"
)
UPSERT = (
    " ON CONFLICT (customer_id) DO UPDATE SET events = counters.events + excluded.events,"
    " orders = counters.orders + excluded.orders, spend = counters.spend + excluded.spend,"
    " last_at = greatest(counters.last_at, excluded.last_at), last_kind = CASE"
    " WHEN excluded.last_at > counters.last_at THEN excluded.last_kind ELSE counters.last_kind END"
)
ONE = "INSERT INTO counters VALUES ($1, $2, $3, $4, $5, $6)" + UPSERT
MANY = (
    "INSERT INTO counters SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[],"
    " $5::timestamptz[], $6::text[])" + UPSERT
)
Row = list[Any]


def row(event: dict[str, Any]) -> Row:
    """What one event adds."""
    settled = event["data"].get("settled") or {}
    orders = spend = 0
    for sign, side in ((1, settled.get("after")), (-1, settled.get("before"))):
        if side:
            orders += sign * side["orders"]
            spend += sign * side["spend"].get("CNY", 0)
    at = datetime.fromisoformat(event["time"])
    return [UUID(event["subject"]), 1, orders, spend, at, event["type"]]


def together(events: list[dict[str, Any]]) -> list[Row]:
    """What a batch adds, one row a customer."""
    rows: dict[str, Row] = {}
    for event in events:
        new = row(event)
        old = rows.setdefault(event["subject"], new)
        if old is not new:
            for column in (1, 2, 3):
                old[column] += new[column]
            if new[4] > old[4]:
                old[4:] = new[4:]
    return list(rows.values())


class Counting:
    """How far it is, and when it began and ended."""

    def __init__(self, total: int) -> None:
        self.left = total
        self.began = self.ended = 0.0
        self.done = asyncio.Event()

    def begin(self) -> None:
        if not self.began:
            self.began = time.perf_counter()

    def count(self, events: int) -> None:
        self.left -= events
        if self.left <= 0 and not self.done.is_set():
            self.ended = time.perf_counter()
            self.done.set()


async def main() -> None:
    counting = Counting(task["events"])
    pool = await asyncpg.create_pool(task["database"])
    await pool.execute(TABLE)
    broker = KafkaBroker(task["servers"], logger=None)
    options = {"group_id": task["group"], "auto_offset_reset": "earliest"}

    if task["batch"]:

        @broker.subscriber(task["topic"], batch=True, max_records=task["most"], **options)
        async def batch(bodies: list[bytes]) -> None:
            counting.begin()
            events = [event for event in map(orjson.loads, bodies) if event.get("subject")]
            if events:
                await pool.execute(MANY, *map(list, zip(*together(events), strict=True)))
            counting.count(len(bodies))

    else:

        @broker.subscriber(task["topic"], **options)
        async def each(body: bytes) -> None:
            counting.begin()
            event = orjson.loads(body)
            if event.get("subject"):
                await pool.execute(ONE, *row(event))
            counting.count(1)

    await broker.start()
    await counting.done.wait()
    await broker.stop()
    await pool.close()
    seconds = counting.ended - counting.began
    print(
        json.dumps({"events": task["events"] - counting.left, "seconds": seconds}),
        flush=True,
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
