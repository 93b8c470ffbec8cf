"""Made-up weeks of sales for the tests of the forecast."""

from datetime import date, timedelta

import numpy as np

from services.scoring.forecast import Forecast, Signal, Weekly

MONDAY = date(2023, 1, 2)


def day(week: int) -> date:
    return MONDAY + timedelta(days=7 * int(week))


def table(sums, departments=None, keys=None) -> Weekly:
    sums = np.asarray(sums, dtype=float)
    names = keys or tuple(f"category {place:03d}" for place in range(len(sums)))
    return Weekly(names, departments, MONDAY, sums)


def shop(keys=24, weeks=60, seed=0, promoted=0.25, lift=1.0, year=0.0):
    """Poisson sales of several departments and the promotions that lift them: table, signal.

    `year` lifts three weeks of every year.
    """
    random = np.random.default_rng(seed)
    level = np.exp(random.normal(4, 0.7, keys))
    on = random.random((keys, weeks)) < promoted
    season = year * np.isin(np.arange(weeks) % 52, (45, 46, 47))
    wander = np.cumsum(random.normal(0, 0.03, (keys, weeks)), axis=1)
    sums = random.poisson(level[:, None] * np.exp(lift * on + season + wander)).astype(float)
    departments = tuple("abc"[place % 3] for place in range(keys))
    made = table(sums, departments)
    rows = [(made.keys[k], day(w), 1.0) for k, w in np.argwhere(on)]
    return made, Signal("promotion", rows)


def holds(forecast: Forecast) -> None:
    """What must be true of every forecast."""
    everything = {"category": 0.0, "department": 0.0, "total": 0.0}
    for line in forecast.lines:
        bands = zip(line.lo95, line.lo80, line.yhat, line.hi80, line.hi95, strict=True)
        for band in bands:
            assert np.isfinite(band).all()
            assert list(band) == sorted(band)
            assert band[0] >= 0
        assert len(line.yhat) == forecast.horizon
        everything[line.level] += np.array(line.yhat)
    for level in ("department", "total"):
        if any(line.level == level for line in forecast.lines):
            np.testing.assert_allclose(
                everything[level], everything["category"], rtol=1e-12, atol=1e-6
            )
