"""The counters in Quix Streams: state by key, and its sink for PostgreSQL, one upsert a customer and commit.

    .venv-peers/bin/python tests/bench/peers/quix_loop.py '{"servers": ..., "topic": ..., "events": ..., ...}'

Seconds run from the first event to the end of the last write of the sink; what is done afterwards (the changelog, the
offsets) does not count against it.
"""

import json
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from quixstreams import Application, State
from quixstreams.sinks.community.postgresql import PostgreSQLSink

task = json.loads(sys.argv[1])
moments: list[float] = []
"""When the first event came, and when the sink ended what it wrote last."""


class Timed(PostgreSQLSink):
    """Knows when it wrote last."""

    def write(self, batch: Any) -> None:
        super().write(batch)
        moments[1:] = [time.perf_counter()]


def count(event: dict[str, Any], state: State) -> dict[str, Any]:
    """What the customer has come to, for the sink."""
    if not moments:
        moments.append(time.perf_counter())
    row = state.get("row") or {"events": 0, "orders": 0, "spend": 0, "last_at": "", "last_kind": ""}
    row["events"] += 1
    if event["time"] > row["last_at"]:
        row["last_at"], row["last_kind"] = event["time"], event["type"]
    settled = event["data"].get("settled")
    if settled is not None:
        after, before = settled.get("after"), settled.get("before")
        if after:
            row["orders"] += after["orders"]
            row["spend"] += after["spend"].get("CNY", 0)
        if before:
            row["orders"] -= before["orders"]
            row["spend"] -= before["spend"].get("CNY", 0)
    state.set("row", row)
    return {"customer_id": event["subject"], **row}


def main() -> None:
    url = urlsplit(task["database"])
    sink = Timed(
        host=parse_qs(url.query)["host"][0],
        port=5432,
        dbname=url.path.removeprefix("/"),
        user=url.username or "postgres",
        password="",
        table_name="counters",
        primary_key_columns="customer_id",
        upsert_on_primary_key=True,
        include_metadata=False,
    )
    app = Application(
        broker_address=task["servers"],
        consumer_group=task["group"],
        auto_offset_reset="earliest",
        state_dir=task["state"],
        loglevel="WARNING",
        **task["options"],
    )
    topic = app.topic(task["topic"], key_deserializer="str", value_deserializer="json")
    events = app.dataframe(topic).filter(lambda event: bool(event.get("subject")))
    events.apply(count, stateful=True).sink(sink)
    app.run(count=task["events"], timeout=30, collect=False)
    print(json.dumps({"events": task["events"], "seconds": moments[1] - moments[0]}), flush=True)


if __name__ == "__main__":
    main()
