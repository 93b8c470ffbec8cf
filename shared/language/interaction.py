"""Interactions: everything that passes between a customer and the company and is no purchase of its
own."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Required

from msgspec import Struct
from pydantic import Field

from shared.language.door import Fact, Id, Ids, Label, Name, Personal, Text, Url
from shared.language.event_type import INTERACTION, EventType

if TYPE_CHECKING:
    from shared.codec import Event

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


class InteractionRetracted(Struct, frozen=True, gc=False):
    """A contact that people had recorded is taken back: it counts no more.

    It says again what the contact counted for, so that it can be subtracted by whoever reads this alone, or first.
    """

    interaction_id: str
    """The id of the event that recorded it."""
    at: datetime
    """When the contact was said to have been."""
    utcoffset: int
    """Minutes from UTC to the customer's local time then."""
    kind: str
    channel: str | None = None
    direction: str | None = None
    by: str | None = None
    """Who took it back."""
    reason: Personal[str] | None = None


class Contact(Struct, frozen=True, gc=False):
    """What either event says of a contact that people recorded: the same, but for `retracted`."""

    id: str
    time: datetime
    utcoffset: int
    kind: str
    direction: str | None
    retracted: bool


def contact_of(event: "Event") -> Contact | None:
    """The contact that an event records or takes back; None where nobody can take it back.

    Only what a command recorded can be, and only its events carry our own id as the publisher's: whatever comes in
    over `inbound` is given an id that no publisher knows beforehand.
    """
    data = event.data
    if isinstance(data, InteractionRetracted):
        id_, time, utcoffset = data.interaction_id, data.at, data.utcoffset
        return Contact(id_, time, utcoffset, data.kind, data.direction, retracted=True)
    if isinstance(data, InteractionRecorded) and event.sourceid == event.id:
        time, utcoffset = event.time, event.utcoffset
        return Contact(event.id, time, utcoffset, data.kind, data.direction, retracted=False)
    return None


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
    EventType(
        name="interaction.retracted",
        struct=InteractionRetracted,
        emitters=INTERACTION,
        example={
            "interaction_id": "01934b5c-7a00-7000-8000-000000000001",
            "at": "2026-11-20T06:03:11Z",
            "utcoffset": 480,
            "kind": "call",
            "channel": "phone",
            "direction": "outbound",
            "by": "crm",
            "reason": "Recorded for the wrong customer.",
        },
        description={
            "en": "A contact that somebody had recorded was taken back and counts no more.",
            "zh": "人工登记的互动记录被撤回，不再计入。",
        },
    ),
)
