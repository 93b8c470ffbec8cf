"""`eventsourcing`: a projection over PostgreSQL that makes the same counters anew from the first event on.

    .venv-peers/bin/python tests/bench/peers/eventsourcing_rebuild.py '{"host": ..., "database": ..., "events": ...}'

The events are recorded first, by the library's own recorder. Measured is from the start of the projection's runner
until the last event is counted. Prints one line of JSON.
"""

import json
import os
import random
import sys
import time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

BATCH = 500
WAIT_SECONDS = 600.0


class Customer(Aggregate):
    @event("Registered")
    def __init__(self) -> None:
        self.orders = 0

    @event("Bought")
    def buy(self, order_id: str, amount: Decimal) -> None:
        self.orders += 1


class Shop(Application[UUID]):
    pass


class Counters(PostgresTrackingRecorder):
    """How many events a customer has, how many orders, what was spent, when last."""

    def __init__(self, datastore: Any, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.check_identifier_length("counters")
        table = (Identifier(self.datastore.schema), Identifier("counters"))
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0}.{1} (customer_id uuid PRIMARY KEY, events bigint,"
                " orders bigint, spend bigint, last_at timestamptz, last_kind text)"
            ).format(*table)
        )
        self.count_statement = SQL(
            "INSERT INTO {0}.{1} AS c VALUES (%s, 1, 1, %s, %s, %s) ON CONFLICT (customer_id) DO UPDATE"
            " SET events = c.events + 1, orders = c.orders + 1, spend = c.spend + excluded.spend,"
            " last_at = greatest(c.last_at, excluded.last_at), last_kind = excluded.last_kind"
        ).format(*table)

    def count(self, bought: Customer.Bought, tracking: Tracking) -> None:  # type: ignore[name-defined]
        values = (bought.originator_id, int(bought.amount * 100), bought.timestamp, "bought")
        with (
            self.datastore.get_connection() as conn,
            conn.transaction(),
            conn.cursor() as cursor,
        ):
            self._insert_tracking(cursor, tracking)
            cursor.execute(self.count_statement, values, prepare=True)


class Counting(Projection[Counters]):
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        if isinstance(domain_event, Customer.Bought):
            self.view.count(domain_event, tracking)
        else:
            self.view.insert_tracking(tracking)


def record(app: Shop, events: int, customers: int) -> int:
    """Everybody registers and buys as often as anybody else; the number of the last event."""
    draw = random.Random(1)
    known = [Customer() for _ in range(min(customers, events))]
    left, n = events - len(known), 0
    while left > 0:
        amount = Decimal(draw.randrange(100, 9000)) / 100
        known[n % len(known)].buy(str(uuid4()), amount)
        left, n = left - 1, n + 1
    pending = [one for customer in known for one in customer.collect_events()]
    draw.shuffle(known)
    for start in range(0, len(pending), BATCH):
        stored = [app.mapper.to_stored_event(one) for one in pending[start : start + BATCH]]
        app.recorder.insert_events(stored)
    return int(app.recorder.max_notification_id() or 0)


def main(task: dict[str, Any]) -> dict[str, Any]:
    os.environ |= {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": task["database"],
        "POSTGRES_HOST": task["host"],
        "POSTGRES_USER": task["user"],
        "POSTGRES_PASSWORD": "none",
    }
    app = Shop()
    last = record(app, task["events"], task["customers"])
    app.close()
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Shop, projection_class=Counting, view_class=Counters
    ) as runner:
        runner.wait(last, timeout=WAIT_SECONDS)
        seconds = time.perf_counter() - began
    return {"events": task["events"], "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
