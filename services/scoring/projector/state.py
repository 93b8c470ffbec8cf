"""What scoring remembers of a customer: facts only, in any order the same.

Purchases come as differences: what an order counted for before an event, and what it counts for
after it. Sums take them as they are. Days and newest purchases depend on what is left when one is
taken away, so each local day is an item with the purchases of that day, counted with their sign (a
cancellation may even come before its purchase). Only where the first or last day, or one of the
newest purchases, goes away does the answer lie in items that may not be loaded: then the state is
`stale`, and `settle` reads it off all of them.

What is kept by month (money, answers) is bounded by keeping the newest months that anything ever
touched. A month once touched stays, also at 0: so what is kept is the same whatever came first.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import TypeVar

import msgspec

NEWEST = 3
"""How many purchases, open complaints and answers are kept as evidence."""

MONTHS = 14
"""Months of which the money is kept: this one, a year before it, and one more for time zones."""
ANSWER_MONTHS = 24
"""Months of which answers, and the handling of complaints, are kept."""
TOUCH_MONTHS = 14
"""Months of which contacts are kept."""
CATEGORIES = 32
"""Categories of which the money is kept by name, the first of the alphabet; the rest counts as
other."""

Moment = tuple[int, str, int]
"""Microseconds since 1970 UTC, event id, minutes from UTC to local time; sorts by time, then id."""

Entry = TypeVar("Entry", bound=tuple[int, str] | Moment)
Key = TypeVar("Key", int, str)
Value = TypeVar("Value")


class Case(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """The newest event of one complaint; ordered by time (microseconds since 1970), then id."""

    time: int
    event_id: str
    is_open: bool


class Opening(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """The newest event that opened a complaint."""

    time: int
    event_id: str
    severity: str


class Item(msgspec.Struct, omit_defaults=True, gc=False):
    """One local day with its purchases, or one complaint."""

    purchases: dict[str, int] = {}
    """Net count by moment, without zeros; sorted, so that equal items have equal bytes."""
    case: Case | None = None
    opening: Opening | None = None
    began: int | None = None
    """Time of the first event of the complaint."""


class Sums(msgspec.Struct, array_like=True, gc=False):
    """What purchases in one currency come to."""

    purchases: int = 0
    net: int = 0
    """Minor units, less refunds."""


class Month(msgspec.Struct, array_like=True, gc=False):
    """What purchases of one local month in one currency come to."""

    orders: int = 0
    net: int = 0
    """Minor units, less refunds."""
    promoted: int = 0
    """Orders that carried a coupon or a discount."""
    discount: int = 0
    """Minor units."""


class Touches(msgspec.Struct, array_like=True, gc=False):
    """What passed between a customer and the company in one local month, besides purchases."""

    came: int = 0
    """The customer's own: visits, calls, chats, pages."""
    sent: int = 0
    """Ours: calls, mails, campaigns."""
    answered: int = 0
    """Responses to campaigns, and links followed."""


