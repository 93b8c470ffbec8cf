"""Reads of interaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_

from services.interaction.tables import contact, timeline
from shared.database import ReadConnection, Row, fetch
from shared.http.paging import PageRequest, TimeRange
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.outbox import OUTBOX
from shared.positions import Position

RECENT = 1000


async def positions_of(kernel: Kernel, customers: Iterable[UUID]) -> list[Position]:
    """Where the outbox stands for the partitions of these customers: at or behind all that was resolved for
    them by now."""
    partitions = sorted(
        {partition_of(str(customer), kernel.settings.partitions) for customer in customers}
    )
    async with kernel.database.read() as conn:
        heads = await OUTBOX.heads(conn, partitions)
    return [Position("interaction", partition, head) for partition, head in heads.items() if head]


async def events_of(
    conn: ReadConnection,
    parts: Sequence[UUID],
    page: PageRequest,
    after: tuple[datetime, UUID] | None,
    between: TimeRange,
    types: list[str],
    channels: list[str],
    *,
    newest_first: bool = True,
) -> tuple[list[Row], int | None]:
    """The events of a customer's parts, those of contacts with when they were taken back; one more than the page
    asks for, if there is one."""
    where: list[ColumnElement[bool]] = [timeline.c.customer_id.in_(parts)]
    if types:
        where.append(timeline.c.type.in_(types))
    if channels:
        where.append(timeline.c.channel.in_(channels))
    if between.start:
        where.append(timeline.c.time >= between.start)
    if between.end:
        where.append(timeline.c.time < between.end)
    total = None
    if page.count:
        total = (await fetch(conn, select(func.count()).select_from(timeline).where(*where)))[0][0]
    place = (timeline.c.time, timeline.c.event_id)
    if after:
        passed = tuple_(*place), tuple_(*after)
        where.append(passed[0] < passed[1] if newest_first else passed[0] > passed[1])
    statement = (
        select(
            *place,
            *(timeline.c.customer_id, timeline.c.recorded_at, timeline.c.value),
            contact.c.retracted_at,
        )
        .outerjoin_from(timeline, contact, contact.c.id == timeline.c.event_id)
        .where(*where)
        .order_by(*(column.desc() if newest_first else column for column in place))
        .limit(page.limit + 1)
    )
    return await fetch(conn, statement), total


async def heads_of(conn: ReadConnection, rows: Iterable[Row]) -> dict[UUID, UUID]:
    """Under whose id the customers of these rows are known, of those who are one with others."""
    wanted = list({row["customer_id"] for row in rows})
    found = await conn.fetch(
        "SELECT customer_id, head FROM grouping WHERE customer_id = ANY($1)", wanted
    )
    return {row["customer_id"]: row["head"] for row in found}


async def is_known(conn: ReadConnection, customer_id: UUID) -> bool:
    """Whether anybody has this id."""
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM timeline WHERE customer_id = $1)"
            " OR EXISTS (SELECT FROM identity WHERE customer_id = $1)",
            customer_id,
        )
    )


async def recent_types(conn: ReadConnection) -> list[dict[str, Any]]:
    """Types among the latest thousand events, most frequent first."""
    rows = await conn.fetch(
        "SELECT type, count(*) AS count, max(recorded_at) AS last_at FROM"
        " (SELECT type, recorded_at FROM timeline ORDER BY recorded_at DESC LIMIT $1) AS latest"
        " GROUP BY type ORDER BY count DESC, type",
        RECENT,
    )
    return [dict(row) for row in rows]


async def latest(conn: ReadConnection, most: int) -> list[dict[str, Any]]:
    """The latest events without anything of their content."""
    rows = await conn.fetch(
        "SELECT type, recorded_at AS recorded_time FROM timeline ORDER BY recorded_at DESC LIMIT $1",
        most,
    )
    return [dict(row) for row in rows]
