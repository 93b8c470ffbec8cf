"""What is sent: the event as it stands on the timeline, opened at this moment. Nothing of it is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.interaction.queries import heads_of
from services.interaction.showing import shown
from shared.database import Row
from shared.erasing import erased_among
from shared.http.answers import to_json
from shared.kernel import Kernel

MOST_BYTES = 256 * 1024

_FIND = """
SELECT t.customer_id, t.event_id, t.recorded_at, t.value FROM timeline AS t
JOIN unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS d(customer_id, time, event_id)
USING (customer_id, time, event_id)
"""


async def bodies_of(kernel: Kernel, deliveries: Sequence[Row]) -> dict[UUID, bytes]:
    """The body of each delivery, by its id; none for what is not on the timeline. Whoever was erased by now is spoken
    of without what was personal, whoever became one with others under the id that all of them have."""
    about = [one for one in deliveries if one["event_id"] is not None]
    async with kernel.database.snapshot() as conn:
        rows = await conn.fetch(
            _FIND,
            [one["customer_id"] for one in about],
            [one["time"] for one in about],
            [one["event_id"] for one in about],
        )
        customers = {row["customer_id"] for row in rows}
        erased = await erased_among(conn, customers)
        heads = await heads_of(conn, rows)
    values = await shown(kernel.keyring, rows, erased)
    found = {
        row["event_id"]: _data(row, value, heads) for row, value in zip(rows, values, strict=True)
    }
    made = {one["id"]: _test(one) for one in deliveries if one["event_id"] is None}
    for one in about:
        if one["event_id"] in found:
            data = found[one["event_id"]]
            made[one["id"]] = _body(one["type"], one["time"], data)
    return made


def _data(row: Row, value: bytes, heads: Mapping[UUID, UUID]) -> dict[str, Any]:
    event = orjson.loads(value)
    return {
        "id": event["id"],
        "type": event["type"],
        "time": event["time"],
        "recorded_at": row["recorded_at"],
        "customer_id": heads.get(row["customer_id"], row["customer_id"]),
        "source": event["source"],
        "data": event["data"],
    }


def _test(one: Row) -> bytes:
    return _body(one["type"], one["created_at"], {"webhook_id": one["webhook_id"]})


def _body(type_: str, at: datetime, data: dict[str, Any]) -> bytes:
    return to_json({"type": type_, "timestamp": at, "data": data})
