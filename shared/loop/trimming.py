"""What grows and may be forgotten is trimmed here: sent outbox rows after seven days, idempotency keys after 72
hours, the audit trail after AUDIT_DAYS, and the PostgreSQL log's `inbound` after seven days. The newest numbered row
always stays."""

from shared.kernel import Kernel
from shared.log.postgres import PostgresLog

CHUNK = 10_000


async def trim(kernel: Kernel) -> None:
    """Delete in chunks, so that no statement takes long."""
    async with kernel.database.connection() as conn:
        await conn.execute("DELETE FROM idempotency WHERE created_at < now() - interval '72 hours'")
        await conn.execute(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit"
            " WHERE at < now() - make_interval(days => $1) ORDER BY at LIMIT $2)",
            kernel.settings.audit_days,
            CHUNK,
        )
        for partition in range(kernel.settings.partitions):
            await conn.execute(
                "DELETE FROM outbox WHERE (partition, sequence) IN ("
                " SELECT o.partition, o.sequence FROM outbox AS o JOIN relay AS r USING (partition)"
                " WHERE o.partition = $1 AND o.sequence < r.acked_sequence"
                " AND o.recorded_at < now() - interval '7 days' ORDER BY o.sequence LIMIT $2)",
                partition,
                CHUNK,
            )
    if kernel.service.name == "interaction" and isinstance(kernel.log, PostgresLog):
        await kernel.log.trim_inbound(CHUNK)
