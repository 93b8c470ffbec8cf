"""Given these events, when they are folded, then: the words in which the tests of the profile speak."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from services.profile.projector import (
    Item,
    Profile,
    View,
    derive,
    evolve,
    item_keys,
    needs_items,
    walk,
)
from shared.codec import Event
from shared.language import Data, PurchaseCompleted
from shared.projection import Policies
from tests.strategies import bought, make_event

DAY_0 = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
"""Noon of a Monday in Shanghai."""


def day(number: float) -> datetime:
    """Noon in Shanghai so many days after the first."""
    return DAY_0 + timedelta(days=number)


def fold(events: Iterable[Event], state: Profile | None = None) -> Profile:
    """Fold in memory, with all child rows at hand; late facts are walked at the end."""
    state = state or Profile()
    for event in events:
        state = evolve(state, event)
    return settled(state)


def settled(state: Profile, policies: Policies | None = None) -> Profile:
    """The state once the loop has walked it, if it needs that."""
    return walk(state, policies or {}) if needs_items(state, policies or {}) else state


class Rows:
    """The loop in small: between batches, states and child rows are bytes, and only those child rows
    that a batch names are there while it folds."""

    def __init__(self) -> None:
        self.state = b""
        self.items: dict[str, bytes] = {}

    def batch(self, events: Iterable[Event]) -> None:
        """Fold a batch as the loop does."""
        events = list(events)
        state = self._state()
        for event in events:
            for key in item_keys(event):
                self._load(state, key)
        for event in events:
            state = evolve(state, event)
        if needs_items(state):
            for key in self.items:
                self._load(state, key)
            state = walk(state)
        items, state.items = state.items, {}
        self.items |= {key: msgspec.msgpack.encode(item) for key, item in items.items()}
        self.state = msgspec.msgpack.encode(state)

    def whole(self) -> Profile:
        """The state with all its child rows."""
        state = self._state()
        for key in self.items:
            self._load(state, key)
        return state

    def _state(self) -> Profile:
        return msgspec.msgpack.decode(self.state, type=Profile) if self.state else Profile()

    def _load(self, state: Profile, key: str) -> None:
        if key in self.items and key not in state.items:
            state.items[key] = msgspec.msgpack.decode(self.items[key], type=Item)


class Story:
    """Events of one customer, numbered as they are told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, at: float | datetime, *happened: Data, utcoffset: int = 480) -> "Story":
        time = at if isinstance(at, datetime) else day(at)
        for data in happened:
            number = len(self.events) + 1
            self.events.append(make_event(data, time=time, number=number, utcoffset=utcoffset))
        return self

    def buys(self, *days: float, amount: int = 1000, **how: object) -> "Story":
        """One purchase on each of these days."""
        for at in days:
            order = f"A-{len(self.events) + 1}"
            self(at, bought(amount, order_id=order, **how))  # type: ignore[arg-type]
        return self

    def state(self) -> Profile:
        return fold(self.events)

    def view(self, at: float | datetime | None = None, policies: Policies | None = None) -> View:
        """The view at noon of a day, or before time has passed at all."""
        clock = at if isinstance(at, datetime) or at is None else day(at)
        return derive(settled(self.state(), policies), clock, policies or {})


def codes(view: View) -> list[str]:
    """The tags that hold."""
    return [tag.tag for tag in view.tags]


__all__ = ["DAY_0", "PurchaseCompleted", "Rows", "Story", "codes", "day", "fold", "settled"]
