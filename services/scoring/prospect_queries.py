"""What prospects and sources are answered from: reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.sql.elements import ColumnElement

from services.scoring.tables import PROSPECT, score
from shared.database import ReadConnection, Row, fetch
from shared.language.currencies import DECIMALS

MATURE_DAYS = 90
"""Within so many days of being seen who buys is counted apart, of those seen so long ago."""

Day = Annotated[int, msgspec.Meta(ge=1, le=3_652_059)]
Minor = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
SORTS: dict[str, tuple[ColumnElement[Any], Any]] = {
    "probability": (score.c.prospect_90, tuple[str, float | None, UUID]),
    "probability_28": (score.c.prospect_28, tuple[str, float | None, UUID]),
    "expected_spend": (score.c.prospect_worth, tuple[str, Minor | None, UUID]),
    "first_seen_on": (score.c.seen_day, tuple[str, Day | None, UUID]),
}
"""Sort fields: column, and what a cursor holds (sort, last value, last id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which prospects; None: all. Days are ordinals; `to_day` is not in it."""

    source: str | None = None
    prospect_class: str | None = None
    min_probability: float | None = None
    from_day: int | None = None
    to_day: int | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """Conditions; absorbed customers never stand in a list of their own, erased ones in none."""
        found = [score.c.head == score.c.customer_id, ~score.c.erased, PROSPECT]
        if self.source is not None:
            said = score.c.source
            found.append(said == self.source if self.source else said.is_(None))
        if self.prospect_class is not None:
            found.append(score.c.prospect_class == self.prospect_class)
        if self.min_probability is not None:
            found.append(score.c.prospect_90 >= self.min_probability)
        if self.from_day is not None:
            found.append(score.c.seen_day >= self.from_day)
        if self.to_day is not None:
            found.append(score.c.seen_day < self.to_day)
        return found


async def count_classes(conn: ReadConnection) -> dict[str | None, int]:
    """Prospects by class; None: nothing is known."""
    column = score.c.prospect_class
    counted = select(column, func.count()).where(*Filters().where()).group_by(column)
    return {row[0]: row[1] for row in await fetch(conn, counted)}


@dataclass(frozen=True, slots=True)
class Tally:
    """Those who were first seen in a period, of one source (None: not said)."""

    source: str | None
    month: str | None
    """YYYY-MM; None: the whole period."""
    seen: int
    won: int
    at_once: int
    """Of `won`: first seen when they bought."""
    mature: int
    """Prospects (not at once) who were seen long enough ago."""
    mature_won: int
    """Those of them who bought within that time."""
    median_days: float | None
    """From first seen to the first purchase, of those who were prospects."""


_SEEN = """
SELECT coalesce(source, '') AS source, {month} AS month, count(*) AS seen,
 count(first_day) AS won, count(*) FILTER (WHERE won_at_once) AS at_once,
 count(*) FILTER (WHERE won_at_once IS NOT TRUE AND seen_day + $3 <= $4) AS mature,
 count(*) FILTER (WHERE won_at_once IS FALSE AND seen_day + $3 <= $4 AND first_day < seen_day + $3)
  AS mature_won,
 percentile_cont(0.5) WITHIN GROUP (ORDER BY first_day - seen_day)
  FILTER (WHERE won_at_once IS FALSE) AS median_days
FROM score WHERE head = customer_id AND seen_day >= $1 AND seen_day < $2
"""
_MONTH = "to_char(date '0001-01-01' + (seen_day - 1), 'YYYY-MM')"
_ALL = "NULL::text"


MOST_SEEN = 200_000
"""Customers that sources are counted over at once, the newest ones of a period."""


async def counted_from(conn: ReadConnection, days: tuple[int, int], most: int = MOST_SEEN) -> int:
    """The first day from which on a period holds at most so many customers (or its last day with any)."""
    over = await conn.fetchrow(
        "SELECT min(seen_day) AS day, count(*) AS seen FROM (SELECT seen_day FROM score"
        " WHERE seen_day >= $1 AND seen_day < $2 ORDER BY seen_day DESC LIMIT $3) AS newest",
        *days,
        most + 1,
    )
    assert over is not None, "an aggregate has a row"
    if over["seen"] <= most:
        return days[0]
    newest = await conn.fetchval(
        "SELECT max(seen_day) FROM score WHERE seen_day >= $1 AND seen_day < $2", *days
    )
    return min(int(over["day"]) + 1, int(newest))


async def tallies(
    conn: ReadConnection,
    days: tuple[int, int],
    today: int,
    *,
    costly: Sequence[str],
    after: tuple[int, str] | None,
    limit: int,
) -> list[Tally]:
    """By source, most seen first; `costly`: sources that cost something, also where nobody was seen."""
    rows = await conn.fetch(
        f"SELECT * FROM ({_SEEN.format(month=_ALL)} GROUP BY 1"
        " UNION ALL SELECT k, NULL, 0, 0, 0, 0, 0, NULL FROM unnest($5::text[]) AS k"
        "  WHERE NOT EXISTS (SELECT FROM score WHERE head = customer_id AND seen_day >= $1"
        "  AND seen_day < $2 AND coalesce(source, '') = k)) AS found"
        " WHERE $6::bigint IS NULL OR (-seen, source) > (-$6::bigint, $7::text)"
        " ORDER BY seen DESC, source LIMIT $8",
        *(*days, MATURE_DAYS, today, list(costly)),
        *(after or (None, None)),
        limit,
    )
    return [_tally(row) for row in rows]


async def monthly(
    conn: ReadConnection, days: tuple[int, int], today: int, sources: Sequence[str]
) -> list[Tally]:
    """The same of some sources by month, in its order."""
    rows = await conn.fetch(
        f"{_SEEN.format(month=_MONTH)} AND coalesce(source, '') = ANY($5) GROUP BY 1, 2 ORDER BY 1, 2",
        *(*days, MATURE_DAYS, today, list(sources)),
    )
    return [_tally(row) for row in rows]


async def count_sources(conn: ReadConnection, days: tuple[int, int], costly: Sequence[str]) -> int:
    """How many sources there are in a period."""
    found = await conn.fetchval(
        "SELECT count(*) FROM (SELECT coalesce(source, '') FROM score WHERE head = customer_id"
        " AND seen_day >= $1 AND seen_day < $2 UNION SELECT unnest($3::text[])) AS found",
        *(*days, list(costly)),
    )
    return int(found)


def _tally(row: Row) -> Tally:
    median = row["median_days"]
    return Tally(
        row["source"] or None,
        row["month"],
        row["seen"],
        row["won"],
        row["at_once"],
        row["mature"],
        row["mature_won"],
        None if median is None else float(median),
    )


Spent = dict[tuple[str, str | None, str], tuple[int, int]]
"""By source ('': not said), month (None: the whole period) and currency: customers, minor units."""


async def first_spend(
    conn: ReadConnection, days: tuple[int, int], today: int, sources: Sequence[str]
) -> Spent:
    """What those who were won spent in their first thirteen weeks, where these are over."""
    rows = await conn.fetch(
        f"SELECT coalesce(source, '') AS source, {_MONTH} AS month, key AS currency,"
        " count(*) AS customers, sum(value::bigint)::bigint AS spend"
        " FROM score, jsonb_each_text(first_spend) WHERE head = customer_id AND seen_day >= $1"
        " AND seen_day < $2 AND first_day + 91 <= $3 AND coalesce(source, '') = ANY($4)"
        " GROUP BY GROUPING SETS ((1, 2, 3), (1, 3))",
        *(*days, today, list(sources)),
    )
    return {
        (row["source"], row["month"], row["currency"]): (row["customers"], row["spend"])
        for row in rows
    }


Costs = dict[tuple[str, str], dict[str, int]]
"""By source and month: minor units by currency."""


async def costs(conn: ReadConnection, days: tuple[int, int]) -> Costs:
    """What sources cost in a period, of all uploaded series of scope `source`."""
    first, end = (date.fromordinal(day).isoformat() for day in days)
    found: Costs = {}
    for row in await conn.fetch(
        "SELECT about, points FROM series WHERE about ->> 'scope' = 'source'"
    ):
        currency = row["about"]["unit"]
        for key, day, value in row["points"]:
            if first <= day < end:
                sums = found.setdefault((" ".join(key.split()), day[:7]), {})
                sums[currency] = sums.get(currency, 0) + minor_of(value, currency)
    return found


def minor_of(value: float, currency: str) -> int:
    """Major units as minor ones."""
    amount = Decimal(str(value)).scaleb(DECIMALS[currency])
    return int(amount.to_integral_value(ROUND_HALF_EVEN))


def cost_of(
    known: Mapping[tuple[str, str], dict[str, int]], source: str, month: str | None
) -> dict[str, int]:
    """What one source cost, in a month or in all, by currency."""
    total: dict[str, int] = {}
    for (name, at), sums in known.items():
        if name == source and month in (None, at):
            for currency, amount in sums.items():
                total[currency] = total.get(currency, 0) + amount
    return dict(sorted(total.items()))
