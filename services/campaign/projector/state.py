"""What campaign remembers of a customer: everything that a segment's rule may ask for.

Bounded: sums, the latest word on each thing, counts by local day for a year. Complaints are child rows, and so are
contacts that people recorded by hand, which they may take back.
"""

from typing import Any

import msgspec

from services.campaign.projector.bounded import Days, add_days, count, greatest, least
from shared.bounded import ENDS, Entry, Register, Shown, insert, joined, latest, retain, shown_last
from shared.moments import local_day
from shared.projection import Policies

KNOWN_FIELDS = (
    *("name", "kind", "status", "owner", "gender", "birthday", "occupation", "company"),
    *("industry", "size", "region", "source", "key_need"),
)
"""Attributes that have a meaning; of others, 64 are kept."""
OTHER_FIELDS = 64
CASE = "case:"
RECORDED = "interaction.recorded"
IDENTIFIERS = 64
CONSENTS = 64
TAGS = 256


class Sums(msgspec.Struct, array_like=True, gc=False):
    """What purchases in one currency come to: orders, and minor units less refunds."""

    orders: int = 0
    spend: int = 0


class Item(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """The newest event of one complaint; ordered by time (microseconds since 1970), then id. Or a contact that
    somebody recorded: which of its two events are known."""

    at: int = 0
    id: str = ""
    is_open: bool = False
    recorded: bool = False
    retracted: bool = False
    utcoffset: int = 0

    @property
    def stands(self) -> bool:
        """Whether it is a contact that was recorded and not taken back."""
        return self.recorded and not self.retracted

    @property
    def number(self) -> int:
        """What is counted of a contact so far. One that was taken back counts -1 until its record comes, so that an
        older state, which has no child row of the contact, is set right as well."""
        return self.recorded - self.retracted


class ByHand(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The ends of those contacts that people recorded and nobody took back."""

    first: int
    """Microseconds since 1970."""
    last: Register
    """The latest one, with the minutes from UTC to local time then."""


class Audience(msgspec.Struct, omit_defaults=True, gc=False):
    """The fold of one customer's events. Times in microseconds since 1970, UTC.

    `heard`, `first`, `touched` and `offset` are of what cannot be taken back; rules ask the properties.
    """

    heard: int | None = None
    """The latest fact."""
    first: int | None = None
    """The earliest fact: the first contact."""
    touched: int | None = None
    """The latest interaction, complaint, answer or reaction to a message."""
    offset: Register | None = None
    """Minutes from UTC to local time, as the latest fact from outside said."""
    by_hand: ByHand | None = None
    """None: no contact stands that somebody recorded."""
    stale: bool = False
    """An end of `by_hand` was taken back: it must be read off all child rows."""
    orders: int = 0
    money: dict[str, Sums] = {}
    stamps: list[Entry] = []
    """When orders were bought: the first and the last 32 moments, with how many still stand."""
    counts: dict[str, Days] = {}
    """By event type; of `purchase.completed`, the orders that still stand."""
    complaints: int = 0
    open: int = 0
    fields: dict[str, Register] = {}
    identifiers: dict[str, bool] = {}
    """`type:value`; the values say nothing, the keys are the set."""
    consents: dict[str, Register] = {}
    """`channel`, or `channel.topic`, and whether it is granted."""
    answers: dict[str, Register] = {}
    """The latest score by kind of survey."""
    marks: dict[str, Register] = {}
    """Tags given (True) and taken (False) by hand."""
    derived: dict[str, Shown[Any]] = {}
    """Derived tags: gained (True), dropped (False)."""
    lifecycle: Shown[Any] | None = None
    """State and since when."""
    churn_band: Shown[Any] | None = None
    rfm_class: Shown[Any] | None = None
    matrix: Shown[Any] | None = None
    erased: bool = False
    """The person asked to be forgotten: who they are is not in here, and does not come in any more."""
    items: dict[str, Item] = {}

    @property
    def last_fact(self) -> int | None:
        """The latest fact."""
        return greatest(self.heard, self.by_hand.last.at if self.by_hand else None)

    @property
    def first_fact(self) -> int | None:
        """The first contact."""
        return least(self.first, self.by_hand.first if self.by_hand else None)

    @property
    def last_touch(self) -> int | None:
        """The last interaction, complaint, answer or reaction to a message."""
        return greatest(self.touched, self.by_hand.last.at if self.by_hand else None)

    @property
    def utcoffset(self) -> int | None:
        """Minutes from UTC to local time; None where nothing says it."""
        found = latest(self.offset, self.by_hand.last if self.by_hand else None)
        return None if found is None else int(found.value)


def contact_key(event: str) -> str:
    """Key of a contact that somebody recorded."""
    return f"contact:{event}"


def joined_ends(mine: ByHand | None, contact: Item) -> ByHand:
    """The ends with one more contact that stands."""
    last = Register(contact.at, contact.id, contact.utcoffset)
    if mine is None:
        return ByHand(contact.at, last)
    return ByHand(min(mine.first, contact.at), latest(mine.last, last))


def by_hand(items: dict[str, Item]) -> ByHand | None:
    """The ends of all contacts that stand; all child rows must be there."""
    found: ByHand | None = None
    for item in items.values():
        if item.stands:
            found = joined_ends(found, item)
    return found


def needs_items(state: Audience, _policies: Policies) -> bool:
    """Whether something lies in child rows that may not be loaded."""
    return state.stale


def walk(state: Audience, _policies: Policies) -> Audience:
    """Read off all child rows what only they know."""
    state.by_hand = by_hand(state.items)
    state.stale = False
    return state


def trim_fields(fields: dict[str, Register]) -> None:
    """Keep the known attributes, and a fair sample of the others."""
    if len(fields) > OTHER_FIELDS:
        others = {name: name for name in fields if name not in KNOWN_FIELDS}
        kept = dict(others)
        retain(kept, OTHER_FIELDS)
        for name in others.keys() - kept.keys():
            del fields[name]


def merged_item(one: Item, other: Item) -> Item:
    """Two folds of the same item as one: the newest event of a complaint, what is known of a contact."""
    recorded, retracted = one.recorded or other.recorded, one.retracted or other.retracted
    return msgspec.structs.replace(max(one, other), recorded=recorded, retracted=retracted)


def count_contact(state: Audience, contact: Item, number: int) -> None:
    """Count a contact on the local day on which it was."""
    if number:
        day = local_day(contact.at, contact.utcoffset)
        count(state.counts, RECORDED, day, number)


def forget(state: Audience) -> Audience:
    """Leave what says nothing of who it was: what they did, and what was made of it."""
    state.erased = True
    state.fields, state.identifiers, state.consents, state.marks = {}, {}, {}, {}
    return state


def merge(mine: Audience, theirs: Audience) -> Audience:
    """The state of one customer whose facts were folded in two parts, with all their child rows."""
    items = joined(mine.items, theirs.items, merged_item)
    merged = Audience(
        heard=greatest(mine.heard, theirs.heard),
        first=least(mine.first, theirs.first),
        touched=greatest(mine.touched, theirs.touched),
        offset=latest(mine.offset, theirs.offset),
        orders=mine.orders + theirs.orders,
        money=_money(mine.money, theirs.money),
        stamps=_stamps(mine.stamps, theirs.stamps),
        by_hand=by_hand(items),
        counts=joined(mine.counts, theirs.counts, add_days),
        complaints=sum(key.startswith(CASE) for key in items),
        open=sum(item.is_open for item in items.values()),
        fields=joined(mine.fields, theirs.fields, latest),
        identifiers={**mine.identifiers, **theirs.identifiers},
        consents=joined(mine.consents, theirs.consents, later_consent),
        answers=joined(mine.answers, theirs.answers, latest),
        marks=joined(mine.marks, theirs.marks, latest),
        derived=joined(mine.derived, theirs.derived, shown_last),
        lifecycle=shown_last(mine.lifecycle, theirs.lifecycle),
        churn_band=shown_last(mine.churn_band, theirs.churn_band),
        rfm_class=shown_last(mine.rfm_class, theirs.rfm_class),
        matrix=shown_last(mine.matrix, theirs.matrix),
        erased=mine.erased and theirs.erased,
        items=items,
    )
    for key in mine.items.keys() & theirs.items.keys():  # both have counted what they know of it
        one, other, whole = mine.items[key], theirs.items[key], items[key]
        count_contact(merged, whole, whole.number - one.number - other.number)
    trim_fields(merged.fields)
    retain(merged.identifiers, IDENTIFIERS)
    retain(merged.consents, CONSENTS)
    retain(merged.marks, TAGS)
    retain(merged.derived, TAGS)
    return merged


def later_consent(kept: Register | None, new: Register) -> Register:
    """The later word; of two at the same moment, the one that revokes."""
    if kept is None or (new.at, not new.value, new.id) > (kept.at, not kept.value, kept.id):
        return new
    return kept


def _money(mine: dict[str, Sums], theirs: dict[str, Sums]) -> dict[str, Sums]:
    whole = joined(
        mine,
        theirs,
        lambda one, other: Sums(one.orders + other.orders, one.spend + other.spend),
    )
    return {code: sums for code, sums in whole.items() if sums.orders or sums.spend}


def _stamps(mine: list[Entry], theirs: list[Entry]) -> list[Entry]:
    whole = list(mine)
    for entry in theirs:
        insert(whole, *entry)
    return whole if len(whole) <= 2 * ENDS else [*whole[:ENDS], *whole[-ENDS:]]
