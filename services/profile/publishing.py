"""A new version of a policy: numbered, immutable, told to every partition in one transaction."""

from collections.abc import Callable
from typing import Any

import orjson

from services.profile.projector.rules import BUILT_IN, Rules, body
from shared.kernel import Kernel
from shared.language import PolicyPublished
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.positions import Position, render

Hold = Callable[[int], None]
"""Looks at the newest version before another is made; raises what forbids it."""


async def publish(kernel: Kernel, name: str, rules: Rules, by: str, hold: Hold) -> tuple[int, str]:
    """Publish thresholds as the next version; answer it, and the position of what was written.

    The same thresholds as the newest version's are published as no other version: then the position
    is empty.
    """
    return await publish_body(kernel, name, body(rules), by, body(BUILT_IN[name]), hold)


async def publish_body(
    kernel: Kernel,
    name: str,
    values: dict[str, Any],
    by: str,
    built_in: dict[str, Any],
    hold: Hold,
) -> tuple[int, str]:
    """The same of any policy. `built_in`: its first version."""
    now = kernel.clock()
    async with kernel.database.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 12))", name)
        note = await conn.fetchval("SELECT note FROM task WHERE name = $1", f"policy {name}")
        newest = note or {"version": 1, "body": built_in}
        hold(newest["version"])
        if newest["body"] == values:
            return newest["version"], ""
        version = newest["version"] + 1
        told = orjson.dumps({"version": version, "body": values, "by": by}).decode()
        await conn.execute(
            "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
            f"policy {name}",
            now,
            told,
        )
        policy = PolicyPublished(name=name, version=version, body=values)
        partitions = kernel.settings.partitions
        entries = everywhere(kernel.service.name, "policy.published", policy, now, partitions)
        numbers = await OUTBOX.append(conn, entries, now)
    kernel.outbox_hint.give()
    pairs = enumerate(numbers)
    return version, render([Position("profile", partition, number) for partition, number in pairs])
