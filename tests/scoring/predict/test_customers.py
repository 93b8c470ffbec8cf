"""Predictions are sane for every shop, the same for the same seed, and better than the rules."""

from dataclasses import astuple

import numpy as np
import pytest

from services.scoring.backtest.measures import auc, concordance, rmse, slope
from services.scoring.predict.churn import weigh
from services.scoring.predict.customers import Predictions, learn, predict
from services.scoring.predict.season import season
from services.scoring.predict.snapshots import origins, outcome, snapshot
from services.scoring.predict.visits import Visits, visits
from tests.scoring.predict.shops import FIRST, lines, shop

CUT = FIRST + 410


def _predict(seen: Visits, cut: int = CUT, horizon: int = 90) -> tuple[Predictions, str]:
    learnt = learn(seen, cut, horizon)
    return predict(seen, learnt), learnt.churn.method


def _check(told: Predictions, horizon: int = 90) -> None:
    for column in astuple(told):
        assert np.isfinite(column).all()
    assert ((told.churn >= 0) & (told.churn <= 1)).all()
    assert (told.days >= 1 - told.churn - 1e-12).all()
    assert (told.days <= horizon).all()
    assert (told.spend >= 0).all()
    assert (told.wait_low <= told.wait).all()
    assert (told.wait <= told.wait_high).all()
    assert (told.wait >= 0).all()


@pytest.fixture(scope="module")
def grocer() -> Visits:
    return shop(400, gap=9)


@pytest.fixture(scope="module")
def foreseen(grocer: Visits) -> tuple[Predictions, str]:
    return _predict(grocer)


def test_better_than_the_rules(grocer: Visits, foreseen: tuple[Predictions, str]) -> None:
    """On a shop whose customers leave for good; each rule is computed beside it."""
    told, method = foreseen
    assert method == "logistic+trees+bg_nbd"
    _check(told)
    seen = snapshot(grocer, CUT, 90)
    became = outcome(grocer, seen)
    lately = -seen.table.column("n90")
    assert auc(became.churned, told.churn) > 1.02 * auc(became.churned, lately)
    assert 0.7 < slope(became.churned, told.churn) < 1.4
    assert rmse(became.days, told.days) < 0.95 * rmse(became.days, seen.rates.days_mixed)
    assert rmse(became.money, told.spend) < 0.98 * rmse(became.money, seen.rates.money_mixed)
    gap = np.expm1(seen.table.column("mean_gap"))
    active = seen.active
    ours = concordance(became.wait[active], told.wait[active], 90)
    assert ours > concordance(became.wait[active], gap[active], 90)


def test_the_same_past_and_seed_give_the_same_bytes(
    grocer: Visits, foreseen: tuple[Predictions, str]
) -> None:
    """And nothing of the cut or later is read: the second time it is not there."""
    again, _ = _predict(grocer.before(CUT))
    for one, other in zip(astuple(foreseen[0]), astuple(again), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("seen", "method"),
    [
        (lines((1, 5, 3.0)), "first_principles"),
        (lines((1, 5, 3.0), (1, 409, 3.0)), "first_principles"),
        (lines(*((1, day, 1.0) for day in range(400))), "first_principles"),
        (lines(*((one, 5, 3.0) for one in range(300))), "first_principles"),
        (lines(*((one, day, 3.0) for one in range(200) for day in (5, 35))), "bg_nbd"),
        (
            lines(*((one, day, 0.0) for one in range(50) for day in (5, 90, 300))),
            "first_principles",
        ),
        (lines((1, -4_000, 5.0), (1, 400, 5.0), (2, 0, 1e9), (2, 20, -1e9)), "first_principles"),
    ],
    ids=["one", "two days", "daily", "once each", "identical", "free", "years apart"],
)
def test_too_little_to_learn_from(seen: Visits, method: str) -> None:
    told, how = _predict(seen)
    _check(told)
    assert how == method


def test_few_customers_still_learn_a_little() -> None:
    """A wholesaler with 150 customers: a line, no trees."""
    told, method = _predict(shop(120, gap=25))
    _check(told)
    assert method == "logistic+bg_nbd"


def test_a_hundred_thousand_purchases_of_one() -> None:
    many = 100_000
    day = FIRST + np.arange(many) % 410
    seen = visits(np.zeros(many, dtype=np.int64), day, np.full(many, 0.5))
    told, _ = _predict(seen)
    _check(told)
    assert told.churn[0] < 0.05
    assert told.days[0] > 80


def test_of_very_many_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is judged, by what a draw of them has taught."""
    monkeypatch.setattr("services.scoring.predict.customers.MOST_CUSTOMERS", 110)
    seen = shop(180)
    told, method = _predict(seen)
    _check(told)
    assert method == "logistic+bg_nbd"
    assert len(told.customer) == len(np.unique(seen.customer[seen.day < CUT]))


def test_short_horizon_and_long() -> None:
    seen = shop(100)
    for horizon in (1, 365):
        _check(_predict(seen, horizon=horizon)[0], horizon)


def test_a_longer_silence_is_a_higher_risk() -> None:
    told, _ = _predict(lines((1, 5, 3.0), (1, 50, 3.0), (2, 355, 3.0), (2, 400, 3.0)))
    assert told.churn[0] > told.churn[1]
    assert told.wait[0] > told.wait[1]


def test_nobody_before_the_cut() -> None:
    told, _ = _predict(lines((1, 500, 3.0)))
    assert len(told.customer) == 0


def test_weights_stay_usual_without_evidence() -> None:
    weights, shift = weigh(np.zeros((3, 2)), np.array([True, False, True]), np.array([0.5, 0.5]))
    assert weights == pytest.approx([0.5, 0.5], abs=0.05)
    assert shift == pytest.approx(0, abs=0.05)


def test_weights_follow_the_better_voice() -> None:
    random = np.random.default_rng(3)
    odds = random.normal(0, 2, 4_000)
    truth = random.random(4_000) < 1 / (1 + np.exp(-odds))
    said = np.column_stack([odds, random.normal(0, 2, 4_000)])
    weights, shift = weigh(said, truth, np.array([0.5, 0.5]))
    assert weights[0] > 0.8
    assert weights[1] < 0.1
    assert abs(shift) < 0.1


def _seasonal(strength: float) -> Visits:
    """Three years; in the last quarter of each, `strength` times as many purchases."""
    rate = np.where(np.arange(1_095) % 365 >= 275, strength, 1.0) * 0.05
    came = np.random.default_rng(4).random((150, 1_095)) < rate
    who, when = np.nonzero(came)
    return visits(who, FIRST + when, np.full(len(who), 10.0))


def test_last_years_season_is_expected_again() -> None:
    seen, cut = _seasonal(2.0), FIRST + 2 * 365 + 275
    learnt = learn(seen, cut, 60)
    assert 1.2 < learnt.season.days <= 2.0
    told = predict(seen, learnt)
    came = outcome(seen, snapshot(seen, cut, 60)).days.sum()
    assert abs(told.days.sum() / came - 1) < 0.25
    assert told.days.sum() / learnt.season.days / came - 1 < -0.25


def test_without_a_season_the_factor_is_near_one() -> None:
    seen, cut = _seasonal(1.0), FIRST + 2 * 365 + 275
    past = seen.before(cut)
    found = season(past, cut, 60, [snapshot(past, day, 60) for day in origins(FIRST, cut, 60)])
    assert found.days == pytest.approx(1, abs=0.08)
    assert found.money == pytest.approx(1, abs=0.08)
