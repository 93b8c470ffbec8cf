"""What is said on the log of a message that is done with."""

from datetime import datetime
from typing import Any

from services.campaign.messaging.deciding import CANCELLED, FAILED, SENT, UNCERTAIN, WITHHELD
from shared.database import Row
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.language import MessageFailed, MessageSent, MessageUncertain, MessageWithheld
from shared.log import Entry
from shared.own_events import own_event

Told = MessageSent | MessageUncertain | MessageFailed | MessageWithheld
_KINDS: dict[str, tuple[str, type[Told]]] = {
    SENT: ("message.sent", MessageSent),
    UNCERTAIN: ("message.uncertain", MessageUncertain),
    FAILED: ("message.failed", MessageFailed),
    WITHHELD: ("message.withheld", MessageWithheld),
    CANCELLED: ("message.withheld", MessageWithheld),
}
DONE = frozenset(_KINDS)
"""Statuses that are said."""


def said(
    kernel: Kernel, one: Row, status: str, reason: str | None, now: datetime
) -> list[tuple[int, Entry]]:
    """The event of a message that is done with, on its customer's key; none while it is not."""
    if status not in DONE:
        return []
    type_, kind = _KINDS[status]
    about: dict[str, Any] = {
        "message_id": str(one["id"]),
        "channel": one["channel"],
        "purpose": one["purpose"],
        "by": one["wanted_by"],
        "topic": one["topic"],
    }
    if kind in (MessageFailed, MessageWithheld):
        about["reason"] = reason or ""
    subject = str(one["customer_id"])
    entry = own_event(kernel.service.name, type_, kind(**about), now, subject=subject)
    return [(partition_of(subject, kernel.settings.partitions), entry)]
