"""Reading merges: the list, one, and what speaks for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_

from services.profile import queries
from services.profile.merging.groups import Group
from services.profile.merging.keeping import Status, groups_of
from services.profile.tables import merge, merge_evidence, merge_part, profile
from shared.database import ReadConnection, Row, fetch
from shared.errors import NotFound
from shared.identity import digest


@dataclass(frozen=True, slots=True)
class Spoken:
    """One identifier that speaks for a merge. `value`: None where its customer has it no more."""

    type: str
    value: str | None
    customer_id: UUID
    event_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge, or a proposal of one."""

    id: UUID
    status: Status
    joins: Sequence[UUID]
    reason: str
    created_at: datetime
    created_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    by_person: bool
    group: Group | None = None
    """Of a merge in force: the customer that it is part of."""
    evidence: Sequence[Spoken] = field(default=())


async def find_merge(conn: ReadConnection, merge_id: UUID) -> Merge:
    """One merge. Raises NotFound."""
    found = await list_merges(conn, [merge.c.id == merge_id], after=None, limit=1)
    if not found:
        raise NotFound("merge_not_found")
    return found[0]


def where(statuses: Sequence[str], parts: Sequence[UUID] | None) -> list[ColumnElement[bool]]:
    """Merges of any of these statuses, about any of these customers."""
    conditions: list[ColumnElement[bool]] = []
    if statuses:
        conditions.append(merge.c.status.in_(statuses))
    if parts is not None:
        about = select(merge_part.c.merge_id).where(merge_part.c.customer_id.in_(parts))
        conditions.append(merge.c.id.in_(about))
    return conditions


async def list_merges(
    conn: ReadConnection,
    conditions: Sequence[ColumnElement[bool]],
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Merge]:
    """Merges, newest first, each with what speaks for it."""
    chosen = select(merge).where(*conditions)
    if after is not None:
        chosen = chosen.where(tuple_(merge.c.created_at, merge.c.id) < tuple_(*after))
    chosen = chosen.order_by(merge.c.created_at.desc(), merge.c.id.desc()).limit(limit)
    rows = await fetch(conn, chosen)
    groups = await groups_of(conn, [row["parts"][0] for row in rows if row["status"] == "merged"])
    evidence = await _evidence(conn, [row["id"] for row in rows])
    return [_merge(row, groups, evidence.get(row["id"], ())) for row in rows]


def _merge(row: Row, groups: dict[UUID, Group], evidence: Sequence[Spoken]) -> Merge:
    return Merge(
        id=row["id"],
        status=row["status"],
        joins=row["parts"],
        reason=row["reason"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        decision=row["decision"],
        by_person=row["by_person"],
        group=groups[row["parts"][0]] if row["status"] == "merged" else None,
        evidence=evidence,
    )


async def count_merges(conn: ReadConnection, conditions: Sequence[ColumnElement[bool]]) -> int:
    """How many a list holds in all."""
    counted = select(func.count()).select_from(merge).where(*conditions)
    return int((await fetch(conn, counted))[0][0])


async def _evidence(conn: ReadConnection, merges: Sequence[UUID]) -> dict[UUID, list[Spoken]]:
    """What speaks for each merge; the values are read off the customers who have them."""
    rows = await fetch(
        conn,
        select(merge_evidence)
        .where(merge_evidence.c.merge_id.in_(merges))
        .order_by(merge_evidence.c.seen_at, merge_evidence.c.type, merge_evidence.c.digest),
    )
    values = await _values(conn, {row["customer_id"] for row in rows})
    found: dict[UUID, list[Spoken]] = {}
    for row in rows:
        value = values.get((row["customer_id"], row["type"], row["digest"]))
        found.setdefault(row["merge_id"], []).append(
            Spoken(row["type"], value, row["customer_id"], row["event_id"], row["seen_at"])
        )
    return found


async def _values(conn: ReadConnection, customers: set[UUID]) -> dict[tuple[UUID, str, bytes], str]:
    """Identifiers in the clear, by whose they are, type and digest."""
    chosen = select(profile.c.customer_id, profile.c.state).where(
        profile.c.customer_id.in_(customers)
    )
    found: dict[tuple[UUID, str, bytes], str] = {}
    for row in await fetch(conn, chosen):
        if row["state"]:
            for key in queries.decode_state(row["state"]).identifiers:
                type_, _, value = key.partition(":")
                found[row["customer_id"], type_, digest(type_, value)] = value
    return found
