"""Fits to the data sets of the papers, against what was published."""

from dataclasses import astuple

import pytest

from services.scoring.models import gammagamma
from services.scoring.models.purchase import PURCHASE_MODELS, fit_purchases
from tests.scoring.models.people import cdnow, cdnow_values, donors

PUBLISHED = {
    "bg_nbd": (-9582.4292, (0.242595, 4.413602, 0.792922, 2.425907)),
    "mbg_nbd": (-9582.1357, (0.524843, 6.183087, 0.891359, 1.614000)),
    "pareto_nbd": (-9594.9762, (0.553277, 10.577689, 0.606239, 11.668692)),
    "bg_bb": (-33225.5813, (1.203522, 0.749716, 0.656718, 2.783442)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fit(name):
    """CDNOW on exact days; for the discrete model, donors of six years."""
    data = donors() if name == "bg_bb" else cdnow()
    found = fit_purchases(name, *data)
    likelihood, parameters = PUBLISHED[name]
    assert found.customers == (11_104 if name == "bg_bb" else 2357)
    assert found.converged
    assert found.at_bound == ()
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-4)
    assert astuple(found.parameters) == pytest.approx(parameters, rel=1e-5)
    assert all(error and error > 0 for error in found.standard_errors)
    x, t_x, age = (column.astype(float) for column in data)
    weeks = 1 if name == "bg_bb" else 7
    each = found.parameters.log_likelihood(x, t_x / weeks, age / weeks)
    assert each.sum() == pytest.approx(found.log_likelihood, rel=1e-10)


def test_published_values():
    found = gammagamma.fit(*cdnow_values())
    assert found.customers == 946
    assert found.converged
    assert found.log_likelihood == pytest.approx(-4055.9232, abs=1e-4)
    assert astuple(found.parameters) == pytest.approx((6.24880, 3.74459, 15.44775), rel=1e-5)


def test_every_model_has_a_name():
    assert set(PURCHASE_MODELS) == set(PUBLISHED)
