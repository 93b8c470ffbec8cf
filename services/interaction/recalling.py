"""What the door knew before its database went back in time, put together again from its own events on the log.

Which events have come in, what their orders count for, whose complaints and contacts there are. An event stands on
the log with the publisher's name for it, so it is never resolved twice. Not on the log, and lost: what exactly a
publisher had sent (a repeat with other content passes for a repeat then), who repeated which command, and
decisions about the quarantine.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import orjson

from services.interaction.arrivals import Arrival, door_key
from services.interaction.cases import COMPLAINT, Step, case_of, read_step
from services.interaction.filing import keep_steps
from services.interaction.orders import CORRECTED, SETTLED_TYPES, Fact, Order, order_in, order_key
from services.interaction.orders import settle as settle_order
from shared.codec import Event
from shared.database import Connection
from shared.language import InteractionRetracted

UNKNOWN_CONTENT = b""
"""In place of the hash of what was sent."""
EVERYWHERE = -1

_encode = msgspec.msgpack.Encoder().encode


class _Said(msgspec.Struct, gc=False):
    data: msgspec.Raw


_said = msgspec.json.Decoder(_Said).decode


async def recall(conn: Connection, own: Sequence[tuple[Event, bytes]]) -> None:
    """Put back what these events of our own stand for; what is known already stays as it is."""
    published = [one for one in own if not one[0].source.startswith("tenure/") and one[0].subject]
    fresh = await _pass_the_door(conn, published)
    await _settle_orders(conn, fresh)
    await _keep_cases(conn, fresh)
    await _keep_contacts(conn, fresh)
    for event, value in own:
        if event.type == "history.closed":
            await conn.execute(
                "INSERT INTO closing VALUES ($1, $2) ON CONFLICT DO NOTHING",
                event.data.history,  # type: ignore[union-attr]
                EVERYWHERE,
            )
        elif isinstance(event.data, InteractionRetracted):
            await conn.execute(
                "UPDATE contact SET retracted_at = $2, retracted_by = $3, retract_reason = $4"
                " WHERE id = $1 AND retracted_at IS NULL",
                UUID(event.data.interaction_id),
                event.time,
                event.data.by,
                orjson.loads(bytes(_said(value).data)).get("reason"),
            )


async def _pass_the_door(
    conn: Connection, published: Sequence[tuple[Event, bytes]]
) -> list[tuple[Event, bytes]]:
    """Those that the door did not know."""
    by_key = {door_key(event.source, event.sourceid): (event, value) for event, value in published}
    keys = sorted(by_key)
    rows = await conn.fetch(
        "INSERT INTO door SELECT k, $2, c, e FROM unnest($1::bytea[], $3::uuid[], $4::uuid[]) AS u(k, c, e)"
        " ON CONFLICT DO NOTHING RETURNING key",
        keys,
        UNKNOWN_CONTENT,
        [UUID(by_key[key][0].subject) for key in keys],
        [UUID(by_key[key][0].id) for key in keys],
    )
    made = {row["key"] for row in rows}
    return [
        (event, value)
        for event, value in published
        if door_key(event.source, event.sourceid) in made
    ]


async def _settle_orders(conn: Connection, fresh: Sequence[tuple[Event, bytes]]) -> None:
    """Settle them once more, in their order; nothing is told."""
    for event, value in fresh:
        type_ = "purchase.completed" if event.type == CORRECTED else event.type
        if type_ not in SETTLED_TYPES:
            continue
        data = bytes(_said(value).data)
        key = order_key(event.source, data)
        state = await conn.fetchval("SELECT state FROM orders WHERE key = $1 FOR UPDATE", key)
        fact = Fact(event.id, type_, event.time, event.utcoffset, event.subject, data)
        order, _ = settle_order(order_in(state) if state else Order(), fact)
        await conn.execute(
            "INSERT INTO orders VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET state = excluded.state",
            key,
            _encode(order),
        )


def _arrival(event: Event, value: bytes) -> Arrival:
    return Arrival(
        id=event.sourceid,
        source=event.source,
        type=event.type,
        time=event.time,
        utcoffset=event.utcoffset,
        receivedtime=event.receivedtime,
        contenthash="",
        customer={},
        history=event.history,
        data=_said(value).data,
    )


async def _keep_cases(conn: Connection, fresh: Sequence[tuple[Event, bytes]]) -> None:
    steps: dict[UUID, list[tuple[UUID, Step]]] = {}
    for event, value in fresh:
        if event.type.startswith(COMPLAINT):
            step, customer = read_step(event.id, _arrival(event, value)), UUID(event.subject)
            steps.setdefault(case_of(customer, step.complaint_id), []).append((customer, step))
    if steps:
        await keep_steps(conn, steps)


async def _keep_contacts(conn: Connection, fresh: Sequence[tuple[Event, bytes]]) -> None:
    """What a person recorded goes by our id of it; what a publisher sent goes by the publisher's."""
    for event, value in fresh:
        if event.type != "interaction.recorded" or event.sourceid != event.id:
            continue
        data = bytes(_said(value).data)
        said = orjson.loads(data)
        step = said.get("next_step") or {}
        await conn.execute(
            "INSERT INTO contact (id, customer_id, at, kind, channel, handled_by, due_at,"
            " recorded_at, recorded_by, data, utcoffset)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7::text::timestamptz, $8, $9, $10, $11)"
            " ON CONFLICT DO NOTHING",
            UUID(event.id),
            UUID(event.subject),
            event.time,
            said["kind"],
            said.get("channel"),
            said.get("handled_by") or event.source,
            step.get("due_at"),
            event.receivedtime,
            event.source,
            data,
            event.utcoffset,
        )
