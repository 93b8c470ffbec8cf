"""What was folded, and not by those who make deliveries: a rebuild folds the last events before its tables take over.

Whoever folds next notices the hole (`making`), and here it is closed from the log.
"""

from services.interaction.webhooks.making import make
from shared.codec import Event
from shared.errors import Pause, Poison
from shared.kernel import Kernel
from shared.log import Record
from shared.loop.folding import decode
from shared.service import Task

SECONDS = 1.0
EVENTS = 2000
READ_BYTES = 8 << 20
READ_SECONDS = 5.0

_MISSED = (
    "SELECT partition, missed_from, missed_to FROM webhook_place WHERE missed_from IS NOT NULL"
)


async def close(kernel: Kernel) -> None:
    """Make the deliveries of all holes."""
    async with kernel.database.connection() as conn:
        rows = await conn.fetch(_MISSED)
    for row in rows:
        offset = row["missed_from"]
        while offset is not None and offset < row["missed_to"]:
            offset = await _close(kernel, row["partition"], offset, row["missed_to"])


async def _close(kernel: Kernel, partition: int, offset: int, end: int) -> int | None:
    """Make some, in one transaction with how far that is; None where somebody else is at it."""
    records = await kernel.log.read(
        "customers", partition, offset, events=EVENTS, size=READ_BYTES, wait=READ_SECONDS
    )
    if not records:
        raise Pause("log")
    upto = min(end, records[-1].offset + 1)
    async with kernel.database.transaction() as conn:
        mine = await conn.fetchval(
            "UPDATE webhook_place SET missed_from = CASE WHEN $3 < missed_to THEN $3 END,"
            " missed_to = CASE WHEN $3 < missed_to THEN missed_to END"
            " WHERE partition = $1 AND missed_from = $2 RETURNING 1",
            partition,
            offset,
            upto,
        )
        if mine is None:
            return None
        found = [_event(record) for record in records if record.offset < end]
        await make(conn, [event for event in found if event is not None])
    return upto


def _event(record: Record) -> Event | None:
    """What cannot be folded is told to nobody."""
    if record.origin is None or record.sequence is None:
        return None
    try:
        return decode(record)
    except Poison:
        return None


async def pending(kernel: Kernel) -> bool:
    """Whether there is a hole."""
    async with kernel.database.read() as conn:
        return bool(await conn.fetchval(f"SELECT EXISTS ({_MISSED})"))


MISSED = Task(name="webhooks_missed", seconds=SECONDS, run=close, pending=pending)
