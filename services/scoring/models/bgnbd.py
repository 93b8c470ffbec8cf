"""BG/NBD: while alive a customer buys at random, at a rate of their own; after each purchase
they may leave for good.

Fader, Hardie & Lee, "Counting Your Customers" the Easy Way, Marketing Science 24(2), 2005.
A customer is known by three numbers, times in weeks since their first purchase day: `x` repeat
purchase days, `t_x` the last of them (0 without one), `age` = T, the time observed. With

    k = a / (b + x - 1)  if x > 0 else 0

the likelihood of (x, t_x, T) is

    B(a, b + x) / B(a, b)  *  G(r + x) / G(r) * alpha^r
        *  [ (alpha + T)^-(r + x)  +  k (alpha + t_x)^-(r + x) ]

(alive until T, or gone at t_x). Only the bracket depends on T, so the probability of no purchase
in the next h, L(x, t_x, T + h) / L(x, t_x, T), needs no gamma function. That is the churn
probability; P(alive) is not: it is 1 for everyone who bought once.
"""

from dataclasses import dataclass
from math import exp, log, log1p

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
        return log_likelihood(self, *floats(x, t_x, age))

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that they have not left for good; 1 for all who bought once."""
        return _p_alive(self, *floats(x, t_x, age))

    def p_none(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of no purchase in the next `horizon` weeks."""
        return p_none_all(self, *floats(x, t_x, age, horizon))

    def p_some(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of at least one, exact also where it is tiny."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        some: Floats = -np.expm1(-(self.r + x) * np.log1p(horizon / (self.alpha + age)))
        return some * _p_alive(self, x, t_x, age)

    def expected(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Expected purchases in the next `horizon` weeks."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        n, c = self.r + x, self.alpha + age
        if_alive = expected_if_alive(n, c, self.a, self.b + x, horizon)
        return if_alive * _p_alive(self, x, t_x, age)

    def distribution(
        self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike, most: int
    ) -> Floats:
        """Probabilities of 0 to `most` purchases in the next `horizon` weeks, one row each."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        n, c = self.r + x, self.alpha + age
        alive = _p_alive(self, x, t_x, age)
        value = alive[:, None] * distribution_if_alive(n, c, self.a, self.b + x, horizon, most)
        value[:, 0] = p_none_all(self, x, t_x, age, horizon)
        return value


def fit(x: Days, t_x: Days, age: Days) -> Fit[Parameters]:
    """The likeliest parameters: `x` repeat days; `t_x` and `age` in whole days."""
    data = collapse(x, t_x, age)
    return maximise_collapsed(Parameters, BOX, _loss, data)


def p_none(parameters: Parameters, x: float, t_x: float, age: float, horizon: float) -> float:
    """Probability of no purchase in the next `horizon` weeks, for one customer.

    `0 <= t_x <= age`, `t_x = 0` where `x = 0`; `x` may be fractional from 1 upwards.
    """
    n = parameters.r + x
    if x <= 0:
        return exp(-n * log1p(horizon / (parameters.alpha + age)))
    start = parameters.alpha + t_x
    alive_now = -n * log1p((age - t_x) / start)
    alive_then = -n * log1p((age + horizon - t_x) / start)
    gone = log(parameters.a / (parameters.b + x - 1))
    top = max(alive_now, gone)
    left = exp(gone - top)
    return (exp(alive_then - top) + left) / (exp(alive_now - top) + left)


def p_none_all(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats, horizon: float | Floats
) -> Floats:
    """`p_none` of many customers at once."""
    odds = _log_odds(parameters, x, t_x, age)
    none = np.exp(-(parameters.r + x) * np.log1p(horizon / (parameters.alpha + age)))
    value: Floats = none * expit(odds) + expit(-odds)  # one minus the other would lose digits
    return np.minimum(value, 1.0)


def _log_odds(parameters: Parameters, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Log-odds of being alive."""
    silence = np.log1p((age - t_x) / (parameters.alpha + t_x))
    return -_log_gone(parameters, x) - (parameters.r + x) * silence


def _p_alive(parameters: Parameters, x: Floats, t_x: Floats, age: Floats) -> Floats:
    value: Floats = expit(_log_odds(parameters, x, t_x, age))
    return value


def _log_gone(parameters: Parameters, x: Floats) -> Floats:
    """log k: the weight of having left at t_x; -inf without a repeat purchase."""
    repeated = x > 0
    weight = parameters.a / np.where(repeated, parameters.b + x - 1, 1.0)
    return np.where(repeated, np.log(weight), -np.inf)


def log_likelihood(parameters: Parameters, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Log-likelihood of each customer."""
    value, _ = log_likelihood_and_gradient(parameters, x, t_x, age)
    return value


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
    """The log of the bracket and of alpha^r, with its gradient."""
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    log_gone = _log_gone(parameters, x)
    value, still, by_r, by_alpha = rate_part(r, alpha, np.zeros_like(x), log_gone, x, t_x, age)
    left = np.where(x > 0, 1 - still, 0.0)
    before_last = np.where(x > 0, b + x - 1, 1.0)
    return value, np.stack((by_r, by_alpha, left / a, -left / before_last))
