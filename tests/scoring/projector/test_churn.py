"""The churn probability, its reasons and the nearest change: all through the model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.scoring.models.bgnbd import Parameters, p_none
from services.scoring.policies import BANDS, CDNOW, DEFAULT_SCORING, ChurnModel, Usual
from services.scoring.projector.churn import SILENCE_DAYS, History, Judge

GROCER = ChurnModel(
    parameters=Parameters(r=1.41, alpha=1.38, a=0.19, b=20),
    log_likelihood=-84597.0,
    customers=2469,
    usual=Usual(gap_days=8.7, repeats_per_week=0.75),
)
JUDGE = Judge(GROCER, DEFAULT_SCORING)
WEEKLY = History(x=20, last=140, age=147)
SILENT = replace(WEEKLY, age=200)
ONCE = History(x=0, last=0, age=60)


def judged(history: History, judge: Judge = JUDGE, complaints: int = 0):
    return judge.churn(history, ["e"], complaints)


def test_probability_is_that_of_no_purchase_in_the_horizon():
    churn = judged(SILENT)
    exact = p_none(GROCER.parameters, 20, 140 / 7, 200 / 7, 90 / 7)
    assert churn.probability == pytest.approx(exact, abs=5e-7)
    assert churn.horizon_days == 90


@pytest.mark.parametrize(
    ("probability", "band"),
    [(0, "low"), (0.299999, "low"), (0.3, "medium"), (0.59, "medium"), (0.6, "high"), (1, "high")],
)
def test_a_band_begins_at_its_threshold(probability, band):
    assert DEFAULT_SCORING.band(probability) == band


def test_silence_beyond_the_own_rhythm_is_the_first_reason():
    first = judged(SILENT).reasons[0]
    assert (first.feature, first.value, first.usual) == ("days_since_last_purchase", 60, 7.0)
    assert first.effect > 0.3


def test_an_effect_is_the_difference_to_the_usual_value():
    churn = judged(SILENT)
    effects = {reason.feature: reason.effect for reason in churn.reasons}
    recent = JUDGE.probability(replace(SILENT, last=200 - 7))
    usual = JUDGE.probability(replace(SILENT, x=21))
    assert effects["days_since_last_purchase"] == pytest.approx(
        churn.probability - recent, abs=1e-4
    )
    assert effects["purchase_days"] == pytest.approx(churn.probability - usual, abs=1e-4)


def test_who_bought_once_is_compared_with_others():
    reasons = {reason.feature: reason for reason in judged(ONCE).reasons}
    assert reasons["days_since_last_purchase"].usual == 8.7
    assert (reasons["purchase_days"].value, reasons["purchase_days"].usual) == (1, 7)
    assert reasons["purchase_days"].effect > 0


def test_a_usual_value_makes_no_difference():
    newcomer = History(x=0, last=0, age=0)
    reasons = {reason.feature: reason for reason in judged(newcomer).reasons}
    assert reasons["purchase_days"].effect == 0


def test_an_open_complaint_is_named_last_and_has_no_effect():
    with_complaint = judged(SILENT, complaints=2)
    last = with_complaint.reasons[-1]
    assert (last.feature, last.value, last.effect) == ("open_complaints", 2, 0)
    assert with_complaint.probability == judged(SILENT).probability


def test_a_purchase_is_the_nearest_change_where_it_lowers_the_band():
    nearest = judged(SILENT).nearest
    assert (nearest.code, nearest.days, nearest.band_then) == ("purchase", 0, "low")
    assert nearest.probability == JUDGE.probability(History(x=21, last=200, age=200))


def test_after_a_purchase_today_the_next_one_is_tomorrow():
    today = History(x=0, last=0, age=0)
    stern = Judge(CDNOW, DEFAULT_SCORING)
    assert judged(today, stern).nearest.days == 1


def test_silence_is_the_nearest_change_of_a_low_risk():
    nearest = judged(WEEKLY).nearest
    assert nearest.code == "silence"
    reached = replace(WEEKLY, age=WEEKLY.age + nearest.days)
    assert judged(reached).band == nearest.band_then == "medium"
    assert judged(replace(reached, age=reached.age - 1)).band == "low"
    assert nearest.probability == judged(reached).probability


def test_nothing_near_is_said_plainly():
    """A stranger's model: one more purchase leaves the risk high."""
    lost = History(x=0, last=0, age=3000)
    hopeless = Judge(
        ChurnModel(
            parameters=Parameters(r=0.05, alpha=50, a=2, b=1),
            log_likelihood=-1,
            customers=100,
            usual=Usual(gap_days=30, repeats_per_week=0),
        ),
        DEFAULT_SCORING,
    )
    nearest = judged(lost, hopeless).nearest
    assert (nearest.code, nearest.band_then) == ("none", "high")


@st.composite
def histories(draw: st.DrawFn) -> History:
    age = draw(st.integers(0, 4000))
    x = draw(st.integers(0, min(age, 800)))
    return History(x=x, last=draw(st.integers(x, age)) if x else 0, age=age)


@given(histories(), st.sampled_from([GROCER, CDNOW]))
def test_whoever_bought_gets_reasons_and_a_change(history, model):
    judge = Judge(model, DEFAULT_SCORING)
    churn = judge.churn(history, ["e"], 0)
    assert 0 <= churn.probability <= 1
    assert churn.band in BANDS
    assert len(churn.reasons) == 2
    assert all(-1 <= reason.effect <= 1 for reason in churn.reasons)
    assert 0 <= churn.nearest.days <= SILENCE_DAYS
    if churn.nearest.code != "none":
        assert churn.nearest.band_then != churn.band
