"""Taking messages that are due, one at a time, and writing down what became of them.

Each is decided about under its customer's lock, so that two at once cannot both be the last that the cap lets
through. Who was overtaken, since it took too long, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from services.campaign.messaging import content as contents
from services.campaign.messaging.content import Content
from services.campaign.messaging.customers import Known, known
from services.campaign.messaging.deciding import (
    BEHIND_PAUSE,
    CANCELLED,
    FAILED,
    MARKETING,
    PAUSES,
    SCHEDULED,
    SENDING,
    SENT,
    SERVICE,
    UNCERTAIN,
    WITHHELD,
    Next,
    Reply,
    Rules,
    Send,
    Wait,
    Wish,
    after,
    decide,
)
from services.campaign.messaging.quiet import quiet_hours
from services.campaign.messaging.telling import DONE, said
from services.campaign.messaging.writing import filled
from services.campaign.settings import Settings
from shared import metrics
from shared.database import Connection, Row
from shared.failpoints import hit
from shared.grouping import hold
from shared.kernel import Kernel
from shared.keyring.sealing import Unreadable
from shared.log import Entry
from shared.outbox import OUTBOX

AT_ONCE = 200
"""Messages that are looked up at once."""
_DUE = "status = 'scheduled' AND due_at <= $1 AND ($2 OR content IS NULL)"
"""Without a mail server ($2) only what has no text any more: it is withheld."""
for _purpose in (MARKETING, SERVICE):  # so that the first one is seen to come
    for _outcome in (SENT, UNCERTAIN, FAILED, WITHHELD, CANCELLED, "postponed", "retried"):
        metrics.messages.labels(_purpose, _outcome)


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is ours to send, until it is taken for lost."""

    row: Row
    owner: str
    to: str
    subject: str
    text: str


def settings_of(kernel: Kernel) -> Settings:
    """Campaign's own settings."""
    assert isinstance(kernel.own, Settings), "a kernel of campaign has campaign's settings"
    return kernel.own


async def due(kernel: Kernel, *, configured: bool) -> list[tuple[UUID, UUID]]:
    """(message, customer) of what is due, the first to be sent first: what people wait for before marketing."""
    async with kernel.database.read() as conn:
        rows = await conn.fetch(
            f"SELECT id, customer_id FROM message WHERE {_DUE} ORDER BY purpose DESC, due_at, id LIMIT {AT_ONCE}",
            kernel.clock(),
            configured,
        )
    return [(row["id"], row["customer_id"]) for row in rows]


async def pending(kernel: Kernel) -> bool:
    """Whether something is due now, or under way."""
    async with kernel.database.read() as conn:
        return bool(
            await conn.fetchval(
                f"SELECT EXISTS (SELECT FROM message WHERE {_DUE})"
                " OR EXISTS (SELECT FROM message WHERE status = 'sending')",
                kernel.clock(),
                bool(settings_of(kernel).smtp_url),
            )
        )


async def take(
    kernel: Kernel, message_id: UUID, customer_id: UUID, *, configured: bool
) -> tuple[bool, Claim | None]:
    """Decide about a message that is due: whether it still was, and what is to be sent now."""
    now = kernel.clock()
    async with kernel.database.transaction() as conn:
        parts = await hold(conn, customer_id)
        row = await conn.fetchrow(
            f"SELECT * FROM message WHERE id = $3 AND {_DUE} FOR UPDATE SKIP LOCKED",
            now,
            configured,
            message_id,
        )
        if row is None:
            return False, None
        claim = await _decided(conn, kernel, row, parts, now)
    if claim is None:
        kernel.outbox_hint.give()
    else:
        hit("mail.claimed")
    return True, claim


async def _decided(
    conn: Connection, kernel: Kernel, row: Row, parts: Sequence[UUID], now: datetime
) -> Claim | None:
    own, customer_id = settings_of(kernel), row["customer_id"]
    try:
        content = await contents.unlock(kernel, customer_id, row["id"], row["content"])
    except Unreadable:
        await _finish(conn, kernel, row, Next(FAILED, "unreadable"), now)
        return None
    found = await known(
        conn,
        kernel,
        customer_id,
        parts,
        besides=row["id"],
        since=timedelta(days=own.marketing_cap_days),
        now=now,
    )
    facts = replace(found.facts, erased=True) if content is None else found.facts
    rules = Rules(quiet_hours(own.quiet_hours, kernel.settings.timezone), own.marketing_cap)
    verdict = decide(Wish(row["purpose"], row["channel"], row["topic"]), facts, rules, now)
    match verdict:
        case Send(address):
            assert content is not None, "who was erased is sent nothing"
            return await _claim(conn, kernel, row, content, address, found, now)
        case Wait(until, reason):
            await _finish(conn, kernel, row, Next(SCHEDULED, reason, due_at=until), now)
        case _:
            await _finish(conn, kernel, row, Next(WITHHELD, verdict.reason), now)
    return None


