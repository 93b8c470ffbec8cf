"""What a training sees of customers is what the projection would have seen: the same events, the same numbers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

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
from services.scoring.train.table import Standing, returned, standing
from shared.codec import Event
from shared.language import (
    ClockTicked,
    ComplaintOpened,
    ComplaintResolved,
    CustomerRegrouped,
    InteractionRecorded,
    Settled,
    contribution,
)
from tests.scoring.projector.folding import folded
from tests.strategies import CUSTOMER, START, bought, histories, make_event, retraction

CLOSED = Parameters(r=1.41, alpha=1.38, a=0.19, b=20)
MODEL = Calibrated(
    horizons=[],
    purchase_value={"CNY": 2_000.0, "USD": 700.0},
    answers=0.6,
    promoted=0.3,
    handling=0.4,
    discount=0.05,
    responses=0.2,
)
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
    assert learnt_of_the_future(standing, events, cut) == []


def learnt_of_the_future(
    look: Callable[[Facts, int], Standing], events: list[Event], cut: int
) -> list[str]:
    """The features of a morning that change when what comes later does."""
    now, then = (gathered(known) for known in (events, known_before(events, cut)))
    rows = [
        look(facts, cut).values(MODEL, list(facts.currencies), CLOSED, 90) for facts in (now, then)
    ]
    same = np.isclose(*rows).all(axis=0)
    return [name for name, is_same in zip(FEATURES, same, strict=True) if not is_same]


def test_what_is_told_of_the_future_is_found():
    """A complaint, a coupon and contacts of the day after; a look that does not leave them out."""
    told = [
        buys(0, 1),
        buys(20, 2),
        make_event(InteractionRecorded("visit"), number=3, time=START + timedelta(days=21)),
        make_event(InteractionRecorded("campaign_sent"), number=4, time=START),
    ]
    later = START + timedelta(days=31)
    more = [
        make_event(bought(500, order_id="A-9", coupons=("C",), discount=100), number=5, time=later),
        make_event(InteractionRecorded("visit"), number=6, time=later),
        make_event(InteractionRecorded("campaign_sent"), number=7, time=later),
        make_event(InteractionRecorded("campaign_response"), number=8, time=later),
        make_event(ComplaintOpened("K-1", category="quality"), number=9, time=later),
        make_event(ComplaintResolved("K-1"), number=10, time=later + timedelta(hours=1)),
    ]
    cut = FIRST + 30
    assert learnt_of_the_future(standing, told + more, cut) == []
    for table, leaked in (
        ("money", {"fading30", "fading120", "promoted", "discount"}),
        ("touches", {"contacts", "reached", "responses"}),
        ("complaints", {"complaints_settled", "handling"}),
    ):
        seen = partial(too_early, table)
        assert leaked <= set(learnt_of_the_future(seen, told + more, cut)), table


def too_early(table: str, facts: Facts, cut: int) -> Standing:
    """Everything of one table counts as known from the beginning."""
    rows = getattr(facts, table).copy()
    rows[:, 1] = 0
    return standing(replace(facts, **{table: rows}), cut)


def test_contacts_and_deals_by_hand():
    """Two orders, one with a coupon; two campaigns, one answered; a call taken back."""
    called = make_event(InteractionRecorded("call", direction="inbound"), number=9, commanded=True)
    events = [
        buys(0, 1),
        make_event(bought(900, order_id="A-2", discount=100, coupons=("C",)), number=2),
        *(make_event(InteractionRecorded("campaign_sent"), number=n) for n in (3, 4)),
        make_event(InteractionRecorded("campaign_response"), number=5),
        called,
        retraction(called, 10),
        make_event(InteractionRecorded("page_view"), number=6),
        make_event(ComplaintOpened("K-1", category="quality", severity="low"), number=7),
        make_event(ComplaintResolved("K-1"), number=8),
    ]
    facts = gathered(events)
    [row] = standing(facts, FIRST + 10).values(MODEL, list(facts.currencies), CLOSED, 90)
    found = dict(zip(FEATURES, row, strict=True))
    assert found["promoted"] == pytest.approx((1 - 2 * 0.3) / (2 + 3))
    assert found["discount"] == pytest.approx((100 / 2000 - 0.05) * 2 / 5)
    assert found["responses"] == pytest.approx((1 - 2 * 0.2) / (2 + 3))
    assert found["contacts"] == pytest.approx(np.log(1 + 0.1))
    assert found["reached"] == pytest.approx(np.log(2 + 0.1))
    assert found["handling"] == pytest.approx((0.7 - 0.4) / (1 + 3))


def test_a_season_is_what_the_year_before_brought():
    """Twelve orders a year ago, nine of them in the months that now come."""
    days = [0, 1, 2, 3, 4, 5, 30, 31, 32, 150, 200, 250]
    facts = gathered([buys(day, number + 1) for number, day in enumerate(days)])
    place = FEATURES.index("season")
    [row] = standing(facts, FIRST + 364).values(MODEL, list(facts.currencies), CLOSED, 28)
    assert row[place] == pytest.approx(np.log((9 + 3 / 6) / ((12 + 3) / 6)))
    [young] = standing(facts, FIRST + 300).values(MODEL, list(facts.currencies), CLOSED, 28)
    assert young[place] == 0, "nobody was there a year ago"


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
