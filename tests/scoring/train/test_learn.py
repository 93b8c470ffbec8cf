"""What is learnt from customers as they stood: only from what had happened, and better than a simple rule."""

from dataclasses import replace

import numpy as np
import orjson
import pytest

from services.scoring.backtest.figures import Case
from services.scoring.policies import ChurnModel
from services.scoring.projector.seen import FEATURES, SIGNS
from services.scoring.train.candidate import train
from services.scoring.train.errors import CannotTrain
from services.scoring.train.facts import Facts
from services.scoring.train.learn import Mornings, learn
from services.scoring.train.lines import fit_lines
from services.scoring.train.quality import (
    RULES,
    closed_cuts,
    gate,
    judge,
    passes,
    reliability,
)
from tests.scoring.train.shops import BEGAN, DAYS, facts_of

FIRST = BEGAN.toordinal()


def made(facts: Facts, seed: int = 0) -> dict:
    return orjson.loads(train(facts, seed, {0: 7}, lambda _, __: None))


@pytest.fixture(scope="module")
def shop() -> Facts:
    return facts_of(300)


@pytest.fixture(scope="module")
def candidate(shop: Facts) -> dict:
    return made(shop)


def test_a_candidate_says_what_it_is_made_of(candidate):
    assert (candidate["name"], candidate["seed"], candidate["position"]) == ("churn", 0, {"0": 7})
    assert candidate["customers"] == candidate["learnt_from"] == 300
    assert [figures["horizon_days"] for figures in candidate["quality"]] == [90, 28]
    active, everybody = candidate["quality"][0]["populations"]
    assert active["customers"] < everybody["customers"] <= 300
    assert {"recency", "frequency", "purchases_in_90_days", "bg_nbd"} == set(active["auc"]["rules"])
    ours = active["auc"]["model"]
    assert ours["low"] <= ours["value"] <= ours["high"]
    assert ours["value"] > 0.6
    assert {one["feature"] for one in candidate["importance"]} <= set(FEATURES)


def test_the_period_it_is_judged_on_is_the_last_that_has_closed(candidate):
    [figures, _] = candidate["quality"]
    assert figures["from"] == str(BEGAN.date().fromordinal(FIRST + DAYS - 90))
    assert figures["to"] == str(BEGAN.date().fromordinal(FIRST + DAYS - 1))


def test_a_candidate_becomes_a_policy(candidate):
    import msgspec

    model = msgspec.convert(candidate["model"], ChurnModel)
    assert model.calibrated is not None
    assert [one.horizon_days for one in model.calibrated.horizons] == [90, 28]
    for learnt in model.calibrated.horizons:
        for line in learnt.lines:
            assert line.weight * SIGNS[line.feature] >= 0
            assert line.low <= line.usual <= line.high


def test_a_model_for_a_morning_knows_nothing_later(shop):
    """Everything of that day or later is taken away: the same model."""
    cut = FIRST + DAYS - 90
    past = replace(
        shop,
        purchases=shop.purchases[shop.purchases[:, 1] < cut],
        money=shop.money[shop.money[:, 1] < cut],
    )
    assert learn(Mornings(past, 0), cut, 90) == learn(Mornings(shop, 0), cut, 90)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (facts_of(0), "not_enough_customers"),
        (facts_of(1), "not_enough_customers"),
        (facts_of(120, days=150), "not_enough_history"),
    ],
)
def test_too_little_to_learn_from(facts, code):
    if code == "not_enough_history":
        facts = replace(facts, end=FIRST + 150)
    with pytest.raises(CannotTrain) as refused:
        made(facts)
    assert refused.value.code == code


def alike(days: range, customers: int = 120) -> Facts:
    """Everybody on the same days."""
    who, day = (
        column.ravel() for column in np.meshgrid(np.arange(customers), FIRST + np.array(days))
    )
    number = np.arange(len(who))
    rows = np.column_stack([who, day, number, day, day * 86_400_000_000, np.ones(len(who))])
    empty = facts_of(0)
    return replace(empty, customers=customers, end=FIRST + DAYS, purchases=rows.astype(np.int64))


@pytest.mark.parametrize(
    ("days", "code"), [(range(0, DAYS, 10), "all_alike"), (range(1), "nobody_active")]
)
def test_customers_who_are_all_alike(days, code):
    with pytest.raises(CannotTrain) as refused:
        made(alike(days))
    assert refused.value.code == code


