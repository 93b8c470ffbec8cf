"""Interactions: everything that passes between a customer and the company and is no purchase of its
own."""

from typing import Annotated, Literal, Required

from msgspec import Struct
from pydantic import Field

from shared.language.door import Fact, Id, Ids, Label, Name, Personal, Text, Url
from shared.language.event_type import INTERACTION, EventType

Kind = Literal[
    "call",
    "visit",
    "meeting",
    "email",
    "sms",
    "chat",
    "social",
    "service",
    "page_view",
    "click",
    "search",
    "campaign_sent",
    "campaign_response",
    "other",
]


class InteractionRecorded(Struct, frozen=True, gc=False):
    """A contact of any kind, as far as folds read it."""

    kind: str
    channel: str | None = None
    direction: str | None = None
    outcome: str | None = None
    product_ids: tuple[str, ...] = ()


class InteractionDoor(Fact, total=False):
    """A contact of any kind."""

    kind: Required[Kind]
    channel: Label | None
    direction: Label | None
    """Such as `inbound` (from the customer) or `outbound`."""
    subject: Personal[Name] | None
    content: Personal[Text] | None
    feedback: Personal[Text] | None
    """What the customer said about it."""
    outcome: Name | None
    product_ids: Ids
    handled_by: Id | None
    """Who of the company's people it was."""
    duration_s: Annotated[float, Field(ge=0, le=1e9)] | None
    url: Url | None


EVENTS = (
    EventType(
        name="interaction.recorded",
        struct=InteractionRecorded,
        door=InteractionDoor,
        emitters=INTERACTION,
        example={
            "kind": "call",
            "channel": "phone",
            "direction": "outbound",
            "subject": "Delivery of the new fridge",
            "content": "Asked whether Thursday suits; it does.",
            "feedback": "Happy with the last delivery.",
            "outcome": "appointment",
            "product_ids": ["P77"],
            "handled_by": "chen.li",
            "duration_s": 240,
        },
        description={
            "en": "A contact between customer and company: call, visit, chat, page view, ...",
            "zh": "客户与企业之间的一次互动：电话、拜访、聊天、页面浏览等。",
        },
    ),
)
