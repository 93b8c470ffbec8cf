"""What scoring remembers of a customer: facts only, in any order the same.

Purchases come as differences: what an order counted for before an event, and what it counts for
after it. Sums take them as they are. Days and newest purchases depend on what is left when one is
taken away, so each local day is an item with the purchases of that day, counted with their sign (a
cancellation may even come before its purchase). Only where the first or last day, or one of the
newest purchases, goes away does the answer lie in items that may not be loaded: then the state is
`stale`, and `settle` reads it off all of them.
"""

from typing import TypeVar

import msgspec

NEWEST = 3
"""How many purchases, and how many open complaints, are kept as evidence."""

Moment = tuple[int, str, int]
"""Microseconds since 1970 UTC, event id, minutes from UTC to local time; sorts by time, then id."""

Entry = TypeVar("Entry", bound=tuple[int, str] | Moment)


class Case(msgspec.Struct, array_like=True, frozen=True, order=True):
    """The newest event of one complaint; ordered by time (microseconds since 1970), then id."""

    time: int
    event_id: str
    is_open: bool


class Item(msgspec.Struct, omit_defaults=True):
    """One local day with its purchases, or one complaint."""

    purchases: dict[str, int] = {}
    """Net count by moment, without zeros; sorted, so that equal items have equal bytes."""
    case: Case | None = None


class Sums(msgspec.Struct, array_like=True):
    """What purchases in one currency come to."""

    purchases: int = 0
    net: int = 0
    """Minor units, less refunds."""


class State(msgspec.Struct, omit_defaults=True):
    """The fold. Bounded but for `items`, which are child rows.

    A `stale` state's `first_day`, `last_day`, `newest` and `complained` wait for `settle`.
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
    heard: int | None = None
    """Time of the latest event, in microseconds since 1970 UTC."""
    stale: bool = False
    items: dict[str, Item] = {}


def keep_newest(
    kept: list[Entry], come: set[Entry], gone: set[Entry], total: int
) -> list[Entry] | None:
    """The newest of `total` entries after a change; None where one not kept may belong there.

    Those that are not kept are all older than the last of a full list.
    """
    known = sorted((set(kept) - gone) | come, reverse=True)
    top = known[:NEWEST]
    full = len(kept) == len(top) == NEWEST
    return top if len(known) == total or (full and top[-1] >= kept[-1]) else None
