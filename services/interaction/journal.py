"""The timeline's rows: one for every canonical event of a customer."""

from typing import Any
from uuid import UUID

from services.interaction.tables import timeline
from shared.codec import Event
from shared.service import Journal


def row(event: Event, value: bytes) -> tuple[Any, ...] | None:
    """What is kept of an event; those of the stream itself have no customer."""
    if not event.subject:
        return None
    return (
        UUID(event.subject),
        event.time,
        UUID(event.id),
        event.type,
        getattr(event.data, "channel", None),
        event.recordedtime,
        event.offset,
        value,
    )


JOURNAL = Journal(
    table=timeline,
    columns=(
        *("customer_id", "time", "event_id", "type"),
        *("channel", "recorded_at", "log_offset", "value"),
    ),
    row=row,
)
