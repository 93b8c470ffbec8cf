"""Merges in the database. All decisions are taken under one lock, so there are no chains to follow and no cycles."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.profile.merging.groups import (
    MOST_PARTS,
    Group,
    Standing,
    alone,
    heads,
    one_of_each,
    regroup,
)
from services.profile.merging.judging import Key
from services.profile.merging.rules import ANONYMOUS
from services.profile.words import MERGE_REASONS
from shared.database import Connection, ReadConnection
from shared.errors import Conflict, NotFound, Pause, Unprocessable
from shared.ids import new_id, partition_of
from shared.kernel import Kernel
from shared.language import CustomerRegrouped
from shared.log import Entry
from shared.loop.read_back import ALL_READ_BACK
from shared.own_events import own_event

Status = Literal["proposed", "merged", "dismissed", "withdrawn", "split"]
STATUSES: tuple[Status, ...] = ("proposed", "merged", "dismissed", "withdrawn", "split")

MOST_EVIDENCE = 50
"""Identifiers that are kept for one merge."""

_NEW = """
INSERT INTO merge (id, status, parts, reason, created_at, created_by, by_person, judged)
VALUES ($1, 'proposed', $2, $3, $4, $5, $6, $7)
"""
_TELL = """
INSERT INTO merge_group (customer_id, head, parts, revision)
SELECT $1, $2, $3::uuid[], $4
ON CONFLICT (customer_id) DO UPDATE
SET head = excluded.head, parts = excluded.parts, revision = excluded.revision
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One identifier that speaks for a merge."""

    key: Key
    customer_id: UUID
    event_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides, when, why; `person`: not the policy."""

    by: str
    at: datetime
    reason: str
    person: bool = True


