"""What profile keeps of somebody beside the folds, blanked in the transaction that folds the erasure. What is read of
them is written again by the fold right behind.

Digests go with the identifiers that they stand for: those of identifiers that the erased had, and those that spoke for
a merge of theirs. What a person wrote about a merge says who somebody is, so it goes as well, of every merge that
joined somebody who was erased; what the policy wrote are codes, and stay.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.profile.merging.keeping import Decider, withdraw_about
from services.profile.words import MERGE_REASONS
from shared.codec import Event
from shared.database import Connection
from shared.language import CustomerErased

_NAMED = """
SELECT type, digest FROM identity WHERE customer_id = ANY($1) AND type <> 'number'
"""


async def forget(conn: Connection, events: Sequence[Event]) -> dict[UUID, datetime]:
    """Forget those of whom these events say so; nothing that nobody could assign is left."""
    parts = [UUID(event.subject) for event in events]
    await conn.execute("DELETE FROM link WHERE parts && $1", parts)
    for table in ("identifier_link", "merge_evidence"):
        await conn.execute(
            f"DELETE FROM {table} WHERE customer_id = ANY($1) OR (type, digest) IN ({_NAMED})",
            parts,
        )
    await _blank_words(conn, parts)
    for event in events:
        assert isinstance(event.data, CustomerErased)
        decider = Decider(event.data.by, event.time, "erased", person=False)
        await withdraw_about(conn, [UUID(event.subject)], decider)
    return {}


async def _blank_words(conn: Connection, parts: Sequence[UUID]) -> None:
    await conn.execute(
        "UPDATE merge SET reason = CASE WHEN reason = ANY($2) THEN reason ELSE '' END,"
        " decision = CASE WHEN decision IS NULL OR decision = ANY($2) THEN decision ELSE '' END"
        " WHERE id IN (SELECT merge_id FROM merge_part WHERE customer_id = ANY($1))",
        parts,
        list(MERGE_REASONS),
    )
