"""What profile answers from: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import FromClause, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement

from services.profile.projection import PROFILE
from services.profile.projector import Item, Profile, Told, View, walk
from services.profile.tables import metadata, profile, profile_item
from shared.database import Compiled, ReadConnection, Row, fetch
from shared.errors import NotFound
from shared.identity import find_customer
from shared.policies import load_policies
from shared.projection import Policy

decode_view = msgspec.msgpack.Decoder(View).decode
_told = msgspec.msgpack.Decoder(Told).decode
decode_state = msgspec.msgpack.Decoder(Profile).decode
decode_item = msgspec.msgpack.Decoder(Item).decode

_POLICY = metadata.tables["policy"]
_CHECKPOINT = metadata.tables["checkpoint"]

_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

SORTS: dict[str, tuple[ColumnElement[Any], Any]] = {
    "purchases.count": (profile.c.orders, tuple[str, _Whole | None, UUID]),
    "purchases.spend": (profile.c.spend, tuple[str, float | None, UUID]),
    "last_purchase_at": (profile.c.last_purchase_at, tuple[str, _Moment | None, UUID]),
    "first_contact_at": (profile.c.first_contact_at, tuple[str, _Moment | None, UUID]),
    "name": (profile.c.sort_name, tuple[str, str | None, UUID]),
}
"""Sort fields: column, and what a cursor holds (sort, last value, last id)."""


@dataclass(frozen=True, slots=True)
class Found:
    """One customer as a list or a read shows it."""

    customer_id: UUID
    view: View
    told: Told
    clock: datetime | None
    merged_from: Sequence[UUID] = ()
    """The ids of customers who have become one with this one."""
    sorted_by: Any = None


@dataclass(frozen=True, slots=True)
class Whole:
    """One customer with all child rows, of all parts, walked."""

    customer_id: UUID
    state: Profile
    clock: datetime | None


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a policy and when it was published."""

    policy: Policy
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which customers a list is about; None: all."""

    state: str | None = None
    tags: tuple[str, ...] = ()
    owner: str | None = None
    region: str | None = None
    industry: str | None = None
    churn_band: str | None = None
    rfm_class: str | None = None
    currency: str | None = None
    q: str | None = None
    erased: bool = False
    """Only those who were erased; they stand in no other list."""

    def where(self) -> list[ColumnElement[bool]]:
        """Conditions; absorbed customers never stand in a list of their own."""
        conditions: list[ColumnElement[bool]] = [
            profile.c.head == profile.c.customer_id,
            profile.c.lifecycle.is_not(None),
            profile.c.erased if self.erased else profile.c.erased.is_(False),
        ]
        equal = (
            (profile.c.lifecycle, self.state),
            (profile.c.owner, self.owner),
            (profile.c.region, self.region),
            (profile.c.industry, self.industry),
            (profile.c.churn_band, self.churn_band),
            (profile.c.rfm_class, self.rfm_class),
            (profile.c.currency, self.currency),
        )
        conditions += [column == value for column, value in equal if value is not None]
        conditions += [profile.c.tags.contains([tag]) for tag in self.tags]
        if self.q is not None:
            conditions += [
                profile.c.search.contains(word, autoescape=True) for word in self.q.lower().split()
            ]
        return conditions


_HEAD = profile.alias("head")
_CLOCK = (
    select(_CHECKPOINT.c.clock)
    .where(_CHECKPOINT.c.topic == "customers", _CHECKPOINT.c.partition == _HEAD.c.partition)
    .order_by(_CHECKPOINT.c.version.desc())
    .limit(1)
    .scalar_subquery()
)
CLOCK_OF_ROW = (
    select(func.max(_CHECKPOINT.c.clock))
    .where(_CHECKPOINT.c.topic == "customers", _CHECKPOINT.c.partition == profile.c.partition)
    .scalar_subquery()
)
"""The clock of a row's partition."""
_PART = profile.alias("part")


def _merged_from(head: FromClause) -> ColumnElement[Any]:
    """The ids of the other parts; nothing is looked up for who has none."""
    others = (
        select(func.array_agg(aggregate_order_by(_PART.c.customer_id, _PART.c.customer_id)))
        .where(_PART.c.head == head.c.customer_id, _PART.c.head != _PART.c.customer_id)
        .correlate(head)
        .scalar_subquery()
    )
    return case((head.c.parts > 1, others)).label("merged_from")


_FIND = Compiled(
    select(
        _HEAD.c.customer_id,
        _HEAD.c.parts,
        _HEAD.c.partition,
        _merged_from(_HEAD),
        _HEAD.c.view,
        _HEAD.c.told,
        _CLOCK.label("clock"),
    )
    .join(profile, profile.c.head == _HEAD.c.customer_id)
    .where(profile.c.customer_id == bindparam("wanted"))
)


async def _row(conn: ReadConnection, customer_id: UUID) -> Row:
    row = await conn.fetchrow(_FIND.sql, *_FIND.arguments(wanted=customer_id))
    if row is None or not row["view"]:
        raise NotFound("customer_not_found")
    return row


async def find(conn: ReadConnection, reference: str) -> Found:
    """The customer that a caller names; an absorbed one's is the survivor's. Raises NotFound."""
    row = await _row(conn, await find_customer(conn, reference))
    return _found(row)


def _found(row: Row, sorted_by: Any = None) -> Found:
    return Found(
        customer_id=row["customer_id"],
        view=decode_view(row["view"]),
        told=_told(row["told"]) if row["told"] else Told(),
        clock=row["clock"],
        merged_from=row["merged_from"] or (),
        sorted_by=sorted_by,
    )


