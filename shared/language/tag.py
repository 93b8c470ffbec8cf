"""Tags: given and taken by hand (decisions), gained and dropped by policy (announcements)."""

from typing import Any

from msgspec import Struct

from shared.language.door import Personal
from shared.language.event_type import PROFILE, TAG, EventType


class TagAdded(Struct, frozen=True, gc=False):
    """Somebody gave a tag."""

    tag: str
    by: str
    reason: Personal[str] = ""


class TagRemoved(Struct, frozen=True, gc=False):
    """Somebody took a tag away."""

    tag: str
    by: str
    reason: Personal[str] = ""


class TagGained(Struct, frozen=True, gc=False):
    """The policy finds that a derived tag holds."""

    tag: str
    reason: dict[str, Any]
    """A code and its parameters; words come when it is read."""
    policy: str


class TagDropped(Struct, frozen=True, gc=False):
    """The policy finds that a derived tag holds no more."""

    tag: str
    policy: str


EVENTS = (
    EventType(
        name="tag.added",
        struct=TagAdded,
        emitters=PROFILE,
        example={"tag": "need:quality-first", "by": "chen.li", "reason": "Said so on the phone"},
        description={"en": "Somebody gave the customer a tag.", "zh": "员工为客户添加了标签。"},
    ),
    EventType(
        name="tag.removed",
        struct=TagRemoved,
        emitters=PROFILE,
        example={"tag": "need:quality-first", "by": "chen.li", "reason": "Was a mistake"},
        description={"en": "Somebody took a tag away.", "zh": "员工移除了客户的标签。"},
    ),
    EventType(
        name="tag.gained",
        struct=TagGained,
        rank=TAG,
        emitters=PROFILE,
        example={
            "tag": "behaviour:night-owl",
            "reason": {"code": "night_share", "params": {"share": 0.6, "orders": 15}},
            "policy": "tags@3",
        },
        description={"en": "A derived tag holds from now on.", "zh": "客户获得了一个自动标签。"},
        announcement=True,
    ),
    EventType(
        name="tag.dropped",
        struct=TagDropped,
        rank=TAG,
        emitters=PROFILE,
        example={"tag": "behaviour:night-owl", "policy": "tags@3"},
        description={"en": "A derived tag holds no more.", "zh": "客户失去了一个自动标签。"},
        announcement=True,
    ),
)