async def lock(conn: Connection) -> None:
    """Let nobody else decide until this transaction ends.

    Raises Pause before every partition of a database that may have gone back knows again what it had said: each has a
    share of every merge, and who decided by some of them would tear customers apart, or erase half of one."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('merges', 12))")
    if not await conn.fetchval(f"SELECT {ALL_READ_BACK}"):
        raise Pause("reading_back")


async def groups_of(conn: Connection | ReadConnection, parts: Iterable[UUID]) -> dict[UUID, Group]:
    """The group of each part and of all parts beside it, as decided last."""
    wanted = list(dict.fromkeys(parts))
    rows = await conn.fetch(
        "SELECT head, parts FROM merge_group WHERE customer_id = ANY($1)", wanted
    )
    groups = {part: alone(part) for part in wanted}
    for row in rows:
        group = Group(row["head"], tuple(row["parts"]))
        groups |= dict.fromkeys(group.parts, group)
    return groups


async def known_among(conn: Connection | ReadConnection, parts: Collection[UUID]) -> set[UUID]:
    """Those who have an identifier that is not anonymous."""
    rows = await conn.fetch(
        "SELECT DISTINCT customer_id FROM identity WHERE customer_id = ANY($1) AND type <> ALL($2)",
        list(parts),
        list(ANONYMOUS),
    )
    return {row["customer_id"] for row in rows}


async def standings(
    conn: Connection | ReadConnection, parts: Collection[UUID]
) -> dict[UUID, Standing]:
    """What decides under whose id these are known."""
    rows = await conn.fetch(
        "SELECT customer_id, serial FROM number_claim WHERE customer_id = ANY($1)", list(parts)
    )
    serials = {row["customer_id"]: row["serial"] for row in rows}
    known, erased = await known_among(conn, parts), await erased_parts(conn, parts)
    return {part: Standing(serials.get(part), part in known, part in erased) for part in parts}


async def erased_parts(conn: Connection | ReadConnection, parts: Collection[UUID]) -> set[UUID]:
    """Those of them who were erased, as decided last."""
    rows = await conn.fetch(
        "SELECT customer_id FROM erasure_part WHERE customer_id = ANY($1)", list(parts)
    )
    return {row["customer_id"] for row in rows}


async def check_exist(conn: Connection | ReadConnection, parts: Sequence[UUID]) -> None:
    """Raise NotFound where nobody has one of these ids."""
    unknown = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM unnest($1::uuid[]) AS one (id)"
        " WHERE NOT EXISTS (SELECT FROM profile WHERE customer_id = one.id)"
        " AND NOT EXISTS (SELECT FROM identity WHERE customer_id = one.id))",
        list(parts),
    )
    if unknown:
        raise NotFound("customer_not_found")


def check_joins(parts: Sequence[UUID], groups: Mapping[UUID, Group]) -> None:
    """Whether a merge of these parts makes any of them one. Raises Conflict("already_merged"),
    Unprocessable("too_many_parts").

    Those of them who are one already are joined by it none the less: what made them one may be undone."""
    joined = one_of_each(parts, groups)
    if len(joined) < 2:
        raise Conflict("already_merged")
    if sum(len(groups[part].parts) for part in joined) > MOST_PARTS:
        raise Unprocessable("too_many_parts", params={"limit": MOST_PARTS})


async def propose(
    conn: Connection, parts: Sequence[UUID], decider: Decider, *, judged: int
) -> UUID:
    """Write a merge that is not decided yet; answer its id. `judged`: by this version of the policy."""
    merge_id = UUID(new_id())
    await conn.execute(
        _NEW, merge_id, list(parts), decider.reason, decider.at, decider.by, decider.person, judged
    )
    await conn.executemany(
        "INSERT INTO merge_part VALUES ($1, $2)", [(merge_id, part) for part in sorted(parts)]
    )
    return merge_id


async def add_evidence(conn: Connection, merge_id: UUID, found: Iterable[Evidence]) -> None:
    """Keep what speaks for a merge, each identifier once, up to so many."""
    rows = sorted(found, key=lambda one: one.key)
    await conn.execute(
        "INSERT INTO merge_evidence SELECT $1, * FROM"
        " unnest($2::text[], $3::bytea[], $4::uuid[], $5::uuid[], $6::timestamptz[])"
        " LIMIT greatest(0, $7 - (SELECT count(*) FROM merge_evidence WHERE merge_id = $1))"
        " ON CONFLICT DO NOTHING",
        merge_id,
        [one.key[0] for one in rows],
        [one.key[1] for one in rows],
        [one.customer_id for one in rows],
        [one.event_id for one in rows],
        [one.at for one in rows],
        MOST_EVIDENCE,
    )


async def decide(
    conn: Connection,
    kernel: Kernel,
    merge_id: UUID,
    status: Status,
    decider: Decider,
    *,
    parts: Sequence[UUID] | None = None,
) -> list[tuple[int, Entry]]:
    """Give a merge another status, and tell every part whose group is another one by that; answer what is to be
    appended. `parts`: whom it joins, where that is not as proposed. Under the lock."""
    was = await conn.fetchrow("SELECT status, parts FROM merge WHERE id = $1", merge_id)
    assert was is not None, "read under the lock before"
    joins = list(parts if parts is not None else was["parts"])
    if joins != was["parts"]:
        await conn.execute("UPDATE merge SET parts = $2 WHERE id = $1", merge_id, joins)
        await conn.execute("DELETE FROM merge_part WHERE merge_id = $1", merge_id)
        await conn.executemany(
            "INSERT INTO merge_part VALUES ($1, $2)", [(merge_id, part) for part in sorted(joins)]
        )
    await conn.execute(
        "UPDATE merge SET status = $2, decided_at = $3, decided_by = $4, decision = $5, by_person = $6"
        " WHERE id = $1",
        merge_id,
        status,
        decider.at,
        decider.by,
        decider.reason,
        decider.person,
    )
    if "merged" not in (status, was["status"]):
        return []
    groups = await groups_of(conn, joins)
    changes = regroup(groups, await _in_force(conn, groups), await standings(conn, list(groups)))
    return await _tell(conn, kernel, merge_id, joins, changes, decider, undone=status != "merged")


async def _in_force(conn: Connection, parts: Iterable[UUID]) -> list[list[UUID]]:
    rows = await conn.fetch(
        "SELECT parts FROM merge WHERE status = 'merged'"
        " AND id IN (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1)) ORDER BY id",
        list(parts),
    )
    return [row["parts"] for row in rows]


async def _tell(
    conn: Connection,
    kernel: Kernel,
    merge_id: UUID,
    joins: Sequence[UUID],
    changes: Sequence[tuple[UUID, Group]],
    decider: Decider,
    *,
    undone: bool,
) -> list[tuple[int, Entry]]:
    """One event for each part, on its own key, all under one new revision."""
    if not changes:
        return []
    revision = 1 + await conn.fetchval(
        "SELECT greatest((SELECT max(revision) FROM merge_group), (SELECT max(revision) FROM grouping), 0)"
    )
    await conn.executemany(
        _TELL, [(part, group.head, list(group.parts), revision) for part, group in changes]
    )
    await conn.execute("UPDATE merge SET revision = $2 WHERE id = $1", merge_id, revision)
    entries = []
    for part, group in changes:
        told = CustomerRegrouped(
            head=str(group.head),
            parts=[str(one) for one in group.parts],
            revision=revision,
            merge=str(merge_id),
            undone=undone,
            by=decider.by,
            reason=decider.reason,
            joins=[str(one) for one in joins],
        )
        subject = str(part)
        entry = own_event(
            kernel.service.name, "customer.regrouped", told, decider.at, subject=subject
        )
        entries.append((partition_of(subject, kernel.settings.partitions), entry))
    return entries


async def lead_again(
    conn: Connection, kernel: Kernel, group: Group, at: datetime
) -> list[tuple[int, Entry]]:
    """Have somebody else lead a customer whose leading part was erased, under the newest of the merges in force;
    answer what is to be appended. Under the lock."""
    parts = list(group.parts)
    changes = regroup(
        dict.fromkeys(parts, group), await _in_force(conn, parts), await standings(conn, parts)
    )
    row = await conn.fetchrow(
        "SELECT id, parts, decided_by, decision FROM merge WHERE status = 'merged' AND id IN"
        " (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1)) ORDER BY revision DESC NULLS LAST LIMIT 1",
        parts,
    )
    if row is None or not changes:
        return []
    decider = Decider(row["decided_by"], at, plain_reason(row["decision"]))
    return await _tell(conn, kernel, row["id"], row["parts"], changes, decider, undone=False)


def plain_reason(reason: str) -> str:
    """A reason of the policy as it is; nothing of what a person wrote about customers of whom one was erased."""
    return reason if reason in MERGE_REASONS else ""


async def matching_proposal(
    conn: Connection, parts: Sequence[UUID], groups: Mapping[UUID, Group]
) -> UUID | None:
    """The open proposal that asks about exactly these customers."""
    wanted = set(heads(parts, groups))
    rows = await conn.fetch(
        "SELECT id, parts FROM merge WHERE status = 'proposed' AND id IN"
        " (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1)) ORDER BY id LIMIT 200",
        list(groups),
    )
    others = await groups_of(conn, [part for row in rows for part in row["parts"]])
    return next((row["id"] for row in rows if set(heads(row["parts"], others)) == wanted), None)


async def withdraw_settled(
    conn: Connection, parts: Iterable[UUID], decider: Decider, *, beside: UUID
) -> None:
    """Withdraw open proposals about customers who have become one anyway. Under the lock."""
    rows = await conn.fetch(
        "SELECT id, parts FROM merge WHERE status = 'proposed' AND id <> $2 AND id IN"
        " (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1)) ORDER BY id LIMIT 1000",
        list(parts),
        beside,
    )
    groups = await groups_of(conn, [part for row in rows for part in row["parts"]])
    settled = [row["id"] for row in rows if len(set(heads(row["parts"], groups))) < 2]
    await withdraw(conn, settled, decider)


async def withdraw_about(conn: Connection, parts: Collection[UUID], decider: Decider) -> None:
    """Withdraw all open proposals about these."""
    rows = await conn.fetch(
        "SELECT id FROM merge WHERE status = 'proposed'"
        " AND id IN (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1))",
        list(parts),
    )
    await withdraw(conn, [row["id"] for row in rows], decider)


async def withdraw(conn: Connection, merges: Sequence[UUID], decider: Decider) -> None:
    """Ask nobody about these any more."""
    await conn.execute(
        "UPDATE merge SET status = 'withdrawn', decided_at = $2, decided_by = $3, decision = $4,"
        " by_person = $5 WHERE id = ANY($1)",
        list(merges),
        decider.at,
        decider.by,
        decider.reason,
        decider.person,
    )
