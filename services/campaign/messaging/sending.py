"""The task that sends what is due: a few at a time, each handed over once, its outcome written down at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from time import monotonic
from uuid import UUID

import structlog

from services.campaign.messaging.addresses import sender_of
from services.campaign.messaging.claiming import (
    Claim,
    due,
    pending,
    set_aside,
    settings_of,
    settle,
    settle_lost,
    take,
)
from services.campaign.messaging.deciding import SCHEDULED, UNCERTAIN, Reply
from services.campaign.messaging.server import MailServer, mail_server
from services.campaign.messaging.smtp import UNREACHABLE, Carrier
from services.campaign.messaging.writing import compose
from shared import metrics
from shared.errors import is_passing
from shared.failpoints import hit
from shared.kernel import Kernel
from shared.service import Task

SECONDS = 0.5
GRACE_SECONDS = 5.0
"""How long what is being sent may go on when the process is asked to end."""
INSIST_SECONDS = 0.2
AWAY_SECONDS = 2.0
"""How long nobody knocks at a mail server that was not there, whatever else is due."""

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail is sent."""

    server: MailServer
    sender: Address


def mail_of(kernel: Kernel) -> Mail | None:
    """As the settings say; None where no mail is sent."""
    own = settings_of(kernel)
    server, sender = mail_server(own.smtp_url), sender_of(own.mail_from)
    return None if server is None or sender is None else Mail(server, sender)


async def send_due(kernel: Kernel) -> None:
    """Send what is due, until nothing is, or the server is away."""
    await settle_lost(kernel)
    mail, away = mail_of(kernel), asyncio.Event()
    while await _some(kernel, mail, away):
        if away.is_set():
            await asyncio.sleep(AWAY_SECONDS)
            return


SEND = Task(name="messages", seconds=SECONDS, run=send_due, pending=pending)


async def _some(kernel: Kernel, mail: Mail | None, stop: asyncio.Event) -> bool:
    """Send some of what is due; whether anything came of it. Sets `stop` where the server is away."""
    found = await due(kernel, configured=mail is not None)
    places = iter(found)
    senders = [
        asyncio.create_task(_Sender(kernel, mail, stop).run(places))
        for _ in range(min(len(found), settings_of(kernel).mail_at_once))
    ]
    if not senders:
        return False
    try:
        await asyncio.wait(senders)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait(senders, timeout=GRACE_SECONDS)
        raise
    finally:
        for one in senders:
            one.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    moved = [one.result() for one in senders]
    return any(moved)


class _Sender:
    """Sends one message after the other, over a connection of its own."""

    def __init__(self, kernel: Kernel, mail: Mail | None, stop: asyncio.Event) -> None:
        """`stop`: nobody is to begin with another."""
        self._kernel = kernel
        self._mail = mail
        self._stop = stop
        own = settings_of(kernel)
        self._seconds = own.mail_seconds
        self._carrier: Carrier | None = None
        if mail is not None:
            self._carrier = Carrier(mail.server, mail.sender, own.mail_seconds)

    async def run(self, places: Iterator[tuple[UUID, UUID]]) -> bool:
        """Whether anything came of it. Stops all senders where it cannot go on."""
        moved = False
        try:
            for message_id, customer_id in places:
                moved = await self._one(message_id, customer_id) or moved
                if self._stop.is_set():
                    break
        except BaseException:
            self._stop.set()
            raise
        finally:
            if self._carrier is not None:
                await self._carrier.close()
        return moved

    async def _one(self, message_id: UUID, customer_id: UUID) -> bool:
        configured = self._carrier is not None
        since = monotonic()
        try:
            moved, claim = await take(self._kernel, message_id, customer_id, configured=configured)
        except Exception as error:
            if is_passing(error):
                raise
            _logger.exception("message_not_decided", message=str(message_id), exc_info=error)
            await set_aside(self._kernel, message_id)
            return True
        if claim is not None:
            await self._send(claim, since)
        return moved

    async def _send(self, claim: Claim, since: float) -> None:
        """Hand it over and write down what became of it. `since`: when it was not ours yet, of `time.monotonic`."""
        assert self._carrier is not None, "nothing is claimed without a mail server"
        try:
            mail = self._composed(claim)
        except Exception as error:
            _logger.exception("message_not_composed", message=str(claim.row["id"]), exc_info=error)
            await self._settle(claim, Reply(SCHEDULED, "fault"), since)
            return
        try:
            reply = await self._carrier.carry(claim.to, mail, since + self._seconds)
        except asyncio.CancelledError:
            begun = self._carrier.begun
            reply = Reply(UNCERTAIN, "no_answer") if begun else Reply(SCHEDULED, "stopped")
            await self._settle(claim, reply, since)
            raise
        if reply.reason == UNREACHABLE:
            self._stop.set()
        hit("mail.told")
        await self._settle(claim, reply, since)

    def _composed(self, claim: Claim) -> bytes:
        assert self._mail is not None, "nothing is claimed without a mail server"
        return compose(
            sender=self._mail.sender,
            to=claim.to,
            subject=claim.subject,
            text=claim.text,
            message_id=claim.row["id"],
            at=self._kernel.clock(),
        )

    async def _settle(self, claim: Claim, reply: Reply, since: float) -> None:
        """Write it down, also where the database is away for a moment: else nobody would know any more."""
        outcome = "retried" if reply.status == SCHEDULED else reply.status
        metrics.message_seconds.labels(outcome).observe(monotonic() - since)
        while True:
            try:
                if await settle(self._kernel, claim, reply) is None:
                    _logger.warning("message_taken_for_lost", message=str(claim.row["id"]))
            except Exception as error:
                if not is_passing(error) or monotonic() > since + 2 * self._seconds:
                    raise
                await asyncio.sleep(INSIST_SECONDS)
            else:
                return
