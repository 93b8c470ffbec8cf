"""Messages to a customer: what we sent ourselves, and what became of it and of what others sent."""

from typing import Required

from msgspec import Struct

from shared.language.door import Fact, Id, Label, Name, Url
from shared.language.event_type import CAMPAIGN, INTERACTION, EventType


class _Message(Struct, frozen=True, gc=False):
    message_id: str
    channel: str | None = None
    campaign: str | None = None


class MessageDelivered(_Message, frozen=True, gc=False):
    """It arrived."""


class MessageOpened(_Message, frozen=True, gc=False):
    """It was opened."""


class MessageClicked(_Message, frozen=True, gc=False):
    """A link in it was followed."""


class MessageBounced(_Message, frozen=True, gc=False):
    """It could not be delivered."""


class MessageComplained(_Message, frozen=True, gc=False):
    """The customer reported it as unwanted."""


class _Own(Struct, frozen=True, gc=False):
    message_id: str
    channel: str
    purpose: str
    """`marketing` or `service`."""
    by: str
    """Who wanted it sent."""
    topic: str | None = None


class MessageSent(_Own, frozen=True, gc=False):
    """We sent it: whoever carries it has taken it over."""


class MessageUncertain(_Own, frozen=True, gc=False):
    """Nobody knows whether it was sent, since we lost touch meanwhile. It is not sent again by itself."""


class MessageFailed(_Own, frozen=True, gc=False):
    """It was refused for good, or too often."""

    reason: str = ""
    """A code."""


class MessageWithheld(_Own, frozen=True, gc=False):
    """It was to be sent, and was not: by consent, by a rule, or since somebody took it back."""

    reason: str = ""
    """A code."""


class MessageDoor(Fact, total=False):
    """What became of a message."""

    message_id: Required[Id]
    channel: Label | None
    campaign: Name | None
    url: Url | None


def _type(name: str, struct: type[_Message], en: str, zh: str, **example: str) -> EventType:
    return EventType(
        name=name,
        struct=struct,
        door=MessageDoor,
        emitters=INTERACTION,
        example={"message_id": "m-5531", "channel": "email", "campaign": "autumn", **example},
        description={"en": en, "zh": zh},
    )


def _own(name: str, struct: type[_Own], en: str, zh: str, **example: str) -> EventType:
    return EventType(
        name=name,
        struct=struct,
        emitters=CAMPAIGN,
        example={
            "message_id": "01934b5c-7a00-7000-8000-0000000000dd",
            "channel": "email",
            "purpose": "marketing",
            "by": "chen.li",
            "topic": "offers",
            **example,
        },
        description={"en": en, "zh": zh},
    )


EVENTS = (
    _own("message.sent", MessageSent, "A message was sent.", "消息已发出。"),
    _own(
        "message.uncertain",
        MessageUncertain,
        "Nobody knows whether a message was sent.",
        "消息是否发出不明。",
    ),
    _own(
        "message.failed",
        MessageFailed,
        "A message could not be sent.",
        "消息发送失败。",
        reason="refused",
    ),
    _own(
        "message.withheld",
        MessageWithheld,
        "A message was not sent.",
        "消息未发送。",
        reason="no_consent",
    ),
    _type("message.delivered", MessageDelivered, "A message was delivered.", "消息已送达。"),
    _type("message.opened", MessageOpened, "A message was opened.", "消息被打开。"),
    _type(
        "message.clicked",
        MessageClicked,
        "A link in a message was followed.",
        "消息中的链接被点击。",
        url="https://shop.example/autumn",
    ),
    _type("message.bounced", MessageBounced, "A message could not be delivered.", "消息未能送达。"),
    _type(
        "message.complained",
        MessageComplained,
        "The customer reported a message as unwanted.",
        "客户将消息举报为骚扰信息。",
    ),
)
