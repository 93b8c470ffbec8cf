"""What scoring answers from: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.elements import ColumnElement

from services.scoring.policies import Cell
from services.scoring.projector import Item, State, View, merge, settle
from services.scoring.tables import metadata, score, score_item
from shared.database import Compiled, ReadConnection, Row, fetch
from shared.projection import Policies, Policy

_decode = msgspec.msgpack.Decoder(View).decode
_decode_known = msgspec.msgpack.Decoder(State).decode
_decode_item = msgspec.msgpack.Decoder(Item).decode
_POLICY = metadata.tables["policy"]
Where = Sequence[ColumnElement[bool]]

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Minor = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

SORTS: dict[str, tuple[ColumnElement[Any], Any]] = {
    "churn.probability": (score.c.churn_probability, tuple[str, float | None, UUID]),
    "last_purchase_at": (score.c.last_purchase_at, tuple[str, _Moment | None, UUID]),
    "rfm.frequency": (score.c.orders, tuple[str, Count | None, UUID]),
    "value.spend_year": (score.c.spend_year, tuple[str, Minor | None, UUID]),
    "satisfaction.score": (score.c.satisfaction, tuple[str, float | None, UUID]),
}
"""Sort fields: column, and what a cursor holds (sort, last value, last id)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One customer's state and view, and the value that the list is sorted by."""

    customer_id: str
    state: State
    view: View
    sorted_by: Any = None


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a policy and when it was published; None: it is built in."""

    policy: Policy
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which customers a list is about; None: all."""

    churn_band: str | None = None
    rfm_class: str | None = None
    matrix: Cell | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """Conditions; absorbed customers never stand in a list of their own, erased ones in none."""
        conditions = [score.c.head == score.c.customer_id, ~score.c.erased]
        if self.churn_band is not None:
            conditions.append(score.c.churn_band == self.churn_band)
        if self.rfm_class is not None:
            conditions.append(score.c.rfm_class == self.rfm_class)
        if self.matrix is not None:
            conditions.append(score.c.matrix == self.matrix)
        return conditions


_HEAD = score.alias("head")
_FIND = Compiled(
    select(_HEAD.c.customer_id, _HEAD.c.parts, _HEAD.c.state, _HEAD.c.view)
    .join(score, score.c.head == _HEAD.c.customer_id)
    .where(score.c.customer_id == bindparam("wanted"))
)


async def find_score(conn: ReadConnection, customer_id: UUID) -> Scored | None:
    """The customer's judgement; an absorbed one's is the survivor's."""
    rows = await conn.fetch(_FIND.sql, *_FIND.arguments(wanted=customer_id))
    if not rows:
        return None
    [state] = await states_of(conn, rows)
    return Scored(str(rows[0]["customer_id"]), state, view_of(rows[0]["view"]))


async def states_of(conn: ReadConnection, rows: Sequence[Row]) -> list[State]:
    """What each row's customer is judged by; of several parts, all of them together."""
    several = [row["customer_id"] for row in rows if row["parts"] > 1]
    together = await _together(conn, several) if several else {}
    return [together.get(row["customer_id"]) or decode_state(row["state"]) for row in rows]


async def _together(conn: ReadConnection, heads: Sequence[UUID]) -> dict[UUID, State]:
    parts = select(score.c.customer_id, score.c.head, score.c.state)
    first = (score.c.head, score.c.head != score.c.customer_id, score.c.customer_id)
    rows = await fetch(conn, parts.where(score.c.head.in_(heads)).order_by(*first))
    states = {row["customer_id"]: decode_state(row["state"]) for row in rows}
    items = select(score_item.c.customer_id, score_item.c.item, score_item.c.state)
    for row in await fetch(conn, items.where(score_item.c.customer_id.in_(list(states)))):
        states[row["customer_id"]].items[row["item"]] = _decode_item(row["state"])
    groups: dict[UUID, list[State]] = {}
    for row in rows:
        groups.setdefault(row["head"], []).append(states[row["customer_id"]])
    return {head: settle(reduce(merge, group)) for head, group in groups.items()}


def decode_state(value: bytes) -> State:
    return _decode_known(value) if value else State()


def view_of(value: bytes) -> View:
    return _decode(value) if value else View(model="churn@0", policy="rfm@0")


