"""Messages that were done with long ago are let go of."""

from datetime import timedelta

from services.campaign.messaging.claiming import settings_of
from shared.kernel import Kernel
from shared.service import Task

SECONDS = 600.0
CHUNK = 10_000


async def trim(kernel: Kernel) -> None:
    """Delete in chunks, so that no statement takes long."""
    before = kernel.clock() - timedelta(days=settings_of(kernel).message_days)
    async with kernel.database.connection() as conn:
        await conn.execute(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE done_at < $1"
            " ORDER BY done_at LIMIT $2)",
            before,
            CHUNK,
        )


TRIM = Task(name="messages_trim", seconds=SECONDS, run=trim)
