"""Reading erasures: what was asked for, what has become of it.

One is done when every service has forgotten each part, each key is destroyed, and no process can remember one of these
keys any more. How long ago a key was destroyed is counted by the clock of the database alone: those of two processes
may be apart, and a receipt that comes too early would not be true.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.profile.claims import number
from shared.database import ReadConnection, Row
from shared.errors import NotFound
from shared.tables import ORIGINS

Status = Literal["running", "done"]
STATUSES: tuple[Status, ...] = ("running", "done")

_SERVICES = len(ORIGINS)
_SAID = """
SELECT customer_id, erasure, service, min(at) AS at, max(latest) AS latest
FROM forgotten WHERE erasure = ANY($1) GROUP BY customer_id, erasure, service ORDER BY at, service
"""
_DONE = f"""
SELECT p.erasure, p.at, count(*) FILTER (WHERE said.services = {_SERVICES}
  AND p.key_destroyed_at + make_interval(secs => $1) <= now()) = count(*) AS done,
 max(greatest(said.at, p.key_destroyed_at + make_interval(secs => $1))) AS done_at
FROM erasure_part AS p CROSS JOIN LATERAL (
 SELECT count(*) AS services, max(one.at) AS at FROM (
  SELECT min(f.at) AS at FROM forgotten AS f
  WHERE f.erasure = p.erasure AND f.customer_id = p.customer_id GROUP BY f.service) AS one) AS said
GROUP BY p.erasure, p.at
"""
_FOUND = f"""
SELECT * FROM ({_DONE}) AS e
WHERE ($2::text IS NULL OR ($2 = 'done') = done)
 AND ($3::timestamptz IS NULL OR (at, erasure) < ($3, $4)) AND ($5::uuid IS NULL OR erasure = $5)
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What one service said of one part. `latest`: until when something that nobody can assign is kept at most."""

    service: str
    at: datetime
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a customer, erased."""

    customer_id: UUID
    key_destroyed_at: datetime | None
    services: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure, and how far it is."""

    id: UUID
    customer_id: UUID
    number: str | None
    status: Status
    requested_at: datetime
    requested_by: str
    done_at: datetime | None
    parts: Sequence[Part]

    @property
    def latest(self) -> datetime | None:
        """Until when something that nobody can assign is kept at most, anywhere; None: nothing is known of."""
        said = [one.latest for part in self.parts for one in part.services if one.latest]
        return max(said, default=None)


async def find_erasure(conn: ReadConnection, erasure: UUID, *, seconds: float) -> Erasure:
    """One erasure. Raises NotFound. `seconds`: how long a process remembers a key."""
    rows = await conn.fetch(f"{_FOUND} LIMIT 1", seconds, None, None, None, erasure)
    if not rows:
        raise NotFound("erasure_not_found")
    return (await _whole(conn, rows))[0]


async def list_erasures(
    conn: ReadConnection,
    status: str | None,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
    seconds: float,
) -> list[Erasure]:
    """Erasures, newest first."""
    rows = await conn.fetch(
        f"{_FOUND} ORDER BY at DESC, erasure DESC LIMIT $6",
        *(seconds, status, *(after or (None, None)), None, limit),
    )
    return await _whole(conn, rows)


async def count_erasures(conn: ReadConnection, status: str | None, *, seconds: float) -> int:
    """How many a list holds in all."""
    counted = f"SELECT count(*) FROM ({_FOUND}) AS found"
    return int(await conn.fetchval(counted, seconds, status, None, None, None))


async def _whole(conn: ReadConnection, rows: Sequence[Row]) -> list[Erasure]:
    ids = [row["erasure"] for row in rows]
    said: defaultdict[tuple[UUID, UUID], list[Said]] = defaultdict(list)
    for one in await conn.fetch(_SAID, ids):
        heard = Said(one["service"], one["at"], one["latest"])
        said[one["erasure"], one["customer_id"]].append(heard)
    parts: defaultdict[UUID, list[Row]] = defaultdict(list)
    for one in await conn.fetch(
        "SELECT p.*, n.year, n.serial FROM erasure_part AS p"
        " LEFT JOIN number_claim AS n ON n.customer_id = p.head"
        " WHERE erasure = ANY($1) ORDER BY p.customer_id",
        ids,
    ):
        parts[one["erasure"]].append(one)
    return [_erasure(row, parts[row["erasure"]], said) for row in rows]


def _erasure(row: Row, parts: Sequence[Row], said: dict[tuple[UUID, UUID], list[Said]]) -> Erasure:
    first = parts[0]
    return Erasure(
        id=row["erasure"],
        customer_id=first["head"],
        number=None if first["serial"] is None else number(first["year"], first["serial"]),
        status="done" if row["done"] else "running",
        requested_at=row["at"],
        requested_by=first["by"],
        done_at=row["done_at"] if row["done"] else None,
        parts=[
            Part(
                one["customer_id"],
                one["key_destroyed_at"],
                said.get((row["erasure"], one["customer_id"]), []),
            )
            for one in parts
        ],
    )
