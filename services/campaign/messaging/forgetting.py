"""Forgetting what was written to somebody who was erased."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.codec import Event
from shared.database import Connection


async def forget(conn: Connection, events: Sequence[Event]) -> dict[UUID, datetime]:
    """Their texts and addresses are gone; what was still to be sent is due, and will be withheld. Which messages there
    were, without a word of them, is kept as long as any."""
    await conn.execute(
        "UPDATE message AS m SET content = NULL,"
        " due_at = CASE WHEN m.status = 'scheduled' THEN least(m.due_at, e.at) ELSE m.due_at END"
        " FROM (SELECT c, max(a) AS at FROM unnest($1::uuid[], $2::timestamptz[]) AS u(c, a) GROUP BY c) AS e"
        " WHERE m.customer_id = e.c",
        [UUID(event.subject) for event in events],
        [event.time for event in events],
    )
    await conn.execute(
        "UPDATE message SET address = NULL, address_of = NULL WHERE address_of = ANY($1)",
        [UUID(event.subject) for event in events],
    )
    return {}
