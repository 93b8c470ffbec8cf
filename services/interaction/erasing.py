"""Forgetting a person in what interaction keeps in the clear, and remembering whose the identifiers were.

Whoever decides about customers holds a lock that everybody may hold together, and who erases holds it alone. So what is
decided is decided before an erasure, and then the erasure finds it, or after, and then the decision knows of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from services.interaction.filing import blank_cases
from services.interaction.resolving import Key
from shared.codec import Event
from shared.database import Connection
from shared.erasing import erased_among
from shared.errors import Conflict
from shared.kernel import Kernel
from shared.language.personal import split
from shared.service import Forget, Task

INBOUND_DAYS = 7
"""How long `inbound` and `backfill` are kept."""
TRIM_SECONDS = 3600.0

_LOCK = "hashtextextended('erasing', 8)"
UNDISTURBED = f"SELECT pg_advisory_xact_lock_shared({_LOCK})"
"""SQL: nobody is erased from here to the end of the transaction. What is read by the same statement may be older."""

_BURY = """
INSERT INTO erased_identifier
SELECT o.type, o.digest, o.customer_id, e.erased_at
FROM (SELECT type, digest, customer_id FROM identity WHERE customer_id = ANY($1) AND type <> 'number'
      UNION SELECT type, digest, customer_id FROM shared_identifier WHERE customer_id = ANY($1)) AS o
JOIN erased AS e USING (customer_id)
ON CONFLICT DO NOTHING
"""


def kept_days(quarantine_days: int) -> int:
    """How long something that came from a publisher may lie somewhere as it was sent, and be resolved yet."""
    return INBOUND_DAYS + quarantine_days


def forgetting(quarantine_days: int) -> Forget:
    """The service's hook."""

    async def forget(conn: Connection, events: Sequence[Event]) -> dict[UUID, datetime]:
        parts = sorted({UUID(event.subject) for event in events})
        await conn.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await conn.execute(_BURY, parts)
        await conn.execute("DELETE FROM identifier_link WHERE customer_id = ANY($1)", parts)
        # That too many share the identifier stays true: it still names nobody.
        await conn.execute(
            "UPDATE shared_identifier SET customer_id = NULL WHERE customer_id = ANY($1)", parts
        )
        await _blank_contacts(conn, parts)
        await blank_cases(conn, parts)
        at = await erased_among(conn, parts)
        return {part: at[part] + timedelta(days=kept_days(quarantine_days)) for part in parts}

    return forget


async def _blank_contacts(conn: Connection, customers: Sequence[UUID]) -> None:
    rows = await conn.fetch(
        "SELECT id, data FROM contact WHERE customer_id = ANY($1) ORDER BY id FOR UPDATE", customers
    )
    left = [split("interaction.recorded", orjson.loads(row["data"]))[0] for row in rows]
    await conn.execute(
        "UPDATE contact AS c SET data = u.data, due_at = NULL, retract_reason = NULL"
        " FROM unnest($1::uuid[], $2::bytea[]) AS u (id, data) WHERE c.id = u.id",
        [row["id"] for row in rows],
        [orjson.dumps(data) for data in left],
    )


async def bury(conn: Connection, tombstones: Mapping[tuple[Key, UUID], datetime]) -> None:
    """Keep whose these identifiers were, and when they were erased."""
    rows = sorted((*key, customer, at) for (key, customer), at in tombstones.items())
    await conn.execute(
        "INSERT INTO erased_identifier"
        " SELECT * FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::timestamptz[])"
        " ON CONFLICT DO NOTHING",
        *map(list, zip(*rows, strict=True)),
    )


async def undisturbed(conn: Connection) -> None:
    """Return when nobody is being erased, and keep it so to the end of the transaction: before any other lock."""
    await conn.execute(UNDISTURBED)


async def refuse_erased(conn: Connection, customer_id: UUID) -> None:
    """Raises Conflict("customer_erased") where they are; to be asked under `undisturbed`."""
    if await erased_among(conn, [customer_id]):
        raise Conflict("customer_erased")


async def trim(kernel: Kernel) -> None:
    """Let go of identifiers of whom nothing can come any more that was sent before they were erased."""
    days = kept_days(kernel.settings.quarantine_days)
    async with kernel.database.connection() as conn:
        await conn.execute(
            "DELETE FROM erased_identifier WHERE erased_at < now() - make_interval(days => $1)",
            days,
        )


TRIMMING = Task(name="erased_identifiers", seconds=TRIM_SECONDS, run=trim)
