"""Events of our own, ready for the outbox: announcements, decisions, and what concerns every partition."""

from datetime import datetime

import msgspec

from shared import codec
from shared.codec import Event
from shared.ids import new_id
from shared.language.personal import holds_personal
from shared.log import Entry


def own_event(
    service: str,
    type_: str,
    data: msgspec.Struct,
    time: datetime,
    *,
    subject: str = "",
    cause: Event | None = None,
    because: str | None = None,
) -> Entry:
    """One event that a service makes itself. `subject` is the customer's id, empty where it concerns the stream;
    `cause` is the event that it follows from, `because` what else it follows from (`rebuild`)."""
    event_id = new_id()
    value = codec.encode(
        id=event_id,
        type=type_,
        subject=subject,
        time=time,
        receivedtime=cause.receivedtime if cause else time,
        source=f"tenure/{service}",
        sourceid=event_id,
        data=data,
        correlationid=(cause.correlationid or cause.id) if cause else None,
        causationid=cause.id if cause else None,
        cause=because,
    )
    return Entry(key=subject, value=value, personal=holds_personal(type_, data))


def everywhere(
    service: str, type_: str, data: msgspec.Struct, time: datetime, partitions: int
) -> list[tuple[int, Entry]]:
    """The same event for every partition, each under an id of its own."""
    return [(partition, own_event(service, type_, data, time)) for partition in range(partitions)]
