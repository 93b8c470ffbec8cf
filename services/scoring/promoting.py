"""Putting a version in force, and looking at one: decided in one transaction, told to every partition."""

from datetime import UTC, datetime

from msgspec.structs import replace

from services.scoring import registry
from services.scoring.policies import CHURN, SHADOW, Promotion, Shadow
from services.scoring.registry import Version
from shared.commands import Done
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.log import Entry

Entries = list[tuple[int, Entry]]
BY_ITSELF = "tenure/scoring"
"""Who looks at a version where nobody chose it."""


async def promote(
    conn: Connection, now: datetime, version: int, by: str, override: str | None, partitions: int
) -> Done:
    """Publish a version of the churn model. Raises NotFound, and Conflict where it was worse than
    its baseline and nobody says why it should hold all the same."""
    await registry.lock(conn, CHURN)
    wanted = await _known(conn, version)
    if wanted.kept is not None and not wanted.kept.passes and override is None:
        raise Conflict("model_worse_than_baseline")
    if await _in_force(conn) == version:
        return Done(200, str(version))
    number = await registry.next_number(conn)
    written = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = replace(
        registry.numbered(wanted.model, version), promoted=Promotion(by, written, override)
    )
    entries = registry.publication(CHURN, number, body, now, partitions)
    await registry.note(conn, CHURN, number, now, version)
    await conn.execute(
        "INSERT INTO model_promotion VALUES ($1, $2, $3, $4, $5, $6)",
        CHURN,
        number,
        version,
        now,
        by,
        override,
    )
    if await registry.told_model(conn, SHADOW) == version:
        entries += await _look_at(conn, now, None, by, partitions)
    return Done(200, str(version), entries)


async def shadow(
    conn: Connection, now: datetime, version: int | None, by: str, partitions: int
) -> Done:
    """Let a version score beside the one in force; None: no longer. Raises NotFound."""
    wanted = None if version is None else await _known(conn, version)
    await registry.lock(conn, SHADOW)
    if await registry.told_model(conn, SHADOW) == version:
        return Done(200, CHURN)
    return Done(200, CHURN, await _look_at(conn, now, wanted, by, partitions))


async def look_at_new(conn: Connection, now: datetime, version: int, partitions: int) -> Entries:
    """Let a version that was just trained score beside the one in force, unless somebody chose another for that."""
    await registry.lock(conn, SHADOW)
    chosen = await registry.told_model(conn, SHADOW) is not None
    if chosen and await registry.told_by(conn, SHADOW) != BY_ITSELF:
        return []
    return await _look_at(conn, now, await _known(conn, version), BY_ITSELF, partitions)


async def _look_at(
    conn: Connection, now: datetime, wanted: Version | None, by: str, partitions: int
) -> Entries:
    await registry.lock(conn, SHADOW)
    number = await registry.newest_number(conn, SHADOW) + 1
    model = None if wanted is None else registry.numbered(wanted.model, wanted.version)
    body = Shadow(model=model, by=by)
    looked_at = None if wanted is None else wanted.version
    await registry.note(conn, SHADOW, number, now, looked_at, by)
    return registry.publication(SHADOW, number, body, now, partitions)


async def _known(conn: Connection, version: int) -> Version:
    found = await registry.find_version(conn, version)
    if found is None:
        raise NotFound("model_not_found")
    return found


async def _in_force(conn: Connection) -> int:
    """The version published last, folded or not."""
    told = await registry.told_model(conn, CHURN)
    newest = await registry.newest_number(conn, CHURN)
    if told is not None:
        return told
    return newest
