"""Gamma-Gamma: what a purchase is worth, apart from how often one is made.

Fader & Hardie, The Gamma-Gamma Model of Monetary Value, 2013; Fader, Hardie & Lee, RFM and CLV,
Journal of Marketing Research 42(4), 2005. A customer is known by `x`, the number of purchases with
a value, and their mean value `mean` > 0 (any one currency; `v` is in the same unit). The value of
each is gamma distributed with shape p and a rate of the customer's own, which is gamma distributed
with shape q and rate v:

    L = G(p x + q) / (G(p x) G(q)) * v^q mean^(p x - 1) x^(p x) / (v + x mean)^(p x + q)

Purchases of no value are no part of it: leave them out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from services.scoring.models.fit import Box, Fit, maximise
from services.scoring.models.stable import Floats, floats, log_beta

_NAMES = ("p", "q", "v")


@dataclass(frozen=True, slots=True)
class Parameters:
    """`p`: shape of one customer's values; `q` > 1, `v`: gamma distribution of their rates."""

    p: float
    q: float
    v: float

    def log_likelihood(self, x: ArrayLike, mean: ArrayLike) -> Floats:
        """Log-likelihood of each customer's mean value."""
        return log_likelihood_and_gradient(self, *floats(x, mean))[0]

    def expected_value(self, x: ArrayLike, mean: ArrayLike) -> Floats:
        """Expected value of their future purchases.

        Between the customer's own mean and everybody's, p v / (q - 1), which it is for x = 0
        (`mean` is then ignored).
        """
        x, mean = floats(x, mean)
        total = np.where(x > 0, x * mean, 0.0)
        value: Floats = self.p * (self.v + total) / (self.p * x + self.q - 1)
        return value

    def spread(self, x: ArrayLike, mean: ArrayLike) -> Floats:
        """Standard deviation of one future purchase; infinite where p x + q <= 2.

        A gamma variable of shape p whose rate is gamma distributed with shape m = p x + q.
        """
        x, mean = floats(x, mean)
        m = self.p * x + self.q
        scale = self.v + np.where(x > 0, x * mean, 0.0)
        variance = self.p * (self.p + m - 1) / ((m - 1) ** 2 * np.maximum(m - 2, 1e-300))
        value: Floats = np.where(m > 2, scale * np.sqrt(variance), np.inf)
        return value


def fit(x: ArrayLike, mean: ArrayLike) -> Fit[Parameters]:
    """The likeliest parameters. Customers without a value (`x` or `mean` 0) are left out."""
    x, mean = floats(x, mean)
    kept = (x > 0) & (mean > 0)
    x, mean = x[kept], mean[kept]
    usual = float(np.exp(np.log(mean).mean())) if len(mean) else 1.0
    counts, which = np.unique(x, return_inverse=True)

    def loss(values: Floats) -> tuple[float, Floats]:
        value, gradient = _value_and_gradient(Parameters(*values), x, mean, counts, which)
        return -float(value.sum()), -gradient.sum(axis=1)

    return maximise(Parameters, box(usual), loss, len(x))


def box(usual: float) -> Box:
    """`usual` is the size of a value; q stays above 1, else there is no expected value."""
    return Box(
        names=_NAMES,
        lower=(1e-3, 1.001, 1e-6 * usual),
        upper=(1e4, 1e4, 1e6 * usual),
        starts=((6, 4, usual / 2), (1, 2, usual), (20, 10, usual / 2)),
    )


def log_likelihood_and_gradient(
    parameters: Parameters, x: Floats, mean: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer, and its derivatives by p, q and v (three rows)."""
    return _value_and_gradient(parameters, x, mean, x, None)


def _value_and_gradient(
    parameters: Parameters, x: Floats, mean: Floats, counts: Floats, which: NDArray[np.intp] | None
) -> tuple[Floats, Floats]:
    """Special functions only of the distinct `counts`, `x` = `counts[which]`."""
    p, q, v = parameters.p, parameters.q, parameters.v
    px, total = p * x, x * mean
    own, others = np.log1p(v / total), np.log1p(total / v)  # -log of each one's share of the sum
    beta, by_px, by_q = -log_beta(p * counts, q), digamma(p * counts), digamma(p * counts + q)
    if which is not None:
        beta, by_px, by_q = beta[which], by_px[which], by_q[which]
    value: Floats = beta - q * others - px * own - np.log(mean)
    gradient = np.stack(
        (
            x * (by_q - by_px - own),
            by_q - digamma(q) - others,
            q / v - (px + q) / (v + total),
        )
    )
    return value, gradient
