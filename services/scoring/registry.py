"""Versions of the churn model: fits of every day, which stand among the policies, and trained ones.

Versions and numbers of published policies come from one row of numbers, so that none means two
things: a fit has the number of its policy, a trained model the number that was free when it was
kept. A version that is put in force again is published under a new number and says its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from services.scoring.policies import CDNOW, CHURN, SHADOW, ChurnModel
from shared.database import Connection, ReadConnection
from shared.language import PolicyPublished
from shared.log import Entry
from shared.own_events import everywhere

MODELS = (CHURN,)
"""Names that there are models of."""

_LOCK = 12
_NEWEST = """
SELECT coalesce(max(number), 0) AS number FROM (
  SELECT (note ->> 'version')::bigint AS number FROM task WHERE name = $1
  UNION ALL SELECT version FROM policy WHERE name = $2
) AS known
"""
_NOTE = """
INSERT INTO task VALUES ($1, $2, $3::jsonb)
ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A trained model as it is kept; `candidate`: the JSON that the training made."""

    at: datetime
    by: str
    digest: str
    passes: bool
    candidate: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Promoted:
    """Who put a version in force last."""

    at: datetime
    by: str
    override: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version and what is known about it. `number`: of the newest policy that published it."""

    version: int
    model: ChurnModel
    published_at: datetime | None
    kept: Kept | None = None
    promoted: Promoted | None = None


