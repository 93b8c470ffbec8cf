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
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parameters:
    """`r`, `alpha` (weeks): gamma distribution of rates; `a`, `b`: beta distribution of leaving."""

    r: float
    alpha: float
    a: float
    b: float


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
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats, horizon: float
) -> Floats:
    """`p_none` of many customers at once."""
    n = parameters.r + x
    start = parameters.alpha + t_x
    alive_now = -n * np.log1p((age - t_x) / start)
    alive_then = -n * np.log1p((age + horizon - t_x) / start)
    gone = _log_gone(parameters, x)
    difference: Floats = np.logaddexp(alive_then, gone) - np.logaddexp(alive_now, gone)
    return np.exp(np.minimum(difference, 0.0))


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
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    n = r + x
    log_now, log_last = np.log(alpha + age), np.log(alpha + t_x)
    alive = -n * log_now
    bracket = np.logaddexp(alive, _log_gone(parameters, x) - n * log_last)
    beta = gammaln(b + x) - gammaln(a + b + x) + gammaln(a + b) - gammaln(b)
    value: Floats = beta + gammaln(n) - gammaln(r) + r * np.log(alpha) + bracket

    still = np.exp(alive - bracket)  # P(alive): the share of the first term
    left = np.where(x > 0, 1 - still, 0.0)
    before_last = np.where(x > 0, b + x - 1, 1.0)
    both = digamma(a + b) - digamma(a + b + x)
    gradient: Floats = np.stack(
        (
            digamma(n) - digamma(r) + np.log(alpha) - still * log_now - left * log_last,
            r / alpha - n * (still / (alpha + age) + left / (alpha + t_x)),
            both + left / a,
            both + digamma(b + x) - digamma(b) - left / before_last,
        )
    )
    return value, gradient