class First(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One of the earliest contacts. `at` in microseconds since 1970, `offset` in minutes."""

    at: int
    id: str
    """Of the event that recorded it."""
    offset: int
    kind: str
    channel: str
    count: int
    """0: it was taken back."""


class Came(msgspec.Struct, array_like=True, gc=False):
    """How somebody came, and what they did first. Days are ordinals of local dates, of sorted keys."""

    seen: tuple[int, int] | None = None
    """When the earliest event was: microseconds since 1970, minutes from UTC to local time."""
    source: tuple[int, str, str] | None = None
    """The first word on where they came from: when (microseconds), event id, what was said."""
    firsts: list[First] = []
    """The earliest contacts."""
    days: dict[int, int] = {}
    """The customer's own contacts on the first days with any contact."""
    weeks: dict[str, dict[int, int]] = {}
    """Net spend in minor units by currency and week, of the first weeks with an order."""


class Points(msgspec.Struct, array_like=True, gc=False):
    """How many answers (or complaints that were handled), and their points, 0 to 1000 each."""

    number: int = 0
    total: int = 0


class Verdict(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a person decided last about the cell of the matrix."""

    at: int
    """Microseconds since 1970 UTC."""
    event_id: str
    month: str
    """Of which review."""
    overridden: bool
    """False: the cell was confirmed as it was found."""
    matrix: str | None
    by: str
    reason: str


class State(msgspec.Struct, omit_defaults=True, gc=False):
    """The fold. Bounded but for `items`, which are child rows.

    A `stale` state's `first_day`, `last_day`, `first_at`, `newest` and what complaints come to wait for
    `settle`.
    """

    days: int = 0
    """Local days with a purchase."""
    first_day: int | None = None
    last_day: int | None = None
    """Ordinals of local dates (1 = 0001-01-01)."""
    orders: int = 0
    money: dict[str, Sums] = {}
    """By currency, sorted."""
    newest: list[Moment] = []
    """The last purchases, newest first."""
    complaints: int = 0
    open_complaints: int = 0
    complained: list[tuple[int, str]] = []
    """Newest events (time, id) of open complaints, newest first."""
    months: dict[str, dict[int, Month]] = {}
    """By currency and month (12 x year + month - 1), both sorted."""
    categories: dict[str, dict[str, int]] = {}
    """Net spend in minor units by currency and category, both sorted."""
    open_by: dict[str, int] = {}
    """Open complaints by severity, sorted."""
    handled: dict[int, Points] = {}
    """Resolved complaints by the month (UTC) of their resolution, sorted."""
    resolved: list[tuple[int, str]] = []
    """Events (time, id) of the last resolutions, newest first."""
    answers: dict[int, Points] = {}
    """Answers to surveys by month, sorted."""
    answered: list[Moment] = []
    """The last answers (time, event id, points), newest first."""
    touches: dict[int, Touches] = {}
    """Contacts by month, sorted."""
    came: Came = msgspec.field(default_factory=Came)
    first_at: int | None = None
    """Time of the first purchase, in microseconds since 1970 UTC."""
    verdict: Verdict | None = None
    heard: int | None = None
    """Time of the latest event, in microseconds since 1970 UTC."""
    erased: bool = False
    """The person asked to be forgotten: what was said of them is not in here, and does not come in any more."""
    stale: bool = False
    items: dict[str, Item] = {}


def month_of(day: date) -> int:
    """A month as one number: 12 x year + month - 1."""
    return 12 * day.year + day.month - 1


@lru_cache(maxsize=8192)
def month_at(day: int) -> int:
    """The month of an ordinal."""
    return month_of(date.fromordinal(day))


def slot(kept: dict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    """The value of a key, made where there is none; the keys stay sorted."""
    found = kept.get(key)
    if found is None:
        found = make()
        _put_new(kept, key, found)
    return found


def count(kept: dict[Key, int], key: Key, number: int) -> None:
    """Add to the number of a key, which stays also at 0; the keys stay sorted."""
    if key in kept:
        kept[key] += number
    else:
        _put_new(kept, key, number)


def _put_new(kept: dict[Key, Value], key: Key, value: Value) -> None:
    in_order = not kept or next(reversed(kept)) < key
    kept[key] = value
    if not in_order:
        ordered = sorted(kept.items())
        kept.clear()
        kept.update(ordered)


def newest_months(kept: dict[int, Value], most: int) -> None:
    """Let go of the oldest months, of sorted ones."""
    while len(kept) > most:
        del kept[next(iter(kept))]


def keep_newest(
    kept: list[Entry], come: set[Entry], gone: set[Entry], total: int
) -> list[Entry] | None:
    """The newest of `total` entries after a change; None where one not kept may belong there.

    Those that are not kept are all older than the last of a full list.
    """
    if not gone and len(come) == 1:
        [entry] = come
        if not kept or entry > kept[0]:  # nearly always: time goes on
            return [entry, *kept[: NEWEST - 1]]
    known = sorted((set(kept) - gone) | come, reverse=True)
    top = known[:NEWEST]
    full = len(kept) == len(top) == NEWEST
    return top if len(known) == total or (full and top[-1] >= kept[-1]) else None
