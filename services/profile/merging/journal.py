"""What events say about who is one, kept as it is folded until it is decided."""

from typing import Any
from uuid import UUID

from services.profile.tables import link
from shared.codec import Event
from shared.identity import digest
from shared.language import IdentifiersLinked
from shared.service import Journal

NOBODY = UUID(int=0)
"""Stands where an event does not say whom an identifier named."""


def row(event: Event, _value: bytes) -> tuple[Any, ...] | None:
    """What is kept of an event: of its identifiers only what stands for them."""
    data = event.data
    if not isinstance(data, IdentifiersLinked):
        return None
    named, evidence = data.named, sorted(data.evidence.items())
    if named is not None:
        evidence = [one for one in evidence if one[0] in named]
    return (
        UUID(event.id),
        event.time,
        [UUID(part) for part in data.parts],
        [UUID(part) for part in data.anonymous or ()],
        [type_ for type_, _ in evidence],
        [digest(type_, value) for type_, value in evidence],
        [NOBODY if named is None else UUID(named[type_]) for type_, _ in evidence],
    )


JOURNAL = Journal(
    table=link,
    columns=("event_id", "at", "parts", "anonymous", "types", "digests", "named"),
    row=row,
)
