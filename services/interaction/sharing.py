"""Identifiers that several customers share: whom they have linked, and which of them name nobody any more. Also
those of customers who were erased, as far as they matter still."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.interaction.resolving import ANONYMOUS, EXCLUSIVE, Key, Resolved, Tombstone
from shared.database import Connection
from shared.language.identifiers import LINK_LIMITS

POLICY = "merging"

_EXCLUSIVE = """
SELECT one.id, i.type, i.digest
FROM unnest($1::uuid[]) AS one (id)
LEFT JOIN grouping AS g ON g.customer_id = one.id
CROSS JOIN LATERAL (
  SELECT one.id AS part UNION SELECT p.customer_id FROM grouping AS p WHERE p.head = g.head
) AS parts
JOIN {table} AS i ON i.customer_id = parts.part AND i.type = ANY($2)
"""


# One more row, of nulls, where somebody was erased since.
_SHARED = """
SELECT s.type, s.digest, s.customer_id FROM shared_identifier AS s
JOIN unnest($1::text[], $2::bytea[]) AS w (type, digest) USING (type, digest)
UNION ALL
SELECT NULL, NULL, NULL WHERE (SELECT max(erased_at) FROM erased_identifier) >= $3
"""
_TOMBSTONES = """
SELECT e.type, e.digest, e.customer_id, e.erased_at FROM erased_identifier AS e
JOIN unnest($1::text[], $2::bytea[]) AS w (type, digest) USING (type, digest)
WHERE e.erased_at >= $3
"""


async def known_beside(
    conn: Connection, keys: Collection[Key], since: datetime
) -> tuple[dict[Key, UUID | None], dict[Key, list[Tombstone]]]:
    """Those that name nobody, and the part that each stands for alone; and those of whoever was erased since then."""
    asked = [type_ for type_, _ in keys], [value for _, value in keys], since
    rows = await conn.fetch(_SHARED, *asked)
    shared = {(row["type"], row["digest"]): row["customer_id"] for row in rows if row["type"]}
    tombstones: defaultdict[Key, list[Tombstone]] = defaultdict(list)
    if len(rows) > len(shared):
        for row in await conn.fetch(_TOMBSTONES, *asked):
            stone = Tombstone(row["erased_at"], row["customer_id"])
            tombstones[row["type"], row["digest"]].append(stone)
    return shared, tombstones


async def exclusive_of(
    conn: Connection,
    customers: Collection[UUID],
    table: Literal["identity", "erased_identifier"] = "identity",
) -> dict[UUID, set[Key]]:
    """The member numbers and user ids that customers have, or had until they were erased, and all that they are one
    with."""
    if not customers:
        return {}
    found: dict[UUID, set[Key]] = {}
    for row in await conn.fetch(_EXCLUSIVE.format(table=table), list(customers), list(EXCLUSIVE)):
        found.setdefault(row["id"], set()).add((row["type"], row["digest"]))
    return found


async def anonymous_among(conn: Connection, parts: Collection[UUID]) -> set[UUID]:
    """Those who have only anonymous identifiers."""
    if not parts:
        return set()
    rows = await conn.fetch(
        "SELECT DISTINCT customer_id FROM identity WHERE customer_id = ANY($1) AND type <> ALL($2)",
        list(parts),
        list(ANONYMOUS),
    )
    return set(parts) - {row["customer_id"] for row in rows}


async def stand_alone(conn: Connection, own: dict[Key, UUID]) -> bool:
    """Keep the part of each shared identifier that stood alone for the first time; False where somebody else has
    made one meanwhile."""
    rows = sorted(own.items())
    made = await conn.fetch(
        "UPDATE shared_identifier AS s SET customer_id = u.part"
        " FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS u (type, digest, part)"
        " WHERE (s.type, s.digest) = (u.type, u.digest) AND s.customer_id IS NULL RETURNING 1",
        [key[0] for key, _ in rows],
        [key[1] for key, _ in rows],
        [part for _, part in rows],
    )
    return len(made) == len(rows)


async def move(conn: Connection, moved: dict[Key, UUID]) -> None:
    """Anonymous identifiers are somebody else's from now on."""
    rows = sorted(moved.items())
    await conn.execute(
        "UPDATE identity AS i SET customer_id = u.customer FROM"
        " unnest($1::text[], $2::bytea[], $3::uuid[]) AS u (type, digest, customer)"
        " WHERE (i.type, i.digest) = (u.type, u.digest)",
        [key[0] for key, _ in rows],
        [key[1] for key, _ in rows],
        [customer for _, customer in rows],
    )


async def count_links(
    conn: Connection, linked: Iterable[tuple[Resolved, Sequence[Key]]], anonymous: Collection[UUID]
) -> None:
    """Note which known customers each identifier has linked; one that has linked too many names nobody from now
    on. Anonymous customers do not count: somebody may use many browsers."""
    rows = sorted(
        {
            (*key, part)
            for event, keys in linked
            for key in keys
            for part in event.parts
            if part not in anonymous
        }
    )
    if not rows:
        return
    await conn.executemany(
        "INSERT INTO identifier_link VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", rows
    )
    said = await conn.fetchval(
        "SELECT body -> 'limits' FROM policy WHERE name = $1 ORDER BY version DESC LIMIT 1", POLICY
    )
    limits = {**LINK_LIMITS, **(said or {})}
    await conn.execute(
        "INSERT INTO shared_identifier (type, digest) SELECT type, digest FROM identifier_link"
        " JOIN unnest($1::text[], $2::bytea[]) AS w (type, digest) USING (type, digest)"
        " JOIN unnest($3::text[], $4::bigint[]) AS l (kind, most) ON kind = type"
        " GROUP BY type, digest, most HAVING count(*) > most ORDER BY type, digest ON CONFLICT DO NOTHING",
        *_columns({(type_, value) for type_, value, _ in rows}),
        list(limits),
        list(limits.values()),
    )


def _columns(keys: Collection[Key]) -> tuple[list[str], list[bytes]]:
    ordered = sorted(keys)
    return [type_ for type_, _ in ordered], [value for _, value in ordered]
