"""A customer's record: what is said about them, who they are, their number, and changes by hand."""

from typing import Annotated, Any, Required

from msgspec import Struct
from pydantic import AfterValidator
from typing_extensions import TypedDict

from shared.language.door import JUDGED, Fact, Id, Label, Name, Personal, Text, fault, refuse
from shared.language.event_type import INTERACTION, PROFILE, EventType
from shared.language.identifiers import TYPES


class CustomerDescribed(Struct, frozen=True, gc=False):
    """Traits as a publisher knows them; null takes one back."""

    traits: dict[str, Any] = {}


class CustomerIdentified(Struct, frozen=True, gc=False):
    """These identifiers are one customer."""

    identifiers: dict[str, str] = {}


class CustomerNumbered(Struct, frozen=True, gc=False):
    """The customer got a number, for ever."""

    number: str


class CustomerEdited(Struct, frozen=True, gc=False):
    """Somebody changed the record; null clears a field."""

    changes: Personal[dict[str, Any]] = {}
    by: str = ""


class CustomerRegrouped(Struct, frozen=True, gc=False):
    """From now on this part belongs to that head. One event for each part, on the part's own key; of several, the
    one of the highest revision holds, in whatever order they come."""

    head: str
    """The customer under whose id all parts are one; the part itself, where it stands alone."""
    parts: list[str]
    """All parts of that head, itself too, sorted."""
    revision: int
    """Counts all regroupings of the installation."""
    merge: str
    """Id of the merge that was made, or undone."""
    undone: bool
    by: str
    reason: Personal[str] = ""
    joins: list[str] | None = None
    """Whom that merge joins."""


class TraitsIn(TypedDict, total=False):
    """What is known about a customer; any further trait is kept."""

    __pydantic_config__ = JUDGED  # type: ignore[misc]

    name: Personal[Name] | None
    gender: Label | None
    birthday: Personal[Label] | None
    """As YYYY-MM-DD, or --MM-DD where the year is not known."""
    occupation: Name | None
    kind: Label | None
    """`person` or `company`."""
    company: Name | None
    industry: Name | None
    size: Name | None
    region: Name | None
    source: Name | None
    """Where the customer came from: an exhibition, a referral, ..."""
    key_need: Text | None
    preferences: Any
    phone: Personal[Name] | None
    email: Personal[Name] | None
    address: Personal[Any]
    remark: Personal[Text] | None


class DescribedDoor(Fact, total=False):
    """Traits of a customer."""

    traits: Required[TraitsIn]


class _Identified(Fact, total=False):
    identifiers: Required[Personal[dict[str, Id]]]
    """Type -> value."""


def _known_types(data: _Identified) -> _Identified:
    identifiers = data["identifiers"]
    if not identifiers:
        raise refuse(fault("too_short", "identifiers", limit=1))
    unknown = [name for name in identifiers if name not in TYPES]
    if unknown:
        allowed = ", ".join(TYPES)
        raise refuse(
            *(fault("not_allowed", "identifiers", name, allowed=allowed) for name in unknown)
        )
    return data


IdentifiedDoor = Annotated[_Identified, AfterValidator(_known_types)]

EVENTS = (
    EventType(
        name="customer.described",
        struct=CustomerDescribed,
        door=DescribedDoor,
        emitters=INTERACTION,
        example={
            "traits": {
                "name": "李雷",
                "gender": "male",
                "birthday": "1988-05-17",
                "kind": "person",
                "occupation": "engineer",
                "region": "Shanghai",
                "source": "referral",
                "preferences": {"contact": "wechat"},
            }
        },
        description={
            "en": "Something is known about a customer: name, industry, region, ...",
            "zh": "获知客户的资料：姓名、行业、地区等。",
        },
    ),
    EventType(
        name="customer.identified",
        struct=CustomerIdentified,
        door=IdentifiedDoor,
        emitters=INTERACTION,
        example={"identifiers": {"user_id": "u-8812", "anonymous_id": "9f1c2d"}},
        description={
            "en": "These identifiers belong to one customer.",
            "zh": "这些标识属于同一位客户。",
        },
    ),
    EventType(
        name="customer.numbered",
        struct=CustomerNumbered,
        emitters=PROFILE,
        example={"number": "C2026000123"},
        description={"en": "The customer got a customer number.", "zh": "客户获得了客户编号。"},
    ),
    EventType(
        name="customer.edited",
        struct=CustomerEdited,
        emitters=PROFILE,
        example={"changes": {"region": "Hangzhou", "owner": "chen.li"}, "by": "chen.li"},
        description={
            "en": "Somebody changed the customer's record.",
            "zh": "员工修改了客户档案。",
        },
    ),
    EventType(
        name="customer.regrouped",
        struct=CustomerRegrouped,
        emitters=PROFILE,
        example={
            "head": "01934b5c-7a00-7000-8000-000000000001",
            "parts": [
                "01934b5c-7a00-7000-8000-000000000001",
                "01934b5c-7a00-7000-8000-000000000002",
            ],
            "revision": 17,
            "merge": "01934b5c-7a00-7000-8000-0000000000aa",
            "undone": False,
            "by": "chen.li",
            "reason": "The same person, by phone",
        },
        description={
            "en": "Customers were merged into one, or split again.",
            "zh": "客户被合并，或重新拆分。",
        },
    ),
)
