"""Policies as they stand in one partition: versioned, immutable, published on the log like anything else."""

from datetime import datetime

import orjson

from shared.database import Connection, ReadConnection
from shared.language import PolicyPublished
from shared.projection import Policy


async def load_policies(
    conn: Connection | ReadConnection, partition: int, *, until: datetime | None = None
) -> dict[str, Policy]:
    """The newest version of each policy that this partition has folded; with `until`, of those published by then."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (name) name, version, body FROM policy WHERE partition = $1"
        " AND ($2::timestamptz IS NULL OR published_at <= $2) ORDER BY name, version DESC",
        partition,
        until,
    )
    return {row["name"]: Policy(row["name"], row["version"], row["body"]) for row in rows}


async def as_known_to(
    conn: Connection | ReadConnection,
    version: int,
    partition: int,
    *,
    until: datetime | None = None,
) -> tuple[datetime | None, dict[str, Policy]]:
    """By which clock (UTC) and policies a partition judges its customers. `version`: of the service's folds; `until`:
    as in `load_policies`."""
    clock = await conn.fetchval(
        "SELECT clock FROM checkpoint WHERE topic = 'customers' AND version = $1 AND partition = $2",
        version,
        partition,
    )
    return clock, await load_policies(conn, partition, until=until)


async def store_policy(
    conn: Connection, partition: int, policy: PolicyPublished, at: datetime
) -> None:
    """Keep a version as it was published; the same version again changes nothing."""
    await conn.execute(
        "INSERT INTO policy VALUES ($1, $2, $3, $4::jsonb, $5) ON CONFLICT DO NOTHING",
        partition,
        policy.name,
        policy.version,
        orjson.dumps(policy.body).decode(),
        at,
    )
