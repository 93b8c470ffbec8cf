"""What campaign answers from: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import Select, Subquery, exists, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.elements import ColumnElement

from services.campaign.projection import AUDIENCE
from services.campaign.projector import Audience, Item, Told, decoded, walk
from services.campaign.projector.segments import NAME
from services.campaign.tables import audience, metadata, segment, segment_history
from shared.database import Connection, ReadConnection, Row, fetch
from shared.errors import NotFound
from shared.identity import find_customer
from shared.ids import greatest_id
from shared.loop.rows import ALWAYS
from shared.moments import moment

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_told = msgspec.msgpack.Decoder(Told).decode
_item = msgspec.msgpack.Decoder(Item).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One saved segment. Times are UTC."""

    id: UUID
    name: str
    description: str
    rule: dict[str, Any]
    version: int
    policy_version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How many customers have been judged by a segment's rule, and of how many."""

    filled: int
    of: int
    told: bool
    """Every partition knows the rule."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One customer, to be asked by a rule at the clock of its partition (UTC)."""

    customer_id: UUID
    state: Audience
    clock: datetime | None
    told: Told


@dataclass(frozen=True, slots=True)
class Move:
    """One coming or going."""

    customer_id: UUID
    at: datetime
    event_id: UUID
    entered: bool
    moved_by: str
    cause: UUID | None
    version: int


def _segment(row: Row) -> Segment:
    return Segment(**{name: row[name] for name in Segment.__slots__})


async def find_segment(conn: ReadConnection | Connection, segment_id: UUID) -> Segment:
    """One segment. Raises NotFound."""
    rows = await conn.fetch("SELECT * FROM segment WHERE id = $1", segment_id)
    if not rows:
        raise NotFound("segment_not_found")
    return _segment(rows[0])


async def list_segments(conn: ReadConnection, *, after: UUID | None, limit: int) -> list[Segment]:
    """Segments in the order in which they were made."""
    chosen = select(segment).order_by(segment.c.id).limit(limit)
    if after is not None:
        chosen = chosen.where(segment.c.id > after)
    return [_segment(row) for row in await fetch(conn, chosen)]


async def count_segments(conn: ReadConnection) -> int:
    """How many segments there are."""
    return int(await conn.fetchval("SELECT count(*) FROM segment"))


async def progress(conn: ReadConnection, one: Segment, partitions: int) -> Progress:
    """How far a segment has been filled. Rows of partitions that do not know the rule yet, and rows that are to
    be derived as soon as possible, are not. Who was erased is not asked."""
    row = await conn.fetchrow(
        "SELECT count(*) AS of, count(*) FILTER (WHERE due_at <= $2 OR NOT partition = ANY("
        "  SELECT partition FROM policy WHERE name = $3 AND version >= $1)) AS waiting,"
        " (SELECT count(DISTINCT partition) FROM policy WHERE name = $3 AND version >= $1) AS told"
        " FROM audience WHERE head = customer_id AND NOT erased",
        one.policy_version,
        ALWAYS,
        NAME,
    )
    assert row is not None, "a query of scalars has a row"
    return Progress(row["of"] - row["waiting"], row["of"], row["told"] >= partitions)


def _holding(segment_id: UUID) -> str:
    return orjson.dumps([str(segment_id)]).decode()


async def count_members(conn: ReadConnection, segment_id: UUID) -> int:
    """How many customers belong to a segment."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM audience WHERE segments @> $1::jsonb AND head = customer_id",
            _holding(segment_id),
        )
    )


async def list_members(
    conn: ReadConnection, segment_id: UUID, *, after: UUID | None, limit: int
) -> list[tuple[UUID, datetime | None]]:
    """Customers of a segment by id, and since when; None where that was not announced yet."""
    chosen = (
        select(audience.c.customer_id, audience.c.told)
        .where(
            audience.c.segments.contains([str(segment_id)]),
            audience.c.head == audience.c.customer_id,
        )
        .order_by(audience.c.customer_id)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(audience.c.customer_id > after)
    rows = await fetch(conn, chosen)
    return [(row["customer_id"], since(_of(row["told"]), segment_id)) for row in rows]


_GONE = metadata.tables["erased"]


def _erased_since(customer_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether they were erased: a part of theirs was, and with it all others. Of few parts that is true."""
    part, head = audience.alias("part"), audience.alias("head")
    found = select(_GONE.c.customer_id).join(part, part.c.customer_id == _GONE.c.customer_id)
    found = found.join(head, head.c.customer_id == part.c.head)
    return exists(found.where(_GONE.c.customer_id == customer_id, head.c.erased))


def members_then(segment_id: UUID, at: datetime, *, recorded: bool) -> Subquery:
    """Each customer's last move into or out of a segment up to a moment: when it became so, or was recorded. Without
    those who were erased, also if it was later."""
    table = segment_history.c
    until = table.event_id <= greatest_id(at) if recorded else table.at <= at
    last = (table.event_id,) if recorded else (table.at, table.event_id)
    return (
        select(table.customer_id, table.at, table.entered)
        .ext(distinct_on(table.customer_id))
        .where(table.segment_id == segment_id, until, ~_erased_since(table.customer_id))
        .order_by(table.customer_id, *(column.desc() for column in last))
        .subquery()
    )


