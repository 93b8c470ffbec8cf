"""Versions of what is fitted by itself and cited beside the churn model, so that each can be looked up.

What is published as a policy has the number of that policy: `purchases@7` is the BG/NBD in the policy
`churn` with the number 7, whichever version of the churn model was put in force (again) by it. What is
learnt from lines of orders has the number under which it was kept.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.scoring.policies import CHURN, POPULATION, PROSPECTS, PURCHASES, RFM
from shared.database import Connection, ReadConnection, Row

PUBLISHED = {PURCHASES: CHURN, RFM: RFM, POPULATION: POPULATION, PROSPECTS: PROSPECTS}
"""Names, and the policies that they are published with. Their version 0 holds before the first fit."""
RECOMMENDERS = {"recommend-category": "category", "recommend-product": "product"}
"""Names by level."""
DEMANDS = {"demand-units": "units", "demand-lines": "lines", "demand-money": "money"}
"""Names by measure."""
NAMES = (*PUBLISHED, *RECOMMENDERS, *DEMANDS)
KEPT = 100
"""Versions of what is learnt that can be looked up; the models themselves go sooner."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One version. `body`: of the policy, or what is said of what was learnt; None: nothing was fitted yet."""

    name: str
    version: int
    in_force: bool
    at: datetime | None
    body: dict[str, Any] | None


_POLICIES = """
SELECT DISTINCT ON (version) version, published_at AS at, body,
 version = (SELECT max(version) FROM policy WHERE name = $1) AS in_force
FROM policy WHERE name = $1 AND ($2::bigint IS NULL OR version < $2) AND ($3::bigint IS NULL OR version = $3)
ORDER BY version DESC, published_at LIMIT $4
"""
_LEARNT = """
SELECT version, at, about AS body, version = (SELECT max(version) FROM learnt WHERE name = $1) AS in_force
FROM learnt WHERE name = $1 AND ($2::bigint IS NULL OR version < $2) AND ($3::bigint IS NULL OR version = $3)
ORDER BY version DESC LIMIT $4
"""
_ANY = "SELECT EXISTS (SELECT FROM policy WHERE name = $1)"
_COUNT_POLICIES = "SELECT count(DISTINCT version) FROM policy WHERE name = $1"
_COUNT_LEARNT = "SELECT count(*) FROM learnt WHERE name = $1"
_LET_GO = """
DELETE FROM learnt WHERE name = $1 AND version <= (
  SELECT version FROM learnt WHERE name = $1 ORDER BY version DESC OFFSET $2 LIMIT 1)
"""


async def list_fits(conn: ReadConnection, name: str, *, below: int | None, limit: int) -> list[Fit]:
    """Versions of a name, newest first."""
    found = await _found(conn, name, below, None, limit)
    if name in PUBLISHED and len(found) < limit and (below is None or below > 0):
        found.append(await _before(conn, name))
    return found


async def find_fit(conn: ReadConnection, name: str, version: int) -> Fit | None:
    """One version; None: there is none of that number."""
    if name in PUBLISHED and not version:
        return await _before(conn, name)
    found = await _found(conn, name, None, version, 1)
    return found[0] if found else None


async def newest_fit(conn: ReadConnection, name: str) -> Fit | None:
    """The version in force; None: nothing was learnt yet."""
    found = await list_fits(conn, name, below=None, limit=1)
    return found[0] if found else None


async def count_fits(conn: ReadConnection, name: str) -> int:
    """How many versions there are."""
    if name in PUBLISHED:
        return 1 + int(await conn.fetchval(_COUNT_POLICIES, PUBLISHED[name]))
    return int(await conn.fetchval(_COUNT_LEARNT, name))


async def _found(
    conn: ReadConnection, name: str, below: int | None, version: int | None, limit: int
) -> list[Fit]:
    query, of = (_POLICIES, PUBLISHED[name]) if name in PUBLISHED else (_LEARNT, name)
    rows = await conn.fetch(query, of, below, version, limit)
    return [_fit(name, row) for row in rows]


def _fit(name: str, row: Row) -> Fit:
    return Fit(name, row["version"], row["in_force"], row["at"], row["body"])


async def _before(conn: ReadConnection, name: str) -> Fit:
    """What holds before anything is published."""
    published = await conn.fetchval(_ANY, PUBLISHED[name])
    return Fit(name, 0, not published, None, None)


async def remember(conn: Connection, name: str, version: int, at: datetime, about: str) -> None:
    """Keep what is said of a version that was learnt; `about`: JSON. A number may come a second time after a
    database was brought back."""
    await conn.execute(
        "INSERT INTO learnt VALUES ($1, $2, $3, $4::jsonb)"
        " ON CONFLICT (name, version) DO UPDATE SET at = excluded.at, about = excluded.about",
        name,
        version,
        at,
        about,
    )
    await conn.execute(_LET_GO, name, KEPT)
