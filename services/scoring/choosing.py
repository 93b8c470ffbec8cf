"""The policy `scoring` is chosen by people: numbered, immutable, told to every partition at once."""

from typing import Any

import msgspec
import orjson

from services.scoring.policies import DEFAULT_SCORING, SCORING, Scoring
from shared.kernel import Kernel
from shared.language import PolicyPublished
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.positions import Position, render

_NOTE = f"policy {SCORING}"
_NEWEST = """
SELECT version, body FROM (
  SELECT (note ->> 'version')::bigint AS version, note -> 'body' AS body FROM task WHERE name = $1
  UNION ALL SELECT version, body FROM policy WHERE name = $2
) AS known ORDER BY version DESC LIMIT 1
"""


def body_of(scoring: Scoring) -> dict[str, Any]:
    """A policy as it is published."""
    made: dict[str, Any] = msgspec.to_builtins(scoring)
    return made


async def choose(kernel: Kernel, scoring: Scoring, by: str) -> tuple[int, str]:
    """Publish thresholds as the next version; answer it, and the position of what was written.

    The same thresholds as the newest version's are published as no other version: then the position
    is empty.
    """
    now, body = kernel.clock(), body_of(scoring)
    async with kernel.database.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 12))", SCORING)
        newest = await conn.fetchrow(_NEWEST, _NOTE, SCORING)
        version, known = (newest["version"], newest["body"]) if newest else (0, None)
        if body == (known if newest else body_of(DEFAULT_SCORING)):
            return version, ""
        version += 1
        told = {"version": version, "body": body, "by": by}
        await conn.execute(
            "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
            _NOTE,
            now,
            orjson.dumps(told).decode(),
        )
        policy = PolicyPublished(name=SCORING, version=version, body=body)
        name, partitions = kernel.service.name, kernel.settings.partitions
        entries = everywhere(name, "policy.published", policy, now, partitions)
        numbers = await OUTBOX.append(conn, entries, now)
    kernel.outbox_hint.give()
    pairs = enumerate(numbers)
    return version, render([Position(name, partition, number) for partition, number in pairs])
