"""Deliveries of an endpoint, as people look at them, and have them sent again."""

from datetime import datetime
from uuid import UUID, uuid4

from services.interaction.webhooks.endpoints import Endpoint
from services.interaction.webhooks.making import Delivery, delivery_id, insert
from services.interaction.webhooks.patterns import TEST, types_of
from services.interaction.webhooks.trying import TESTED_AT
from shared.database import Connection, ReadConnection, Row
from shared.errors import NotFound, Unprocessable

STATUSES = ("pending", "sending", "delivered", "failed")
MOST_REPLAYED = 10_000

_WITHIN = """
SELECT customer_id, time, event_id, type FROM timeline
WHERE recorded_at >= $1 AND recorded_at < $2 AND type = ANY($3)
 AND convert_from(value, 'UTF8')::json ->> 'history' IS NULL
LIMIT $4
"""


async def find(conn: Connection | ReadConnection, webhook: UUID, delivery: UUID) -> Row:
    """Raises NotFound."""
    row = await conn.fetchrow(
        "SELECT * FROM webhook_delivery WHERE id = $1 AND webhook_id = $2", delivery, webhook
    )
    if row is None:
        raise NotFound("webhook_delivery_not_found")
    return row


async def list_deliveries(
    conn: ReadConnection,
    webhook: UUID,
    status: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row]:
    """The newest first."""
    where, arguments = _where(webhook, status)
    if after is not None:
        arguments += list(after)
        where += f" AND (created_at, id) < (${len(arguments) - 1}, ${len(arguments)})"
    return await conn.fetch(
        f"SELECT * FROM webhook_delivery WHERE {where}"
        f" ORDER BY created_at DESC, id DESC LIMIT {limit}",
        *arguments,
    )


async def count_deliveries(conn: ReadConnection, webhook: UUID, status: str | None) -> int:
    """How many there are."""
    where, arguments = _where(webhook, status)
    found: int = await conn.fetchval(
        f"SELECT count(*) FROM webhook_delivery WHERE {where}", *arguments
    )
    return found


def _where(webhook: UUID, status: str | None) -> tuple[str, list[object]]:
    if status is None:
        return "webhook_id = $1", [webhook]
    # Not a parameter: it chooses the index.
    assert status in STATUSES, "the API takes no other"
    return f"webhook_id = $1 AND status = '{status}'", [webhook]


async def try_out(conn: Connection, webhook: UUID) -> UUID:
    """Have a test sent."""
    made = uuid4()
    await conn.execute(
        "INSERT INTO webhook_delivery (id, webhook_id, type, next_at) VALUES ($1, $2, $3, $4)",
        made,
        webhook,
        TEST,
        TESTED_AT,
    )
    return made


async def resend(conn: Connection, delivery: UUID) -> None:
    """It is due at once, as if it had never been tried; what is being sent at this moment is sent."""
    await conn.execute(
        "UPDATE webhook_delivery SET status = 'pending', attempts = 0, next_at = DEFAULT, done_at = NULL"
        " WHERE id = $1 AND status <> 'sending'",
        delivery,
    )


async def replay(conn: Connection, one: Endpoint, start: datetime, end: datetime) -> int:
    """Have everything sent that was recorded from `start` to before `end` and is wanted, again where it was sent
    before. How much that is; raises Unprocessable where it is too much."""
    types = sorted(types_of(one.types))
    rows = await conn.fetch(_WITHIN, start, end, types, MOST_REPLAYED + 1)
    if len(rows) > MOST_REPLAYED:
        raise Unprocessable("webhook_replay_too_large", params={"limit": MOST_REPLAYED})
    deliveries = [
        Delivery(
            delivery_id(one.id, row["event_id"]),
            one.id,
            row["type"],
            row["customer_id"],
            row["time"],
            row["event_id"],
        )
        for row in rows
    ]
    await insert(conn, deliveries, again=True)
    return len(deliveries)
