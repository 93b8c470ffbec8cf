"""What would move if the model that is only looked at were in force: read off the rows."""

from dataclasses import dataclass
from uuid import UUID

from services.scoring.policies import BANDS
from shared.database import ReadConnection

_COUNTS = """
SELECT churn_band, shadow_band, count(*) AS customers,
 avg(shadow_probability - churn_probability) AS mean
FROM score WHERE head = customer_id AND NOT erased AND shadow_version = $1 AND churn_band IS NOT NULL
GROUP BY churn_band, shadow_band
"""
_BUYERS = (
    "SELECT count(*) FROM score WHERE head = customer_id AND NOT erased AND churn_band IS NOT NULL"
)
_MOVED = """
SELECT customer_id, churn_probability, churn_band, shadow_probability, shadow_band
FROM score WHERE head = customer_id AND NOT erased AND shadow_version = $1 AND shadow_band <> churn_band
 AND ($2::uuid IS NULL OR customer_id > $2)
ORDER BY customer_id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Moves:
    """Of all who have bought: how many were scored by both, and from which band to which."""

    customers: int
    scored: int
    mean_difference: float | None
    bands: dict[tuple[str, str], int]

    @property
    def moved(self) -> int:
        return sum(count for (before, after), count in self.bands.items() if before != after)

    @property
    def higher(self) -> int:
        """Into a band of greater risk."""
        return sum(
            count
            for (before, after), count in self.bands.items()
            if BANDS.index(after) > BANDS.index(before)
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """One customer whose band would be another one."""

    customer_id: UUID
    probability: float
    band: str
    shadow_probability: float
    shadow_band: str


async def count_moves(conn: ReadConnection, version: int | None) -> Moves:
    """By the rows as they are; None: nothing is looked at."""
    customers = int(await conn.fetchval(_BUYERS))
    rows = [] if version is None else await conn.fetch(_COUNTS, version)
    scored = sum(row["customers"] for row in rows)
    total = sum(row["mean"] * row["customers"] for row in rows)
    return Moves(
        customers,
        scored,
        round(total / scored, 6) if scored else None,
        {(row["churn_band"], row["shadow_band"]): row["customers"] for row in rows},
    )


async def list_moved(
    conn: ReadConnection, version: int | None, after: UUID | None, limit: int
) -> list[Moved]:
    """Examples, in the order of their ids."""
    if version is None:
        return []
    return [Moved(*row) for row in await conn.fetch(_MOVED, version, after, limit)]
