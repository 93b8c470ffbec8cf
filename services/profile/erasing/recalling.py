"""Erasures that profile decided before its database went back in time, from its own events on the log."""

from collections.abc import Sequence
from uuid import UUID

from shared.codec import Event
from shared.database import Connection
from shared.language import CustomerErased

_PART = """
INSERT INTO erasure_part (customer_id, erasure, head, at, by)
VALUES ($1, $2, coalesce((SELECT head FROM erasure_part WHERE erasure = $2 LIMIT 1),
                         (SELECT head FROM grouping WHERE customer_id = $1), $1), $3, $4)
ON CONFLICT DO NOTHING
"""


async def recall_erasures(conn: Connection, own: Sequence[tuple[Event, bytes]]) -> None:
    """Put them back. Their keys are destroyed once more, which changes nothing where they are."""
    for event, _ in own:
        data = event.data
        if isinstance(data, CustomerErased):
            erasure = UUID(data.erasure)
            await conn.execute(_PART, UUID(event.subject), erasure, event.time, data.by)
