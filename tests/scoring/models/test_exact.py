"""Every answer against known ones, and against as many digits as it takes."""

from math import isclose

import numpy as np
import pytest

from services.scoring.models.gammagamma import Parameters as GammaGamma
from services.scoring.models.purchase import PURCHASE_MODELS
from tests.scoring.models.exact import EXACT, gamma_gamma
from tests.scoring.models.rows import answers, oracle


def same(got, wanted):
    return isclose(got, float(wanted), rel_tol=1e-8, abs_tol=1e-12)


@pytest.mark.parametrize("row", oracle(), ids=lambda row: f"{row['model']}-{row['x']}-{row['T']}")
def test_known_answers(row):
    for name, got in answers(row).items():
        assert same(got, row[name]), (name, got, row[name])


CDNOW = {
    "bg_nbd": {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259},
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "pareto_nbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
    "bg_bb": {"alpha": 1.204, "beta": 0.75, "gamma": 0.657, "delta": 2.783},
}
ONE = {"bg_nbd": "a", "mbg_nbd": "a", "pareto_nbd": "s", "bg_bb": "gamma"}
FAR = {  # hardly anybody leaves, all alike; or most at once, very different
    "bg_nbd": [
        {"r": 1.4, "alpha": 1.4, "a": 1e-4, "b": 1e3},
        {"r": 900, "alpha": 8000, "a": 600, "b": 900},
        {"r": 1e-3, "alpha": 1e-3, "a": 800, "b": 1e-3},
    ],
    "pareto_nbd": [
        {"r": 1.4, "alpha": 1.4, "s": 90, "beta": 9000},
        {"r": 900, "alpha": 8000, "s": 1e-3, "beta": 1e-3},
        {"r": 1e-3, "alpha": 1e-3, "s": 0.3, "beta": 5000},
    ],
    "bg_bb": [
        {"alpha": 900, "beta": 9000, "gamma": 1e-3, "delta": 9000},
        {"alpha": 1e-3, "beta": 1e-3, "gamma": 900, "delta": 1e-3},
    ],
}
FAR["mbg_nbd"] = FAR["bg_nbd"]
CUSTOMERS = [  # x, t_x, T, t: weeks
    (0, 0, 0, 13),
    (0, 0, 2000, 13),
    (1, 0.14, 0.14, 1e-3),
    (1, 1900, 2000, 1000),
    (3, 38, 38.86, 0),
    (60, 52, 53, 90 / 7),
    (2000, 104.5, 104.6, 4),
    (100_000, 2000, 2000.3, 52),
]
OPPORTUNITIES = [
    (0, 0, 0, 3),
    (0, 0, 4000, 1),
    (1, 1, 900, 28),
    (300, 365, 365, 28),
    (5, 900, 1000, 365),
    (8000, 9000, 9000, 7),
]


def cases():
    for name, usual in CDNOW.items():
        customers = OPPORTUNITIES if name == "bg_bb" else CUSTOMERS
        for parameters in (usual, {**usual, ONE[name]: 1.0}, *FAR[name]):
            for customer in customers:
                if parameters.get("beta") == 5000 and customer[0] == 100_000:
                    continue  # takes a quarter of a minute in so many digits
                yield name, parameters, customer


@pytest.mark.parametrize(("name", "parameters", "customer"), list(cases()))
def test_as_many_digits_as_it_takes(name, parameters, customer):
    x, t_x, age, horizon = customer
    exact = EXACT[name](x=x, t_x=t_x, age=age, horizon=horizon, **parameters)
    model = PURCHASE_MODELS[name].make(**parameters)
    assert same(model.log_likelihood(x, t_x, age)[0], exact.log_likelihood())
    assert same(model.p_alive(x, t_x, age)[0], exact.p_alive())
    for ahead in ("p_none", "p_some", "expected"):
        got = getattr(model, ahead)(x, t_x, age, horizon)[0]
        assert same(got, getattr(exact, ahead)()), ahead


@pytest.mark.parametrize("name", CDNOW)
@pytest.mark.parametrize("customer", [(0, 0, 6), (2, 30, 38), (26, 31, 31)])
def test_the_number_ahead_is_distributed_as_in_the_papers(name, customer):
    model = PURCHASE_MODELS[name].make(**CDNOW[name])
    x, t_x, age = customer
    exact = EXACT[name](x=x, t_x=t_x, age=age, horizon=39, **CDNOW[name])
    got = model.distribution(*customer, 39, 40)[0]
    for k in (1, 2, 7, 30):
        assert same(got[k], exact.exactly(k)), k


@pytest.mark.parametrize("name", CDNOW)
def test_the_number_ahead_adds_up(name):
    """To one, to the expected number and to the probability of any."""
    model = PURCHASE_MODELS[name].make(**CDNOW[name])
    columns = np.array([(0, 0, 6), (1, 3, 38), (7, 30, 38), (20, 31, 31), (0, 0, 0)]).T
    got = model.distribution(*columns, 9, 3000 if name != "bg_bb" else 9)
    assert got.sum(axis=1) == pytest.approx(1, abs=1e-9)
    numbers = np.arange(got.shape[1])
    assert got @ numbers == pytest.approx(model.expected(*columns, 9), rel=1e-6)
    assert 1 - got[:, 0] == pytest.approx(model.p_some(*columns, 9), abs=1e-12)


@pytest.mark.parametrize("x", [1, 7, 200, 100_000])
@pytest.mark.parametrize("mean", [1e-4, 0.01, 35.0, 1e9])
@pytest.mark.parametrize(
    ("p", "q", "v"), [(6.25, 3.74, 15.44), (1e-3, 1.001, 1e-6), (900, 900, 1e8)]
)
def test_values_as_many_digits_as_it_takes(x, mean, p, q, v):
    model = GammaGamma(p=p, q=q, v=v)
    density, expected = gamma_gamma(p=p, q=q, v=v, x=x, mean=mean)
    assert same(model.log_likelihood(x, mean)[0], density)
    assert same(model.expected_value(x, mean)[0], expected)


def test_one_at_a_time_is_as_all_at_once():
    """Whatever the order, however many: rows do not touch each other."""
    chance = np.random.default_rng(5)
    age = chance.integers(0, 3000, 300)
    x = (age * chance.random(300) ** 3).astype(int)
    t_x = np.where(x > 0, (age + x) // 2, 0)
    for name, parameters in CDNOW.items():
        model = PURCHASE_MODELS[name].make(**parameters)
        for ahead in ("p_none", "p_some", "expected"):
            together = getattr(model, ahead)(x, t_x, age, 13)
            for i in range(0, 300, 50):
                alone = getattr(model, ahead)(x[i], t_x[i], age[i], 13)[0]
                assert alone == pytest.approx(together[i], rel=1e-12), (name, ahead)
