"""Which customers are one.

No event is ever given another key: every customer id stays a *part*, and `customer.regrouped` says to which *head* a
part belongs. Each service keeps what the events of the parts said last, that is, under the highest revision, so the
order in which they come makes no difference. Whoever was never regrouped is not in the table: a part that is its own
head.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shared.codec import Event
from shared.database import Connection, ReadConnection
from shared.language import CustomerRegrouped

_KEEP = """
INSERT INTO grouping AS known
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
ON CONFLICT (customer_id) DO UPDATE SET head = excluded.head, revision = excluded.revision
WHERE excluded.revision > known.revision
RETURNING customer_id
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A part belongs to another head from now on, or is told again that it does."""

    head: UUID
    revision: int
    event: Event


async def regroup(conn: Connection, events: Iterable[Event]) -> dict[UUID, Move]:
    """Keep the last word on each part; answer those parts about which it is new."""
    last: dict[UUID, Move] = {}
    for event in events:
        if isinstance(event.data, CustomerRegrouped):
            part, move = (
                UUID(event.subject),
                Move(UUID(event.data.head), event.data.revision, event),
            )
            if part not in last or move.revision > last[part].revision:
                last[part] = move
    if not last:
        return {}
    parts = sorted(last)
    heads, revisions = [last[part].head for part in parts], [last[part].revision for part in parts]
    rows = await conn.fetch(_KEEP, parts, heads, revisions)
    return {row["customer_id"]: last[row["customer_id"]] for row in rows}


async def head_of(conn: Connection | ReadConnection, customer_id: UUID) -> UUID:
    """The customer under whose id a part is known."""
    head = await conn.fetchval("SELECT head FROM grouping WHERE customer_id = $1", customer_id)
    return head or customer_id


async def parts_of(conn: Connection | ReadConnection, customer_id: UUID) -> list[UUID]:
    """All parts that are one with this one: the head first, then the others in the order of their ids."""
    rows = await conn.fetch(
        "SELECT h.head, p.customer_id FROM (SELECT coalesce("
        " (SELECT head FROM grouping WHERE customer_id = $1), $1) AS head) AS h"
        " LEFT JOIN grouping AS p ON p.head = h.head AND p.customer_id <> h.head ORDER BY p.customer_id",
        customer_id,
    )
    others = [row["customer_id"] for row in rows if row["customer_id"] is not None]
    return [rows[0]["head"], *others]


async def hold(conn: Connection, customer_id: UUID) -> list[UUID]:
    """Let nobody else decide about a customer until this transaction ends; answer the parts, the head first.

    It is the head that is locked. Who that is may change while we wait for the lock: then another one is.
    """
    parts = await parts_of(conn, customer_id)
    while True:
        head = parts[0]
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 10))", str(head))
        parts = await parts_of(conn, customer_id)
        if parts[0] == head:
            return parts
