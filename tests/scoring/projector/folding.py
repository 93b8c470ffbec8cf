"""Folding for tests: what the loop does with all items at hand."""

from collections.abc import Iterable

from services.scoring.projector import State, evolve, is_stale, settle
from shared.codec import Event


def fold(events: Iterable[Event]) -> State:
    """The state before it is settled."""
    state = State()
    for event in events:
        state = evolve(state, event)
    return state


def settled(state: State) -> State:
    """The state as it is when a view is derived."""
    return settle(state) if is_stale(state) else state


def folded(events: Iterable[Event]) -> State:
    """What the loop writes for these events."""
    return settled(fold(events))
