"""The churn probability by a trained model: what it says, why, and what would change it."""

from datetime import timedelta
from math import exp

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scoring import policies as rules
from services.scoring.models.bgnbd import Parameters
from services.scoring.policies import (
    BANDS,
    CDNOW,
    DEFAULT_SCORING,
    Calibrated,
    Learnt,
    Line,
    Shadow,
)
from services.scoring.projector import State, derive
from services.scoring.projector.churn import first_silence
from services.scoring.projector.seen import FEATURES, SIGNS, Seen
from services.scoring.projector.trained import TrainedJudge, _stretches
from services.scoring.words import REASONS
from shared.language import ComplaintOpened, InteractionRecorded
from shared.projection import Policies, Policy
from tests.scoring.projector.folding import folded
from tests.strategies import START, bought, histories, make_event

FIRST = START.toordinal()
CLOSED = Parameters(r=1.41, alpha=1.38, a=0.19, b=20)


def learnt(horizon: int, base: float = -0.5) -> Learnt:
    """Every feature counts, each in the way that it may."""
    lines = [Line(name, 0.3 * (SIGNS[name] or -1), -8.0, 8.0, 0.5) for name in FEATURES]
    return Learnt(horizon_days=horizon, base=base, lines=lines, slope=0.9, shift=0.1, closed=CLOSED)


MODEL = Calibrated(
    horizons=[learnt(90), learnt(28, 0.4)], purchase_value={"CNY": 900.0}, answers=0.6
)
JUDGE = TrainedJudge(MODEL, DEFAULT_SCORING)


def shopper(*days: int, complaint: bool = False) -> State:
    events = [
        make_event(
            bought(1000, order_id=f"A-{day}"), number=day + 1, time=START + timedelta(days=day)
        )
        for day in days
    ]
    if complaint:
        opened = ComplaintOpened("K-1", category="quality")
        events.append(make_event(opened, number=999, time=START + timedelta(days=days[-1])))
    return folded(events)


def judged(state: State, day: int, judge: TrainedJudge = JUDGE):
    return judge.churn(Seen.of(state, FIRST + day), ["e"], lambda _: 0.5)


WEEKLY = shopper(*range(0, 140, 7))


def without(*features: str) -> TrainedJudge:
    """A model that knows nothing of some features."""
    full = learnt(90)
    lines = [line for line in full.lines if line.feature not in features]
    kept = msgspec.structs.replace(full, lines=lines)
    return TrainedJudge(msgspec.structs.replace(MODEL, horizons=[kept]), DEFAULT_SCORING)


@settings(max_examples=40)
@given(histories(), st.integers(0, 900), st.integers(1, 400))
def test_silence_never_lowers_the_risk(events, day, silent):
    """But for the season, which may come nearer."""
    state = folded(events)
    assume(state.newest)
    assume(all(m.orders >= 0 for months in state.months.values() for m in months.values()))
    seen, judge = Seen.of(state, FIRST + day), without("season")
    assert judge.probability(seen.later(silent)) >= judge.probability(seen)


YEARLY = shopper(*range(330, 360, 3), *range(700, 720, 2), 735)
"""Who buys in winter."""


@pytest.mark.parametrize("day", [735, 760, 800, 900, 1030])
def test_the_first_day_of_a_higher_band_is_found_though_the_season_turns(day):
    lines = [Line("silence", 0.6, 0.0, 8.0, 3.0), Line("season", -1.6, -8.0, 8.0, 0.0)]
    one = Learnt(horizon_days=90, base=-0.6, lines=lines, closed=CLOSED)
    judge = TrainedJudge(Calibrated(horizons=[one]), DEFAULT_SCORING)
    seen = Seen.of(YEARLY, FIRST + day)
    band = judge.risk(seen).band
    daily = [judge.risk(seen.later(days)).band for days in range(1, 731)]
    higher = [n + 1 for n, then in enumerate(daily) if BANDS.index(then) > BANDS.index(band)]
    found = first_silence(
        DEFAULT_SCORING, band, lambda n: judge.probability(seen.later(n)), _stretches(seen)
    )
    assert (found.days if found else None) == (higher[0] if higher else None)


