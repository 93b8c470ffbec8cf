"""MBG/NBD: the BG/NBD, except that a customer may also leave right after the first purchase.

Batislam, Denizel & Filiztekin, Empirical validation and comparison of models for customer base
analysis, International Journal of Research in Marketing 24(3), 2007. Customers as in `bgnbd`: `x`
repeat purchase days, `t_x` and `age` in weeks since the first. With k = a / (b + x), for every x,

    L = B(a, b + x + 1) / B(a, b)  *  G(r + x) / G(r) * alpha^r
            *  [ (alpha + T)^-(r + x)  +  k (alpha + t_x)^-(r + x) ]

so that those who bought once are not taken for alive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from services.scoring.models.collapse import Collapsed, Days, collapse
from services.scoring.models.fit import Box, Fit, maximise_collapsed
from services.scoring.models.leaving import (
    counts_part,
    distribution_if_alive,
    expected_if_alive,
    rate_part,
)
from services.scoring.models.stable import Floats, floats

BOX = Box(
    names=("r", "alpha", "a", "b"),
    lower=(1e-3, 1e-3, 1e-4, 1e-3),
    upper=(1e3, 1e4, 1e3, 1e3),
    starts=((0.5, 5, 0.8, 2.5), (1.5, 1.5, 0.1, 5), (2, 30, 1.5, 1.5)),
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """`r`, `alpha` (weeks): gamma distribution of rates; `a`, `b`: beta distribution of leaving."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Log-likelihood of each customer."""
        return log_likelihood_and_gradient(self, *floats(x, t_x, age))[0]

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that they have not left for good."""
        value: Floats = expit(self._log_odds(*floats(x, t_x, age)))
        return value

    def p_none(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of no purchase in the next `horizon` weeks."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        odds = self._log_odds(x, t_x, age)
        none = np.exp(-(self.r + x) * np.log1p(horizon / (self.alpha + age)))
        value: Floats = none * expit(odds) + expit(-odds)
        return np.minimum(value, 1.0)

    def p_some(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of at least one, exact also where it is tiny."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        some = -np.expm1(-(self.r + x) * np.log1p(horizon / (self.alpha + age)))
        value: Floats = some * expit(self._log_odds(x, t_x, age))
        return value

    def expected(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Expected purchases in the next `horizon` weeks."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        survived = self.b + x + 1
        if_alive = expected_if_alive(self.r + x, self.alpha + age, self.a, survived, horizon)
        value: Floats = if_alive * expit(self._log_odds(x, t_x, age))
        return value

    def distribution(
        self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike, most: int
    ) -> Floats:
        """Probabilities of 0 to `most` purchases in the next `horizon` weeks, one row each."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        n, c, survived = self.r + x, self.alpha + age, self.b + x + 1
        alive = expit(self._log_odds(x, t_x, age))
        if_alive = distribution_if_alive(n, c, self.a, survived, horizon, most)
        value: Floats = alive[:, None] * if_alive
        value[:, 0] = self.p_none(x, t_x, age, horizon)
        return value

    def _log_odds(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-odds of being alive."""
        silence = np.log1p((age - t_x) / (self.alpha + t_x))
        value: Floats = np.log((self.b + x) / self.a) - (self.r + x) * silence
        return value


def fit(x: Days, t_x: Days, age: Days) -> Fit[Parameters]:
    """The likeliest parameters: `x` repeat days; `t_x` and `age` in whole days."""
    data = collapse(x, t_x, age)
    return maximise_collapsed(Parameters, BOX, _loss, data)


def log_likelihood_and_gradient(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer, and its derivatives by r, alpha, a and b (four rows)."""
    value, gradient = counts_part(parameters.r, parameters.a, parameters.b, x)
    times, slopes = _times_part(parameters, x, t_x, age)
    return value + times, gradient + slopes


def _loss(values: Floats, data: Collapsed) -> tuple[float, Floats]:
    parameters = Parameters(*values)
    return data.loss(
        counts_part(parameters.r, parameters.a, parameters.b, data.counts),
        _times_part(parameters, data.x, data.t_x, data.age),
    )


def _times_part(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats]:
    """The log of alpha^r and of the bracket times (b + x) / (a + b + x), with its gradient.

    So the last chance to leave is in the bracket, whose two weights add up to one.
    """
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    whole = a + b + x
    stay, go = (b + x) / whole, a / whole
    value, still, by_r, by_alpha = rate_part(r, alpha, np.log(stay), np.log(go), x, t_x, age)
    left = 1 - still
    by_a, by_b = left / a - 1 / whole, still / (b + x) - 1 / whole
    return value, np.stack((by_r, by_alpha, by_a, by_b))
