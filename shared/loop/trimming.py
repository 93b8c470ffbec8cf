"""What grows and may be forgotten is trimmed here: sent outbox rows after seven days, idempotency keys after 72
hours, the audit trail after AUDIT_DAYS, what was put aside after QUARANTINE_DAYS, versions of policies that hold no
more after a day (of each, partition 0 keeps its copy), and the PostgreSQL log's `inbound` after seven days. The
newest numbered row always stays. docs/operating.md has the list of everything that grows."""

from shared.database import Connection
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
        await _trim_quarantine(conn, kernel.settings.quarantine_days)
        await _trim_policies(conn)
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


async def _trim_quarantine(conn: Connection, days: int) -> None:
    """What somebody has dealt with, and publishers' garbage that nobody has looked at. What could not be applied is
    an error of ours: it stays until it is dealt with."""
    await conn.execute(
        "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine"
        " WHERE received_at < now() - make_interval(days => $1)"
        " AND (resolved_at < now() - make_interval(days => $1)"
        "  OR (status = 'open' AND kind = 'quarantined')) ORDER BY received_at LIMIT $2)",
        days,
        CHUNK,
    )


async def _trim_policies(conn: Connection) -> None:
    """A partition goes by the newest version only; and whatever was published is the same in all partitions."""
    await conn.execute(
        "DELETE FROM policy WHERE (partition, name, version) IN ("
        " SELECT p.partition, p.name, p.version FROM policy AS p WHERE p.partition <> 0"
        " AND p.published_at < now() - interval '1 day' AND EXISTS (SELECT FROM policy AS newer"
        "  WHERE newer.partition = p.partition AND newer.name = p.name AND newer.version > p.version)"
        " LIMIT $1)",
        CHUNK,
    )
