"""Forgetting a person.

Profile says `customer.erased` of each part and destroys its key, so that nothing of theirs on the log can be read any
more. Each service then forgets what it kept beside the log, in the transaction that folds the event, and says so.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from shared.codec import Event
from shared.database import Connection, ReadConnection
from shared.identity import let_go
from shared.ids import partition_of
from shared.language import CustomerErased, CustomerForgotten
from shared.log import Entry
from shared.own_events import own_event
from shared.service import Service


async def forget(
    conn: Connection, service: Service, events: Sequence[Event], partitions: int
) -> list[tuple[int, Entry]]:
    """Forget those of whom these events (`customer.erased`) say so; answer what is to be said of it."""
    if not events:
        return []
    parts = sorted({UUID(event.subject) for event in events})
    await conn.execute(
        "INSERT INTO erased SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) ON CONFLICT DO NOTHING",
        [UUID(event.subject) for event in events],
        [event.time for event in events],
    )
    latest: dict[UUID, datetime] = {}
    if service.forget is not None:
        latest = await service.forget(conn, events)
    await let_go(conn, parts)
    return [_forgotten(service.name, event, latest, partitions) for event in events]


def _forgotten(
    service: str, event: Event, latest: dict[UUID, datetime], partitions: int
) -> tuple[int, Entry]:
    assert isinstance(event.data, CustomerErased)
    data = CustomerForgotten(
        erasure=event.data.erasure, service=service, latest=latest.get(UUID(event.subject))
    )
    entry = own_event(
        service, "customer.forgotten", data, event.time, subject=event.subject, cause=event
    )
    return partition_of(event.subject, partitions), entry


async def erased_among(
    conn: Connection | ReadConnection, customers: Collection[UUID]
) -> dict[UUID, datetime]:
    """When those of them who were erased were."""
    rows = await conn.fetch(
        "SELECT customer_id, erased_at FROM erased WHERE customer_id = ANY($1)", list(customers)
    )
    return {row["customer_id"]: row["erased_at"] for row in rows}
