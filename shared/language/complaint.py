"""Complaints, from the opening to the resolution."""

from typing import Any, Literal, Required

from msgspec import Struct

from shared.language.door import Fact, Id, Ids, Label, Personal, Text
from shared.language.event_type import INTERACTION, EventType

Severity = Literal["low", "medium", "high", "critical"]


class ComplaintOpened(Struct, frozen=True, gc=False):
    """A customer complains."""

    complaint_id: str
    category: str
    severity: str | None = None
    order_id: str | None = None
    product_ids: tuple[str, ...] = ()


class _Step(Struct, frozen=True, gc=False):
    complaint_id: str
    by: str | None = None


class ComplaintAnswered(_Step, frozen=True, gc=False):
    """The company answered."""


class ComplaintAssigned(_Step, frozen=True, gc=False):
    """Somebody of the company's people takes care of it from now on."""

    to: str = ""


class ComplaintEscalated(_Step, frozen=True, gc=False):
    """It went to somebody who can do more."""


class ComplaintResolved(_Step, frozen=True, gc=False):
    """It was settled."""


class ComplaintReopened(_Step, frozen=True, gc=False):
    """It was not settled after all."""


class ComplaintDoor(Fact, total=False):
    """A complaint as it is opened."""

    complaint_id: Required[Id]
    category: Required[Label]
    severity: Severity | None
    description: Personal[Text] | None
    order_id: Id | None
    product_ids: Ids


class ComplaintStepDoor(Fact, total=False):
    """What became of a complaint."""

    complaint_id: Required[Id]
    note: Personal[Text] | None
    by: Id | None
    """Who of the company's people did it."""
    resolution: Personal[Text] | None


def _step(name: str, struct: type[_Step], en: str, zh: str, **example: str) -> EventType:
    data: dict[str, Any] = {"complaint_id": "K-204", "by": "wang.fang", **example}
    return EventType(
        name=name,
        struct=struct,
        door=ComplaintStepDoor,
        emitters=INTERACTION,
        example=data,
        description={"en": en, "zh": zh},
    )


EVENTS = (
    EventType(
        name="complaint.opened",
        struct=ComplaintOpened,
        door=ComplaintDoor,
        emitters=INTERACTION,
        example={
            "complaint_id": "K-204",
            "category": "quality",
            "severity": "high",
            "description": "The milk was sour two days before its date.",
            "order_id": "A-1001",
            "product_ids": ["P9"],
        },
        description={"en": "A customer complains.", "zh": "客户提出投诉。"},
    ),
    _step(
        "complaint.answered",
        ComplaintAnswered,
        "A complaint was answered.",
        "投诉已答复。",
        note="Called back and apologised.",
    ),
    EventType(
        name="complaint.assigned",
        struct=ComplaintAssigned,
        emitters=INTERACTION,
        example={"complaint_id": "K-204", "to": "liu.yang", "by": "wang.fang"},
        description={"en": "A complaint was given to somebody.", "zh": "投诉已分派。"},
    ),
    _step(
        "complaint.escalated",
        ComplaintEscalated,
        "A complaint was escalated.",
        "投诉已升级处理。",
        note="Third case with this batch.",
    ),
    _step(
        "complaint.resolved",
        ComplaintResolved,
        "A complaint was resolved.",
        "投诉已解决。",
        resolution="Refunded and a voucher sent.",
    ),
    _step(
        "complaint.reopened",
        ComplaintReopened,
        "A resolved complaint was opened again.",
        "已解决的投诉被重新提起。",
        note="The voucher did not work.",
    ),
)
