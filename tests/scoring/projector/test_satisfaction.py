"""Satisfaction: invariants, since nobody can say what is right."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.policies import SatisfactionRules
from services.scoring.projector import State
from services.scoring.projector.satisfaction import fresh, mood
from shared.codec import Event
from shared.language import ComplaintOpened, ComplaintResolved, SurveyAnswered
from tests.scoring.projector.folding import folded
from tests.strategies import START, make_event

RULES = SatisfactionRules(strength=3.0, half_life_days=180)
USUAL = 70.0
LATER = START.toordinal() + 500
NEARLY = 0.011
"""Scores are rounded to hundredths."""
SEVERITIES = ("low", "medium", "high", "critical")


def scored(events: list[Event], today: int = LATER, usual: float = USUAL) -> float:
    return mood(folded(events), today, RULES, usual).score


def answered(points: int, day: int = 0, number: int = 1) -> Event:
    """An answer worth so many tenths of the best."""
    data = SurveyAnswered("s", "nps", float(points))
    return make_event(data, number=number, time=START + timedelta(days=day))


def opened(number: int, severity: str | None, day: int = 0) -> Event:
    data = ComplaintOpened(f"K-{number}", category="quality", severity=severity)
    return make_event(data, number=number, time=START + timedelta(days=day))


def resolved(number: int, hours: int, day: int = 0) -> Event:
    time = START + timedelta(days=day, hours=hours)
    return make_event(ComplaintResolved(f"K-{number}"), number=number + 1000, time=time)


points = st.integers(0, 10)
days = st.integers(0, 400)
severities = st.sampled_from(SEVERITIES)


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Answers, and complaints of which some are resolved."""
    events = [
        answered(draw(points), draw(days), number) for number in range(1, draw(st.integers(1, 7)))
    ]
    for number in range(100, 100 + draw(st.integers(0, 3))):
        day = draw(days)
        events.append(opened(number, draw(severities), day))
        if draw(st.booleans()):
            events.append(resolved(number, draw(st.integers(0, 1000)), day))
    return events


@given(lives(), points, points, days)
def test_a_better_answer_never_lowers_the_score(events, one, other, day):
    worse, better = sorted((one, other))
    scores = [scored([*events, answered(each, day, 50)]) for each in (worse, better)]
    assert scores[0] <= scores[1]


@given(lives(), points, days)
def test_one_answer_never_moves_the_score_past_itself(events, given_points, day):
    before, after = scored(events), scored([*events, answered(given_points, day, 50)])
    low, high = sorted((before, 10.0 * given_points))
    assert low - NEARLY <= after <= high + NEARLY


@given(lives(), severities, severities, days, st.none() | st.integers(0, 1000))
def test_a_graver_complaint_never_raises_the_score(events, one, other, day, hours):
    mild, grave = sorted((one, other), key=SEVERITIES.index)
    end = [] if hours is None else [resolved(60, hours, day)]
    scores = [scored([*events, opened(60, each, day), *end]) for each in (mild, grave)]
    assert scores[1] <= scores[0]


@given(lives(), severities, st.integers(0, 700), st.integers(0, 700))
def test_a_longer_handling_never_raises_the_score(events, severity, one, other):
    """Resolved on the same day: so that only the time it took differs, the beginning is moved."""
    quick, slow = sorted((one, other))
    end = make_event(ComplaintResolved("K-60"), number=1060, time=START + timedelta(days=40))
    scores = []
    for hours in (quick, slow):
        data = ComplaintOpened("K-60", category="quality", severity=severity)
        began = make_event(data, number=60, time=end.time - timedelta(hours=hours))
        scores.append(scored([*events, began, end]))
    assert scores[1] <= scores[0]


@given(lives(), st.none() | severities, days, st.integers(0, 2000))
def test_an_open_complaint_lowers_the_score_until_it_is_resolved(events, severity, day, hours):
    without = scored(events)
    complaining = scored([*events, opened(60, severity, day)])
    settled = scored([*events, opened(60, severity, day), resolved(60, hours, day)])
    assert complaining <= without
    assert complaining <= settled
    assert complaining < without or without == 0


@given(points, st.floats(0, 100), st.integers(1, 40))
def test_few_answers_say_little_and_many_say_all(given_points, usual, number):
    """From what is usual to what is answered, and surer with every answer."""
    answers = [answered(given_points, 0, n) for n in range(1, number + 1)]
    today = START.toordinal()
    state, more = folded(answers), folded([*answers, answered(given_points, 0, 99)])
    few, many = (mood(each, today, RULES, usual) for each in (state, more))
    gaps = [abs(each.score - 10.0 * given_points) for each in (few, many)]
    assert gaps[1] <= gaps[0] + NEARLY
    assert gaps[0] <= abs(usual - 10.0 * given_points) + NEARLY
    assert few.weight < many.weight


def test_without_a_word_it_is_what_is_usual():
    assert mood(State(), LATER, RULES, 63.5).score == 63.5


@given(st.lists(points, min_size=1, max_size=6), st.integers(0, 800), st.integers(0, 800))
def test_what_was_said_long_ago_counts_for_less(answers, wait, longer):
    """Towards what is usual, by and by."""
    events = [answered(each, 20 * n, n + 1) for n, each in enumerate(answers)]
    first = START.toordinal() + 150
    soon, late = (mood(folded(events), first + d, RULES, USUAL) for d in (wait, wait + longer))
    assert abs(late.score - USUAL) <= abs(soon.score - USUAL) + NEARLY
    assert late.weight <= soon.weight


def test_an_open_complaint_does_not_age():
    state = folded([opened(1, "high")])
    soon, late = (mood(state, LATER + days, RULES, USUAL).score for days in (0, 900))
    assert soon == late == 38.18


def test_half_of_an_answer_is_left_after_the_half_life():
    """Of January, counted from its first day."""
    state = folded([answered(10)])
    first = START.toordinal() - 4
    assert mood(state, first, RULES, USUAL).score == 77.5
    assert mood(state, first + 180, RULES, USUAL).score == 74.29
    assert msgspec.structs.asdict(RULES)["half_life_days"] == 180


@given(lives(), st.integers(0, 400))
def test_one_answer_more_does_what_is_said(events: list[Event], ahead: int):
    """The best answer of today moves the score to where the nearest change says."""
    today = START.toordinal() + 450 + ahead
    found = mood(folded(events), today, RULES, USUAL)
    one = fresh(today, RULES)
    told = found.with_answers(one, one)
    assert scored([*events, answered(10, 450 + ahead, 999)], today) == pytest.approx(
        told, abs=NEARLY
    )
