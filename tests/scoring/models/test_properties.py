"""What holds for every customer and all parameters of the documented range."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.models import bgbb, bgnbd, gammagamma, mbgnbd, paretonbd
from services.scoring.models.purchase import PURCHASE_MODELS

MODULES = {"bg_nbd": bgnbd, "mbg_nbd": mbgnbd, "pareto_nbd": paretonbd, "bg_bb": bgbb}
names = pytest.mark.parametrize("name", MODULES)


def models(name):
    box = PURCHASE_MODELS[name].box
    edges = zip(box.lower, box.upper, strict=True)
    drawn = [
        st.floats(log(low), log(high)).map(exp) | st.sampled_from([1.0, low, high])
        for low, high in edges
    ]
    return st.tuples(*drawn).map(lambda values: PURCHASE_MODELS[name].make(*values))


@st.composite
def customers(draw, name):
    """(x, t_x, T): from a newcomer to 50 years with a purchase every day, or 100,000 of them."""
    most = 3000 if name == "bg_bb" else draw(st.sampled_from([60, 18_000, 100_000]))
    age = draw(st.integers(0, most))
    x = draw(st.integers(0, age))
    last = draw(st.integers(x, age)) if x else 0
    unit = 1 if name == "bg_bb" else 7
    return x, last / unit, age / unit


def horizons(name):
    return st.integers(0, 400) if name == "bg_bb" else st.floats(0, 5200)


@names
@settings(max_examples=40)
@given(data=st.data())
def test_probabilities(name, data):
    """In [0, 1]; the longer the horizon, the likelier a purchase, and the more are expected."""
    model, customer = data.draw(models(name)), data.draw(customers(name))
    near, far = sorted((data.draw(horizons(name)), data.draw(horizons(name))))
    alive = model.p_alive(*customer)[0]
    assert 0 <= alive <= 1
    assert model.p_none(*customer, 0)[0] == pytest.approx(1, abs=1e-12)
    none, later = (model.p_none(*customer, horizon)[0] for horizon in (near, far))
    assert 0 <= later <= none * (1 + 1e-9) <= 1 + 1e-9
    some = model.p_some(*customer, far)[0]
    assert some == pytest.approx(1 - later, rel=1e-9, abs=1e-9)
    assert some <= alive * (1 + 1e-9)
    fewer, more = (model.expected(*customer, horizon)[0] for horizon in (near, far))
    assert 0 <= fewer <= more * (1 + 1e-7)
    assert np.isfinite(more)
    assert some <= more * (1 + 1e-7)  # an expected number is at least the probability of any


@names
@settings(max_examples=40)
@given(data=st.data())
def test_likelihood_and_gradient_are_numbers(name, data):
    model, customer = data.draw(models(name)), data.draw(customers(name))
    columns = [np.array([float(value)]) for value in customer]
    value, gradient = MODULES[name].log_likelihood_and_gradient(model, *columns)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


@names
@settings(max_examples=40)
@given(data=st.data())
def test_p_none_is_the_ratio_of_likelihoods(name, data):
    model, (x, t_x, age) = data.draw(models(name)), data.draw(customers(name))
    horizon = data.draw(horizons(name))
    now, then = (model.log_likelihood(x, t_x, at)[0] for at in (age, age + horizon))
    digits = 1e-9 + 1e-13 * abs(now)  # a difference of great numbers has fewer
    none = model.p_none(x, t_x, age, horizon)[0]
    assert none == pytest.approx(exp(min(then - now, 0)), rel=digits, abs=digits)


@names
@settings(max_examples=40)
@given(data=st.data())
def test_a_later_purchase_means_less_risk(name, data):
    """Of two customers with as many purchases, who bought more lately is likelier to return."""
    model, (x, t_x, age) = data.draw(models(name)), data.draw(customers(name))
    if x:
        later = data.draw(st.integers(0, int(age - t_x))) + t_x
        horizon = 13
        assert model.p_alive(x, later, age)[0] >= model.p_alive(x, t_x, age)[0] - 1e-9
        after, before = (model.p_none(x, last, age, horizon)[0] for last in (later, t_x))
        assert after <= before + 1e-9


@names
@settings(max_examples=40)
@given(data=st.data())
def test_silence_never_lowers_the_risk(name, data):
    model, (x, t_x, age) = data.draw(models(name)), data.draw(customers(name))
    silent = data.draw(st.integers(0, 600))
    after = model.p_none(x, t_x, age + silent, 13)[0]
    assert after >= model.p_none(x, t_x, age, 13)[0] - 1e-9


@names
@settings(max_examples=40)
@given(data=st.data())
def test_the_distribution_is_one(name, data):
    model, customer = data.draw(models(name)), data.draw(customers(name))
    horizon = data.draw(horizons(name))
    got = model.distribution(*customer, horizon, 6)[0]
    assert got.shape == (7,)
    assert ((got >= 0) & (got <= 1 + 1e-9)).all()
    assert got.sum() <= 1 + 1e-8
    numbers = np.arange(7)
    assert got @ numbers <= model.expected(*customer, horizon)[0] * (1 + 1e-6) + 1e-9


values = st.floats(log(1e-3), log(1e3)).map(exp)


@given(values, st.floats(1.001, 1e3), values, st.integers(1, 10**5), st.floats(1e-4, 1e9))
def test_values_lie_between_ones_own_and_everybodys(p, q, v, x, mean):
    model = gammagamma.Parameters(p, q, v)
    expected = model.expected_value(x, mean)[0]
    everybodys = model.expected_value(0, 0)[0]
    low, high = sorted((mean, everybodys))
    assert low * (1 - 1e-9) <= expected <= high * (1 + 1e-9)
    columns = np.array([float(x)]), np.array([mean])
    value, gradient = gammagamma.log_likelihood_and_gradient(model, *columns)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert model.spread(x, mean)[0] > 0
