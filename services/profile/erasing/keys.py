"""Destroying the keys of those who were erased: once it is decided, and again whenever a keyring brings them back."""

import asyncio
from uuid import UUID

import structlog

from services.profile.erasing import keeping
from services.profile.merging import keeping as merges
from shared.errors import is_passing
from shared.kernel import Kernel
from shared.outbox import OUTBOX
from shared.service import Task

SECONDS = 5.0
AGAIN_SECONDS = 3600.0
CHUNK = 1000
BY_KEYRING = "keyring"
"""By whom somebody is erased whose key was found destroyed."""
_logger = structlog.get_logger(__name__)

_OPEN = "key_destroyed_at IS NULL AND ($1::uuid IS NULL OR erasure = $1)"


async def destroy(kernel: Kernel, erasure: UUID | None = None) -> None:
    """Destroy the keys that are still to be, of one erasure or of all, and write down when that was."""
    while parts := await _open(kernel, erasure):
        await _destroy(kernel, parts)


async def _open(kernel: Kernel, erasure: UUID | None) -> list[UUID]:
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            f"SELECT customer_id FROM erasure_part WHERE {_OPEN} LIMIT $2", erasure, CHUNK
        )
    return [row["customer_id"] for row in rows]


async def _destroy(kernel: Kernel, parts: list[UUID]) -> None:
    await kernel.keyring.destroy(parts)
    async with kernel.database.transaction() as conn:
        await conn.execute(
            "UPDATE erasure_part SET key_destroyed_at = now() WHERE customer_id = ANY($1)",
            parts,
        )


async def pending(kernel: Kernel) -> bool:
    """Whether a key is still to be destroyed."""
    async with kernel.database.read() as conn:
        return bool(
            await conn.fetchval(f"SELECT EXISTS (SELECT FROM erasure_part WHERE {_OPEN})", None)
        )


async def destroy_again(kernel: Kernel) -> None:
    """Destroy those keys of all who ever were erased that are there: the keyring went back in time. Until when they
    may have opened something counts from now."""
    after = UUID(int=0)
    while parts := await _destroyed(kernel, after):
        back = sorted(set(parts) - await kernel.keyring.destroyed(parts))
        if back:
            await _destroy(kernel, back)
            _logger.warning("keys_destroyed_again", customers=len(back))
        after = parts[-1]


async def _destroyed(kernel: Kernel, after: UUID) -> list[UUID]:
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            "SELECT customer_id FROM erasure_part WHERE key_destroyed_at IS NOT NULL AND customer_id > $1"
            " ORDER BY customer_id LIMIT $2",
            after,
            CHUNK,
        )
    return [row["customer_id"] for row in rows]


async def erase_again(kernel: Kernel) -> None:
    """Say of those that they are erased whose key is destroyed, and who are not: this database and the log went back in
    time, and the keyring was told who had been erased since (`python -m shared.keyring destroy`)."""
    destroyed = await kernel.keyring.all_destroyed()
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            "SELECT customer_id FROM profile AS p WHERE customer_id = ANY($1) AND NOT EXISTS"
            " (SELECT FROM erasure_part AS e WHERE e.customer_id = p.customer_id) ORDER BY customer_id",
            list(destroyed),
        )
    for row in rows:
        await _erase(kernel, row["customer_id"])


async def _erase(kernel: Kernel, part: UUID) -> None:
    now = kernel.clock()
    async with kernel.database.transaction() as conn:
        await merges.lock(conn)
        group = (await merges.groups_of(conn, [part]))[part]
        await keeping.lock_customers(conn, group.parts)
        if part in await merges.erased_parts(conn, [part]):
            return
        _, entries = await keeping.erase(conn, kernel, group, [part], BY_KEYRING, now)
        await OUTBOX.append(conn, await kernel.keyring.seal(entries), now)
    kernel.outbox_hint.give()
    _logger.warning("erased_again", customer=str(part))


async def agree(kernel: Kernel) -> None:
    """Make erasures and keyring say the same, whichever went back in time."""
    await destroy_again(kernel)
    await erase_again(kernel)


async def _insist(kernel: Kernel) -> None:
    """Wait for the keyring, however long it is away: an hour would be too late."""
    while True:
        try:
            return await agree(kernel)
        except Exception as error:
            if not is_passing(error):
                raise
        await asyncio.sleep(SECONDS)


TASKS = (
    Task(name="erase", seconds=SECONDS, run=destroy, pending=pending),
    Task(name="erase_again", seconds=AGAIN_SECONDS, run=_insist),
)
