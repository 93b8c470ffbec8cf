"""Deliveries are made in the transaction that puts an event on the timeline: none is lost, none is made twice.

A delivery's id follows from the endpoint and the event, so whoever makes it once more (events that are folded again
after a restore, what a rebuild has folded) finds it there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from services.interaction.webhooks.patterns import types_of
from shared.codec import Event
from shared.database import Connection, uuid_of

_INSERT = """
INSERT INTO webhook_delivery (id, webhook_id, type, customer_id, time, event_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::uuid[])
"""
_AGAIN = """
ON CONFLICT (id) DO UPDATE SET status = 'pending', attempts = 0, next_at = excluded.next_at, done_at = NULL
WHERE webhook_delivery.status <> 'sending'
"""

_GO_ON = """
WITH locked AS MATERIALIZED (
  SELECT partition FROM webhook_place WHERE partition = ANY($1) ORDER BY partition FOR UPDATE)
UPDATE webhook_place AS p SET
  missed_from = CASE WHEN p.next_offset < u.first THEN coalesce(p.missed_from, p.next_offset) ELSE p.missed_from END,
  missed_to = CASE WHEN p.next_offset < u.first THEN u.first ELSE p.missed_to END,
  next_offset = greatest(p.next_offset, u.next)
FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS u(partition, first, next) JOIN locked USING (partition)
WHERE p.partition = u.partition
"""


class Delivery(NamedTuple):
    """A row to be made: where the event stands on the timeline, and for whom it is."""

    id: UUID
    webhook_id: UUID
    type: str
    customer_id: UUID
    time: datetime
    event_id: UUID


def delivery_id(webhook: UUID, event: UUID) -> UUID:
    """The `webhook-id` of an event, whatever happens."""
    return uuid5(webhook, str(event))


async def deliver(conn: Connection, events: Sequence[tuple[Event, bytes]]) -> None:
    """The service's hook. Where nobody wants anything it costs the question."""
    wanted = await wanted_types(conn)
    if wanted and events:
        await insert(conn, _deliveries(wanted, (event for event, _ in events)))
        await _go_on(conn, [event for event, _ in events])


async def wanted_types(conn: Connection) -> dict[str, list[UUID]]:
    """Who wants an event, by its type."""
    wanted: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in await conn.fetch("SELECT id, types FROM webhook WHERE enabled"):
        for type_ in types_of(tuple(row["types"])):
            wanted[type_].append(row["id"])
    return wanted


async def make(conn: Connection, events: Iterable[Event]) -> None:
    """Make those that are not there, for whoever wants them now."""
    await insert(conn, _deliveries(await wanted_types(conn), events))


def _deliveries(wanted: dict[str, list[UUID]], events: Iterable[Event]) -> list[Delivery]:
    """Of events of customers; a backfill is told to nobody."""
    return [
        Delivery(
            delivery_id(webhook, event_id),
            webhook,
            event.type,
            uuid_of(event.subject),
            event.time,
            event_id,
        )
        for event in events
        if event.subject and event.history is None and event.type in wanted
        for event_id in (uuid_of(event.id),)
        for webhook in wanted[event.type]
    ]


async def insert(
    conn: Connection, deliveries: Collection[Delivery], *, again: bool = False
) -> None:
    """Make rows. `again`: those that are there are due once more, but for what is being sent."""
    if deliveries:
        # In one order, whoever makes several.
        columns = zip(*sorted(deliveries), strict=True)
        sql = _INSERT + (_AGAIN if again else "ON CONFLICT DO NOTHING")
        await conn.execute(sql, *map(list, columns))


async def _go_on(conn: Connection, events: Sequence[Event]) -> None:
    """Note how far this is, and what was folded by somebody else since the last time: a rebuild."""
    first: dict[int, int] = {}
    end: dict[int, int] = {}
    for event in events:
        first[event.partition] = min(first.get(event.partition, event.offset), event.offset)
        end[event.partition] = max(end.get(event.partition, 0), event.offset + 1)
    partitions = sorted(first)
    await conn.execute(
        _GO_ON, partitions, [first[one] for one in partitions], [end[one] for one in partitions]
    )
