"""What services said of having forgotten somebody, kept as it is folded."""

from typing import Any
from uuid import UUID

from services.profile.tables import forgotten
from shared.codec import Event
from shared.language import CustomerForgotten
from shared.service import Journal


def row(event: Event, _value: bytes) -> tuple[Any, ...] | None:
    """What is kept of an event."""
    data = event.data
    if not isinstance(data, CustomerForgotten):
        return None
    return UUID(event.subject), UUID(data.erasure), data.service, event.recordedtime, data.latest


JOURNAL = Journal(
    table=forgotten, columns=("customer_id", "erasure", "service", "at", "latest"), row=row
)
