"""Collections that fold in any order and yet never grow beyond a bound.

Each bound drops by a rule that looks at keys alone, so what is kept is the same whatever came first, and it is
exact: a key of the final selection belonged to every selection before.
"""

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")

Entry = tuple[int, str, int]
"""When (microseconds since 1970), by which event, and a number."""

ENDS = 32
"""Entries kept at either end of a list."""

KEPT_DAYS = 370
"""Local days counted by themselves: a year, and some for events that are ahead of the clock."""


class Register(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value of which the last write wins, by (time, event id)."""

    at: int
    id: str
    value: Any


class Shown(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What another service announced; the log's order decides."""

    sequence: int
    value: Any


class Days(msgspec.Struct, array_like=True):
    """How often something happened: ever, and on each of the last local days on which it did."""

    total: int = 0
    days: dict[int, int] = {}


def latest(kept: Register | None, new: Register | None) -> Register | None:
    """The later of two writes."""
    if kept is None or new is None:
        return new if kept is None else kept
    return new if (new.at, new.id) > (kept.at, kept.id) else kept


def shown_last(kept: Shown | None, new: Shown | None) -> Shown | None:
    """The later of two announcements."""
    if kept is None or new is None:
        return new if kept is None else kept
    return new if new.sequence > kept.sequence else kept


def least(one: int | None, other: int | None) -> int | None:
    """The smaller; what is None does not count."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def greatest(one: int | None, other: int | None) -> int | None:
    """The greater; what is None does not count."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def count(counts: dict[str, Days], name: str, day: int, number: int) -> None:
    """Count on a local day. A day that comes to 0 stays, so that the order of counting does not matter."""
    of = counts.get(name)
    if of is None:
        of = counts[name] = Days()
    of.total += number
    of.days[day] = of.days.get(day, 0) + number
    if len(of.days) > KEPT_DAYS:
        del of.days[min(of.days)]


def add_days(one: Days, other: Days) -> Days:
    """The counts of both."""
    days = dict(one.days)
    for day, number in other.days.items():
        days[day] = days.get(day, 0) + number
    kept = sorted(days)[-KEPT_DAYS:]
    return Days(one.total + other.total, {day: days[day] for day in kept})


def insert(entries: list[Entry], at: int, by: str, number: int) -> None:
    """Add a number at a stamp. Entries stay sorted: the first and the last 32 stamps ever touched."""
    place = bisect_left(entries, (at, by, -(1 << 62)))
    if place < len(entries) and entries[place][:2] == (at, by):
        entries[place] = (at, by, entries[place][2] + number)
        return
    entries.insert(place, (at, by, number))
    if len(entries) > 2 * ENDS:
        del entries[ENDS]


@lru_cache(maxsize=16_384)
def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def retain(kept: dict[str, V], most: int) -> None:
    """Keep the `most` lowest keys by their hash: a fair sample."""
    while len(kept) > most:
        del kept[max(kept, key=lambda key: (_digest(key), key))]


def joined(mine: dict[K, V], theirs: dict[K, V], both: Callable[[V, V], Any]) -> dict[K, V]:
    """Two dictionaries as one; `both` joins the values of a key that stands in either."""
    found = dict(mine)
    for key, value in theirs.items():
        found[key] = both(found[key], value) if key in found else value
    return found
