"""What the closed forms say of each customer: where there is too little to learn from, this is the
prediction; elsewhere it is one more feature and one voice among several.
"""

from dataclasses import dataclass

import numpy as np

from services.scoring.models import bgnbd
from services.scoring.predict.features import History, history
from services.scoring.predict.visits import Floats, Integers, Visits

ENOUGH = 100
"""Customers below which nothing is fitted."""
ENOUGH_REPEATS = 20
"""Customers who came again, below which nothing is fitted."""
TYPICAL = bgnbd.Parameters(r=0.6, alpha=1.0, a=0.5, b=3.0)
"""Shapes in between what is found among different shops; the pace is the population's own."""
A_CENTURY = 36_500.0
"""Days; who is expected later is expected never."""
_WEEK = 7.0
_USUAL_DAYS = 90.0


@dataclass(frozen=True, slots=True)
class Closed:
    """BG/NBD, fitted or typical."""

    parameters: bgnbd.Parameters
    fitted: bool

    @property
    def method(self) -> str:
        return "bg_nbd" if self.fitted else "first_principles"

    def p_none(self, stats: "Stats", horizon: float) -> Floats:
        """Probability of no purchase day in the `horizon` days from the cut."""
        weeks = horizon / _WEEK
        value = self.parameters.p_none(stats.x, stats.t_x, stats.age, weeks)
        return np.clip(value, 0.0, 1.0)

    def expected(self, stats: "Stats", horizon: float) -> Floats:
        """Expected purchase days in the `horizon` days from the cut; never more than the days."""
        weeks = horizon / _WEEK
        value = self.parameters.expected(stats.x, stats.t_x, stats.age, weeks)
        return np.clip(value, 0.0, horizon)

    def quantile(self, stats: "Stats", share: float) -> Floats:
        """Days until the next purchase has come with probability `share`; A_CENTURY if never."""
        low, high = np.zeros(len(stats.x)), np.full(len(stats.x), np.log1p(A_CENTURY))
        for _ in range(30):
            middle = (low + high) / 2
            early = 1 - self._p_none_each(stats, np.expm1(middle)) < share
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        days: Floats = np.expm1(high)
        return days

    def _p_none_each(self, stats: "Stats", days: Floats) -> Floats:
        value: Floats = self.parameters.p_none(stats.x, stats.t_x, stats.age, days / _WEEK)
        return value


@dataclass(frozen=True, slots=True)
class Stats:
    """Repeat purchase days, the last of them, and the time observed; in weeks."""

    x: Floats
    t_x: Floats
    age: Floats


def stats(visits: Visits, past: History) -> Stats:
    """The sufficient statistics of all customers at the cut."""
    first, last = visits.day[past.start], visits.day[past.end - 1]
    return Stats(
        x=(past.end - past.start - 1).astype(np.float64),
        t_x=(last - first) / _WEEK,
        age=(past.cut - first) / _WEEK,
    )


def fit_closed(visits: Visits, cut: int) -> Closed:
    """From everything before the cut; typical shapes where that is too little."""
    past = history(visits, cut)
    first, last = visits.day[past.start], visits.day[past.end - 1]
    return closed_of(past.end - past.start - 1, last - first, cut - first)


def closed_of(repeats: Integers, last: Integers, age: Integers) -> Closed:
    """From repeat purchase days, the last of them and the time observed, in whole days."""
    if len(repeats) >= ENOUGH and int((repeats > 0).sum()) >= ENOUGH_REPEATS:
        found = bgnbd.fit(repeats, last, age)
        if found.converged or np.isfinite(found.log_likelihood):
            return Closed(found.parameters, fitted=True)
    # While they came: the silence after it may be that of somebody who has left.
    pace = (repeats.sum() + 1.0) / (last.sum() + _USUAL_DAYS)
    alpha = TYPICAL.r / (pace * _WEEK)
    return Closed(bgnbd.Parameters(TYPICAL.r, alpha, TYPICAL.a, TYPICAL.b), fitted=False)
