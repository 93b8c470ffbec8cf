"""Saving segments: each change is published as the next version of one policy, told to every partition.

A command whose decision locks all segments, judges the precondition, writes the row and publishes all rules that
hold from now on.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request

from services.campaign.projector.segments import NAME
from shared.commands import Done, Outcome, transact
from shared.database import Connection
from shared.errors import Conflict
from shared.kernel import Kernel
from shared.language import PolicyPublished
from shared.own_events import everywhere

MOST_SEGMENTS = 500
MOST_BYTES = 400 * 1024
"""Of all rules together: they travel as one record of the log, which may have 512 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write is about to do, handed to the function that does it."""

    conn: Connection
    now: datetime
    by: str
    policy_version: int


Apply = Callable[[Change], Awaitable[UUID | None]]
"""Writes the row and answers its id; None where nothing changes, so that nothing is published. Raises Problems."""


async def change(
    request: Request,
    apply: Apply,
    *,
    command: str,
    subject: UUID,
    status: int = 200,
    key: str | None = None,
    digest: bytes = b"",
) -> Outcome:
    """Apply a change and publish what holds then. Raises what `apply` raises, and Conflict where it is too much."""
    kernel: Kernel = request.app.state.kernel

    async def do(conn: Connection, now: datetime) -> Done:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 12))", NAME)
        version = 1 + (await _published(conn))
        by = request.state.caller.name
        changed = await apply(Change(conn=conn, now=now, by=by, policy_version=version))
        entries = await _publication(conn, kernel, version, now) if changed else []
        return Done(status, str(subject), entries)

    return await transact(request, do, command=command, key=key, digest=digest)


async def _published(conn: Connection) -> int:
    """The version that was published last."""
    note = await conn.fetchval("SELECT note FROM task WHERE name = $1", f"policy {NAME}")
    return int(note["version"]) if note else 0


async def _publication(conn: Connection, kernel: Kernel, version: int, now: datetime) -> list[Any]:
    rows = await conn.fetch("SELECT id, name, version, rule FROM segment ORDER BY id")
    if len(rows) > MOST_SEGMENTS:
        raise Conflict("too_many_segments", params={"limit": MOST_SEGMENTS})
    body = {
        "timezone": kernel.settings.timezone,
        "at": now.isoformat(),
        "segments": [
            {
                "id": str(row["id"]),
                "name": row["name"],
                "version": row["version"],
                "rule": row["rule"],
            }
            for row in rows
        ],
    }
    if len(orjson.dumps(body)) > MOST_BYTES:
        raise Conflict("segments_too_large", params={"limit": MOST_BYTES})
    await conn.execute(
        "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
        " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
        f"policy {NAME}",
        now,
        orjson.dumps({"version": version}).decode(),
    )
    policy = PolicyPublished(name=NAME, version=version, body=body)
    partitions = kernel.settings.partitions
    return everywhere(kernel.service.name, "policy.published", policy, now, partitions)
