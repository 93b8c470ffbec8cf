"""Pareto/NBD: a customer buys at random at a rate of their own, until they leave at a random time,
at a rate of their own.

Schmittlein, Morrison & Colombo, Counting Your Customers: Who Are They and What Will They Do Next?,
Management Science 33(1), 1987; Fader & Hardie, A Note on Deriving the Pareto/NBD Model, 2005.
Customers as in `bgnbd`: `x` repeat purchase days, `t_x` and `age` in weeks since the first day.

    L = G(r + x) / G(r) * alpha^r beta^s * [ (alpha + T)^-(r + x) (beta + T)^-s
            + integral from t_x to T of s (alpha + y)^-(r + x) (beta + y)^-(s + 1) dy ]

The textbook writes the integral as a difference of two hypergeometric functions, which cancels
where t_x is near T and overflows where x is large. Here it is summed over Gauss's places on a
logarithmic scale: all terms are positive, and its derivatives are means over the same places.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from services.scoring.models.collapse import Collapsed, Days, collapse
from services.scoring.models.fit import Box, Fit, maximise_collapsed
from services.scoring.models.quadrature import DROP, gauss, integral_of_hill
from services.scoring.models.stable import Floats, chunks, floats, power_integral

Rows = NDArray[np.intp]

BOX = Box(
    names=("r", "alpha", "s", "beta"),
    lower=(1e-3, 1e-3, 1e-3, 1e-3),
    upper=(1e3, 1e4, 1e2, 1e4),
    starts=((0.5, 10, 0.6, 12), (1.5, 1.5, 0.1, 20), (2, 30, 1.5, 30)),
)
_PLACES = ((5.0, 2.2, gauss(10)), (20.0, 4.0, gauss(20)), (40.0, 8.0, gauss(20, 2)))
"""By how many powers of e the integrand falls, over which length: what so many places suffice for,
to 1e-11 of the integral."""
_OTHERS = gauss(20, 4)


@dataclass(frozen=True, slots=True)
class Parameters:
    """`r`, `alpha` (weeks): gamma distribution of rates of buying; `s`, `beta` (weeks): gamma
    distribution of rates of leaving."""

    r: float
    alpha: float
    s: float
    beta: float

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Log-likelihood of each customer."""
        x, t_x, age = floats(x, t_x, age)
        return log_likelihood_and_gradient(self, x, t_x, age)[0]

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that they have not left for good."""
        return self._shares(*floats(x, t_x, age))[0]

    def p_none(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of no purchase in the next `horizon` weeks."""
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        alive, gone = self._shares(x, t_x, age)
        n, c, d = self.r + x, self.alpha + age, self.beta + age
        stayed = np.exp(-n * np.log1p(horizon / c) - self.s * np.log1p(horizon / d))
        leaving = _leaving(n, np.full_like(n, self.s), c, d, horizon)
        return np.minimum(alive * (stayed + leaving) + gone, 1.0)

    def p_some(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability of at least one, exact also where it is tiny.

        The next purchase comes before they leave: the same integral with the two rates exchanged.
        """
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        alive, _ = self._shares(x, t_x, age)
        n = self.r + x
        s = np.full_like(n, self.s)
        return alive * _leaving(s, n, self.beta + age, self.alpha + age, horizon)

    def expected(self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """Expected purchases in the next `horizon` weeks.

        Fader & Hardie (2005), equation 41, without its division by s - 1.
        """
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        alive, _ = self._shares(x, t_x, age)
        rate = (self.r + x) / (self.alpha + age)
        weeks = (self.beta + age) * power_integral(
            self.s - 1, np.log1p(horizon / (self.beta + age))
        )
        value: Floats = alive * rate * weeks
        return value

    def distribution(
        self, x: ArrayLike, t_x: ArrayLike, age: ArrayLike, horizon: ArrayLike, most: int
    ) -> Floats:
        """Probabilities of 0 to `most` purchases in the next `horizon` weeks, one row each.

        Fader & Hardie, Deriving the Conditional PMF of the Pareto/NBD Model, 2014: alive all the
        time, or left at a time that is integrated over.
        """
        x, t_x, age, horizon = floats(x, t_x, age, horizon)
        alive, _ = self._shares(x, t_x, age)
        value = np.empty((len(x), most + 1))
        value[:, 0] = self.p_none(x, t_x, age, horizon)
        n, c, d = self.r + x, self.alpha + age, self.beta + age
        for k in range(1, most + 1):
            value[:, k] = alive * _exactly(k, n, c, self.s, d, horizon)
        return value

    def _shares(self, x: Floats, t_x: Floats, age: Floats) -> tuple[Floats, Floats]:
        """Probabilities of being alive and of having left, each with all its digits."""
        n, a, b, silence = self.r + x, self.alpha + t_x, self.beta + t_x, age - t_x
        log_stayed = -n * np.log1p(silence / a) - self.s * np.log1p(silence / b)
        stayed = np.exp(log_stayed)
        left = _leaving(n, np.full_like(n, self.s), a, b, silence)
        return stayed / (stayed + left), left / (stayed + left)


def fit(x: Days, t_x: Days, age: Days) -> Fit[Parameters]:
    """The likeliest parameters: `x` repeat days; `t_x` and `age` in whole days."""
    data = collapse(x, t_x, age)
    return maximise_collapsed(Parameters, BOX, _loss, data)


def log_likelihood_and_gradient(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer, and its derivatives by r, alpha, s and beta (four rows)."""
    value, gradient = _counts_part(parameters, x)
    times, slopes = _times_part(parameters, x, t_x, age)
    return value + times, gradient + slopes


def _loss(values: Floats, data: Collapsed) -> tuple[float, Floats]:
    parameters = Parameters(*values)
    return data.loss(
        _counts_part(parameters, data.counts),
        _times_part(parameters, data.x, data.t_x, data.age),
    )


def _counts_part(parameters: Parameters, x: Floats) -> tuple[Floats, Floats]:
    """What of the log-likelihood depends on x only, with its gradient."""
    r = parameters.r
    gradient = np.zeros((4, len(x)))
    gradient[0] = digamma(r + x) - digamma(r)
    return gammaln(r + x) - gammaln(r), gradient


def _times_part(
    parameters: Parameters, x: Floats, t_x: Floats, age: Floats
) -> tuple[Floats, Floats]:
    """The log of alpha^r beta^s and of the bracket, with its gradient.

    Powers are taken of ratios: those of alpha and beta themselves would be a great number less a
    great number.
    """
    r, alpha, s, beta = parameters.r, parameters.alpha, parameters.s, parameters.beta
    n, a, b, silence = r + x, alpha + t_x, beta + t_x, age - t_x
    to_last_a, to_last_b = np.log1p(t_x / alpha), np.log1p(t_x / beta)
    to_now_a, to_now_b = np.log1p(silence / a), np.log1p(silence / b)
    stayed = np.exp(-n * to_now_a - s * to_now_b)
    sums = np.full((5, len(x)), np.nan)
    for rows, weights, to_a, to_b in _leaving_at(n, np.full_like(n, s), a, b, silence):
        terms = (to_a, np.exp(-to_a), to_b, np.exp(-to_b))
        sums[0, rows] = weights.sum(axis=1)
        sums[1:, rows] = [np.einsum("ij,ij->i", weights, term) for term in terms]
    whole = stayed + sums[0]
    left, mean_a, inverse_a, mean_b, inverse_b = sums / whole
    still = stayed / whole
    slopes = (
        -to_last_a - still * to_now_a - mean_a,
        r / alpha - n / a * (still * np.exp(-to_now_a) + inverse_a),
        -to_last_b - still * to_now_b - mean_b + left / s,
        s / beta - (s * still * np.exp(-to_now_b) + (s + 1) * inverse_b) / b,
    )
    value = np.log(whole) - r * to_last_a - x * np.log(a) - s * to_last_b
    return value, np.stack(slopes)


def _leaving(n: Floats, s: Floats, a: Floats, b: Floats, span: Floats) -> Floats:
    """Integral of s (1 + y / a)^-n (1 + y / b)^-(s + 1) dy / b from 0 to `span`."""
    value = np.full_like(n, np.nan)
    for rows, weights, _, _ in _leaving_at(n, s, a, b, span):
        value[rows] = weights.sum(axis=1)
    return value


def _leaving_at(
    n: Floats, s: Floats, a: Floats, b: Floats, span: Floats
) -> Iterator[tuple[Rows, Floats, Floats, Floats]]:
    """That integral's summands with log(1 + y / a) and log(1 + y / b), some rows at a time.

    Each time: which rows, and the three tables of shape (rows, places). Over v = log(1 + y / m), m
    the smaller of a and b, the integrand is e^-((p - 1) v) (1 + m / M (e^v - 1))^-q with p and q
    the powers of m's and M's factor: smooth on a scale of 1, and cut where it has fallen by e^-45.
    """
    first = a <= b
    low, high = np.minimum(a, b), np.maximum(a, b)
    p, q = np.where(first, n, s + 1), np.where(first, s + 1, n)
    ratio = low / high
    end = np.minimum(np.log1p(span / low), _end(p, q, ratio))
    scale = s * low / b * end
    for rows, (places, shares) in _groups(p, q, ratio, end):
        v = end[rows, None] * places
        other = np.log1p(ratio[rows, None] * np.expm1(v))
        weights = np.exp((1 - p[rows, None]) * v - q[rows, None] * other)
        weights *= scale[rows, None] * shares
        chosen = first[rows, None]
        yield rows, weights, np.where(chosen, v, other), np.where(chosen, other, v)


def _groups(
    p: Floats, q: Floats, ratio: Floats, end: Floats
) -> Iterator[tuple[Rows, tuple[Floats, Floats]]]:
    """Rows that the same places suffice for, some at a time."""
    fall = (p - 1) * end + q * np.log1p(ratio * np.expm1(end))
    todo = np.ones(len(p), dtype=np.bool_)
    for most, length, places in (*_PLACES, (np.inf, np.inf, _OTHERS)):
        chosen = todo & (fall <= most) & (end <= length)
        todo &= ~chosen
        rows = np.flatnonzero(chosen)
        for part in chunks(len(rows), len(places[0])):
            yield rows[part], places


def _end(p: Floats, q: Floats, ratio: Floats) -> Floats:
    """Beyond which the integrand is nothing: one factor alone has fallen far enough.

    The other factor rises by e^v at most (p near 0), which the second step allows for.
    """
    steep = np.where(p > 1, DROP / np.maximum(p - 1, 1e-300), np.inf)
    with np.errstate(over="ignore"):
        alone = np.log1p(np.expm1(DROP / q) / ratio)
        rising = np.where(p < 1, alone, 0.0)
        alone = np.log1p(np.expm1((DROP + rising) / q) / ratio)
    return np.minimum(steep, alone)


def _exactly(k: int, n: Floats, c: Floats, s: float, d: Floats, horizon: Floats) -> Floats:
    """Probability that who is alive buys `k` > 0 times within the horizon (c, d: alpha + T,
    beta + T)."""
    log_choose = gammaln(n + k) - gammaln(n) - gammaln(k + 1.0)

    def log_counted(log_y: Floats, c: Floats, n: Floats) -> Floats:
        """Log of y^k c^n / (c + y)^(n + k)."""
        log_ratio = log_y - np.log(c)
        away = np.logaddexp(0.0, log_ratio)
        value: Floats = k * (log_ratio - away) - n * away
        return value

    positive = horizon > 0
    log_h = np.log(np.where(positive, horizon, 1.0))
    stayed = np.exp(log_choose + log_counted(log_h, c, n) - s * np.log1p(horizon / d))
    left = np.empty_like(n)
    for part in chunks(len(n), 240):
        n_, c_, d_ = n[part, None], c[part, None], d[part, None]

        def log_f(log_y: Floats, n_: Floats = n_, c_: Floats = c_, d_: Floats = d_) -> Floats:
            weight = np.log(s) + log_y - np.log(d_) - (s + 1) * np.log1p(np.exp(log_y) / d_)
            value: Floats = log_counted(log_y, c_, n_) + weight
            return value

        top = log_h[part]
        left[part] = integral_of_hill(log_f, top - 2 * DROP / (k + 1), top)
    value: Floats = np.where(positive, stayed + np.exp(log_choose + left), 0.0)
    return value
