"""A projection is a value: pure functions and the tables they fill.

    evolve(state, event) -> state              facts fold in any order to the same state
    merge(state, state) -> state               merge(fold(xs), fold(ys)) == fold(any interleaving)
    derive(state, clock, policies) -> view     what the facts mean now; view.due_at says when time alone changes it
    announce(told, view, at) -> [announcement] the difference between what was said and what is so
    tell(told, announcement) -> told           what was said, folded

A state is a `msgspec.Struct` that can be made without arguments (the empty fold). It is bounded: what grows
with history lies in `state.items`, child rows keyed by a string, of which the loop loads only those that a
batch touches (`item_keys`). `evolve` owns the state that it is handed: it may change it in place and returns it;
apart from that it is pure, total, and reads no clock. Where the meaning of a late fact depends on all items,
`needs_items` says so and `walk` goes over them once they are loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import Table

from shared.codec import Event


@dataclass(frozen=True, slots=True)
class Policy:
    """A versioned, immutable set of thresholds, as published on the log."""

    name: str
    version: int
    body: Mapping[str, Any]


Policies = Mapping[str, Policy]


class Announcement(msgspec.Struct, frozen=True, gc=False):
    """One difference to be told. `time` is when it became so (business time, UTC)."""

    type: str
    data: msgspec.Struct
    time: datetime


class View(Protocol):
    """What the loop needs of any view: the next moment (UTC) at which time alone changes it."""

    @property
    def due_at(self) -> datetime | None: ...


S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V", bound=msgspec.Struct)


def _no_keys(_event: Event) -> tuple[str, ...]:
    return ()


def _never(_state: Any, _policies: Policies) -> bool:
    return False


def _as_it_is(state: Any, _policies: Policies) -> Any:
    return state


def _nothing(_told: Any, _at: datetime) -> list[Announcement]:
    return []


@dataclass(frozen=True, kw_only=True)
class Projection(Generic[S, T, V]):
    """Everything the loop needs to keep one row per customer."""

    name: str
    version: int
    consumes: frozenset[str]
    """Event types that `evolve` reads; their ranks bound what may be emitted."""
    shows: frozenset[str] = frozenset()
    """Event types that are only shown: `announce` never depends on them."""
    emits: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    """Names of the policies that `derive` and `walk` go by; a new version of one derives every row again."""
    state: type[S]
    told: type[T]
    view: type[V]
    item: type[msgspec.Struct] | None = None
    evolve: Callable[[S, Event], S]
    merge: Callable[[S, S], S]
    derive: Callable[[S, datetime | None, Policies], V]
    announce: Callable[[T, V, datetime | None], list[Announcement]]
    """What is to be said. The moment is that of who has no fact of their own any more, but of whom something was said
    while they were one with others; None: nothing is said of them."""
    tell: Callable[[T, Announcement], T]
    item_keys: Callable[[Event], tuple[str, ...]] = field(default=_no_keys)
    needs_items: Callable[[S, Policies], bool] = field(default=_never)
    walk: Callable[[S, Policies], S] = field(default=_as_it_is)
    table: Table
    items_table: Table | None = None
    columns: tuple[str, ...] = ()
    """Typed columns of `table` besides the kernel's, for filters and sorting."""
    row: Callable[[V], tuple[Any, ...]] = field(default=lambda _view: ())
    """Values of `columns`, in their order; jsonb columns as JSON text."""
    announced: tuple[str, ...] = ()
    """Fields of the state that fold announcements. Where several parts are one customer, they are said of the head
    alone: what was said of another part before holds again only once it stands alone."""
    leave: Callable[[T, datetime], list[Announcement]] = field(default=_nothing)
    """What is said of a part that goes up in another customer, at that moment."""

    def recalled(self, told: T, event: Event) -> T:
        """What was said, with one more of the own announcements as it stands on the log."""
        return self.tell(told, Announcement(event.type, event.data, event.time))

    def walked(self, state: S, policies: Policies) -> S:
        """The state, gone over anew where it has to be; all child rows must be there."""
        return self.walk(state, policies) if self.needs_items(state, policies) else state

    def grouped(self, states: Sequence[S]) -> S:
        """The state of the customer whose parts these are, the head's first, each with all its child rows."""
        whole = reduce(self.merge, states)
        for name in self.announced:
            setattr(whole, name, getattr(states[0], name))
        return whole
