"""Reading what is learnt from: everybody's orders, uploaded series."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.scoring.baskets.rows import basket_in
from services.scoring.baskets.shop import Shop
from services.scoring.forecast.signals import Signal
from services.scoring.series import COSTS
from shared.database import Connection, ReadConnection, Row

MOST_ORDERS = 1_000_000
"""Orders beyond which only a share of the customers is learnt from, for recommendations."""
YEARS = 3
DAYS = 366 * YEARS
"""How long lines of orders are kept, and read."""
_AT_ONCE = 2_000
_ROWS = "SELECT customer_id, body FROM basket WHERE day > $1"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is learnt: the clock on the log, and where its days are."""

    clock: datetime
    timezone: str

    @property
    def today(self) -> int:
        """Ordinal of the local day."""
        return self.clock.astimezone(ZoneInfo(self.timezone)).toordinal()


async def read_shop(conn: Connection, moment: Moment) -> Shop:
    """Everything that stands, a piece at a time; in a transaction that sees one moment."""
    since = moment.today - DAYS
    rows = await conn.fetchval("SELECT count(*) FROM basket WHERE day > $1", since)
    shop = Shop(
        today=moment.today,
        gone=await _gone(conn),
        heads=await _heads(conn),
        share=min(1.0, MOST_ORDERS / max(rows, 1)),
    )
    async for row in conn.cursor(_ROWS, since, prefetch=_AT_ONCE):
        shop.add(row["customer_id"], basket_in(row["body"]))
    shop.close()
    return shop


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a small shop."""

    rows: Sequence[Row]
    gone: Collection[str]
    heads: Mapping[UUID, UUID]


async def read_small(conn: ReadConnection, moment: Moment) -> Found:
    """All rows at once, to be taken in elsewhere."""
    rows = await conn.fetch(_ROWS, moment.today - DAYS)
    return Found(rows, await _gone(conn), await _heads(conn))


def shop_of(found: Found, moment: Moment) -> Shop:
    """The shop of these rows."""
    shop = Shop(today=moment.today, gone=found.gone, heads=found.heads)
    for row in found.rows:
        shop.add(row["customer_id"], basket_in(row["body"]))
    shop.close()
    return shop


async def _gone(conn: Connection | ReadConnection) -> set[str]:
    rows: Any = await conn.fetch("SELECT gone FROM basket WHERE gone IS NOT NULL")
    return {row["gone"] for row in rows}


async def _heads(conn: Connection | ReadConnection) -> dict[UUID, UUID]:
    rows: Any = await conn.fetch("SELECT customer_id, head FROM grouping WHERE head <> customer_id")
    return {row["customer_id"]: row["head"] for row in rows}


async def read_signals(conn: Connection | ReadConnection) -> list[Signal]:
    """All uploaded series that may explain demand."""
    rows: Any = await conn.fetch(
        "SELECT name, about, points FROM series WHERE about ->> 'scope' <> $1 ORDER BY name", COSTS
    )
    return [
        Signal(
            name=row["name"],
            rows=[(key, date.fromisoformat(day), value) for key, day, value in row["points"]],
            gaps=row["about"]["gaps"],
        )
        for row in rows
    ]
