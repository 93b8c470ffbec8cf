"""Messages as they are read."""

from collections.abc import Sequence
from uuid import UUID

from services.campaign.messaging import content as contents
from services.campaign.messaging.content import Content
from shared.database import ReadConnection, Row
from shared.errors import NotFound
from shared.kernel import Kernel
from shared.keyring.sealing import Unreadable

_ALL = (
    "SELECT m.*, coalesce(g.head, m.customer_id) AS head FROM message AS m"
    " LEFT JOIN grouping AS g ON g.customer_id = m.customer_id"
)
_WHICH = "($1::uuid[] IS NULL OR m.customer_id = ANY($1)) AND ($2::text IS NULL OR m.status = $2)"


async def find_message(conn: ReadConnection, message_id: UUID) -> Row:
    """One message, and as `head` under whose id its customer is known. Raises NotFound."""
    row = await conn.fetchrow(f"{_ALL} WHERE m.id = $1", message_id)
    if row is None:
        raise NotFound("message_not_found")
    return row


async def list_messages(
    conn: ReadConnection,
    parts: Sequence[UUID] | None,
    status: str | None,
    *,
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """Messages, newest first. `parts`: of these only."""
    return await conn.fetch(
        f"{_ALL} WHERE {_WHICH} AND ($3::uuid IS NULL OR m.id < $3) ORDER BY m.id DESC LIMIT $4",
        parts,
        status,
        before,
        limit,
    )


async def count_messages(
    conn: ReadConnection, parts: Sequence[UUID] | None, status: str | None
) -> int:
    """How many there are."""
    found = await conn.fetchval(f"SELECT count(*) FROM message AS m WHERE {_WHICH}", parts, status)
    return int(found)


async def content_of(kernel: Kernel, row: Row) -> Content | None:
    """What a message says; None where it is gone, or cannot be read."""
    try:
        return await contents.unlock(kernel, row["customer_id"], row["id"], row["content"])
    except Unreadable:
        return None


async def address_of(kernel: Kernel, row: Row) -> str | None:
    """Where the last try went to; None where that is gone, or cannot be read."""
    try:
        return await contents.unlock_address(kernel, row["address_of"], row["id"], row["address"])
    except Unreadable:
        return None
