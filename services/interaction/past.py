"""Every event of a customer up to a moment, for a service that wants to know what was so then."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import orjson

from services.interaction.showing import shown
from shared.as_of import MOST_EVENTS, Basis, Past, PastEvent
from shared.database import ReadConnection, Row
from shared.erasing import erased_among
from shared.errors import Unprocessable
from shared.kernel import Kernel

_UNTIL = {"business": "time", "recorded": "recorded_at"}
REGROUPED = "customer.regrouped"


async def past_of(
    kernel: Kernel, customer_id: UUID, at: datetime, basis: Basis, types: Sequence[str]
) -> Past:
    """The customer's parts as of then, and their events of these types; of parts that are erased by now, what is left.
    Raises Unprocessable("history_too_long")."""
    async with kernel.database.snapshot() as conn:
        head, parts = await _group(conn, customer_id, at, _UNTIL[basis])
        rows = await _events(conn, parts, at, basis, types)
        erased = await erased_among(conn, parts)
    values = await shown(kernel.keyring, rows, erased)
    events = [
        PastEvent(
            row["customer_id"], row["log_offset"] or 0, row["recorded_at"], msgspec.Raw(value)
        )
        for row, value in zip(rows, values, strict=True)
    ]
    return Past(head, parts, events)


async def _events(
    conn: ReadConnection, parts: Sequence[UUID], at: datetime, basis: Basis, types: Sequence[str]
) -> Sequence[Row]:
    rows = await conn.fetch(
        "SELECT customer_id, log_offset, recorded_at, value FROM timeline"
        f" WHERE customer_id = ANY($1) AND {_UNTIL[basis]} <= $2 AND type = ANY($3)"
        " ORDER BY recorded_at, log_offset LIMIT $4",
        parts,
        at,
        list(types),
        MOST_EVENTS + 1,
    )
    if len(rows) > MOST_EVENTS:
        raise Unprocessable("history_too_long", params={"limit": MOST_EVENTS})
    return rows


async def _group(
    conn: ReadConnection, customer_id: UUID, at: datetime, until: str
) -> tuple[UUID, list[UUID]]:
    """The last word on the part then, which names all the others; the head first."""
    rows = await conn.fetch(
        f"SELECT value FROM timeline WHERE customer_id = $1 AND type = $2 AND {until} <= $3",
        customer_id,
        REGROUPED,
        at,
    )
    words = [orjson.loads(row["value"])["data"] for row in rows]
    if not words:
        return customer_id, [customer_id]
    last = max(words, key=lambda word: word["revision"])
    head = UUID(last["head"])
    return head, [head, *(part for one in last["parts"] if (part := UUID(one)) != head)]
