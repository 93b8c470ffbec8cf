"""Segments: who belongs to one from now on, and who no more."""

from msgspec import Struct

from shared.language.event_type import CAMPAIGN, SEGMENT, EventType


class SegmentEntered(Struct, frozen=True, gc=False):
    """The segment's rule holds for the customer from now on."""

    segment: str
    """The segment's id."""
    name: str
    """As it was called then."""
    version: int
    """Of its rule."""
    policy: str
    by: str
    """`rule`: rule or segments changed after everything that is known of the customer; else `facts`."""


class SegmentLeft(Struct, frozen=True, gc=False):
    """The segment's rule holds for the customer no more, or the segment is gone."""

    segment: str
    name: str
    version: int
    """Of the rule by which the customer had entered."""
    policy: str
    """Empty for who went up in another customer."""
    by: str
    """`rule` or `facts`, as when entering."""


_EXAMPLE = {
    "segment": "01934b5c-7a00-7000-8000-0000000000aa",
    "name": "Silent big spenders",
    "version": 1,
    "policy": "segments@7",
    "by": "facts",
}

EVENTS = (
    EventType(
        name="segment.entered",
        struct=SegmentEntered,
        rank=SEGMENT,
        emitters=CAMPAIGN,
        example=_EXAMPLE,
        description={
            "en": "The customer belongs to a segment from now on.",
            "zh": "客户进入了一个分群。",
        },
        announcement=True,
    ),
    EventType(
        name="segment.left",
        struct=SegmentLeft,
        rank=SEGMENT,
        emitters=CAMPAIGN,
        example=_EXAMPLE,
        description={
            "en": "The customer belongs to a segment no more.",
            "zh": "客户离开了一个分群。",
        },
        announcement=True,
    ),
)
