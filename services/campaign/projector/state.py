"""What campaign remembers of a customer: everything that a segment's rule may ask for.

Bounded: sums, the latest word on each thing, counts by local day for a year. Complaints are child rows.
"""

from typing import Any

import msgspec

from services.campaign.projector.bounded import Days, add_days, greatest, least
from shared.bounded import ENDS, Entry, Register, Shown, insert, joined, latest, retain, shown_last

KNOWN_FIELDS = (
    *("name", "kind", "status", "owner", "gender", "birthday", "occupation", "company"),
    *("industry", "size", "region", "source", "key_need"),
)
"""Attributes that have a meaning; of others, 64 are kept."""
OTHER_FIELDS = 64
IDENTIFIERS = 64
CONSENTS = 64
TAGS = 256


class Sums(msgspec.Struct, array_like=True):
    """What purchases in one currency come to: orders, and minor units less refunds."""

    orders: int = 0
    spend: int = 0


class Item(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """The newest event of one complaint; ordered by time (microseconds since 1970), then id."""

    at: int = 0
    id: str = ""
    is_open: bool = False


class Audience(msgspec.Struct, omit_defaults=True):
    """The fold of one customer's events. Times in microseconds since 1970, UTC."""

    heard: int | None = None
    """The latest fact."""
    first: int | None = None
    """The earliest fact: the first contact."""
    touched: int | None = None
    """The latest interaction, complaint, answer or reaction to a message."""
    offset: Register | None = None
    """Minutes from UTC to local time, as the latest fact from outside said."""
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
    items: dict[str, Item] = {}


def trim_fields(fields: dict[str, Register]) -> None:
    """Keep the known attributes, and a fair sample of the others."""
    if len(fields) > OTHER_FIELDS:
        others = {name: name for name in fields if name not in KNOWN_FIELDS}
        kept = dict(others)
        retain(kept, OTHER_FIELDS)
        for name in others.keys() - kept.keys():
            del fields[name]


def merge(mine: Audience, theirs: Audience) -> Audience:
    """The state of one customer whose facts were folded in two parts, with all their child rows."""
    items = joined(mine.items, theirs.items, max)
    merged = Audience(
        heard=greatest(mine.heard, theirs.heard),
        first=least(mine.first, theirs.first),
        touched=greatest(mine.touched, theirs.touched),
        offset=latest(mine.offset, theirs.offset),
        orders=mine.orders + theirs.orders,
        money=_money(mine.money, theirs.money),
        stamps=_stamps(mine.stamps, theirs.stamps),
        counts=joined(mine.counts, theirs.counts, add_days),
        complaints=len(items),
        open=sum(item.is_open for item in items.values()),
        fields=joined(mine.fields, theirs.fields, latest),
        identifiers={**mine.identifiers, **theirs.identifiers},
        consents=joined(mine.consents, theirs.consents, latest),
        answers=joined(mine.answers, theirs.answers, latest),
        marks=joined(mine.marks, theirs.marks, latest),
        derived=joined(mine.derived, theirs.derived, shown_last),
        lifecycle=shown_last(mine.lifecycle, theirs.lifecycle),
        churn_band=shown_last(mine.churn_band, theirs.churn_band),
        rfm_class=shown_last(mine.rfm_class, theirs.rfm_class),
        items=items,
    )
    trim_fields(merged.fields)
    retain(merged.identifiers, IDENTIFIERS)
    retain(merged.consents, CONSENTS)
    retain(merged.marks, TAGS)
    retain(merged.derived, TAGS)
    return merged


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