def test_reasons_name_deals_and_contacts():
    """Each in both languages, with the customer's value beside the usual one."""
    events = [
        make_event(bought(900, order_id=f"A-{n}", discount=100), number=n, time=START)
        for n in range(1, 3)
    ]
    events += [
        make_event(InteractionRecorded("campaign_sent"), number=number, time=START)
        for number in (4, 5)
    ]
    state = folded(events)
    names = ("promoted", "discount", "contacts", "reached", "responses")
    lines = [Line(name, 0.9 * (SIGNS[name] or 1), -8.0, 8.0, -2.0) for name in names]
    one = Learnt(horizon_days=90, base=-0.5, lines=lines, closed=CLOSED)
    found = judged(state, 20, TrainedJudge(Calibrated(horizons=[one]), DEFAULT_SCORING))
    told = {reason.feature: reason for reason in found.reasons}
    assert {"promoted", "discount", "reached", "responses"} <= set(told)
    assert told["reached"].value == pytest.approx(2 * exp(-9 / 60), abs=0.06)
    assert told["promoted"].value == round(100 * 2 / 5, 1)
    assert all(set(REASONS[name]) == {"zh", "en"} for name in told)


@settings(max_examples=40)
@given(histories(), st.integers(0, 900))
def test_whoever_bought_gets_reasons_in_words_and_a_change(events, day):
    state = folded(events)
    assume(state.newest)
    churn = judged(state, day)
    assert 0 <= churn.probability <= 1
    assert churn.others[28] >= churn.probability
    assert churn.reasons
    assert all(reason.feature in REASONS for reason in churn.reasons)
    assert churn.nearest.band_then in BANDS
    if churn.nearest.code != "none":
        assert churn.nearest.band_then != churn.band


def test_a_purchase_is_what_the_fold_of_one_would_say():
    """The nearest change foresees what the state will be."""
    expected = JUDGE.probability(Seen.of(WEEKLY, FIRST + 170).bought(0))
    then = shopper(*range(0, 140, 7), 170)
    found = JUDGE.probability(Seen.of(then, FIRST + 170))
    assert expected == pytest.approx(found, abs=0.02), "but for what it is worth"


def test_long_silence_is_a_reason_and_a_purchase_the_change():
    churn = judged(WEEKLY, 300)
    effects = {reason.feature: reason.effect for reason in churn.reasons}
    assert effects["days_since_last_purchase"] > 0
    values = {reason.feature: reason.value for reason in churn.reasons}
    assert values["days_since_last_purchase"] == 300 - 133
    assert churn.nearest.code == "purchase"


def test_silence_is_the_nearest_change_of_a_low_risk():
    churn = judged(WEEKLY, 134)
    assert (churn.band, churn.nearest.code) == ("low", "silence")
    assert judged(WEEKLY, 134 + churn.nearest.days).band == churn.nearest.band_then
    assert judged(WEEKLY, 133 + churn.nearest.days).band == "low"


def test_a_complaint_counts_where_it_was_learnt_and_is_named_where_it_was_not():
    state = shopper(0, 7, 14, complaint=True)
    assert "complaints_open" in {reason.feature for reason in judged(state, 20).reasons}
    [full] = [one for one in MODEL.horizons if one.horizon_days == 90]
    lines = [line for line in full.lines if line.feature != "complaints_open"]
    without = Learnt(horizon_days=90, base=-0.5, lines=lines, closed=CLOSED)
    judge = TrainedJudge(Calibrated(horizons=[without]), DEFAULT_SCORING)
    last = judged(state, 20, judge).reasons[-1]
    assert (last.feature, last.value, last.effect) == ("open_complaints", 1, 0)


def test_a_horizon_that_was_not_learnt_is_told_otherwise():
    judge = TrainedJudge(Calibrated(horizons=[learnt(90)]), DEFAULT_SCORING)
    churn = judged(WEEKLY, 150, judge)
    assert churn.others[28] == max(0.5, churn.probability)


def in_force(model: rules.ChurnModel, **more: object) -> Policies:
    bodies = {"churn": model, **more}
    return {name: Policy(name, 7, msgspec.to_builtins(body)) for name, body in bodies.items()}


def test_derive_goes_by_the_model_in_force_and_shows_the_other_beside():
    trained = msgspec.structs.replace(CDNOW, calibrated=MODEL, version=5)
    clock = START + timedelta(days=200)
    plain = derive(WEEKLY, clock, in_force(CDNOW))
    assert (plain.model, plain.shadow) == ("churn@7", None)
    view = derive(WEEKLY, clock, in_force(trained))
    assert view.model == "churn@5"
    assert view.churn == JUDGE.risk(Seen.of(WEEKLY, FIRST + 200))
    both = derive(WEEKLY, clock, in_force(CDNOW, churn_shadow=Shadow(model=trained)))
    assert both.churn == plain.churn
    assert both.shadow is not None
    assert (both.shadow.version, both.shadow.probability) == (5, view.churn.probability)
    ended = derive(WEEKLY, clock, in_force(CDNOW, churn_shadow=Shadow()))
    assert ended.shadow is None
