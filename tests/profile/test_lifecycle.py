"""The walk through the states: given purchases, complaints and answers on these days, then."""

from copy import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.profile.projector import lifecycle, path, turns_at
from services.profile.projector.lifecycle import Walker, advance, now
from services.profile.projector.rules import BUILT_IN_LIFECYCLE, LifecycleRules, body, faults
from shared.language import (
    ComplaintOpened,
    ComplaintResolved,
    InteractionRecorded,
    PurchaseCancelled,
    Settled,
    SurveyAnswered,
    contribution,
)
from shared.moments import DAY, micros, moment
from shared.projection import Policy
from tests.profile.folding import DAY_0, Story, day
from tests.strategies import bought, event_id


def steps(told: Story, until: float) -> list[tuple[str, float]]:
    """(state, day since) on the path up to a day."""
    state = told.state()
    walked = path(state.items, state.contacts.first, micros(day(until)), BUILT_IN_LIFECYCLE)
    return [(one.state, (moment(one.since) - DAY_0).total_seconds() / 86400) for one in walked]


WEEKLY = (0, 7, 14, 21)

CASES = {
    "nobody": (Story(), 10, []),
    "known, never bought": (Story()(3, InteractionRecorded("call")), 900, [("prospect", 3)]),
    "met before buying": (
        Story()(0, InteractionRecorded("call")).buys(5),
        6,
        [("prospect", 0), ("new", 5)],
    ),
    "bought once, twice": (Story().buys(0, 7), 8, [("new", 0), ("growing", 7)]),
    "twice on one day": (Story().buys(0, 0.1), 8, [("new", 0)]),
    "four days": (Story().buys(*WEEKLY), 22, [("new", 0), ("growing", 7), ("mature", 21)]),
    "silence of a weekly buyer": (
        Story().buys(*WEEKLY),
        100,
        [("new", 0), ("growing", 7), ("mature", 21), ("silent", 42), ("lost", 63)],
    ),
    "silence of a monthly buyer": (
        Story().buys(0, 30, 60, 90),
        300,
        [("new", 0), ("growing", 30), ("mature", 90), ("silent", 180), ("lost", 270)],
    ),
    "a daily buyer has the shortest interval": (
        Story().buys(0, 1, 2, 3),
        30,
        [("new", 0), ("growing", 1), ("mature", 3), ("silent", 24)],
    ),
    "a rare buyer has the longest interval": (
        Story().buys(0, 89),
        700,
        [("new", 0), ("growing", 89), ("silent", 356), ("lost", 623)],
    ),
    "one purchase": (Story().buys(0), 200, [("new", 0), ("silent", 90), ("lost", 180)]),
    "back after silence": (
        Story().buys(0, 7, 14, 40),
        41,
        [("new", 0), ("growing", 7), ("silent", 35), ("won_back", 40)],
    ),
    "back after loss, then mature again": (
        Story().buys(0, 7, 200, 207, 214),
        215,
        [
            *(("new", 0), ("growing", 7), ("silent", 28), ("lost", 49)),
            *(("won_back", 200), ("mature", 214)),
        ],
    ),
    "a second purchase after long is a return, not growth": (
        Story().buys(0, 100),
        101,
        [("new", 0), ("silent", 90), ("won_back", 100)],
    ),
    "a later purchase of the same day, told late, ends a silence that never was": (
        Story().buys(0, 90.3, 0.45),
        91,
        [("new", 0), ("growing", 90.3)],
    ),
    "the same while silent": (
        Story().buys(0)(90.2, ComplaintOpened("K", "x")).buys(0.45),
        91,
        [("new", 0), ("silent", 90.45)],
    ),
    "a complaint holds maturity back": (
        Story()(10, ComplaintOpened("K", "x")).buys(*WEEKLY)(30, ComplaintResolved("K")),
        31,
        [("new", 0), ("growing", 7), ("mature", 30)],
    ),
    "a complaint takes maturity away": (
        Story().buys(*WEEKLY)(22, ComplaintOpened("K", "x"))(25, ComplaintResolved("K")),
        30,
        [("new", 0), ("growing", 7), ("mature", 21), ("growing", 22), ("mature", 25)],
    ),
    "two complaints, one solved": (
        Story().buys(*WEEKLY)(22, ComplaintOpened("K", "x"), ComplaintOpened("L", "x"))(
            25, ComplaintResolved("K")
        ),
        30,
        [("new", 0), ("growing", 7), ("mature", 21), ("growing", 22)],
    ),
    "a low score, then a good one": (
        Story().buys(*WEEKLY)(22, SurveyAnswered("s", "nps", 3.0))(
            26, SurveyAnswered("s", "csat", 5.0)
        ),
        30,
        [("new", 0), ("growing", 7), ("mature", 21), ("growing", 22), ("mature", 26)],
    ),
    "a low score is forgotten in time": (
        Story()(0, SurveyAnswered("s", "csat", 1.0)).buys(*range(0, 190, 10)),
        185,
        [("new", 0), ("growing", 10), ("mature", 180)],
    ),
    "a form says nothing": (
        Story().buys(*WEEKLY)(22, SurveyAnswered("s", "form", 1.0)),
        30,
        [("new", 0), ("growing", 7), ("mature", 21)],
    ),
    "a complaint in silence changes nothing": (
        Story().buys(*WEEKLY)(50, ComplaintOpened("K", "x")),
        55,
        [("new", 0), ("growing", 7), ("mature", 21), ("silent", 42)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_path(name: str) -> None:
    told, until, expected = CASES[name]
    assert steps(told, until) == expected
    now = told.view(until).lifecycle
    if expected:
        assert now.since is not None
        since = (now.since - DAY_0).total_seconds() / 86400
        assert (now.state, since) == expected[-1]


@pytest.mark.parametrize("name", CASES)
def test_due_at_is_the_first_minute_at_which_the_state_changes(name: str) -> None:
    told, until, _ = CASES[name]
    state = told.state()
    at = turns_at(state, micros(day(until)))
    if at is None:
        assert told.view(until).lifecycle.state == told.view(3000).lifecycle.state
    else:
        assert told.view(until).lifecycle == told.view(moment(at - 60_000_000)).lifecycle
        assert told.view(moment(at)).lifecycle.state != told.view(until).lifecycle.state
        assert told.view(until).lifecycle.due_at == moment(at)


def test_a_late_purchase_undoes_a_silence_that_was_told() -> None:
    told = Story().buys(*WEEKLY)
    assert told.view(50).lifecycle.state == "silent"
    told.buys(40)
    assert steps(told, 50) == [("new", 0), ("growing", 7), ("mature", 21)]
    assert told.view(50).lifecycle.state == "mature"


def test_a_cancelled_purchase_was_never_a_step() -> None:
    told = Story().buys(*WEEKLY)
    gone = contribution(event_id(4), day(21), 480, bought(1000, order_id="A-4"))
    told(22, PurchaseCancelled("A-4", settled=Settled(gone, None)))
    assert steps(told, 22) == [("new", 0), ("growing", 7)]


def test_every_purchase_cancelled_is_a_prospect_again() -> None:
    gone = contribution(event_id(1), day(0), 480, bought(1000, order_id="A-1"))
    told = Story().buys(0)(1, PurchaseCancelled("A-1", settled=Settled(gone, None)))
    assert steps(told, 500) == [("prospect", 0)]
    assert told.view(500).due_at is None


def test_reasons_and_evidence() -> None:
    told = Story().buys(*WEEKLY)
    mature = told.view(22).lifecycle
    assert (mature.reason.code, mature.reason.params) == ("loyal", {"days": 4})
    assert mature.evidence == [event_id(4)]
    silent = told.view(50).lifecycle
    assert (silent.reason.code, silent.reason.params) == ("silent", {"days": 21.0, "usual": 7.0})
    assert silent.evidence == [event_id(4)]
    assert silent.policy == "lifecycle@1"


def test_a_published_policy_walks_every_day_again() -> None:
    told = Story().buys(*WEEKLY)
    slow = {"lifecycle": Policy("lifecycle", 2, {"silent_after": 10.0, "lost_after": 20.0})}
    view = told.view(60, slow)
    assert (view.lifecycle.state, view.lifecycle.policy) == ("mature", "lifecycle@2")
    assert told.view(60).lifecycle.state == "silent"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"shortest_interval_days": 100.0}, "longest_interval_days"),
        ({"lost_after": 2.0}, "lost_after"),
        ({"shortest_interval_days": 0.5, "silent_after": 1.0}, "silent_after"),
    ],
)
def test_thresholds_that_contradict_each_other(changed: dict[str, float], field: str) -> None:
    rules = LifecycleRules(**(body(BUILT_IN_LIFECYCLE) | changed))
    assert [name for name, _ in faults(rules)] == [field]
    assert faults(BUILT_IN_LIFECYCLE) == []


