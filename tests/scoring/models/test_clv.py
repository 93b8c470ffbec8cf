"""Lifetime values."""

from math import exp

import numpy as np
import pytest

from services.scoring.models import bgnbd, paretonbd
from services.scoring.models.clv import clv, discounted_purchases

CUSTOMERS = (np.array([0, 2, 26]), np.array([0, 30.43, 30.86]), np.array([38.86, 38.86, 31]))
BG = bgnbd.Parameters(0.2426, 4.4136, 0.7929, 2.4259)
PARETO = paretonbd.Parameters(0.553, 10.578, 0.606, 11.669)


@pytest.mark.parametrize("model", [BG, PARETO])
def test_without_interest_it_is_the_expected_number(model):
    got = discounted_purchases(model, *CUSTOMERS, horizon=50, rate=0)
    assert got == pytest.approx(model.expected(*CUSTOMERS, 50), rel=1e-12)


@pytest.mark.parametrize("model", [BG, PARETO])
def test_interest_is_that_of_each_purchase(model):
    """Against ever smaller steps; four weeks are near enough."""
    rate = 0.15 / 52
    fine = discounted_purchases(model, *CUSTOMERS, horizon=104, rate=rate, step=0.25)
    coarse = discounted_purchases(model, *CUSTOMERS, horizon=104, rate=rate)
    assert coarse == pytest.approx(fine, rel=1e-4)
    whole = model.expected(*CUSTOMERS, 104)
    assert (fine < whole).all()
    assert (fine > whole * exp(-rate * 104)).all()


def test_purchases_times_value_times_margin():
    assert clv([0, 2.0], [30, 40.0], 0.25) == pytest.approx([0, 20])
