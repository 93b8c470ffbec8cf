"""A customer's state: everything that the facts add up to.

It is bounded: purchase days, complaints and answers are child rows.
"""

import msgspec

from services.profile.projector.items import Contact, Item, is_open
from services.profile.projector.items import merged as merged_item
from services.profile.projector.lifecycle import Walker
from services.profile.projector.purchases import Purchases
from services.profile.projector.purchases import merged as merged_purchases
from shared.bounded import (
    Register,
    Shown,
    Stamp,
    add,
    first_of,
    joined,
    last_of,
    latest,
    retain,
    shown_last,
)
from shared.language.identifiers import TYPES

OTHER_FIELDS = 64
IDENTIFIERS = 64
CONSENTS = 64
KINDS = 32

KNOWN_FIELDS = (
    *("name", "kind", "status", "owner"),
    *("industry", "size", "region", "source", "birthday", "gender", "occupation", "company"),
    *("key_need", "remark", "preferences", "phone", "email", "address"),
)
"""Fields of the record that have a meaning; of others, 64 are kept."""

ABOUT_QUALITY = frozenset({"quality", "product", "product_quality", "质量", "品质", "产品质量"})
ABOUT_SERVICE = frozenset({"service", "staff", "attitude", "服务", "服务态度", "态度"})
"""Categories of complaints that tell what somebody cares for."""

RESPONSE = "campaign_response"
_SERVICE_KINDS = frozenset({"call", "chat", "email", "sms", "social"})
_INBOUND = frozenset({"inbound", "in"})
_STRENGTH = {type_: rank for rank, type_ in enumerate(TYPES)}


class Consent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was last said about a channel and topic."""

    at: int
    id: str
    granted: bool


class TagMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was last decided about a tag by hand."""

    at: int
    id: str
    on: bool
    by: str
    reason: str


class Complaints(msgspec.Struct, omit_defaults=True, gc=False):
    """How many, about what, when."""

    total: int = 0
    open: int = 0
    quality: int = 0
    service: int = 0
    first: Stamp | None = None
    last: Stamp | None = None


