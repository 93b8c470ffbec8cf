"""What campaign kept beside its rows before its database went back in time, from its own events on the log: the
segments as they were published last, and which messages were done with. Descriptions, and who saved what, are on no
log: they are as in the backup."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from services.campaign.messaging import recalling as messages
from services.campaign.projector.segments import NAME
from shared.codec import Event
from shared.database import Connection
from shared.language import PolicyPublished

BY = "the log"


async def recall(conn: Connection, own: Sequence[tuple[Event, bytes]]) -> None:
    """Put it back, the newest version of all that are on the log."""
    await messages.recall(conn, [event for event, _ in own])
    for event, _ in own:
        if isinstance(event.data, PolicyPublished) and event.data.name == NAME:
            await _keep(conn, event, event.data)


async def _keep(conn: Connection, event: Event, policy: PolicyPublished) -> None:
    name = f"policy {NAME}"
    newer = await conn.fetchval(
        "INSERT INTO task VALUES ($1, $2, $3::jsonb) ON CONFLICT (name)"
        " DO UPDATE SET done_at = excluded.done_at, note = excluded.note"
        " WHERE (task.note ->> 'version')::bigint < (excluded.note ->> 'version')::bigint RETURNING 1",
        name,
        event.time,
        orjson.dumps({"version": policy.version}).decode(),
    )
    if newer is None:
        return
    saved = policy.body["segments"]
    await conn.execute(
        "DELETE FROM segment WHERE NOT id = ANY($1)", [UUID(one["id"]) for one in saved]
    )
    for one in saved:
        await conn.execute(
            "INSERT INTO segment VALUES ($1, $2, '', $3::jsonb, $4, $5, $6, $7, $6, $7)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, rule = excluded.rule,"
            " version = excluded.version, policy_version = excluded.policy_version,"
            " updated_at = excluded.updated_at, updated_by = excluded.updated_by"
            " WHERE segment.version < excluded.version",
            UUID(one["id"]),
            one["name"],
            orjson.dumps(one["rule"]).decode(),
            one["version"],
            policy.version,
            event.time,
            BY,
        )
