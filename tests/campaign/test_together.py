"""All rules as one function answer what each answers alone."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.campaign.projector.evolve import COUNTED
from services.campaign.projector.rules import compile_rule
from services.campaign.projector.segments import segments_in_force
from services.campaign.projector.state import Audience
from services.campaign.projector.subject import Subject
from services.campaign.projector.together import together
from shared.language import TagAdded
from tests.campaign.folding import ZONE, fold, leaves, rules, segments, whole_histories
from tests.strategies import START, bought, make_event, times

AMOUNTS = ["0", "4.99", "500"]
CHURN = {"field": "scores.churn_band"}


def _between(field, low, more):
    return {"field": field, "op": "between", "value": [low, low + more]}


rare = st.one_of(
    st.builds(
        _between,
        st.sampled_from(("purchases.count", "satisfaction.csat", "complaints.total")),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    st.builds(
        lambda op, values: {"field": "purchases.count", "op": op, "value": values},
        st.sampled_from(("in", "not_in")),
        st.lists(st.integers(0, 4), min_size=1, max_size=3),
    ),
    st.builds(
        lambda field, low, high: {
            "field": field,
            "op": "between",
            "value": sorted((low, high), key=float),
        },
        st.sampled_from(("purchases.spend", "purchases.average_basket")),
        st.sampled_from(AMOUNTS),
        st.sampled_from(AMOUNTS),
    ),
    st.builds(
        lambda op, code: {
            "field": "purchases.average_basket",
            "op": op,
            "value": "5",
            "currency": code,
        },
        st.sampled_from(("=", "!=", "<", ">=")),
        st.sampled_from(("CNY", "JPY", "KWD")),
    ),
    st.builds(
        lambda op, values: {**CHURN, "op": op, "value": values},
        st.sampled_from(("in", "not_in")),
        st.just(["low", "high"]),
    ),
    st.builds(
        lambda op, text: {"field": "purchases.currency", "op": op, "value": text},
        st.sampled_from(("=", "!=", "contains", "not_contains", "starts_with")),
        st.sampled_from(("CNY", "C")),
    ),
    st.builds(
        lambda low, high: {
            "count": {"type": "purchase.completed", "within_days": low},
            "op": "between",
            "value": [0, high],
        },
        st.sampled_from((1, 7, 366)),
        st.integers(0, 2),
    ),
)


@given(whole_histories(), st.lists(rules | rare, min_size=1, max_size=12), times)
@settings(max_examples=150)
def test_as_one_by_one(events, asked, clock):
    state = fold(events)
    found = segments_in_force(segments(*asked))
    alone = [
        f"s{n}"
        for n, rule in enumerate(asked)
        if compile_rule(rule).test(Subject(state, clock, ZONE))
    ]
    assert [one.id for one in found.members(Subject(state, clock, ZONE))] == alone


@given(st.lists(rules | rare, min_size=1, max_size=12))
def test_of_whom_nothing_is_known(asked):
    state, clock = Audience(), START
    found = segments_in_force(segments(*asked)).members(Subject(state, clock, ZONE))
    alone = [compile_rule(rule).test(Subject(state, clock, ZONE)) for rule in asked]
    assert len(found) == sum(alone)


@given(whole_histories(), st.sampled_from(COUNTED), st.integers(1, 366), times)
@example([], COUNTED[0], 1, START)
def test_windows_are_what_their_days_come_to(events, type_, within, clock):
    """As the days are, one by one; also when the next one comes or leaves."""
    state = fold(events)
    subject = Subject(state, clock, ZONE)
    counted = state.counts.get(type_)
    days = {} if counted is None else counted.days
    today = subject.today
    assert subject.counted(type_, within) == sum(
        number for day, number in days.items() if today - within < day <= today
    )
    rule = {"count": {"type": type_, "within_days": within}, "op": ">", "value": 0}
    [condition] = compile_rule(rule).conditions
    turns = [
        day if day > today else day + within
        for day, number in days.items()
        if number and day + within > today
    ]
    assert condition.turn is not None
    assert condition.turn(subject) == min(turns, default=None)


@given(whole_histories(), leaves, st.integers(2, 5))
def test_a_value_is_looked_up_once(events, leaf, times_asked):
    """However many rules look at it, and whatever they do with it."""
    subject = Subject(fold(events), START + timedelta(days=30), ZONE)
    rule = compile_rule({"any": [leaf, {"not": leaf}]})
    ask = together([(rule, n) for n in range(times_asked)])
    assert ask(subject) == list(range(times_asked))


def test_nothing_of_a_rule_is_run():
    """Texts of a rule are only compared, whatever they look like."""
    text = "') or found(1) #{a} {value}"
    rule = compile_rule({"field": "tags", "op": "contains", "value": text})
    assert together([(rule, 0)])(Subject(Audience(), START, ZONE)) == []


EDGES = [
    {"field": "last_purchase_at", "op": "within_days", "value": 3},
    {"field": "tags", "op": "contains", "value": "vip"},
    {"field": "tags", "op": "not_contains", "value": "vip"},
    {"field": "purchases.spend", "op": "=", "value": "1"},
    {"field": "purchases.count", "op": "between", "value": [1, 1]},
]


@pytest.mark.parametrize("days", range(-1, 6))
@pytest.mark.parametrize("tagged", [True, False])
def test_at_the_edges(days, tagged):
    """A day before the window, in it, and after it; with a tag, and without."""
    events = [make_event(bought(100), time=START + timedelta(days=3), number=1)]
    if tagged:
        events.append(make_event(TagAdded("vip", by="li.na"), time=START, number=2))
    state, clock = fold(events), START + timedelta(days=3 + days)
    ask = together([(compile_rule(rule), n) for n, rule in enumerate(EDGES)])
    alone = [
        n for n, rule in enumerate(EDGES) if compile_rule(rule).test(Subject(state, clock, ZONE))
    ]
    assert ask(Subject(state, clock, ZONE)) == alone
    assert (0 in alone) is (days < 3)
    assert (1 in alone, 2 in alone) == (tagged, not tagged)
