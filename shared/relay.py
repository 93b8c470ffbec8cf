"""From the outbox onto the log: in the order of the numbers, one unacknowledged batch of a partition at a time.

After any error it starts again behind the last number that the log acknowledged (go-back-N). What was sent twice
carries the same number, and every reader drops what it has seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared import metrics
from shared.database import Connection, Database
from shared.failpoints import hit
from shared.log import Entry, Log

BATCH_EVENTS = 4000
BATCH_BYTES = 4 << 20
"""Of all partitions that are read at once."""

Batch = list[tuple[int, Entry]]
"""Of one partition, in the order of the numbers."""


async def unsent(
    conn: Connection, service: str, partitions: Sequence[int], sends_if: str = "true"
) -> dict[int, Batch]:
    """What of these partitions is to be sent next, by one question; those that have nothing are left out.

    `sends_if`: SQL, whether anything may be sent yet.
    """
    rows = await conn.fetch(
        "SELECT r.partition, o.sequence, o.key, o.value FROM relay AS r CROSS JOIN LATERAL ("
        " SELECT sequence, key, value FROM (SELECT sequence, key, value,"
        "  sum(octet_length(value)) OVER (ORDER BY sequence) - octet_length(value) AS before"
        "  FROM outbox WHERE partition = r.partition AND sequence > r.acked_sequence"
        "  ORDER BY sequence LIMIT $2) AS next WHERE before < $3"
        f") AS o WHERE r.partition = ANY($1) AND {sends_if} ORDER BY r.partition, o.sequence",
        list(partitions),
        BATCH_EVENTS,
        max(1, BATCH_BYTES // len(partitions)),
    )
    batches: dict[int, Batch] = {}
    for partition, sequence, key, value in rows:
        entry = Entry(key=key, value=value, origin=service, sequence=sequence)
        batches.setdefault(partition, []).append((partition, entry))
    return batches


async def send(log: Log, service: str, batch: Batch) -> None:
    """Send one batch. Raises what the log raises."""
    hit("relay.read")
    try:
        await log.append("customers", batch)
    except BaseException:
        metrics.relay_batches.labels(service, "failed").inc()
        raise
    hit("relay.sent")


async def acknowledge(conn: Connection, service: str, sent: Mapping[int, Batch]) -> None:
    """Note how far partitions were sent: several in one order, so that nobody waits for another who waits for them."""
    await conn.execute(
        "WITH locked AS MATERIALIZED ("
        " SELECT partition FROM relay WHERE partition = ANY($1) ORDER BY partition FOR UPDATE)"
        " UPDATE relay AS r SET acked_sequence = greatest(r.acked_sequence, u.number)"
        " FROM unnest($1::int[], $2::bigint[]) AS u(partition, number) JOIN locked USING (partition)"
        " WHERE r.partition = u.partition",
        list(sent),
        [batch[-1][1].sequence for batch in sent.values()],
    )
    hit("relay.acknowledged")
    metrics.relay_batches.labels(service, "acknowledged").inc(len(sent))
    metrics.relay_events.labels(service).inc(sum(map(len, sent.values())))


@dataclass(slots=True)
class Relay:
    """One partition of one service's outbox, by itself."""

    service: str
    database: Database
    log: Log
    partition: int

    async def send(self) -> bool:
        """Send one batch; answer whether there was one. Raises what the log or the database raises."""
        async with self.database.connection() as conn:
            found = await unsent(conn, self.service, [self.partition])
        if not found:
            return False
        await send(self.log, self.service, found[self.partition])
        async with self.database.connection() as conn:
            await acknowledge(conn, self.service, found)
        return True
