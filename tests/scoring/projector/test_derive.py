"""What the facts mean at a clock."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given

from services.scoring.policies import CDNOW
from services.scoring.projection import COLUMNS, row
from services.scoring.projector import State, View, derive
from services.scoring.projector.details import describe
from shared.language import ComplaintOpened, PurchaseCancelled, Settled, contribution
from shared.projection import Policy
from tests.scoring.projector.folding import folded
from tests.strategies import START, bought, clocks, event_id, histories, make_event, rearranged

RFM = Policy(
    "rfm",
    3,
    {
        "customers": 100,
        "fitted_at": "2026-01-01T00:00:00Z",
        "recency": [0, 0, 0, 0],
        "frequency": [1, 1, 1, 1],
        "monetary": {"CNY": [0, 0, 0, 0]},
    },
)
CHURN = Policy(
    "churn", 4, {**msgspec.to_builtins(CDNOW), "parameters": {"r": 1, "alpha": 2, "a": 1, "b": 3}}
)
BOUGHT = folded(
    [
        make_event(bought(), number=1),
        make_event(bought(500), number=2, time=START + timedelta(days=10)),
    ]
)
LAST = START + timedelta(days=10)


def test_who_never_bought_has_nothing():
    view = derive(State(), START, {})
    assert (view.churn, view.rfm, view.due_at) == (None, None, None)
    assert row(view) == (*(None,) * (len(COLUMNS) - 1), False)


def test_ages_are_local_days_to_the_clock():
    view = derive(BOUGHT, LAST + timedelta(days=41), {})
    assert view.rfm is not None
    assert view.rfm.recency_days == 41


def test_a_day_turns_at_the_customers_midnight():
    """16:00 UTC is midnight in Shanghai."""
    before = derive(BOUGHT, datetime(2026, 2, 1, 15, 59, tzinfo=UTC), {})
    after = derive(BOUGHT, datetime(2026, 2, 1, 16, 0, tzinfo=UTC), {})
    assert before.rfm is not None
    assert after.rfm is not None
    assert after.rfm.recency_days == before.rfm.recency_days + 1
    assert before.due_at == after.at == datetime(2026, 2, 1, 16, 0, tzinfo=UTC)


def test_numbers_hold_from_midnight_to_midnight():
    """Rows come out the same whenever within the day they were derived."""
    morning, evening = (
        derive(BOUGHT, datetime(2026, 2, 1, hour, tzinfo=UTC), {}) for hour in (1, 15)
    )
    assert morning == evening


@pytest.mark.parametrize("clock", [None, LAST - timedelta(days=3)])
def test_ages_are_never_negative(clock):
    view = derive(BOUGHT, clock, {})
    assert view.rfm is not None
    assert view.rfm.recency_days == 0
    assert view.at == LAST


def test_the_policies_in_force_are_named():
    view = derive(BOUGHT, LAST, {"churn": CHURN, "rfm": RFM})
    assert (view.model, view.policy) == ("churn@4", "rfm@3")
    assert view.rfm is not None
    assert view.rfm.rfm_class == "champion"
    default = derive(BOUGHT, LAST, {})
    assert (default.model, default.policy) == ("churn@0", "rfm@0")
    assert default.churn != view.churn


def test_bands_follow_the_policy():
    strict = Policy(
        "scoring", 1, {"medium_from": 0.0, "high_from": 0.0, "classes": [["lost"] * 5] * 5}
    )
    view = derive(BOUGHT, LAST, {"scoring": strict, "rfm": RFM})
    assert view.churn is not None
    assert view.rfm is not None
    assert (view.churn.band, view.rfm.rfm_class) == ("high", "lost")


def test_evidence_is_the_last_purchases_and_open_complaints():
    complaint = make_event(ComplaintOpened("K-1", category="quality"), number=7)
    events = [
        make_event(bought(), number=1),
        make_event(bought(500), number=2, time=LAST),
        complaint,
    ]
    view = derive(folded(events), LAST, {})
    assert view.churn is not None
    [details] = describe([(folded(events), view)], {})
    assert details.churn is not None
    assert details.churn.evidence == [event_id(2), event_id(1), event_id(7)]
    assert (details.churn.probability, details.churn.band) == (
        view.churn.probability,
        view.churn.band,
    )


def test_all_purchases_cancelled_is_never_bought():
    part = contribution(event_id(1), START, 480, bought())
    events = [
        make_event(bought(), number=1),
        make_event(PurchaseCancelled("A-1", settled=Settled(part, None)), number=2, time=LAST),
    ]
    view = derive(folded(events), LAST, {})
    assert view.churn is None
    assert view.at == LAST


@given(histories(), clocks)
def test_a_view_for_any_history(events, clock):
    state = folded(events)
    view = derive(state, clock, {"rfm": RFM})
    assert (view.churn is None) == (state.orders == 0)
    assert len(row(view)) == len(COLUMNS)
    assert (view.due_at is None) == (view.churn is None and view.satisfaction is None)
    if view.churn is None or view.rfm is None:
        return
    assert view.rfm.recency_days >= 0
    assert view.at is not None
    assert view.due_at is not None
    assert timedelta(0) < view.due_at - view.at <= timedelta(days=1)
    assert view.due_at.second == view.due_at.microsecond == 0
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=View) == view


@given(histories(), clocks)
def test_there_are_reasons_and_evidence_for_every_score(events, clock):
    """Whatever happened: nothing fails, and nothing is without its reasons."""
    state = folded(events)
    view = derive(state, clock, {"rfm": RFM})
    [details] = describe([(state, view)], {"rfm": RFM})
    if view.satisfaction is not None:
        assert details.satisfaction is not None
        assert details.satisfaction.score == view.satisfaction.score
        assert details.satisfaction.low <= details.satisfaction.score <= details.satisfaction.high
        assert details.satisfaction.reasons
        assert details.satisfaction.evidence
    if view.churn is None:
        return
    assert details.evidence
    assert details.churn is not None
    assert details.churn.reasons
    assert set(details.churn.others) == {28}
    assert details.churn.others[28] >= details.churn.probability - 1e-6
    assert details.rfm_change is not None
    assert details.matrix is not None
    assert len(details.matrix.reasons) == 2
    assert details.matrix.change is not None
    if details.matrix.change.code != "none":
        assert details.matrix.change.then != details.matrix.matrix.cell
    for span in details.value.future.spans if details.value else ():
        assert 0 <= span.low <= span.high
        assert 0 <= span.repurchase <= 1
        assert span.purchases >= 0
    assert details.next_purchase is not None
    assert details.next_purchase.first <= details.next_purchase.on <= details.next_purchase.last


@given(rearranged(), clocks)
def test_the_order_of_facts_does_not_matter(pair, clock):
    one, other = (derive(folded(events), clock, {"rfm": RFM}) for events in pair)
    assert one == other


@given(histories(), clocks)
def test_nothing_changes_before_it_is_due(events, clock):
    state = folded(events)
    view = derive(state, clock, {})
    if view.due_at is not None and clock is not None:
        just_before = max(clock, view.due_at - timedelta(microseconds=1))
        assert derive(state, just_before, {}) == view
