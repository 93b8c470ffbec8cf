"""The history of segments: each coming and going as it was announced."""

from typing import Any
from uuid import UUID

from services.campaign.tables import segment_history
from shared.codec import Event
from shared.language import SegmentEntered, SegmentLeft
from shared.service import Journal

EVENT, TIME, RULE = "event", "time", "rule"
"""What moved a customer: something that happened, time alone, or a rule that was changed."""


def row(event: Event, _value: bytes) -> tuple[Any, ...] | None:
    """The row of an announcement; None for every other event."""
    data = event.data
    if not isinstance(data, SegmentEntered | SegmentLeft):
        return None
    moved_by = EVENT if event.causationid else RULE if data.by == "rule" else TIME
    return (
        UUID(data.segment),
        UUID(event.subject),
        event.time,
        UUID(event.id),
        isinstance(data, SegmentEntered),
        moved_by,
        UUID(event.causationid) if event.causationid else None,
        data.version,
    )


HISTORY = Journal(
    table=segment_history,
    columns=(
        *("segment_id", "customer_id", "at", "event_id"),
        *("entered", "moved_by", "cause", "version"),
    ),
    row=row,
)
