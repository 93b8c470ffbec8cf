"""Fits: where the data says nothing, where the truth is known, and how sure they are."""

from dataclasses import astuple

import numpy as np
import pytest

from services.scoring.models import gammagamma
from services.scoring.models.collapse import collapse
from services.scoring.models.purchase import (
    PURCHASE_MODELS,
    UnknownModelError,
    fit_purchases,
    purchase_model,
)
from tests.scoring.models.people import cdnow, simulated_bg_nbd, simulated_pareto_nbd

NOTHING_FIXED = {
    "one": ([0], [0], [0]),
    "once": ([0] * 100, [0] * 100, [100] * 100),
    "today": ([0] * 100, [0] * 100, [0] * 100),
    "alike": ([10] * 100, [100] * 100, [100] * 100),
    "daily": (list(range(100)), list(range(100)), list(range(100))),
    "great": ([100_000, 3, 0], [100_000, 14_000, 0], [110_000, 14_600, 14_600]),
}


@pytest.mark.parametrize("name", PURCHASE_MODELS)
@pytest.mark.parametrize("data", NOTHING_FIXED.values(), ids=NOTHING_FIXED)
def test_data_that_fixes_nothing_still_gives_numbers(name, data):
    columns = [np.array(column, dtype=np.int64) for column in data]
    if name == "bg_bb" and columns[2].max() > 20_000:
        columns = [column // 10 for column in columns]  # 110,000 opportunities take their time
    found = fit_purchases(name, *columns)
    assert np.isfinite(astuple(found.parameters)).all()
    assert np.isfinite(found.log_likelihood)
    box = PURCHASE_MODELS[name].box
    for value, low, high in zip(astuple(found.parameters), box.lower, box.upper, strict=True):
        assert low * 0.999 <= value <= high * 1.001
    for horizon in (0, 13, 1000):
        none = found.parameters.p_none(*columns, horizon)
        assert ((none >= 0) & (none <= 1)).all()
        assert np.isfinite(found.parameters.expected(*columns, horizon)).all()


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_nobody_at_all(name):
    nobody = np.array([], dtype=np.int64)
    found = fit_purchases(name, nobody, nobody, nobody)
    assert found.customers == 0
    assert not found.converged
    for ahead in ("p_none", "p_some", "expected"):
        assert getattr(found.parameters, ahead)(nobody, nobody, nobody, 13).shape == (0,)
    assert found.parameters.distribution(nobody, nobody, nobody, 13, 5).shape == (0, 6)


def test_values_that_fix_nothing():
    assert gammagamma.fit(np.array([]), np.array([])).customers == 0
    assert gammagamma.fit(np.array([0, 2]), np.array([50.0, 0])).customers == 0
    for x, mean in (([1], [5.0]), ([3] * 50, [20.0] * 50), ([1, 10**5], [1e-2, 1e9])):
        found = gammagamma.fit(np.array(x), np.array(mean))
        assert np.isfinite(astuple(found.parameters)).all()
        assert found.parameters.q > 1
        assert np.isfinite(found.parameters.expected_value(x, mean)).all()


@pytest.mark.parametrize(
    ("name", "simulated", "truth"),
    [
        ("bg_nbd", simulated_bg_nbd, (0.8, 6.0, 0.9, 4.0)),
        ("pareto_nbd", simulated_pareto_nbd, (0.9, 8.0, 0.7, 15.0)),
    ],
)
def test_finds_what_it_was_made_of(name, simulated, truth):
    """Within four standard errors (and a tenth: several purchases of a day were counted once)."""
    found = fit_purchases(name, *simulated(6000, *truth, seed=11))
    assert found.converged
    rows = zip(astuple(found.parameters), found.standard_errors, truth, strict=True)
    for value, error, true in rows:
        assert abs(value - true) < 4 * error + 0.1 * true


def test_the_same_data_gives_the_same_fit():
    """To the last bit, in whatever order the customers come."""
    order = np.random.default_rng(3).permutation(2357)
    for name in ("mbg_nbd", "pareto_nbd"):
        one = fit_purchases(name, *cdnow())
        other = fit_purchases(name, *(column[order] for column in cdnow()))
        assert one == other


def test_collapsing_counts_equal_customers():
    chance = np.random.default_rng(1)
    age = chance.integers(0, 40_000, 500) // 100
    x = np.minimum(chance.integers(0, 3, 500), age)
    together = collapse(x, x, age)
    assert together.customers == 500
    assert together.counts_weight.sum() == 500
    assert len(together.counts) == len(set(x.tolist()))
    kinds = dict.fromkeys(zip(x.tolist(), age.tolist(), strict=True), 0)
    for kind in zip(x.tolist(), age.tolist(), strict=True):
        kinds[kind] += 1
    rows = zip(together.x, together.t_x * 7, together.age * 7, together.weight, strict=True)
    assert {(a, round(t)): w for a, _, t, w in rows} == kinds


def test_a_model_by_name():
    assert astuple(purchase_model("pareto_nbd", (1, 2, 3, 4))) == (1, 2, 3, 4)
    with pytest.raises(UnknownModelError, match="known: bg_nbd, mbg_nbd, pareto_nbd, bg_bb"):
        purchase_model("arima", ())