walkers = st.builds(
    Walker,
    position=st.just((0, "")),
    days=st.integers(1, 6),
    first_day=st.just(739_000),
    last_day=st.integers(739_000, 739_300),
    last=st.tuples(st.integers(0, 300 * DAY), st.just("e")),
    quiet=st.integers(0, 2),
    recovering=st.integers(0, 2),
    open=st.integers(0, 1),
    unhappy_until=st.one_of(st.just(0), st.integers(1, 700 * DAY)),
)
idle = st.builds(Walker, unhappy_until=st.one_of(st.just(0), st.integers(1, 700 * DAY)))


def now_step_by_step(walker: Walker, clock: int | None) -> tuple[Walker, int | None]:
    """Fire one timer after the other until the state is another one."""
    current = copy(walker)
    if clock is not None:
        advance(current, clock)
    ahead = copy(current)
    while (timer := lifecycle._timer(ahead)) is not None:
        lifecycle._fire(ahead, *timer, None)
        if lifecycle.state(ahead) != lifecycle.state(current):
            return current, timer[0]
    return current, None


@given(st.one_of(walkers, idle), st.one_of(st.none(), st.integers(0, 800 * DAY)))
@settings(max_examples=1000, deadline=None)
def test_the_next_change_is_the_first_that_firing_every_timer_finds(walker, clock):
    before = copy(walker)
    assert now(walker, clock) == now_step_by_step(walker, clock)
    assert walker == before