def test_weights_keep_their_signs_whatever_the_data_says():
    random = np.random.default_rng(2)
    rows = random.normal(size=(500, len(FEATURES)))
    against = np.array([-SIGNS[name] for name in FEATURES], dtype=float)
    lines = fit_lines(rows, rows @ against > 0, np.zeros(len(FEATURES)))
    assert all(lines.weights[index] == 0 for index, name in enumerate(FEATURES) if SIGNS[name])


def test_worse_than_a_simple_rule_does_not_pass():
    assert passes(0.8, 0.7, 0.9)
    assert passes(0.7, 0.7, 1.0)
    assert not passes(0.7, 0.8, 0.9)
    assert not passes(0.8, 0.7, 1.1)


def exam(customers: int, gain: float, seed: int = 0, first: int = 0) -> Case:
    """A closed window in which the model knows so much more than the rules do."""
    random = np.random.default_rng(seed)
    truth = (random.random(customers) < 0.4).astype(np.float64)
    said = np.clip(0.4 + 0.3 * (truth - 0.4) * gain + random.normal(0, 0.1, customers), 0.01, 0.99)
    rules = {name: truth * 0.5 + random.normal(0, 0.5, customers) for name in RULES}
    return Case(
        np.arange(first, first + customers, dtype=np.float64), truth, {"model": said} | rules
    )


def test_the_gate_says_how_sure_it_is():
    many = gate([exam(600, 1.0), exam(600, 1.0, seed=1)], 0)
    assert (many["periods"], many["customers"], many["passes"]) == (2, 600, True)
    off = many["difference"]
    assert 0 < off["low"] <= off["value"] <= off["high"]
    assert many["sure"] == 1
    assert many["auc"] - many["baseline_auc"] == pytest.approx(off["value"])
    few = gate([exam(40, 0.55)], 0)
    assert few["difference"]["high"] - few["difference"]["low"] > off["high"] - off["low"]
    worse = gate([exam(600, 0.0)], 0)
    assert not worse["passes"]
    assert worse["difference"]["high"] < 0
    assert worse["sure"] == 0
    assert gate([exam(600, 1.0)], 0) == gate([exam(600, 1.0)], 0), "seeded"


def test_one_bad_period_is_not_all():
    """The mean over periods decides, by the figures themselves."""
    good, bad = exam(400, 1.0), exam(400, 0.0, seed=1)
    assert not gate([bad], 0)["passes"]
    assert gate([bad, good, good], 0)["auc"] == pytest.approx(
        (gate([bad], 0)["auc"] + 2 * gate([good], 0)["auc"]) / 3
    )


def test_where_nothing_can_be_told_apart_it_does_not_pass():
    nobody = exam(0, 1.0)
    assert not gate([nobody], 0)["passes"]
    alike = exam(50, 1.0)
    alike = replace(alike, truth=np.ones(50))
    assert (gate([alike], 0)["passes"], gate([alike], 0)["sure"]) == (False, None)


def test_the_gate_takes_the_closed_periods_that_the_log_has(candidate, shop):
    [long, short] = candidate["quality"]
    assert long["gate"]["from"][0] == long["from"]
    assert short["gate"]["periods"] == 3
    end = FIRST + DAYS
    assert closed_cuts(Mornings(shop, 0), 28) == [end - 28, end - 56, end - 84]
    assert candidate["passes"] == long["gate"]["passes"] == long["passes"]


def test_a_curve_of_what_was_said_and_what_came():
    said = np.repeat([0.1, 0.9], 500)
    came = np.arange(1000) % 10 < np.repeat([1, 9], 500)
    curve = reliability(came, said)
    assert sum(one["customers"] for one in curve) == 1000
    assert all(one["low"] <= one["came"] <= one["high"] for one in curve)
    assert curve[0]["said"] == pytest.approx(0.1)
    assert reliability(came[:0], said[:0]) == []


def test_figures_are_those_of_customers_it_had_not_seen(shop):
    mornings, cut = Mornings(shop, 0), FIRST + DAYS - 90
    figures, importance = judge(mornings, [(cut, *learn(mornings, cut, 90))])
    assert (
        sum(one["customers"] for one in figures["reliability"])
        == (figures["populations"][0]["customers"])
    )
    assert importance == sorted(
        importance, key=lambda one: (-one["moves_log_odds"], one["feature"])
    )
