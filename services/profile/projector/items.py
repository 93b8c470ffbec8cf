"""Child rows of a customer: a purchase day, a complaint, an answered survey, a contact recorded by hand.

`day:<ordinal>`    the orders of one local day: entries (time, event, orders), which sum to 0 where
                   an order was cancelled or moved to another day; `orders` is their sum.
`case:<complaint>` what happened to a complaint: entries (time, event, status); the latest counts.
`survey:<event>`   one answer with its score.
`contact:<event>`  what somebody recorded, and whether it was taken back.
"""

from collections.abc import Iterator

import msgspec

from shared.bounded import Entry, Register, Stamp, insert, latest

RESOLVED, OPENED, ANSWERED, ESCALATED, REOPENED = range(5)


class Contact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A contact that may be taken back. `at` in microseconds since 1970; whichever event of it comes first says
    all of it."""

    at: int
    id: str
    kind: str
    direction: str | None
    recorded: bool
    retracted: bool

    @property
    def stands(self) -> bool:
        """Whether it was recorded and not taken back."""
        return self.recorded and not self.retracted


class Item(msgspec.Struct, omit_defaults=True, gc=False):
    """One child row; its key says which of the four it is."""

    entries: list[Entry] = []
    orders: int = 0
    category: Register | None = None
    severity: Register | None = None
    kind: str = ""
    score: float = 0.0
    contact: Contact | None = None


def day_key(ordinal: int) -> str:
    """Key of a local purchase day."""
    return f"day:{ordinal}"


def case_key(complaint: str) -> str:
    """Key of a complaint."""
    return f"case:{complaint}"


def survey_key(event: str) -> str:
    """Key of an answered survey."""
    return f"survey:{event}"


def contact_key(event: str) -> str:
    """Key of a contact that somebody recorded."""
    return f"contact:{event}"


def bought(day: Item) -> tuple[Stamp, Stamp] | None:
    """The first and the last purchase of a day that still stand; None when there is none.

    Exact up to 64 stamps a day. Where all that are kept were cancelled, yet others stand, the
    middle one is named.
    """
    if day.orders <= 0:
        return None
    if len(day.entries) == 1:
        only = day.entries[0][:2]
        return only, only
    standing = [entry[:2] for entry in day.entries if entry[2] > 0]
    if not standing:
        middle = day.entries[len(day.entries) // 2][:2]
        return middle, middle
    return standing[0], standing[-1]


def is_open(case: Item) -> bool:
    """Whether a complaint still waits for its resolution."""
    return bool(case.entries) and case.entries[-1][2] != RESOLVED


def turns(case: Item) -> Iterator[tuple[Stamp, int]]:
    """When a complaint opened (+1) and closed (-1)."""
    was = False
    for at, by, status in case.entries:
        now = status != RESOLVED
        if now != was:
            yield (at, by), 1 if now else -1
        was = now


def merged(mine: Item, theirs: Item) -> Item:
    """Two folds of the same item as one."""
    entries = list(mine.entries)
    for at, by, number in theirs.entries:
        insert(entries, at, by, number)
    return Item(
        entries=entries,
        orders=mine.orders + theirs.orders,
        category=_newest(mine.category, theirs.category),
        severity=_newest(mine.severity, theirs.severity),
        kind=mine.kind or theirs.kind,
        score=mine.score if mine.kind else theirs.score,
        contact=both_told(mine.contact, theirs.contact),
    )


def both_told(mine: Contact | None, theirs: Contact | None) -> Contact | None:
    """A contact as two tellings of it make it."""
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    return msgspec.structs.replace(
        mine,
        recorded=mine.recorded or theirs.recorded,
        retracted=mine.retracted or theirs.retracted,
    )


def _newest(mine: Register | None, theirs: Register | None) -> Register | None:
    return mine if theirs is None else latest(mine, theirs)
