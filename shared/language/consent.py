"""What a customer allows, per channel and topic."""

from typing import Required

from msgspec import Struct

from shared.language.door import Fact, Label, Personal, Text
from shared.language.event_type import INTERACTION, EventType


class ConsentChanged(Struct, frozen=True, gc=False):
    """A customer granted or took back a consent."""

    channel: str
    granted: bool
    topic: str | None = None


class ConsentDoor(Fact, total=False):
    """A consent granted or taken back."""

    channel: Required[Label]
    """Such as `email`, `sms`, `phone`, `post`."""
    granted: Required[bool]
    topic: Label | None
    """What it is about; none = everything on this channel."""
    evidence: Personal[Text] | None
    """How it is known: a form, a recorded call, a double opt-in."""


EVENTS = (
    EventType(
        name="consent.changed",
        struct=ConsentChanged,
        door=ConsentDoor,
        emitters=INTERACTION,
        example={
            "channel": "sms",
            "granted": True,
            "topic": "offers",
            "evidence": "Ticked on the membership form of 2026-11-20",
        },
        description={
            "en": "A customer granted or withdrew consent for a channel and topic.",
            "zh": "客户授予或撤回了某渠道、某主题的同意。",
        },
    ),
)