async def list_by(
    conn: ReadConnection,
    where: Where,
    column: ColumnElement[Any],
    *,
    descending: bool,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> list[Scored]:
    """Up to `limit` of those customers by a column, after a (value, id); who has no value comes last either way.

    Two statements, each of which an index answers in order: those with a value, then those without.
    """
    found: list[Row] = []
    if after is None or after[0] is not None:
        found = await fetch(conn, _with_value(where, column, descending, after).limit(limit))
        after = None
    if len(found) < limit:
        rest = _without_value(where, column, after[1] if after else None)
        found += await fetch(conn, rest.limit(limit - len(found)))
    return [
        Scored(str(row["customer_id"]), state, view_of(row["view"]), row["value"])
        for row, state in zip(found, await states_of(conn, found), strict=True)
    ]


def _page(where: Where, column: ColumnElement[Any]) -> Select[Any]:
    row = (score.c.customer_id, score.c.parts, score.c.state, score.c.view)
    return select(*row, column.label("value")).where(*where)


def _with_value(
    where: Where, column: ColumnElement[Any], descending: bool, after: tuple[Any, UUID] | None
) -> Select[Any]:
    order = column.desc().nulls_last() if descending else column.asc()
    page = _page(where, column).where(column.is_not(None)).order_by(order, score.c.customer_id)
    if after is None:
        return page
    value, customer_id = after
    beyond, within = (
        (column < value, column <= value) if descending else (column > value, column >= value)
    )
    return page.where(and_(within, or_(beyond, score.c.customer_id > customer_id)))


def _without_value(where: Where, column: ColumnElement[Any], after: UUID | None) -> Select[Any]:
    page = _page(where, column).where(column.is_(None)).order_by(score.c.customer_id)
    return page if after is None else page.where(score.c.customer_id > after)


async def count_by(conn: ReadConnection, where: Where) -> int:
    """How many customers a list holds in all."""
    rows = await fetch(conn, select(func.count()).select_from(score).where(*where))
    return int(rows[0][0])


async def count_groups(
    conn: ReadConnection,
) -> Sequence[tuple[str | None, str | None, str | None, int]]:
    """(band, class, cell, customers), None where there is no band, class or cell."""
    groups = (score.c.churn_band, score.c.rfm_class, score.c.matrix)
    rows = await fetch(
        conn, select(*groups, func.count()).where(*Filters().where()).group_by(*groups)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def policies_in_force(conn: ReadConnection) -> Policies:
    """The newest version of each policy."""
    rows = await fetch(
        conn,
        select(_POLICY.c.name, _POLICY.c.version, _POLICY.c.body)
        .ext(distinct_on(_POLICY.c.name))
        .order_by(_POLICY.c.name, _POLICY.c.version.desc()),
    )
    return {row["name"]: Policy(row["name"], row["version"], row["body"]) for row in rows}


async def count_versions(conn: ReadConnection, name: str) -> int:
    """How many versions of a policy were published."""
    counted = select(func.count(_POLICY.c.version.distinct())).where(_POLICY.c.name == name)
    return int((await fetch(conn, counted))[0][0])


async def list_versions(
    conn: ReadConnection, name: str, *, below: int | None, limit: int
) -> list[Published]:
    """Published versions of a policy, newest first; with `below`, only older ones than that."""
    found = (
        select(_POLICY.c.version, _POLICY.c.body, _POLICY.c.published_at)
        .ext(distinct_on(_POLICY.c.version))
        .where(_POLICY.c.name == name)
        .order_by(_POLICY.c.version.desc(), _POLICY.c.published_at)
        .limit(limit)
    )
    if below is not None:
        found = found.where(_POLICY.c.version < below)
    rows = await fetch(conn, found)
    return [
        Published(Policy(name, row["version"], row["body"]), row["published_at"]) for row in rows
    ]


async def find_version(conn: ReadConnection, name: str, version: int) -> Published | None:
    """One version of a policy."""
    rows = await fetch(
        conn,
        select(_POLICY.c.body, _POLICY.c.published_at)
        .where(_POLICY.c.name == name, _POLICY.c.version == version)
        .order_by(_POLICY.c.published_at)
        .limit(1),
    )
    if not rows:
        return None
    return Published(Policy(name, version, rows[0]["body"]), rows[0]["published_at"])
