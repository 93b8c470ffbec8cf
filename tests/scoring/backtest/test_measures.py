"""Measures against what they are by definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.backtest import measures
from services.scoring.backtest.figures import Case, figure

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


@given(rows)
def test_auc_is_the_share_of_pairs(pairs: list[tuple[bool, int]]) -> None:
    truth = np.array([one for one, _ in pairs])
    score = np.array([two for _, two in pairs], dtype=float)
    won = [(a > b) + 0.5 * (a == b) for a in score[truth] for b in score[~truth]]
    expected = np.mean(won) if won else np.nan
    assert measures.auc(truth, score) == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=30))
def test_concordance_is_the_share_of_pairs(pairs: list[tuple[int, int]]) -> None:
    seen = 9
    wait = np.array([one if one < seen else np.inf for one, _ in pairs], dtype=float)
    said = np.array([two for _, two in pairs], dtype=float)
    won = [
        (said[j] > said[i]) + 0.5 * (said[j] == said[i])
        for i in range(len(wait))
        for j in range(len(wait))
        if wait[i] < seen and wait[j] > wait[i]
    ]
    expected = np.mean(won) if won else np.nan
    assert measures.concordance(wait, said, seen) == pytest.approx(expected, nan_ok=True)


def test_calibrated_probabilities_show_the_noise_floor() -> None:
    random = np.random.default_rng(5)
    p = random.beta(1, 4, 3_000)
    truth = random.random(3_000) < p
    floor = measures.noise_floor(p, 100, 1)
    assert measures.calibration_error(truth, p) < 2.5 * floor
    assert measures.slope(truth, p) == pytest.approx(1, abs=0.12)
    sure = measures.slope(truth, p**2 / (p**2 + (1 - p) ** 2))
    assert sure == pytest.approx(0.5, abs=0.06)
    assert measures.calibration_error(truth, p / 2) > 3 * floor


def test_measures_of_nothing_to_tell_apart() -> None:
    alike = np.ones(5)
    assert np.isnan(measures.auc(alike > 0, alike))
    assert np.isnan(measures.slope(alike > 0, alike / 2))
    assert np.isnan(measures.spearman(alike, alike))
    assert np.isnan(measures.total_bias(alike * 0, alike))


def test_the_base_rate_scores_one() -> None:
    truth = np.array([True, False, False, False])
    assert measures.brier_ratio(truth, np.full(4, 0.25)) == pytest.approx(1)


def test_a_figure_names_the_best_rule_and_repeats_itself() -> None:
    random = np.random.default_rng(2)
    truth = (random.random(300) < 0.4).astype(float)
    said = {"model": truth + random.normal(0, 1, 300)}
    said |= {"good": truth + random.normal(0, 2, 300), "bad": random.normal(0, 1, 300)}
    cases = [Case(np.arange(300.0), truth, said)]

    def made(**options: int) -> object:
        return figure(
            cases,
            lambda t, s: measures.auc(t > 0, s),
            7,
            score="churn",
            name="AUC",
            population="all",
            horizon=28,
            higher=True,
            **({"draws": 50} | options),
        )

    one = made()
    assert one == made()
    assert one.best_rule == "good"
    assert one.ratio.value == pytest.approx(one.model.value / one.rules["good"].value)
    assert one.model.low < one.model.value < one.model.high
    assert one.ratio.low > 1
    assert made(most=100, draws=2).customers == 100
