"""Erasures in the database. They are decided under the lock of all merges, since who is a part of whom may change, and
under those of the customers, since nobody is changed while they are erased."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from services.profile.merging import keeping
from services.profile.merging.groups import Group
from services.profile.merging.keeping import Decider
from shared.database import Connection
from shared.errors import Conflict, FieldError
from shared.ids import new_id, partition_of
from shared.kernel import Kernel
from shared.language import CustomerErased
from shared.log import Entry
from shared.own_events import own_event


def chosen(group: Group, named: Sequence[UUID] | None, erased: Collection[UUID]) -> Sequence[UUID]:
    """The parts of a customer that are to be erased: each has a key of its own, so of several they must be named.
    Raises Conflict("customer_erased"), Conflict("parts_required")."""
    left = [part for part in group.parts if part not in erased]
    if not left or (named is not None and not set(named) <= set(left)):
        raise Conflict("customer_erased")
    if named is not None:
        return named
    if len(group.parts) > 1:
        errors = [
            FieldError(f"/parts/{place}", "possible_part", {"part": part})
            for place, part in enumerate(left)
        ]
        raise Conflict("parts_required", ", ".join(map(str, left)), errors=errors)
    return left


async def lock_customers(conn: Connection, parts: Sequence[UUID]) -> None:
    """Let nobody else decide about these until this transaction ends. Commands lock the head that is folded
    (`shared.commands`), and which one that is may change while we wait."""
    locked: set[UUID] = set()
    while missing := sorted({*parts, *await _heads(conn, parts)} - locked):
        await conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(k, 10)) FROM unnest($1::text[]) AS u(k)",
            [str(one) for one in missing],
        )
        locked.update(missing)


async def _heads(conn: Connection, parts: Sequence[UUID]) -> list[UUID]:
    rows = await conn.fetch("SELECT head FROM grouping WHERE customer_id = ANY($1)", list(parts))
    return [row["head"] for row in rows]


async def erase(
    conn: Connection, kernel: Kernel, group: Group, parts: Sequence[UUID], by: str, at: datetime
) -> tuple[str, list[tuple[int, Entry]]]:
    """Write down that these parts of a customer are erased; answer the erasure's id and what is to be appended.
    Their keys are destroyed once that is committed."""
    erasure = new_id()
    await conn.execute(
        "INSERT INTO erasure_part (customer_id, erasure, head, at, by)"
        " SELECT part, $2, $3, $4, $5 FROM unnest($1::uuid[]) AS u(part)",
        list(parts),
        UUID(erasure),
        group.head,
        at,
        by,
    )
    entries = [_erased(kernel, part, CustomerErased(erasure=erasure, by=by), at) for part in parts]
    await keeping.withdraw_about(conn, parts, Decider(by, at, "erased", person=False))
    return erasure, entries + await keeping.lead_again(conn, kernel, group, at)


def _erased(kernel: Kernel, part: UUID, data: CustomerErased, at: datetime) -> tuple[int, Entry]:
    subject = str(part)
    entry = own_event(kernel.service.name, "customer.erased", data, at, subject=subject)
    return partition_of(subject, kernel.settings.partitions), entry