async def _claim(
    conn: Connection,
    kernel: Kernel,
    row: Row,
    content: Content,
    address: str,
    found: Known,
    now: datetime,
) -> Claim | None:
    """Make it ours for twice as long as sending it may take: whoever starts within the first half ends before that."""
    kept = None
    if found.owner is not None:
        kept = await contents.lock_address(kernel, found.owner, row["id"], address)
    if kept is None:  # customers have become one, or were erased, and we are not told all of it yet
        soon = Next(SCHEDULED, "not_up_to_date", due_at=now + BEHIND_PAUSE)
        await _finish(conn, kernel, row, soon, now)
        return None
    owner = str(uuid4())
    taken = await conn.fetchrow(
        "UPDATE message SET status = $2, reason = NULL, code = NULL, address = $3, address_of = $4,"
        " attempts = attempts + 1, tried_at = coalesce(tried_at, $5), decided_at = $5, owner = $6,"
        " until = now() + make_interval(secs => $7) WHERE id = $1 RETURNING *",
        row["id"],
        SENDING,
        kept,
        found.owner,
        now,
        owner,
        2 * settings_of(kernel).mail_seconds,
    )
    assert taken is not None, "its row is locked"
    subject, text = filled(content.subject, found.values), filled(content.text, found.values)
    return Claim(taken, owner, address, subject, text)


async def settle(kernel: Kernel, claim: Claim, reply: Reply) -> Next | None:
    """Write down how sending ended, and say it; None where it was taken for lost meanwhile."""
    now, row = kernel.clock(), claim.row
    next_ = after(reply, row["tried_at"], row["attempts"], now)
    async with kernel.database.transaction() as conn:
        ours = await conn.fetchval(
            "SELECT 1 FROM message WHERE id = $1 AND owner = $2 AND status = $3 FOR UPDATE",
            row["id"],
            claim.owner,
            SENDING,
        )
        if ours is None:
            return None
        await _finish(conn, kernel, row, next_, now)
    kernel.outbox_hint.give()
    return next_


async def settle_lost(kernel: Kernel) -> None:
    """What a process that ended has left behind may have been sent: nobody knows, and it is not sent again."""
    now = kernel.clock()
    async with kernel.database.transaction() as conn:
        rows = await conn.fetch(
            "SELECT * FROM message WHERE status = 'sending' AND until < now() ORDER BY id"
            f" LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED"
        )
        entries = []
        for row in rows:
            entries += await _written(conn, kernel, row, Next(UNCERTAIN, "process_ended"), now)
        await OUTBOX.append(conn, entries, now)
    if rows:
        kernel.outbox_hint.give()


async def set_aside(kernel: Kernel, message_id: UUID) -> None:
    """Let a message that could not be decided about, through a fault of ours, not stand in the way of others."""
    async with kernel.database.transaction() as conn:
        await conn.execute(
            "UPDATE message SET due_at = $2, reason = 'fault' WHERE id = $1 AND status = 'scheduled'",
            message_id,
            kernel.clock() + PAUSES[0],
        )


async def _finish(conn: Connection, kernel: Kernel, row: Row, next_: Next, now: datetime) -> None:
    """Write down what a message becomes, and say it. Last in its transaction."""
    await OUTBOX.append(conn, await _written(conn, kernel, row, next_, now), now)


async def _written(
    conn: Connection, kernel: Kernel, row: Row, next_: Next, now: datetime
) -> list[tuple[int, Entry]]:
    done = next_.status in DONE
    await conn.execute(
        "UPDATE message SET status = $2, reason = $3, code = $4, due_at = $5, done_at = $6, owner = NULL,"
        " until = NULL WHERE id = $1",
        row["id"],
        next_.status,
        next_.reason,
        next_.code,
        next_.due_at,
        now if done else None,
    )
    outcome = next_.status
    if not done:
        outcome = "postponed" if row["status"] == SCHEDULED else "retried"
    metrics.messages.labels(row["purpose"], outcome).inc()
    return said(kernel, row, next_.status, next_.reason, now)
