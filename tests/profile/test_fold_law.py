"""Facts fold in any order, in any chunks, in any two halves, to the same state and view."""

import copy
from itertools import pairwise

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.profile.projector import Profile, View, derive, evolve, merge, path
from services.profile.projector.rules import BUILT_IN_LIFECYCLE
from shared.codec import Event
from shared.moments import micros, moment
from tests.profile.folding import Rows, fold, settled
from tests.strategies import clocks, divided, histories, rearranged

SLOW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(rearranged(), clocks)
@SLOW
def test_any_order_gives_the_same_state_and_view(pair, clock):
    events, shuffled = pair
    one, other = fold(events), fold(shuffled)
    assert one == other
    assert derive(one, clock, {}) == derive(other, clock, {})


@given(divided())
@SLOW
def test_two_halves_merge_to_the_whole(parts):
    one, other, whole = parts
    assert settled(merge(fold(one), fold(other))) == fold(whole)
    assert settled(merge(fold(other), fold(one))) == fold(whole)


@given(rearranged(), st.lists(st.integers(1, 5), max_size=30))
@SLOW
def test_any_chunks_through_rows_give_the_same(pair, sizes):
    events, shuffled = pair
    rows = Rows()
    rest = list(shuffled)
    for size in [*sizes, len(rest)]:
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            rows.batch(chunk)
    assert rows.whole() == fold(events)


@given(histories())
@SLOW
def test_in_order_the_walk_goes_on_and_equals_a_walk_from_scratch(events):
    state = Profile()
    for event in sorted(events, key=lambda event: (event.time, event.id)):
        state = settled(evolve(state, event))
        fresh = copy.deepcopy(state)
        fresh.stale = True
        assert settled(fresh).walker == state.walker


@given(histories(), clocks)
@SLOW
def test_the_path_ends_where_the_view_stands(events, clock):
    state = fold(events)
    view = derive(state, clock, {})
    at = None if clock is None else micros(clock)
    steps = path(state.items, state.contacts.earliest(), at, BUILT_IN_LIFECYCLE)
    if steps:
        assert steps[-1].state == view.lifecycle.state
        assert moment(steps[-1].since) == view.lifecycle.since
        assert [step.since for step in steps] == sorted(step.since for step in steps)
    assert all(a.state != b.state or b.state == "won_back" for a, b in pairwise(steps))


@given(histories(), clocks.filter(bool))
@SLOW
def test_due_at_is_the_first_minute_at_which_anything_changes(events, clock):
    state = fold(events)
    view = derive(state, clock, {})
    if view.due_at is None:
        later = derive(state, clock.replace(year=2800), {})
        assert later == view
        return
    assert view.due_at > clock
    assert view.due_at.second == view.due_at.microsecond == 0
    minute_before = max(clock, moment(micros(view.due_at) - 60_000_000))
    assert derive(state, minute_before, {}) == view
    assert derive(state, view.due_at, {}) != view


@given(histories(), clocks)
@SLOW
def test_states_and_views_survive_the_rows_bytes(events, clock):
    view = derive(fold(events), clock, {})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=View) == view


@given(rearranged())
@SLOW
def test_what_is_cancelled_leaves_nothing_behind(pair):
    """Every order whose last word is a cancellation counts for nothing."""
    events, shuffled = pair
    orders: dict[str, Event] = {}
    for event in events:
        settled_ = getattr(event.data, "settled", None)
        if settled_ is not None:
            orders[event.data.order_id] = event
    live = [event.data.settled.after for event in orders.values() if event.data.settled.after]
    loose = [e for e in events if e.type == "purchase.completed" and e.data.settled is None]
    state = fold(shuffled)
    assert state.purchases.orders == sum(part.orders for part in live) + len(loose)
