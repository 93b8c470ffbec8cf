"""What customers will buy and when, and what that is worth: from the fitted models, many at once.

Purchases are purchase days (BG/NBD); what one is worth comes from the Gamma-Gamma of the customer's
main currency, or is their own mean where that is not fitted. Money in minor units, times in days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from services.scoring.models import gammagamma
from services.scoring.models.clv import discounted_purchases
from services.scoring.policies import ChurnModel, Population, ValueRules
from services.scoring.projector.churn import History

Floats = NDArray[np.float64]

SPANS = (90, 365)
"""Days ahead of which the spend is foretold."""
LOW, HIGH = 0.1, 0.9
"""Eight in ten lie between these."""
RETURN_DAYS = 730
"""Who does not buy within so many days counts as not coming back, where a date is foretold."""
_HALVINGS = 12
_NO_SPREAD = 2.05
"""Below 2 the variance of a purchase is infinite: the interval is only wide then."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """What foretelling needs of one customer."""

    history: History
    currency: str | None
    monetary: int
    """Net spend of all time."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is expected within `days`; eight in ten lie between `low` and `high`."""

    days: int
    purchases: float
    repurchase: float
    """Probability of at least one purchase."""
    spend: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Future:
    """What is expected of one customer."""

    spans: tuple[Span, ...]
    purchase_value: float
    """Expected value of one purchase day."""
    lifetime: float
    """Expected spend of all years that count, discounted."""
    returns: float
    """Probability of any purchase within `RETURN_DAYS`."""
    next_days: tuple[float, float, float]
    """Days until the next purchase of those who come back: 10 %, half, 90 % have bought by then."""
    fitted: bool
    """Whether the value of a purchase comes from a fitted model."""


@dataclass(frozen=True, slots=True)
class _Columns:
    x: Floats
    last: Floats
    age: Floats
    """Weeks."""


@dataclass(frozen=True, slots=True)
class _Worth:
    """One purchase: expected value, variance among a customer's own, variance of their mean."""

    mean: Floats
    own: Floats
    between: Floats
    fitted: NDArray[np.bool_]


def foretell(
    buyers: Sequence[Buyer], model: ChurnModel, population: Population | None, rules: ValueRules
) -> list[Future]:
    """One answer for each."""
    if not buyers:
        return []
    seen = _Columns(
        *(
            np.array(values, dtype=np.float64)
            for values in (
                [buyer.history.x for buyer in buyers],
                [buyer.history.last / 7 for buyer in buyers],
                [buyer.history.age / 7 for buyer in buyers],
            )
        )
    )
    worth = _worth(buyers, population)
    spans = [_span(seen, worth, model, days) for days in SPANS]
    purchases = discounted_purchases(
        model.parameters,
        seen.x,
        seen.last,
        seen.age,
        rules.years * 365 / 7,
        log1p(rules.discount_rate) * 7 / 365,
        step=13.0,
    )
    returns, days = _next(seen, model)
    return [
        Future(
            spans=tuple(one[index] for one in spans),
            purchase_value=float(worth.mean[index]),
            lifetime=float(purchases[index] * worth.mean[index]),
            returns=float(returns[index]),
            next_days=(float(days[index, 0]), float(days[index, 1]), float(days[index, 2])),
            fitted=bool(worth.fitted[index]),
        )
        for index in range(len(buyers))
    ]


def _worth(buyers: Sequence[Buyer], population: Population | None) -> _Worth:
    """Given m = p x + q and c = v + spend, with n = 1/rate: E n = c / (m - 1), E n^2 = c^2 / ((m - 1)
    (m - 2)); a customer's purchase is worth p n with a variance of p n^2."""
    days = np.array([buyer.history.x + 1 for buyer in buyers], dtype=np.float64)
    spend = np.maximum(np.array([buyer.monetary for buyer in buyers], dtype=np.float64), 0.0)
    mean, own, between = spend / days, np.zeros_like(days), np.zeros_like(days)
    fitted = np.zeros(len(buyers), dtype=bool)
    models = population.spend if population else {}
    for currency, spent in models.items():
        known = np.array([buyer.currency == currency for buyer in buyers])
        if not known.any():
            continue
        x = np.where(spend[known] > 0, days[known], 0.0)
        parameters = gammagamma.Parameters(spent.p, spent.q, spent.v)
        shape = spent.p * x + spent.q
        scale = (spent.v + spend[known]) / (shape - 1)
        square = scale**2 * (shape - 1) / (np.maximum(shape, _NO_SPREAD) - 2)
        mean[known] = parameters.expected_value(x, spend[known] / days[known])
        own[known] = spent.p * square
        between[known] = spent.p**2 * np.maximum(square - scale**2, 0.0)
        fitted |= known
    return _Worth(mean, own, between, fitted)


def _span(seen: _Columns, worth: _Worth, model: ChurnModel, days: int) -> list[Span]:
    weeks = days / 7
    purchases = model.parameters.expected(seen.x, seen.last, seen.age, weeks)
    some = model.parameters.p_some(seen.x, seen.last, seen.age, weeks)
    # As many as there are days, whoever else is asked about: each answer is the same by itself.
    chances = model.parameters.distribution(seen.x, seen.last, seen.age, weeks, days)
    squares = (chances * np.arange(days + 1.0) ** 2).sum(axis=1)
    spend = purchases * worth.mean
    power = purchases * worth.own + squares * (worth.between + worth.mean**2)  # E of its square
    low, high = (_quantile(level, some, spend, power) for level in (LOW, HIGH))
    return [
        Span(
            days,
            float(purchases[index]),
            float(some[index]),
            float(spend[index]),
            float(low[index]),
            float(high[index]),
        )
        for index in range(len(spend))
    ]


def _quantile(level: float, some: Floats, mean: Floats, square: Floats) -> Floats:
    """0 where nothing is bought so often; else that of a gamma variable with the mean and variance
    of those who buy."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, square = mean / some, square / some
        variance = np.maximum(square - mean**2, (0.01 * mean) ** 2)
        shape = mean**2 / variance
        among = np.clip((level - (1 - some)) / some, 0.0, 1.0)
        value = gammaincinv(shape, among) * variance / mean
    return np.where((among > 0) & np.isfinite(value), value, 0.0)


def _next(seen: _Columns, model: ChurnModel) -> tuple[Floats, Floats]:
    """The probability of coming back, and by when how many of those have; by halving."""
    customers = len(seen.x)
    returns = model.parameters.p_some(seen.x, seen.last, seen.age, RETURN_DAYS / 7)
    levels = np.tile((LOW, 0.5, HIGH), customers) * np.repeat(returns, 3)
    x, last, age = (np.repeat(column, 3) for column in (seen.x, seen.last, seen.age))
    low, high = np.zeros(3 * customers), np.full(3 * customers, float(RETURN_DAYS))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        late = model.parameters.p_some(x, last, age, middle / 7) < levels
        low, high = np.where(late, middle, low), np.where(late, high, middle)
    return returns, high.reshape(customers, 3)
