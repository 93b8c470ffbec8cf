"""Trying again what was put aside. A person asks for it over HTTP; the worker that owns the partition does it, in
one transaction with the entry's new status. Its bytes are never edited: a correction is a new event."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from shared.database import Connection, Row
from shared.errors import Conflict, NotFound, is_pause
from shared.kernel import Kernel
from shared.log import Record, Topic

WAIT_SECONDS = 5.0
CHUNK = 20

_logger = structlog.get_logger(__name__)


async def ask(conn: Connection, entry_id: UUID, by: str) -> None:
    """Ask for an entry to be tried again. Raises NotFound, Conflict where it is not open."""
    if not await _mark(conn, entry_id, by, "status = 'replay'"):
        known = await _status(conn, entry_id)
        if known != "replay":
            raise Conflict("wrong_state", params={"state": known})


async def let_go(conn: Connection, entry_id: UUID, by: str) -> None:
    """Give an entry up; its bytes stay. Raises NotFound, Conflict where it is not open."""
    if not await _mark(conn, entry_id, by, "status = 'discarded', resolved_at = now()"):
        raise Conflict("wrong_state", params={"state": await _status(conn, entry_id)})


async def _mark(conn: Connection, entry_id: UUID, by: str, change: str) -> bool:
    done = await conn.fetchval(
        f"UPDATE quarantine SET resolved_by = $2, {change}"
        " WHERE id = $1 AND status = 'open' RETURNING 1",
        entry_id,
        by,
    )
    return done is not None


async def _status(conn: Connection, entry_id: UUID) -> str:
    status: str | None = await conn.fetchval(
        "SELECT status FROM quarantine WHERE id = $1", entry_id
    )
    if status is None:
        raise NotFound("quarantine_entry_not_found")
    return status


async def entry_of(kernel: Kernel, entry_id: UUID) -> Row:
    """An entry as it is now. Raises NotFound."""
    async with kernel.database.connection() as conn:
        row = await conn.fetchrow("SELECT * FROM quarantine WHERE id = $1", entry_id)
    if row is None:
        raise NotFound("quarantine_entry_not_found")
    return row


async def tried(kernel: Kernel, entry_id: UUID) -> Row:
    """The entry, once it was tried again or a moment has passed."""
    until = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        row = await entry_of(kernel, entry_id)
        if row["status"] != "replay" or asyncio.get_running_loop().time() > until:
            return row
        await asyncio.sleep(0.05)


async def asked_for(conn: Connection) -> list[tuple[Topic, int]]:
    """The partitions in which something waits to be tried again."""
    rows = await conn.fetch(
        "SELECT DISTINCT topic, partition FROM quarantine WHERE status = 'replay'"
    )
    return [(row["topic"], row["partition"]) for row in rows]


async def ask_for_known_types(conn: Connection, dataschemas: list[str]) -> None:
    """Types that the code did not know when they came, and does now, are applied without being asked."""
    await conn.execute(
        "UPDATE quarantine SET status = 'replay', resolved_by = 'upgrade' WHERE status = 'open'"
        " AND reason = 'unknown_type' AND kind = 'parked' AND detail ->> 'dataschema' = ANY($1)",
        dataschemas,
    )


async def try_again(
    conn: Connection, topic: Topic, partition: int, apply: Callable[[Record], Awaitable[None]]
) -> int:
    """Apply what waits in one partition, each entry in a savepoint; answer how many there were. What still
    fails, in whatever way, stays open: it may not hold up the partition."""
    rows = await conn.fetch(
        "SELECT * FROM quarantine WHERE status = 'replay' AND topic = $1 AND partition = $2"
        " ORDER BY received_at LIMIT $3 FOR UPDATE",
        topic,
        partition,
        CHUNK,
    )
    for row in rows:
        status = "applied"
        try:
            async with conn.transaction():
                await apply(_record(row))
        except Exception as error:
            if is_pause(error):
                raise
            _logger.warning("replay_failed", entry=str(row["id"]), exc_info=error)
            status = "open"
        await conn.execute(
            "UPDATE quarantine SET status = $2,"
            " resolved_at = CASE WHEN $2 = 'applied' THEN now() END WHERE id = $1",
            row["id"],
            status,
        )
    return len(rows)


def _record(row: Row) -> Record:
    return Record(
        partition=row["partition"],
        offset=row["log_offset"],
        recorded_at=row["received_at"],
        key="",
        value=row["value"],
        origin=row["origin"],
        sequence=row["origin_sequence"],
        signature=None,
    )