async def find_whole(conn: ReadConnection, reference: str) -> Whole:
    """The customer with all child rows. Raises NotFound."""
    row = await _row(conn, await find_customer(conn, reference))
    head = row["customer_id"]
    if row["parts"] > 1:
        state = (await together(conn, [head]))[head]
        state = walk(state, await load_policies(conn, row["partition"]))
    else:
        state = (await states_of(conn, [head]))[head]
    return Whole(head, state, row["clock"])


async def states_of(conn: ReadConnection, parts: Sequence[UUID]) -> dict[UUID, Profile]:
    """Parts by themselves, each with all child rows; those of whom nothing is known are left out."""
    chosen = select(profile.c.customer_id, profile.c.state).where(
        profile.c.customer_id.in_(parts), profile.c.state != b""
    )
    states = {row["customer_id"]: decode_state(row["state"]) for row in await fetch(conn, chosen)}
    items = select(profile_item.c.customer_id, profile_item.c.item, profile_item.c.state)
    for row in await fetch(conn, items.where(profile_item.c.customer_id.in_(list(states)))):
        states[row["customer_id"]].items[row["item"]] = decode_item(row["state"])
    return states


async def together(conn: ReadConnection, heads: Sequence[UUID]) -> dict[UUID, Profile]:
    """Customers of several parts: what all of them amount to, to be walked."""
    chosen = select(profile.c.customer_id, profile.c.head).where(profile.c.head.in_(heads))
    order = (profile.c.head, profile.c.head != profile.c.customer_id, profile.c.customer_id)
    rows = await fetch(conn, chosen.order_by(*order))
    states = await states_of(conn, [row["customer_id"] for row in rows])
    groups: dict[UUID, list[Profile]] = {}
    for row in rows:
        if row["customer_id"] in states:
            groups.setdefault(row["head"], []).append(states[row["customer_id"]])
    return {head: PROFILE.grouped(group) for head, group in groups.items()}


async def list_customers(
    conn: ReadConnection,
    filters: Filters,
    sort: str,
    *,
    descending: bool,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> list[Found]:
    """Up to `limit` customers after a (sort value, id); who has no value comes last either way.

    Two statements, each of which an index answers in order: those with a value, then those without.
    """
    column = SORTS[sort][0]
    found: list[Row] = []
    if after is None or after[0] is not None:
        found = await fetch(conn, _with_value(filters, column, descending, after).limit(limit))
        after = None
    if len(found) < limit:
        rest = _without_value(filters, column, after[1] if after else None)
        found += await fetch(conn, rest.limit(limit - len(found)))
    return [_found(row, row["value"]) for row in found]


def _page(filters: Filters, column: ColumnElement[Any]) -> Select[Any]:
    chosen = select(
        profile.c.customer_id,
        _merged_from(profile),
        profile.c.view,
        profile.c.told,
        column.label("value"),
        CLOCK_OF_ROW.label("clock"),
    )
    return chosen.where(*filters.where())


def _with_value(
    filters: Filters, column: ColumnElement[Any], descending: bool, after: tuple[Any, UUID] | None
) -> Select[Any]:
    """Both columns in the same direction, so that one index serves either way."""
    order = (
        (column.desc(), profile.c.customer_id.desc())
        if descending
        else (column.asc(), profile.c.customer_id.asc())
    )
    page = _page(filters, column).where(column.is_not(None)).order_by(*order)
    if after is None:
        return page
    value, customer_id = after
    if descending:
        within, beyond = column <= value, column < value
        next_id = profile.c.customer_id < customer_id
    else:
        within, beyond = column >= value, column > value
        next_id = profile.c.customer_id > customer_id
    return page.where(and_(within, or_(beyond, next_id)))


def _without_value(filters: Filters, column: ColumnElement[Any], after: UUID | None) -> Select[Any]:
    page = _page(filters, column).where(column.is_(None)).order_by(profile.c.customer_id)
    return page if after is None else page.where(profile.c.customer_id > after)


async def count_customers(conn: ReadConnection, filters: Filters) -> int:
    """How many customers a list holds in all."""
    rows = await fetch(conn, select(func.count()).select_from(profile).where(*filters.where()))
    return int(rows[0][0])


async def count_by(conn: ReadConnection, column: str) -> dict[str | None, int]:
    """Customers by the value of a column."""
    of = profile.c[column]
    rows = await fetch(conn, select(of, func.count()).where(*Filters().where()).group_by(of))
    return {row[0]: row[1] for row in rows}


async def count_tags(conn: ReadConnection) -> dict[str, int]:
    """Customers by tag, the most frequent first."""
    tags = func.jsonb_array_elements_text(profile.c.tags, type_=JSONB).table_valued("value")
    rows = await fetch(
        conn,
        select(tags.c.value, func.count())
        .select_from(profile)
        .join(tags, onclause=profile.c.tags.is_not(None))
        .where(*Filters().where())
        .group_by(tags.c.value)
        .order_by(func.count().desc(), tags.c.value),
    )
    return {row[0]: row[1] for row in rows}


async def list_versions(conn: ReadConnection, name: str) -> list[Published]:
    """Published versions of a policy, newest first."""
    rows = await fetch(
        conn,
        select(_POLICY.c.version, _POLICY.c.body, func.min(_POLICY.c.published_at).label("at"))
        .where(_POLICY.c.name == name)
        .group_by(_POLICY.c.version, _POLICY.c.body)
        .order_by(_POLICY.c.version.desc()),
    )
    return [Published(Policy(name, row["version"], row["body"]), row["at"]) for row in rows]
