"""What people do with messages: ask for one, take it back, have it sent again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import Request

from services.campaign import queries
from services.campaign.messaging import content as contents
from services.campaign.messaging.claiming import settings_of
from services.campaign.messaging.content import Content
from services.campaign.messaging.customers import living
from services.campaign.messaging.deciding import CANCELLED, FAILED, SCHEDULED, UNCERTAIN
from services.campaign.messaging.telling import said
from shared import metrics
from shared.commands import Done, Outcome, transact
from shared.database import Connection, Row
from shared.erasing import erased_among
from shared.errors import Conflict, NotFound, Unavailable
from shared.grouping import hold
from shared.identity import find_customer
from shared.ids import new_id
from shared.kernel import Kernel

NOT_CONFIGURED_SECONDS = 3600
"""When to ask again for what only an operator can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A message that somebody asks for. `send_at`: not before that (UTC); None: at once."""

    customer: str
    channel: str
    purpose: str
    topic: str | None
    content: Content
    send_at: datetime | None


async def create(request: Request, wanted: Wanted, *, key: str | None, digest: bytes) -> Outcome:
    """Keep it; whether it is sent is decided when it is due. Raises NotFound("customer_not_found"),
    Conflict("customer_erased"), Unavailable("mail_not_configured")."""
    kernel: Kernel = request.app.state.kernel
    by = request.state.caller.name

    async def do(conn: Connection, now: datetime) -> Done:
        customer_id = await find_customer(conn, wanted.customer)
        part = await living(conn, await hold(conn, customer_id))
        await queries.find_asked(conn, str(part), kernel.service.version)
        _check_configured(kernel)
        message_id = UUID(new_id())
        kept = await contents.lock(kernel, part, message_id, wanted.content)
        if kept is None:
            raise Conflict("customer_erased")
        await conn.execute(
            "INSERT INTO message (id, customer_id, channel, purpose, topic, status, content, created_at, created_by,"
            " wanted_by, send_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)",
            message_id,
            part,
            wanted.channel,
            wanted.purpose,
            wanted.topic,
            SCHEDULED,
            kept,
            now,
            by,
            wanted.send_at,
            max(wanted.send_at or now, now),
        )
        return Done(201, str(message_id))

    return await transact(request, do, command="create_message", key=key, digest=digest)


async def cancel(request: Request, message_id: UUID, *, key: str | None, digest: bytes) -> Outcome:
    """Take back what is not being sent yet. Raises NotFound("message_not_found"), Conflict("wrong_state")."""
    kernel: Kernel = request.app.state.kernel

    async def do(conn: Connection, now: datetime) -> Done:
        row = await _held(conn, message_id)
        _expect(row, SCHEDULED)
        await conn.execute(
            "UPDATE message SET status = $2, reason = $2, due_at = NULL, done_at = $3 WHERE id = $1",
            message_id,
            CANCELLED,
            now,
        )
        metrics.messages.labels(row["purpose"], CANCELLED).inc()
        return Done(200, str(message_id), said(kernel, row, CANCELLED, CANCELLED, now))

    return await transact(request, do, command="cancel_message", key=key, digest=digest)


async def resend(
    request: Request, message_id: UUID, *, confirm: bool, key: str | None, digest: bytes
) -> Outcome:
    """Try anew what failed, or what may have arrived, where that is `confirm`ed. Raises NotFound("message_not_found"),
    Conflict: "wrong_state", "may_have_arrived", "customer_erased", "text_gone", Unavailable("mail_not_configured")."""
    kernel: Kernel = request.app.state.kernel
    by = request.state.caller.name

    async def do(conn: Connection, now: datetime) -> Done:
        row = await _held(conn, message_id)
        _expect(row, FAILED, UNCERTAIN)
        if row["status"] == UNCERTAIN and not confirm:
            raise Conflict("may_have_arrived")
        if await erased_among(conn, [row["customer_id"]]):
            raise Conflict("customer_erased")
        if row["content"] is None:
            raise Conflict("text_gone")
        _check_configured(kernel)
        await conn.execute(
            "UPDATE message SET status = $2, reason = NULL, code = NULL, due_at = $3, done_at = NULL, attempts = 0,"
            " tried_at = NULL, wanted_by = $4 WHERE id = $1",
            message_id,
            SCHEDULED,
            now,
            by,
        )
        return Done(200, str(message_id))

    return await transact(request, do, command="resend_message", key=key, digest=digest)


def _check_configured(kernel: Kernel) -> None:
    if not settings_of(kernel).smtp_url:
        raise Unavailable(
            "mail_not_configured",
            "CAMPAIGN_SMTP_URL is not set",
            retry_after=NOT_CONFIGURED_SECONDS,
        )


async def _held(conn: Connection, message_id: UUID) -> Row:
    """The message, while nobody else decides about its customer. Raises NotFound("message_not_found")."""
    customer_id = await conn.fetchval("SELECT customer_id FROM message WHERE id = $1", message_id)
    if customer_id is None:
        raise NotFound("message_not_found")
    await hold(conn, customer_id)
    row = await conn.fetchrow("SELECT * FROM message WHERE id = $1 FOR UPDATE", message_id)
    if row is None:
        raise NotFound("message_not_found")
    return row


def _expect(row: Row, *statuses: str) -> None:
    if row["status"] not in statuses:
        raise Conflict("wrong_state", params={"state": row["status"]})
