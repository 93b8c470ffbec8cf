"""BG/NBD against 60-digit values, against its own differences, and against common sense."""

import csv
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.models.bgnbd import (
    Parameters,
    log_likelihood,
    log_likelihood_and_gradient,
    p_none,
    p_none_all,
)

CDNOW = Parameters(r=0.2426, alpha=4.4136, a=0.7929, b=2.4259)
ORACLE = Path(__file__).parent.parent / "data" / "oracle_bg_nbd.csv"
"""Closed forms at 60 digits, checked by a second route. Times in weeks."""


def oracle() -> list[tuple[Parameters, dict[str, float]]]:
    with ORACLE.open() as file:
        rows = list(csv.DictReader(file))
    cases = []
    for row in rows:
        pairs = (pair.split("=") for pair in row.pop("params").split(";"))
        parameters = Parameters(**{name: float(value) for name, value in pairs})
        cases.append((parameters, {name: float(value) for name, value in row.items()}))
    return cases


def arrays(*values: float) -> list[np.ndarray]:
    return [np.array([value], dtype=np.float64) for value in values]


@pytest.mark.parametrize(("parameters", "row"), oracle())
def test_agrees_with_the_oracle(parameters, row):
    x, t_x, age, horizon = row["x"], row["t_x"], row["T"], row["horizon"]
    assert log_likelihood(parameters, *arrays(x, t_x, age))[0] == pytest.approx(
        row["ll"], rel=1e-8, abs=1e-12
    )
    assert p_none(parameters, x, t_x, age, horizon) == pytest.approx(
        row["p_none"], rel=1e-8, abs=1e-12
    )
    assert p_none_all(parameters, *arrays(x, t_x, age), horizon)[0] == pytest.approx(
        row["p_none"], rel=1e-8, abs=1e-12
    )


@pytest.mark.parametrize(("parameters", "row"), oracle())
def test_p_none_is_the_ratio_of_likelihoods(parameters, row):
    x, t_x, age, horizon = row["x"], row["t_x"], row["T"], row["horizon"]
    now, then = (log_likelihood(parameters, *arrays(x, t_x, at))[0] for at in (age, age + horizon))
    assert p_none(parameters, x, t_x, age, horizon) == pytest.approx(np.exp(then - now), rel=1e-9)


def test_who_bought_once_is_not_taken_for_alive():
    """P(alive) would be 1 however long the silence."""
    assert p_none(CDNOW, 0, 0, 30, 13) > p_none(CDNOW, 0, 0, 3, 13)
    assert p_none(CDNOW, 0, 0, 3000, 13) > 0.99


@pytest.mark.parametrize("parameters", [CDNOW, Parameters(r=1.4, alpha=1.4, a=0.2, b=280)])
def test_gradient_is_that_of_the_likelihood(parameters):
    x = np.array([0.0, 1, 2, 7, 26, 100])
    t_x = np.array([0.0, 1.43, 30.43, 29.43, 30.86, 36])
    age = np.array([38.86, 38.86, 38.86, 38.86, 31, 39])
    _, gradient = log_likelihood_and_gradient(parameters, x, t_x, age)
    for index, name in enumerate(("r", "alpha", "a", "b")):
        value = astuple(parameters)[index]
        step = value * 1e-6
        ahead = log_likelihood(replace(parameters, **{name: value + step}), x, t_x, age)
        back = log_likelihood(replace(parameters, **{name: value - step}), x, t_x, age)
        assert gradient[index] == pytest.approx((ahead - back) / (2 * step), rel=1e-4, abs=1e-6)


positive = st.floats(1e-3, 1e3)
parameters_drawn = st.builds(
    Parameters, r=positive, alpha=st.floats(1e-3, 1e4), a=st.floats(1e-4, 1e3), b=positive
)


@st.composite
def customers(draw: st.DrawFn) -> tuple[int, float, float]:
    """(x, t_x, T): whole days, from a newcomer to 50 years of daily purchases."""
    age = draw(st.integers(0, 18_000))
    x = draw(st.integers(0, age))
    last = draw(st.integers(x, age)) if x else 0
    return x, last / 7, age / 7


@given(parameters_drawn, customers(), st.floats(0, 1000), st.floats(0, 1000))
def test_always_a_probability_that_grows_with_the_horizon(parameters, customer, one, other):
    near, far = sorted((one, other))
    now, later = p_none(parameters, *customer, near), p_none(parameters, *customer, far)
    assert 0 <= later <= now <= 1


@given(parameters_drawn, customers(), st.integers(0, 4000))
def test_silence_never_lowers_the_risk(parameters, customer, days):
    """What the search for the nearest change of band relies on."""
    x, t_x, age = customer
    after = p_none(parameters, x, t_x, age + days / 7, 90 / 7)
    assert after >= p_none(parameters, *customer, 90 / 7) - 1e-9


@given(parameters_drawn, customers())
def test_one_and_many_agree(parameters, customer):
    many = p_none_all(parameters, *arrays(*customer), 13.0)[0]
    assert p_none(parameters, *customer, 13.0) == pytest.approx(many, rel=1e-9, abs=1e-12)


@given(parameters_drawn, customers())
def test_the_likelihood_is_always_a_number(parameters, customer):
    value, gradient = log_likelihood_and_gradient(parameters, *arrays(*customer))
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