async def list_members_then(
    conn: ReadConnection, then: Subquery, *, after: UUID | None, limit: int
) -> list[tuple[UUID, datetime | None]]:
    """Customers who belonged to a segment then, by id, and since when."""
    chosen = select(then.c.customer_id, then.c.at).where(then.c.entered)
    if after is not None:
        chosen = chosen.where(then.c.customer_id > after)
    rows = await fetch(conn, chosen.order_by(then.c.customer_id).limit(limit))
    return [(row["customer_id"], row["at"]) for row in rows]


async def count_members_then(conn: ReadConnection, then: Subquery) -> int:
    """How many they were."""
    chosen = select(func.count()).select_from(then).where(then.c.entered)
    return int((await fetch(conn, chosen))[0][0])


def _of(told: bytes) -> Told:
    return _told(told) if told else Told()


def since(told: Told, segment_id: UUID) -> datetime | None:
    """From when on a customer belongs to a segment, as it was announced."""
    known = told.segments.get(str(segment_id))
    return moment(known.at) if known else None


_ASKED = (
    "SELECT h.customer_id, h.parts, h.partition, h.state, h.told, c.clock FROM audience AS a"
    " JOIN audience AS h ON h.customer_id = a.head"
    " LEFT JOIN checkpoint AS c ON c.topic = 'customers' AND c.version = $2 AND c.partition = h.partition"
    " WHERE a.customer_id = $1"
)


async def find_asked(conn: ReadConnection, reference: str, version: int) -> Asked:
    """The customer that a caller names; an absorbed one's is the survivor's. Raises NotFound."""
    row = await conn.fetchrow(_ASKED, await find_customer(conn, reference), version)
    if row is None or not (row["state"] or row["parts"] > 1):
        raise NotFound("customer_not_found")
    state = (await together(conn, [row])).get(row["customer_id"]) or decoded(row["state"])
    return Asked(row["customer_id"], state, row["clock"], _of(row["told"]))


async def find_states(conn: ReadConnection, parts: Sequence[UUID]) -> dict[UUID, Audience]:
    """What is folded of each part alone, without its child rows."""
    rows = await conn.fetch(
        "SELECT customer_id, state FROM audience WHERE customer_id = ANY($1)", parts
    )
    return {row["customer_id"]: decoded(row["state"]) for row in rows}


async def together(conn: ReadConnection, customers: Sequence[Row]) -> dict[UUID, Audience]:
    """Of those of these rows who are several parts, what all of them amount to."""
    heads = [row["customer_id"] for row in customers if row["parts"] > 1]
    if not heads:
        return {}
    rows = await conn.fetch(
        "SELECT customer_id, head, state FROM audience WHERE customer_id = ANY($1) OR head = ANY($1)"
        " ORDER BY head, head <> customer_id, customer_id",
        heads,
    )
    states = {row["customer_id"]: decoded(row["state"]) for row in rows}
    for row in await conn.fetch(
        "SELECT customer_id, item, state FROM audience_item WHERE customer_id = ANY($1)",
        list(states),
    ):
        states[row["customer_id"]].items[row["item"]] = _item(row["state"])
    groups: dict[UUID, list[Audience]] = {}
    for row in rows:
        groups.setdefault(row["head"], []).append(states[row["customer_id"]])
    return {head: walk(AUDIENCE.grouped(group), {}) for head, group in groups.items()}


async def list_moves(
    conn: ReadConnection,
    segment_id: UUID,
    parts: Sequence[UUID] | None,
    between: tuple[datetime | None, datetime | None],
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Move]:
    """Who came and went, newest first; `between` includes its start only."""
    table = segment_history.c
    chosen = _moves(select(segment_history), segment_id, parts, between)
    chosen = chosen.order_by(table.at.desc(), table.event_id.desc()).limit(limit)
    if after is not None:
        at, event_id = after
        beyond = (table.at < at) | (table.event_id < event_id)
        chosen = chosen.where(table.at <= at, beyond)
    names: Sequence[str] = Move.__slots__
    return [Move(**{name: row[name] for name in names}) for row in await fetch(conn, chosen)]


async def count_moves(
    conn: ReadConnection,
    segment_id: UUID,
    parts: Sequence[UUID] | None,
    between: tuple[datetime | None, datetime | None],
) -> int:
    """How many came and went, counted once for each time."""
    chosen = _moves(select(func.count()), segment_id, parts, between)
    return int((await fetch(conn, chosen))[0][0])


def _moves(
    chosen: Select[Any],
    segment_id: UUID,
    parts: Sequence[UUID] | None,
    between: tuple[datetime | None, datetime | None],
) -> Select[Any]:
    table = segment_history.c
    start, end = between
    chosen = chosen.where(table.segment_id == segment_id)
    if parts is not None:
        chosen = chosen.where(table.customer_id.in_(parts))
    if start is not None:
        chosen = chosen.where(table.at >= start)
    if end is not None:
        chosen = chosen.where(table.at < end)
    return chosen


async def has_history(conn: ReadConnection, segment_id: UUID) -> bool:
    """Whether anybody ever came into a segment, also into one that is gone."""
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM segment_history WHERE segment_id = $1)", segment_id
        )
    )
