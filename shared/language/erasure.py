"""Erasure: a person asked to be forgotten."""

from datetime import datetime

from msgspec import Struct

from shared.language.event_type import CAMPAIGN, INTERACTION, PROFILE, SCORING, EventType


class CustomerErased(Struct, frozen=True, gc=False):
    """Whatever identifies this person is forgotten from now on; what they bought stays, without a name. One event for
    each part that is erased, on the part's own key."""

    erasure: str
    """Id of the erasure."""
    by: str


class CustomerForgotten(Struct, frozen=True, gc=False):
    """A service has forgotten a part that was erased: what it kept beside the log is gone."""

    erasure: str
    service: str
    latest: datetime | None = None
    """Until when something that nobody can assign to a person is kept at most: what publishers sent, as they sent
    it. None: nothing of that kind."""


_ID = "01934b5c-7a00-7000-8000-0000000000ee"

EVENTS = (
    EventType(
        name="customer.erased",
        struct=CustomerErased,
        emitters=PROFILE,
        example={"erasure": _ID, "by": "privacy.office"},
        description={
            "en": "The customer is to be forgotten: their key is destroyed.",
            "zh": "客户要求被遗忘：其密钥被销毁。",
        },
    ),
    EventType(
        name="customer.forgotten",
        struct=CustomerForgotten,
        emitters=INTERACTION | PROFILE | SCORING | CAMPAIGN,
        example={"erasure": _ID, "service": "interaction", "latest": "2027-02-21T04:00:00Z"},
        description={
            "en": "A service has forgotten a customer who was erased.",
            "zh": "某项服务已遗忘被删除的客户。",
        },
    ),
)