class ByHand(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The ends of those contacts that people recorded and nobody took back. Times in microseconds since 1970."""

    first: int
    last: int
    response: Stamp | None
    """The earliest answer to a campaign."""


class Contacts(msgspec.Struct, omit_defaults=True, gc=False):
    """What passed between customer and company besides purchases.

    Sums take back what is taken back; of first and last, what cannot be taken back stands here, the others in
    `by_hand`, which is read off the child rows where one of its ends is taken back.
    """

    first: int | None = None
    """The earliest fact of any kind."""
    last: int | None = None
    """The latest interaction, complaint, answer or reaction to a message."""
    kinds: dict[str, int] = {}
    served: int = 0
    """Contacts in which the customer wanted something: service, or inbound by phone, chat, mail."""
    response: Stamp | None = None
    """The earliest answer to a campaign."""
    coupon: Stamp | None = None
    """The earliest purchase with a coupon."""
    by_hand: ByHand | None = None
    """None: no contact stands that somebody recorded."""

    def earliest(self) -> int | None:
        """The first contact."""
        if self.by_hand is None or self.first is None:
            return self.first if self.by_hand is None else self.by_hand.first
        return min(self.first, self.by_hand.first)

    def latest(self) -> int | None:
        """The last interaction, complaint, answer or reaction to a message."""
        if self.by_hand is None or self.last is None:
            return self.last if self.by_hand is None else self.by_hand.last
        return max(self.last, self.by_hand.last)

    def answered(self) -> Stamp | None:
        """The earliest answer to a campaign."""
        return (
            self.response
            if self.by_hand is None
            else first_of(self.response, self.by_hand.response)
        )


class Profile(msgspec.Struct, omit_defaults=True, gc=False):
    """The fold of one customer's events. Times in microseconds since 1970, UTC."""

    latest_fact: int = 0
    """But for contacts that people recorded: those stand in `contacts.by_hand`."""
    purchases: Purchases = msgspec.field(default_factory=Purchases)
    contacts: Contacts = msgspec.field(default_factory=Contacts)
    complaints: Complaints = msgspec.field(default_factory=Complaints)
    scores: dict[str, Register] = {}
    """The latest score by kind of survey."""
    fields: dict[str, Register] = {}
    identifiers: dict[str, int] = {}
    """`type:value` -> first seen."""
    consents: dict[str, Consent] = {}
    """`channel|topic` -> the last word; the bar is a unit separator."""
    tags: dict[str, TagMark] = {}
    number: Register | None = None
    created: bool = False
    """Made by hand."""
    erased: int | None = None
    """Since when whatever identifies the person is forgotten; what is said of them later is not kept either."""
    churn_band: Shown[str | None] | None = None
    rfm_class: Shown[str | None] | None = None
    matrix: Shown[str | None] | None = None
    walker: Walker = msgspec.field(default_factory=Walker)
    stale: bool = False
    """A fact came from before the walker's position, or an end of `contacts.by_hand` was taken back: all child rows
    must be walked again."""
    items: dict[str, Item] = {}


def later_consent(kept: Consent | None, new: Consent) -> Consent:
    """The later word; of two at the same moment, the one that revokes."""
    if kept is None or (new.at, not new.granted, new.id) > (kept.at, not kept.granted, kept.id):
        return new
    return kept


def later_mark(kept: TagMark | None, new: TagMark) -> TagMark:
    """The later decision."""
    if kept is None or (new.at, new.id) > (kept.at, kept.id):
        return new
    return kept


def trim_identifiers(identifiers: dict[str, int]) -> None:
    """Keep 64: the strongest types first, then the earliest seen."""
    while len(identifiers) > IDENTIFIERS:
        del identifiers[max(identifiers, key=lambda key: _rank(key, identifiers[key]))]


def _rank(key: str, seen: int) -> tuple[int, int, str]:
    return _STRENGTH.get(key.partition(":")[0], len(_STRENGTH)), seen, key


def trim_fields(fields: dict[str, Register]) -> None:
    """Keep the known fields, and a fair sample of the others."""
    if len(fields) > OTHER_FIELDS:
        others = {name: name for name in fields if name not in KNOWN_FIELDS}
        kept = dict(others)
        retain(kept, OTHER_FIELDS)
        for name in others.keys() - kept.keys():
            del fields[name]


def count(complaints: Complaints, case: Item, sign: int) -> None:
    """Count a complaint in (sign 1) or out (-1)."""
    if not case.entries:
        return
    complaints.total += sign
    complaints.open += sign * is_open(case)
    about = case.category.value if case.category else ""
    complaints.quality += sign * (about in ABOUT_QUALITY)
    complaints.service += sign * (about in ABOUT_SERVICE)


def count_contact(contacts: Contacts, contact: Contact | None, sign: int) -> None:
    """Count what is known of a contact in (sign 1) or out (-1). One that was taken back counts -1 until its record
    comes, so that an older state, which has no child row of the contact, is set right as well."""
    if contact is not None:
        add_contact(
            contacts,
            contact.kind,
            contact.direction,
            sign * (contact.recorded - contact.retracted),
        )


def add_contact(contacts: Contacts, kind: str, direction: str | None, number: int) -> None:
    """Add so many contacts of a kind."""
    contacts.kinds[kind] = contacts.kinds.get(kind, 0) + number
    retain(contacts.kinds, KINDS)
    if kind == "service" or (kind in _SERVICE_KINDS and direction in _INBOUND):
        contacts.served += number


def first_number(kept: Register | None, new: Register | None) -> Register | None:
    """The number that was given away first: the smallest. Customers who are one are known by it."""
    if kept is None or new is None:
        return new if kept is None else kept
    return min(kept, new, key=lambda one: (len(one.value), one.value, one.at, one.id))


def merge(mine: Profile, theirs: Profile) -> Profile:
    """The state of one customer whose facts were folded in two parts, with all their child rows."""
    items = joined(mine.items, theirs.items, merged_item)
    fields = joined(mine.fields, theirs.fields, latest)
    trim_fields(fields)
    identifiers = joined(mine.identifiers, theirs.identifiers, min)
    trim_identifiers(identifiers)
    consents = joined(mine.consents, theirs.consents, later_consent)
    retain(consents, CONSENTS)
    return Profile(
        latest_fact=max(mine.latest_fact, theirs.latest_fact),
        purchases=merged_purchases(mine.purchases, theirs.purchases),
        contacts=_merged_contacts(mine, theirs, items),
        complaints=_recounted(items, mine.complaints, theirs.complaints),
        scores=joined(mine.scores, theirs.scores, latest),
        fields=fields,
        identifiers=identifiers,
        consents=consents,
        tags=joined(mine.tags, theirs.tags, later_mark),
        number=_number(mine, theirs),
        created=mine.created or theirs.created,
        erased=_both_erased(mine, theirs),
        churn_band=shown_last(mine.churn_band, theirs.churn_band),
        rfm_class=shown_last(mine.rfm_class, theirs.rfm_class),
        matrix=shown_last(mine.matrix, theirs.matrix),
        walker=Walker(rules=mine.walker.rules),
        stale=True,
        items=items,
    )


def _number(mine: Profile, theirs: Profile) -> Register | None:
    """One that commands may name the customer by, where there is any: they refuse a part that was erased."""
    if (mine.erased is None) == (theirs.erased is None):
        return first_number(mine.number, theirs.number)
    living, erased = (mine, theirs) if mine.erased is None else (theirs, mine)
    return living.number or erased.number


def _both_erased(mine: Profile, theirs: Profile) -> int | None:
    """A customer is erased once all parts are."""
    if mine.erased is None or theirs.erased is None:
        return None
    return max(mine.erased, theirs.erased)


def _merged_contacts(one: Profile, other: Profile, items: dict[str, Item]) -> Contacts:
    """The sums and ends of both; the walk to come reads `by_hand` off the items."""
    mine, theirs = one.contacts, other.contacts
    kinds = dict(mine.kinds)
    add(kinds, theirs.kinds)
    retain(kinds, KINDS)
    firsts = [at for at in (mine.first, theirs.first) if at is not None]
    lasts = [at for at in (mine.last, theirs.last) if at is not None]
    merged = Contacts(
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        kinds=kinds,
        served=mine.served + theirs.served,
        response=first_of(mine.response, theirs.response),
        coupon=first_of(mine.coupon, theirs.coupon),
    )
    for key in one.items.keys() & other.items.keys():  # both have counted what they know of it
        count_contact(merged, one.items[key].contact, -1)
        count_contact(merged, other.items[key].contact, -1)
        count_contact(merged, items[key].contact, 1)
    return merged


def _recounted(items: dict[str, Item], mine: Complaints, theirs: Complaints) -> Complaints:
    """One complaint may have been folded in both parts, so complaints are counted again."""
    found = Complaints(
        first=first_of(mine.first, theirs.first), last=last_of(mine.last, theirs.last)
    )
    for key, item in items.items():
        if key.startswith("case:"):
            count(found, item, 1)
    return found


def edited_last(state: Profile) -> int:
    """When anything was last said that people may say otherwise: fields and tags. Microseconds since 1970; 0: never."""
    said = (one.at for kept in (state.fields, state.tags) for one in kept.values())
    return max(said, default=0)
