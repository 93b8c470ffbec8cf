"""What a training sees of customers is what the projection would have seen: the same events, the same numbers."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scoring.models.bgnbd import Parameters
from services.scoring.policies import Calibrated
from services.scoring.projector.purchases import local_day
from services.scoring.projector.seen import FEATURES, Seen, measure
from services.scoring.projector.state import MONTHS
from services.scoring.train.facts import Facts, Gathering
from services.scoring.train.learn import context
from services.scoring.train.table import returned, standing
from shared.codec import Event
from shared.language import ClockTicked, CustomerRegrouped, Settled, contribution
from tests.scoring.projector.folding import folded
from tests.strategies import CUSTOMER, START, bought, histories, make_event

CLOSED = Parameters(r=1.41, alpha=1.38, a=0.19, b=20)
MODEL = Calibrated(horizons=[], purchase_value={"CNY": 2_000.0, "USD": 700.0}, answers=0.6)
OTHER = "01890000-0000-7000-8000-00000000beef"
FIRST = START.toordinal()


def gathered(events: list[Event]) -> Facts:
    gathering = Gathering()
    for event in events:
        gathering.take(event)
    return gathering.facts()


def known_before(events: list[Event], cut: int) -> list[Event]:
    return [event for event in events if local_day(event.time, event.utcoffset) < cut]


@settings(max_examples=50)
@given(histories(most_orders=8), st.integers(1, 850), st.sampled_from((28, 90)))
def test_a_morning_is_what_the_fold_of_earlier_days_says(events, days, horizon):
    cut = FIRST + days
    state = folded(known_before(events, cut))
    seen = standing(gathered(events), cut)
    assume(not any(len(months) >= MONTHS for months in state.months.values()))
    if not state.newest:
        assert len(seen) == 0
        return
    assume(state.last_day is not None and state.last_day < cut)
    assume(len({time for time, _, _ in state.newest}) == len(state.newest))
    wanted = measure(Seen.of(state, cut), MODEL, CLOSED, horizon)
    [found] = seen.values(MODEL, list(gathered(events).currencies), CLOSED, horizon)
    assert dict(zip(FEATURES, found, strict=True)) == pytest.approx(
        dict(zip(FEATURES, wanted, strict=True)), abs=1e-9
    )


@settings(max_examples=20)
@given(histories(), st.integers(1, 850))
def test_what_comes_later_changes_nothing(events, days):
    cut = FIRST + days
    now, then = (standing(gathered(known), cut) for known in (events, known_before(events, cut)))
    for name in ("days", "first", "last", "n90", "net", "complaints_open", "answers", "points"):
        assert np.array_equal(getattr(now, name), getattr(then, name)), name
    assert np.array_equal(now.fading, then.fading)
    assert np.array_equal(now.late_gap, then.late_gap, equal_nan=True)


def buys(day: int, number: int, subject: str = CUSTOMER) -> Event:
    time = START + timedelta(days=day)
    return make_event(
        bought(1000, order_id=f"A-{number}"), time=time, number=number, subject=subject
    )


def told(head: str, revision: int) -> CustomerRegrouped:
    return CustomerRegrouped(
        head=head,
        parts=[OTHER, head],
        revision=revision,
        merge="m",
        undone=head == OTHER,
        by="li.na",
        reason="",
    )


def test_parts_are_one_customer_under_their_head():
    regrouped = make_event(
        told(CUSTOMER, 2),
        number=9,
        subject=OTHER,
    )
    facts = gathered([buys(0, 1), buys(5, 2, OTHER), regrouped])
    assert facts.customers == 1
    seen = standing(facts, FIRST + 30)
    assert (list(seen.days), list(seen.span)) == ([2], [5])
    apart = make_event(
        told(OTHER, 3),
        number=10,
        subject=OTHER,
    )
    assert gathered([buys(0, 1), buys(5, 2, OTHER), apart, regrouped]).customers == 2


def test_who_came_back_is_known_in_the_end():
    facts = gathered([buys(0, 1), buys(40, 2), buys(3, 3, OTHER)])
    seen = standing(facts, FIRST + 10)
    assert list(returned(facts, seen, 30)) == [False, False]
    assert list(returned(facts, seen, 31)) == [True, False]


def test_the_last_day_that_is_over_everywhere():
    at = START.replace(hour=11)
    ticks = [
        make_event(ClockTicked(at=at + timedelta(days=partition)), subject="", number=partition + 1)
        for partition in range(2)
    ]
    early = gathered([buys(0, 5), ticks[0]])
    assert early.end == FIRST - 1
    assert gathered([ticks[0], ticks[1]]).clock == at + timedelta(days=1), "they name one partition"


def test_nothing_at_all():
    facts = gathered([])
    assert (facts.customers, len(standing(facts, 10))) == (0, 0)
    assert context(standing(facts, 10), []).purchase_value == {}


def test_some_customers_only():
    facts = gathered([buys(0, 1), buys(3, 2, OTHER)])
    one = facts.of(np.array([1]))
    assert (one.customers, list(standing(one, FIRST + 9).first - FIRST)) in [(1, [0]), (1, [3])]


def test_an_order_with_money_in_two_currencies_is_one_order_in_each_way():
    data = bought(1000, order_id="A-1")
    part = contribution("e-1", START, 480, data)
    part = msgspec.structs.replace(part, spend={"USD": 900, "CNY": -200})
    event = make_event(msgspec.structs.replace(data, settled=Settled(None, part)))
    cut = FIRST + 40
    wanted = measure(Seen.of(folded([event]), cut), MODEL, CLOSED, 90)
    facts = gathered([event])
    [found] = standing(facts, cut).values(MODEL, list(facts.currencies), CLOSED, 90)
    assert list(found) == pytest.approx(wanted)