async def lock(conn: Connection, name: str) -> None:
    """Whoever publishes or numbers versions of a policy does so one after the other."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", name, _LOCK)


async def newest_number(conn: Connection, name: str) -> int:
    """Of the policies published under this name, also of those that are not folded yet."""
    return int(await conn.fetchval(_NEWEST, _note(name), name))


async def next_number(conn: Connection) -> int:
    """What is free for the next policy or version of the churn model; under its lock."""
    kept = await conn.fetchval("SELECT max(version) FROM model_version WHERE name = $1", CHURN)
    return max(await newest_number(conn, CHURN), kept or 0) + 1


async def note(
    conn: Connection, name: str, number: int, now: datetime, model: int | None, by: str = ""
) -> None:
    """Remember what is published, before it is folded; `model`: which version that is, `by`: whose doing."""
    told = orjson.dumps({"version": number, "model": model, "by": by}).decode()
    await conn.execute(_NOTE, _note(name), now, told)


async def told_model(conn: Connection, name: str) -> int | None:
    """The version that was published last under this name; None: none, or by an older release."""
    found = await conn.fetchval("SELECT note ->> 'model' FROM task WHERE name = $1", _note(name))
    return None if found is None else int(found)


async def told_by(conn: Connection, name: str) -> str | None:
    """Whose doing what was published last under this name is; None: not known."""
    found = await conn.fetchval("SELECT note ->> 'by' FROM task WHERE name = $1", _note(name))
    return None if found is None else str(found)


def _note(name: str) -> str:
    return f"policy {name}"


def publication(
    name: str, number: int, body: msgspec.Struct, now: datetime, partitions: int
) -> list[tuple[int, Entry]]:
    """A policy for every partition."""
    policy = PolicyPublished(name=name, version=number, body=msgspec.to_builtins(body))
    return everywhere("scoring", "policy.published", policy, now, partitions)


_VERSIONS = """
SELECT version FROM (
  SELECT version FROM model_version WHERE name = $1
  UNION SELECT version FROM policy WHERE name = $1 AND body ->> 'version' IS NULL
  UNION SELECT 0
) AS known WHERE $2::bigint IS NULL OR version < $2 ORDER BY version DESC LIMIT $3
"""
_FITS = """
SELECT DISTINCT ON (version) version, body, published_at FROM policy
WHERE name = $1 AND version = ANY($2::bigint[]) AND body ->> 'version' IS NULL
ORDER BY version, published_at
"""
_AGAIN = """
SELECT (body ->> 'version')::bigint AS version, min(published_at) AS at FROM policy
WHERE name = $1 AND (body ->> 'version')::bigint = ANY($2::bigint[]) GROUP BY 1
"""


async def list_versions(
    conn: ReadConnection | Connection, *, below: int | None, limit: int
) -> list[Version]:
    """Versions of the churn model, newest first; 0 is the published default."""
    rows = await conn.fetch(_VERSIONS, CHURN, below, limit)
    return await _versions(conn, [row["version"] for row in rows])


async def count_versions(conn: ReadConnection) -> int:
    """How many there are."""
    return int(await conn.fetchval(f"SELECT count(*) FROM ({_VERSIONS}) AS v", CHURN, None, 2**31))


async def find_version(conn: ReadConnection | Connection, version: int) -> Version | None:
    """One version."""
    found = await _versions(conn, [version])
    return found[0] if found else None


async def _versions(conn: ReadConnection | Connection, wanted: Sequence[int]) -> list[Version]:
    numbers = list(wanted)
    fits = {row["version"]: row for row in await conn.fetch(_FITS, CHURN, numbers)}
    again = {row["version"]: row["at"] for row in await conn.fetch(_AGAIN, CHURN, numbers)}
    trained = {
        row["version"]: row
        for row in await conn.fetch(
            "SELECT * FROM model_version WHERE name = $1 AND version = ANY($2::bigint[])",
            CHURN,
            numbers,
        )
    }
    promoted = {
        row["version"]: Promoted(row["at"], row["by"], row["override"])
        for row in await conn.fetch(
            "SELECT DISTINCT ON (version) version, at, by, override FROM model_promotion"
            " WHERE name = $1 AND version = ANY($2::bigint[]) ORDER BY version, number DESC",
            CHURN,
            numbers,
        )
    }
    found = []
    for version in numbers:
        if version in trained:
            row = trained[version]
            candidate = orjson.loads(row["body"])
            kept = Kept(
                row["trained_at"], row["trained_by"], row["digest"], row["passes"], candidate
            )
            model = msgspec.convert(candidate["model"], ChurnModel)
            at = again.get(version)
        elif version in fits:
            model, kept = msgspec.convert(fits[version]["body"], ChurnModel), None
            at = fits[version]["published_at"]
        elif version == 0:
            model, kept, at = CDNOW, None, None
        else:
            continue
        found.append(Version(version, model, at, kept, promoted.get(version)))
    return found


@dataclass(frozen=True, slots=True)
class Standings:
    """Which versions are in force and looked at, and since when."""

    in_force: int
    in_force_since: datetime | None
    shadow: int | None
    shadow_since: datetime | None
    shadow_by: str | None


_NOW = """
SELECT DISTINCT ON (name) name, version,
 CASE WHEN name = $1 THEN (body ->> 'version')::bigint
  ELSE (body -> 'model' ->> 'version')::bigint END AS model, body ->> 'by' AS by, published_at
FROM policy WHERE name IN ($1, $2) ORDER BY name, version DESC, published_at
"""


async def standings(conn: ReadConnection) -> Standings:
    """As the newest policies have it that any partition knows."""
    rows = {row["name"]: row for row in await conn.fetch(_NOW, CHURN, SHADOW)}
    churn, shadow = rows.get(CHURN), rows.get(SHADOW)
    in_force = 0
    if churn is not None:
        in_force = churn["version"] if churn["model"] is None else churn["model"]
    looked_at = shadow is not None and shadow["model"] is not None
    return Standings(
        in_force=in_force,
        in_force_since=churn["published_at"] if churn else None,
        shadow=shadow["model"] if shadow and looked_at else None,
        shadow_since=shadow["published_at"] if shadow and looked_at else None,
        shadow_by=shadow["by"] if shadow and looked_at else None,
    )


def numbered(model: ChurnModel, version: int) -> ChurnModel:
    """A model that says which version it is, as it is published again."""
    return replace(model, version=version)
