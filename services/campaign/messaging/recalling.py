"""What was done before the database went back in time, from our own events on the log: nothing is sent twice, and it
counts towards the cap. What was asked for since, and not done with, is on no log: it is gone."""

from collections.abc import Sequence
from uuid import UUID

from services.campaign.messaging.deciding import CANCELLED, FAILED, SENT, UNCERTAIN, WITHHELD
from services.campaign.messaging.telling import Told
from shared.codec import Event
from shared.database import Connection
from shared.language import MessageFailed, MessageSent, MessageUncertain, MessageWithheld

_DO = """
INSERT INTO message AS m (id, customer_id, channel, purpose, topic, status, reason, created_at, created_by, wanted_by,
 decided_at, done_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $8, $8)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, code = NULL, due_at = NULL,
 decided_at = excluded.decided_at, done_at = excluded.done_at, wanted_by = excluded.wanted_by, owner = NULL,
 until = NULL
WHERE coalesce(m.done_at, '-infinity') <= excluded.done_at
"""


async def recall(conn: Connection, own: Sequence[Event]) -> None:
    """Mark as done what is said to be; what the backup does not know stands there without its text."""
    for event in own:
        match event.data:
            case MessageSent():
                await _mark(conn, event, event.data, SENT, None)
            case MessageUncertain():
                await _mark(conn, event, event.data, UNCERTAIN, "recalled")
            case MessageFailed(reason=reason):
                await _mark(conn, event, event.data, FAILED, reason)
            case MessageWithheld(reason=reason):
                status = CANCELLED if reason == CANCELLED else WITHHELD
                await _mark(conn, event, event.data, status, reason)
            case _:
                pass


async def _mark(
    conn: Connection, event: Event, told: Told, status: str, reason: str | None
) -> None:
    await conn.execute(
        _DO,
        UUID(told.message_id),
        UUID(event.subject),
        told.channel,
        told.purpose,
        told.topic,
        status,
        reason,
        event.time,
        told.by,
    )
