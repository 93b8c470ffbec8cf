"""What became of messages sent to a customer."""

from typing import Required

from msgspec import Struct

from shared.language.door import Fact, Id, Label, Name, Url
from shared.language.event_type import INTERACTION, EventType


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


EVENTS = (
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
