"""Maximum likelihood against published values, and where the data says nothing."""

from dataclasses import astuple
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from services.scoring.models.bgnbd import log_likelihood
from services.scoring.models.bgnbd_fit import NAMES, collapse, fit

END = date(1997, 9, 30).toordinal()


@pytest.fixture(scope="module")
def cdnow() -> list[np.ndarray]:
    """CDNOW's 1/10 sample up to 1997-09-30 as (x, t_x, T) in whole days."""
    package = find_spec("lifetimes")  # only its data: importing it warns
    assert package is not None
    assert package.origin is not None
    text = (Path(package.origin).parent / "datasets" / "CDNOW_sample.txt").read_text()
    days: dict[str, set[int]] = {}
    for line in text.splitlines():
        _, customer, day, *_ = line.split()
        bought = date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal()
        if bought <= END:
            days.setdefault(customer, set()).add(bought)
    rows = [(len(on) - 1, max(on) - min(on), END - min(on)) for on in days.values()]
    return list(np.array(rows, dtype=np.int64).T)


def test_published_fit(cdnow):
    """Fader, Hardie & Lee 2005, on exact days."""
    found = fit(*cdnow)
    assert found.customers == 2357
    assert found.converged
    assert found.at_bound == ()
    assert astuple(found.parameters) == pytest.approx(
        (0.242595, 4.413602, 0.792922, 2.425907), rel=2e-6
    )
    assert found.log_likelihood == pytest.approx(-9582.4292, abs=5e-5)


def test_standard_errors_match_those_of_resampling(cdnow):
    """A bootstrap is another road to the same numbers."""
    found = fit(*cdnow)
    chance = np.random.default_rng(7)
    draws = []
    for _ in range(60):
        chosen = chance.integers(0, len(cdnow[0]), len(cdnow[0]))
        draws.append(astuple(fit(*(column[chosen] for column in cdnow)).parameters))
    spread = np.std(draws, axis=0, ddof=1)
    for name, error, resampled in zip(NAMES, found.standard_errors, spread, strict=True):
        assert error == pytest.approx(resampled, rel=0.5), name


def test_collapsing_loses_nothing(cdnow):
    found = fit(*cdnow)
    x, t_x, age = cdnow
    each = log_likelihood(found.parameters, x.astype(float), t_x / 7, age / 7)
    assert each.sum() == pytest.approx(found.log_likelihood, rel=1e-12)
    together = collapse(x, t_x, age)
    assert together.customers == len(x)
    assert len(together.x) < len(x)


@pytest.mark.parametrize(
    ("x", "t_x", "age"),
    [
        ([0] * 100, [0] * 100, [100] * 100),  # nobody came back
        ([0] * 100, [0] * 100, [0] * 100),  # everybody came today
        ([10] * 100, [100] * 100, [100] * 100),  # all alike, nobody left
        (list(range(100)), list(range(100)), list(range(100))),
    ],
    ids=["once", "today", "alike", "daily"],
)
def test_data_that_fixes_nothing_still_gives_numbers(x, t_x, age):
    found = fit(*(np.array(column, dtype=np.int64) for column in (x, t_x, age)))
    assert np.isfinite(astuple(found.parameters)).all()
    assert np.isfinite(found.log_likelihood)
    assert found.at_bound or found.standard_errors.count(None)
