"""From the whole population to the policies `churn` and `rfm`. Pure; the clock is an argument."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from math import isclose

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.bgnbd_fit import NAMES, fit
from services.scoring.policies import ChurnModel, RfmCuts, Usual

Integers = NDArray[np.int64]

ENOUGH = 100
"""Customers with a purchase below which nothing is fitted."""
ENOUGH_OF_A_CURRENCY = 20
"""Customers of one main currency below which a quintile of them says nothing."""
ENOUGH_DAYS = 28
"""Younger customers do not count for what is usual: their rate is mostly chance."""
HORIZON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody with a purchase, in columns of equal length. Days are ordinals of local dates."""

    days: Integers
    first_day: Integers
    last_day: Integers
    utcoffset: Integers
    """Minutes from UTC."""
    last_at: Integers
    """Last purchase, microseconds since 1970 UTC."""
    orders: Integers
    monetary: Integers
    """Minor units of `currency`."""
    currency: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.days)


def fit_churn(population: Population, clock: datetime) -> ChurnModel:
    """The policy `churn` as of `clock` (UTC)."""
    repeats = population.days - 1
    last = population.last_day - population.first_day
    age = np.maximum(_today(population, clock) - population.first_day, last)
    found = fit(repeats, last, age)
    return ChurnModel(
        horizon_days=HORIZON_DAYS,
        parameters=found.parameters,
        standard_errors=dict(zip(NAMES, found.standard_errors, strict=True)),
        log_likelihood=found.log_likelihood,
        customers=found.customers,
        converged=found.converged,
        at_bound=list(found.at_bound),
        usual=_usual(repeats, last, age),
        fitted_at=_written(clock),
    )


def _written(clock: datetime) -> str:
    return clock.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _today(population: Population, clock: datetime) -> Integers:
    """Each customer's local day at the clock."""
    minutes = (clock - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
    return (minutes + population.utcoffset) // (24 * 60) + 1


def _usual(repeats: Integers, last: Integers, age: Integers) -> Usual:
    repeated = repeats > 0
    gaps = last[repeated] / repeats[repeated]
    known = age >= ENOUGH_DAYS
    rates = repeats[known] / age[known] * 7
    return Usual(
        gap_days=round(float(np.median(gaps)), 2) if gaps.size else float(HORIZON_DAYS),
        repeats_per_week=round(float(np.median(rates)), 6) if rates.size else 0.0,
    )


def fit_rfm(population: Population, clock: datetime) -> RfmCuts:
    """The policy `rfm` as of `clock` (UTC)."""
    currencies = np.array([currency or "" for currency in population.currency])
    by_currency = {
        str(currency): cut_points(population.monetary[currencies == currency])
        for currency in np.unique(currencies)
        if currency and np.count_nonzero(currencies == currency) >= ENOUGH_OF_A_CURRENCY
    }
    return RfmCuts(
        customers=len(population),
        fitted_at=_written(clock),
        recency=cut_points(population.last_at),
        frequency=cut_points(population.orders),
        monetary=by_currency,
    )


def cut_points(values: Integers) -> list[int | None]:
    """The smallest values that score 2, 3, 4 and 5.

    score = 1 + floor(5 W / N), W = how many are strictly worse (smaller). Equal values score
    equally; nobody may reach a score where many are tied: None.
    """
    ordered = np.sort(values)
    distinct, worse = np.unique(ordered, return_index=True)
    scores = 1 + 5 * worse // len(ordered)
    cuts: list[int | None] = []
    for wanted in (2, 3, 4, 5):
        reached = np.flatnonzero(scores >= wanted)
        cuts.append(int(distinct[reached[0]]) if reached.size else None)
    return cuts


def is_same_model(old: ChurnModel, new: ChurnModel) -> bool:
    """Whether two fits judge alike: all numbers that probabilities and reasons use, to 1e-6."""
    return old.horizon_days == new.horizon_days and all(
        isclose(before, after, rel_tol=1e-6, abs_tol=1e-9)
        for before, after in zip(_numbers(old), _numbers(new), strict=True)
    )


def _numbers(model: ChurnModel) -> tuple[float, ...]:
    usual = model.usual
    return (*astuple(model.parameters), usual.gap_days, usual.repeats_per_week)


def is_same_cuts(old: RfmCuts, new: RfmCuts) -> bool:
    """Whether two fits score alike."""
    return (old.recency, old.frequency, old.monetary) == (new.recency, new.frequency, new.monetary)
