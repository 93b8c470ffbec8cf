"""From the outbox onto the log: in the order of the numbers, one unacknowledged batch at a time.

After any error it starts again behind the last number that the log acknowledged (go-back-N). What was sent twice
carries the same number, and every reader drops what it has seen.
"""

from dataclasses import dataclass

from shared import metrics
from shared.database import Database
from shared.failpoints import hit
from shared.log import Entry, Log
from shared.outbox import OUTBOX

BATCH_EVENTS = 4000
BATCH_BYTES = 4 << 20


@dataclass(slots=True)
class Relay:
    """One partition of one service's outbox."""

    service: str
    database: Database
    log: Log
    partition: int
    sends_if: str = "true"
    """SQL: whether anything may be sent yet."""

    async def send(self) -> bool:
        """Send one batch; answer whether there was one. Raises what the log or the database raises."""
        async with self.database.connection() as conn:
            acked = await conn.fetchval(
                f"SELECT acked_sequence FROM relay WHERE partition = $1 AND {self.sends_if}",
                self.partition,
            )
            if acked is None:
                return False
            rows = await OUTBOX.read(
                conn, self.partition, acked, events=BATCH_EVENTS, size=BATCH_BYTES
            )
        if not rows:
            return False
        hit("relay.read")
        entries = [
            (
                self.partition,
                Entry(
                    key=row["key"],
                    value=row["value"],
                    origin=self.service,
                    sequence=row["sequence"],
                ),
            )
            for row in rows
        ]
        try:
            await self.log.append("customers", entries)
        except BaseException:
            metrics.relay_batches.labels(self.service, "failed").inc()
            raise
        hit("relay.sent")
        async with self.database.connection() as conn:
            await conn.execute(
                "UPDATE relay SET acked_sequence = greatest(acked_sequence, $2) WHERE partition = $1",
                self.partition,
                rows[-1]["sequence"],
            )
        hit("relay.acknowledged")
        metrics.relay_batches.labels(self.service, "acknowledged").inc()
        metrics.relay_events.labels(self.service).inc(len(rows))
        return True
