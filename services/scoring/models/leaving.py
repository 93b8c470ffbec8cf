"""What BG/NBD and MBG/NBD share: who is alive may leave after each purchase, never in between.

Given that a customer is alive now, their rate is gamma distributed with shape n = r + x and rate
c = alpha + T (weeks), their probability of leaving after a purchase beta distributed with a and
b = the model's b plus the purchases survived. All functions take arrays of one length.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, digamma, gammaln, log_expit

from services.scoring.models.quadrature import integral_of_hill
from services.scoring.models.stable import Floats, chunks, log_beta, power_integral

Truths = NDArray[np.bool_]

_NEAR_ONE = 0.95
_MOST_TERMS = 2000
_MILD = 20.0
_NOTHING = 1e-17
_CANCELLED = 1e-4
_SHORT = 1e-13


def rate_part(
    r: float, alpha: float, log_stay: Floats, log_go: Floats, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """log of alpha^r [stay (alpha + T)^-(r + x) + go (alpha + t_x)^-(r + x)].

    With P(alive), the share of the first term in it, and the derivatives by r and alpha. Powers are
    taken of ratios: those of alpha itself would be a great number less a great number.
    """
    n, start, silence = r + x, alpha + t_x, age - t_x
    to_last, to_now = np.log1p(t_x / alpha), np.log1p(silence / start)
    both = np.logaddexp(log_stay - n * to_now, log_go)
    still = np.exp(log_stay - n * to_now - both)
    left = np.exp(log_go - both)
    return (
        both - r * to_last - x * np.log(start),
        still,
        -to_last - still * to_now,
        r / alpha - n * (still / (alpha + age) + left / start),
    )


def survived_part(a: float, b: float, times: Floats) -> tuple[Floats, Floats, Floats]:
    """log[B(a, b + times) / B(a, b)] and its derivatives by a and b."""
    both = digamma(a + b) - digamma(a + b + times)
    return (
        log_beta(a, b + times) - log_beta(a, b),
        both,
        both + digamma(b + times) - digamma(b),
    )


def counts_part(r: float, a: float, b: float, x: Floats) -> tuple[Floats, Floats]:
    """What of the log-likelihood depends on x only, and its derivatives by r, alpha, a and b (four rows)."""
    stayed, by_a, by_b = survived_part(a, b, x)
    by_r = digamma(r + x) - digamma(r)
    return gammaln(r + x) - gammaln(r) + stayed, np.stack((by_r, np.zeros_like(x), by_a, by_b))


def expected_if_alive(n: Floats, c: Floats, a: float, b: Floats, horizon: Floats) -> Floats:
    """Expected purchases in the next `horizon` weeks of customers who are alive now.

    Fader, Hardie & Lee (2005), equation 10, without its division by a - 1. With z = h / (c + h),
    l = log(1 + h / c), C = a + b - 1, d = C - n and Euler's transformation of 2F1(n, b; C; z)

        C * (1 - e^(-(a-1) l)) / (a-1)  -  e^(-(a-1) l) * d z * sum_k (a)_k (d+1)_k z^k
                                                              / ((C+1)_k (2)_k)

    whose series does not grow with x. Where it would converge slowly or cancel, the integral over
    the probability of leaving is taken instead.
    """
    value = n * (horizon / c)  # nothing changes on the way
    short = (n + 1) * horizon <= _SHORT * c
    z = horizon / (c + horizon)
    d = a + b - 1 - n
    easy = ~short & (z <= _NEAR_ONE) & (np.abs(d) <= _MILD) & (a <= _MILD)
    order = np.flatnonzero(easy)[np.argsort(z[easy], kind="stable")]  # quick ones stop early
    for part in chunks(len(order)):
        rows = order[part]
        value[rows], sure = _by_series(n[rows], c[rows], a, b[rows], horizon[rows])
        easy[rows] = sure
    hard = np.flatnonzero(~easy & ~short)
    for part in chunks(len(hard), 240):
        rows = hard[part]
        value[rows] = _by_integral(n[rows], c[rows], a, b[rows], horizon[rows])
    return value


def _by_series(n: Floats, c: Floats, a: float, b: Floats, horizon: Floats) -> tuple[Floats, Truths]:
    """The value, and where it can be relied upon."""
    z, length = horizon / (c + horizon), np.log1p(horizon / c)
    whole = a + b - 1
    d = whole - n
    term = d * z
    total = term.copy()
    rest = 1 / (1 - float(z.max(initial=0.0)))
    ended = False
    for k in range(_MOST_TERMS):
        term = term * (z * ((a + k) / (2 + k)) * ((d + 1 + k) / (whole + 1 + k)))
        total += term
        if k > _MILD and not k % 4 and bool((np.abs(term) * rest <= 1e-16 * np.abs(total)).all()):
            ended = True
            break
    first = whole * power_integral(a - 1, length)
    value: Floats = first - np.exp((1 - a) * length) * total
    sure: Truths = (value > _CANCELLED * np.abs(first)) & ended
    return value, sure


def _by_integral(n: Floats, c: Floats, a: float, b: Floats, horizon: Floats) -> Floats:
    """The mean over the probability p of leaving of (1 - (1 + p u)^-n) / p, u = h / c.

    Over the log-odds of p; beyond the ends, where the beta density is a power, by that power.
    """
    u = (horizon / c)[:, None]
    shape, other = n[:, None], b[:, None]

    def log_f(odds: Floats) -> Floats:
        log_p = log_expit(odds)
        some = -np.expm1(-shape * np.log1p(np.exp(log_p) * u))
        value: Floats = a * log_p + other * log_expit(-odds) + np.log(some) - log_p
        return value

    scale = np.maximum(np.maximum(other, (shape + 1) * u), 1.0)
    low = np.log(_NOTHING / scale)[:, 0]
    high = np.full_like(low, -np.log(_NOTHING / max(a, 1.0)))
    logs = integral_of_hill(log_f, low, high) - log_beta(a, b)
    below = np.exp(np.log(n) + np.log(u[:, 0]) + a * low - np.log(a) - log_beta(a, b))
    some = -np.expm1(-n * np.log1p(u[:, 0]))
    above = some * np.exp(-b * high - np.log(b) - log_beta(a, b))
    value: Floats = np.exp(logs) + below + above
    return value


def distribution_if_alive(
    n: Floats, c: Floats, a: float, b: Floats, horizon: Floats, most: int
) -> Floats:
    """Probabilities of 0, 1, .. `most` purchases in the next `horizon` weeks; one row each.

    Fader, Hardie & Lee (2005), equation 8: still alive after the k-th, or gone with it. Those who
    left with the k-th would have bought k or more, which is an incomplete beta function.
    """
    k = np.arange(most + 1.0)
    shape, rate, other, weeks = n[:, None], c[:, None], b[:, None], horizon[:, None]
    with np.errstate(divide="ignore"):
        log_z = np.log(weeks) - np.log(rate + weeks)
    counted = np.where(k > 0, k * np.where(np.isfinite(log_z), log_z, -1e300), 0.0)
    start = shape * np.log1p(weeks / rate)
    exactly = gammaln(shape + k) - gammaln(shape) - gammaln(k + 1) + counted - start
    stayed = log_beta(a, other + k) - log_beta(a, other)
    value = np.exp(stayed + exactly)
    left = np.exp(log_beta(a + 1, other + k[1:] - 1) - log_beta(a, other))
    value[:, 1:] += left * betainc(k[1:], shape, weeks / (rate + weeks))
    return value
