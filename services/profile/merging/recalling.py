"""Merges that profile decided before its database went back in time, from its own events on the log."""

from collections.abc import Sequence
from uuid import UUID

from services.profile.merging.keeping import erased_parts, plain_reason
from services.profile.merging.rules import NAME
from shared.codec import Event
from shared.database import Connection
from shared.language import CustomerRegrouped

_GROUP = """
INSERT INTO merge_group AS known (customer_id, head, parts, revision) VALUES ($1, $2, $3, $4)
ON CONFLICT (customer_id) DO UPDATE
SET head = excluded.head, parts = excluded.parts, revision = excluded.revision
WHERE excluded.revision > known.revision
"""
_MERGE = """
INSERT INTO merge AS known
(id, status, parts, reason, created_at, created_by, decided_at, decided_by, decision, by_person, revision, judged)
VALUES ($1, $2, $3, $4, $5, $6, $5, $6, $4, $7, $8, 0)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, parts = excluded.parts, decided_at = excluded.decided_at,
 decided_by = excluded.decided_by, decision = excluded.decision, by_person = excluded.by_person,
 revision = excluded.revision
WHERE excluded.revision > coalesce(known.revision, 0)
RETURNING id
"""


async def recall_merges(conn: Connection, own: Sequence[tuple[Event, bytes]]) -> None:
    """Put them back; what is known already, under a higher revision, stays as it is, and what people wrote about
    somebody who was erased is gone. Proposals are not on the log: they come again with the next event that speaks for
    them."""
    for event, _ in own:
        data = event.data
        if not isinstance(data, CustomerRegrouped):
            continue
        parts = [UUID(part) for part in data.parts]
        await conn.execute(_GROUP, UUID(event.subject), UUID(data.head), parts, data.revision)
        merge_id, joins = UUID(data.merge), [UUID(part) for part in data.joins or data.parts]
        gone = await erased_parts(conn, joins)
        changed = await conn.fetchval(
            _MERGE,
            merge_id,
            "split" if data.undone else "merged",
            joins,
            plain_reason(data.reason) if gone else data.reason,
            event.time,
            data.by,
            not data.by.startswith(f"{NAME}@"),
            data.revision,
        )
        if changed is not None:
            await conn.execute("DELETE FROM merge_part WHERE merge_id = $1", merge_id)
            await conn.executemany(
                "INSERT INTO merge_part VALUES ($1, $2)", [(merge_id, one) for one in sorted(joins)]
            )
