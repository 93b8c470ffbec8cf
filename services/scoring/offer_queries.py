"""What recommendations, forecasts and series are answered from: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.scoring.baskets.orders import Grievance, Order, standing
from services.scoring.baskets.rows import basket_in
from services.scoring.projector import Item
from services.scoring.projector.complaints import case_key
from shared.database import ReadConnection, Row
from shared.grouping import parts_of
from shared.ids import partition_of

MOST_ROWS = 2_000
"""Orders (and changes of them) of a customer that are read, the newest ones."""
MOST_GRIEVANCES = 200
SORE = timedelta(days=180)
"""So long nothing is offered that was complained about; longer while the complaint is open."""

_item_in = msgspec.msgpack.Decoder(Item).decode


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer with the orders that stand, newest first, and what they complain about."""

    customer_id: UUID
    orders: Sequence[Order]
    grievances: Sequence[Grievance]
    at: datetime | None
    """What time it is where their events are folded; None before anything says so."""
    utcoffset: int | None
    """Minutes, at their last order."""
    erased: bool = False
    """Nothing is to be offered to them."""


async def find_shopper(
    conn: ReadConnection, customer_id: UUID, version: int, partitions: int
) -> Shopper | None:
    """The customer, with the parts that are one with them; None for one of whom nothing is known."""
    parts = await parts_of(conn, customer_id)
    known = await conn.fetchrow(
        "SELECT count(*) AS rows, bool_or(erased AND customer_id = $2) AS erased"
        " FROM score WHERE customer_id = ANY($1)",
        parts,
        parts[0],
    )
    assert known is not None, "a query of aggregates has a row"
    if not known["rows"]:
        return None
    rows = await conn.fetch(
        "SELECT gone, body FROM basket WHERE customer_id = ANY($1) ORDER BY day DESC LIMIT $2",
        parts,
        MOST_ROWS,
    )
    baskets = [(row["gone"], basket_in(row["body"])) for row in rows]
    newest = max((basket for _, basket in baskets), key=lambda one: one.time, default=None)
    clock = await conn.fetchval(
        "SELECT clock FROM checkpoint WHERE topic = 'customers' AND version = $1 AND partition = $2",
        version,
        partition_of(str(parts[0]), partitions),
    )
    return Shopper(
        customer_id=parts[0],
        orders=standing(baskets),
        grievances=await _grievances(conn, parts, clock),
        at=clock,
        utcoffset=newest.utcoffset if newest is not None else None,
        erased=known["erased"],
    )


async def _grievances(
    conn: ReadConnection, parts: Sequence[UUID], clock: datetime | None
) -> list[Grievance]:
    """Complaints that are open or not long ago."""
    rows = await conn.fetch(
        "SELECT complaint_id, at, event_id, order_id, products FROM grievance"
        " WHERE customer_id = ANY($1) ORDER BY at DESC LIMIT $2",
        parts,
        MOST_GRIEVANCES,
    )
    if not rows:
        return []
    cases = await conn.fetch(
        "SELECT item, state FROM score_item WHERE customer_id = ANY($1) AND item = ANY($2)",
        parts,
        [case_key(row["complaint_id"]) for row in rows],
    )
    newest: dict[str, Any] = {}
    for row in cases:
        case = _item_in(row["state"]).case
        if case is not None:
            newest[row["item"]] = max(newest.get(row["item"], case), case)
    return [
        Grievance(row["complaint_id"], row["event_id"], row["order_id"], row["products"])
        for row in rows
        if _is_sore(row, newest.get(case_key(row["complaint_id"])), clock)
    ]


def _is_sore(row: Row, case: Any, clock: datetime | None) -> bool:
    if case is None or case.is_open or clock is None:
        return True
    fresh: bool = row["at"] > clock - SORE
    return fresh


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is said of something learnt: which version, as of when, from what."""

    version: int
    at: datetime
    about: dict[str, Any]


async def find_model(conn: ReadConnection, level: str) -> Learnt | None:
    """The model in force of a level; None before there is one."""
    row = await conn.fetchrow(
        "SELECT version, at, about FROM recommender WHERE level = $1 ORDER BY version DESC LIMIT 1",
        level,
    )
    return None if row is None else Learnt(row["version"], row["at"], row["about"])


async def read_model(conn: ReadConnection, level: str, version: int) -> bytes | None:
    """The bytes of a version; None where it is gone."""
    body: bytes | None = await conn.fetchval(
        "SELECT body FROM recommender WHERE level = $1 AND version = $2", level, version
    )
    return body


async def find_prospects(conn: ReadConnection, level: str, item: str) -> bytes | None:
    """Whom to offer an item to, as it was learnt; None for nobody."""
    body: bytes | None = await conn.fetchval(
        "SELECT body FROM audience_of WHERE level = $1 AND item = $2", level, item
    )
    return body


async def heads_of(conn: ReadConnection, customers: Sequence[UUID]) -> dict[UUID, UUID]:
    """Those of these customers who are one with another one, and with whom."""
    rows = await conn.fetch(
        "SELECT customer_id, head FROM grouping WHERE customer_id = ANY($1)", customers
    )
    return {row["customer_id"]: row["head"] for row in rows}


async def find_forecast(conn: ReadConnection, measure: str) -> Learnt | None:
    """The newest forecast of a measure."""
    row = await conn.fetchrow("SELECT version, at, about FROM forecast WHERE measure = $1", measure)
    return None if row is None else Learnt(row["version"], row["at"], row["about"])


async def read_forecast(
    conn: ReadConnection, measure: str, version: int
) -> tuple[bytes, bytes] | None:
    """Its numbers and its history; None where another one has come."""
    row = await conn.fetchrow(
        "SELECT body, history FROM forecast WHERE measure = $1 AND version = $2", measure, version
    )
    return None if row is None else (row["body"], row["history"])


async def has_orders(conn: ReadConnection) -> bool:
    """Whether anybody has bought anything."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM basket)"))


@dataclass(frozen=True, slots=True)
class Series:
    """One uploaded series. `points`: rows of key (None: all), day, value; in order."""

    name: str
    revision: int
    about: dict[str, Any]
    points: Sequence[tuple[str | None, date, float]]
    changed_at: datetime
    changed_by: str


async def list_series(conn: ReadConnection, after: str | None, limit: int) -> list[Series]:
    """Series by name."""
    rows = await conn.fetch(
        "SELECT * FROM series WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2",
        after,
        limit,
    )
    return [_series(row) for row in rows]


async def count_series(conn: ReadConnection) -> int:
    """How many there are."""
    return int(await conn.fetchval("SELECT count(*) FROM series"))


async def find_series(conn: ReadConnection, name: str) -> Series | None:
    """The series of a name."""
    row = await conn.fetchrow("SELECT * FROM series WHERE name = $1", name)
    return None if row is None else _series(row)


def _series(row: Row) -> Series:
    points = [(key, date.fromisoformat(day), value) for key, day, value in row["points"]]
    return Series(
        row["name"], row["revision"], row["about"], points, row["changed_at"], row["changed_by"]
    )
