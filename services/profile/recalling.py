"""What profile kept beside its rows before its database went back in time, from its own events on the log: which
numbers are given away, the newest version of each set of thresholds, who was erased, and which customers were made
one, or two again. Proposals of merges that nobody had decided are on no log: the evidence that comes next makes them
anew."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from services.profile.erasing.recalling import recall_erasures
from services.profile.merging.recalling import recall_merges
from shared.codec import Event
from shared.database import Connection
from shared.language import CustomerNumbered, PolicyPublished

_YEAR = 4


async def recall(conn: Connection, own: Sequence[tuple[Event, bytes]]) -> None:
    """Put it back; what is known already stays as it is."""
    numbered = [(event.subject, event.data) for event, _ in own]
    serials = []
    for subject, data in numbered:
        if isinstance(data, CustomerNumbered):
            digits = data.number.removeprefix("C")
            serials.append((UUID(subject), int(digits[:_YEAR]), int(digits[_YEAR:])))
    if serials:
        await conn.execute(
            "INSERT INTO number_claim (customer_id, year, serial) OVERRIDING SYSTEM VALUE"
            " SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) ON CONFLICT DO NOTHING",
            *map(list, zip(*sorted(serials), strict=True)),
        )
        # Never down: a number that was given away is given to nobody else.
        await conn.execute(
            "SELECT setval(pg_get_serial_sequence('number_claim', 'serial'),"
            " greatest((SELECT max(serial) FROM number_claim),"
            " (SELECT last_value FROM number_claim_serial_seq)))"
        )
    await recall_erasures(conn, own)
    await recall_merges(conn, own)
    for event, _ in own:
        if isinstance(event.data, PolicyPublished):
            await _keep_policy(conn, event, event.data)


async def _keep_policy(conn: Connection, event: Event, policy: PolicyPublished) -> None:
    note = {"version": policy.version, "body": policy.body, "by": "the log"}
    await conn.execute(
        "INSERT INTO task VALUES ($1, $2, $3::jsonb) ON CONFLICT (name)"
        " DO UPDATE SET done_at = excluded.done_at, note = excluded.note"
        " WHERE (task.note ->> 'version')::bigint < (excluded.note ->> 'version')::bigint",
        f"policy {policy.name}",
        event.time,
        orjson.dumps(note).decode(),
    )
