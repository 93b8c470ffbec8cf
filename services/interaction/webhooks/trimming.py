"""Letting go of what is old: deliveries that are done, what waits for an endpoint that nobody enables, and all of an
endpoint that was deleted."""

from datetime import timedelta
from typing import cast

from services.interaction.settings import Settings
from shared.kernel import Kernel
from shared.service import Task

SECONDS = 600.0
CHUNK = 10_000

_DONE = "SELECT id FROM webhook_delivery WHERE done_at < $1 ORDER BY done_at LIMIT $2"
_WAITING = (
    "SELECT d.id FROM webhook AS w JOIN webhook_delivery AS d ON d.webhook_id = w.id"
    " WHERE NOT w.enabled AND d.status = 'pending' AND d.created_at < $1 LIMIT $2"
)
_DELETED = (
    "SELECT d.id FROM webhook AS w JOIN webhook_delivery AS d ON d.webhook_id = w.id"
    " WHERE w.deleted_at <= $1 LIMIT $2"
)


async def trim(kernel: Kernel) -> None:
    """Delete in chunks, so that no statement takes long."""
    own, now = cast("Settings", kernel.own), kernel.clock()
    old = now - timedelta(days=own.webhooks_days)
    for chosen, before in ((_DONE, old), (_WAITING, old), (_DELETED, now)):
        deleted = CHUNK
        while deleted == CHUNK:
            async with kernel.database.connection() as conn:
                done = await conn.execute(
                    f"DELETE FROM webhook_delivery WHERE id IN ({chosen})", before, CHUNK
                )
            deleted = int(done.split()[-1])
    async with kernel.database.connection() as conn:
        # An hour later: whoever folds may know of the endpoint yet.
        await conn.execute(
            "DELETE FROM webhook AS w WHERE deleted_at < $1"
            " AND NOT EXISTS (SELECT FROM webhook_delivery WHERE webhook_id = w.id)",
            now - timedelta(hours=1),
        )


TRIMMING = Task(name="webhooks_trim", seconds=SECONDS, run=trim)
