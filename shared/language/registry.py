"""All event types by name: the closed, published language."""

from shared.language import (
    complaint,
    consent,
    customer,
    erasure,
    identifiers,
    interaction,
    lifecycle,
    message,
    purchase,
    score,
    segment,
    stream,
    survey,
    tag,
)
from shared.language.event_type import EventType

_FAMILIES = (
    purchase.EVENTS,
    interaction.EVENTS,
    complaint.EVENTS,
    survey.EVENTS,
    customer.EVENTS,
    erasure.EVENTS,
    consent.EVENTS,
    message.EVENTS,
    identifiers.EVENTS,
    stream.EVENTS,
    tag.EVENTS,
    lifecycle.EVENTS,
    score.EVENTS,
    segment.EVENTS,
)

EVENT_TYPES: dict[str, EventType] = {kind.name: kind for family in _FAMILIES for kind in family}

PUBLISHABLE: frozenset[str] = frozenset(
    name for name, kind in EVENT_TYPES.items() if kind.door is not None
)
"""Types that publishers may send."""
