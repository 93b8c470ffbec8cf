"""Collections that fold in any order and yet never grow beyond a bound.

Each bound drops by a rule that looks at keys alone, so what is kept is the same whatever came
first, and it is exact: a key of the final selection belonged to every selection before.
"""

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar, overload

import msgspec

K = TypeVar("K")
V = TypeVar("V")

Stamp = tuple[int, str]
"""When (microseconds since 1970) and by which event: a total order of facts."""
Entry = tuple[int, str, int]
"""A stamp and a number."""

ENDS = 32
"""Entries kept at either end of a list."""


class Shown(msgspec.Struct, Generic[V], array_like=True, frozen=True, gc=False):
    """What another service announced; the log's order decides."""

    sequence: int
    value: V


class Register(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value of which the last write wins, by (time, event id)."""

    at: int
    id: str
    value: Any


@overload
def latest(kept: Register | None, new: Register) -> Register: ...
@overload
def latest(kept: Register | None, new: Register | None) -> Register | None: ...
def latest(kept: Register | None, new: Register | None) -> Register | None:
    """The later of two writes."""
    if kept is None or new is None:
        return new if kept is None else kept
    return new if (new.at, new.id) > (kept.at, kept.id) else kept


@overload
def shown_last(kept: Shown[V] | None, new: Shown[V]) -> Shown[V]: ...
@overload
def shown_last(kept: Shown[V] | None, new: Shown[V] | None) -> Shown[V] | None: ...
def shown_last(kept: Shown[V] | None, new: Shown[V] | None) -> Shown[V] | None:
    """The later of two announcements."""
    if kept is None or new is None:
        return new if kept is None else kept
    return new if new.sequence > kept.sequence else kept


def first_of(kept: Stamp | None, new: Stamp | None) -> Stamp | None:
    """The earlier stamp."""
    if kept is None or new is None:
        return new if kept is None else kept
    return min(kept, new)


def last_of(kept: Stamp | None, new: Stamp | None) -> Stamp | None:
    """The later stamp."""
    if kept is None or new is None:
        return new if kept is None else kept
    return max(kept, new)


def insert(entries: list[Entry], at: int, by: str, number: int) -> None:
    """Add a number at a stamp. Entries stay sorted: the first and the last 32 stamps ever touched.

    A stamp whose numbers sum to 0 stays, so that the order in which they came does not matter.
    """
    if not entries or entries[-1] < (at, by):  # as nearly all come: after what is there
        entries.append((at, by, number))
        if len(entries) > 2 * ENDS:
            del entries[ENDS]
        return
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


def retain(kept: dict[str, V], limit: int, rank: Callable[[str], Any] = _digest) -> None:
    """Keep the `limit` lowest keys by `rank`; by default a hash, so that they are a fair sample."""
    while len(kept) > limit:
        del kept[max(kept, key=lambda key: (rank(key), key))]


def add(sums: dict[str, int], more: dict[str, int], sign: int = 1) -> None:
    """Add counts to counts; a key once seen stays, also at 0."""
    for key, number in more.items():
        sums[key] = sums.get(key, 0) + sign * number


def joined(mine: dict[K, V], theirs: dict[K, V], both: Callable[[V, V], V]) -> dict[K, V]:
    """Two dictionaries as one; `both` joins the values of a key that stands in either."""
    found = dict(mine)
    for key, value in theirs.items():
        found[key] = both(found[key], value) if key in found else value
    return found
