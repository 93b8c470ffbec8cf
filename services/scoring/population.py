"""From all customers to the policy `population`: what is usual, and what a purchase is worth. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from services.scoring.fitting import ENOUGH_OF_A_CURRENCY, Integers
from services.scoring.models import gammagamma
from services.scoring.policies import STEP_PERCENT, Population, SpendModel

ENOUGH_ANSWERS = 20
"""Answers below which their mean says nothing."""
_DIGITS = 6
"""Significant digits of fitted numbers: what changes behind them changes nobody's score."""


@dataclass(frozen=True, slots=True)
class Everybody:
    """All who have bought, in columns of equal length. Money in minor units of `currency`."""

    currency: Sequence[str | None]
    days: Integers
    """Purchase days."""
    orders: Integers
    monetary: Integers
    spend_year: Integers
    active_months: Integers


def fit_population(everybody: Everybody, answers: tuple[int, int], clock: datetime) -> Population:
    """The policy `population` as of `clock`; `answers`: how many to surveys, and their points (0 to
    1000 each) together."""
    number, points = answers
    spend_year: dict[str, list[int]] = {}
    monetary: dict[str, int] = {}
    order: dict[str, int] = {}
    spend: dict[str, SpendModel] = {}
    currencies = np.array([currency or "" for currency in everybody.currency])
    for found in np.unique(currencies):
        own = currencies == found
        if not found or np.count_nonzero(own) < ENOUGH_OF_A_CURRENCY:
            continue
        currency = str(found)
        spend_year[currency] = quantiles(everybody.spend_year[own])
        monetary[currency] = round(float(np.median(everybody.monetary[own])))
        orders = np.maximum(everybody.orders[own], 1)
        order[currency] = round(float(np.median(everybody.monetary[own] / orders)))
        model = _spend(everybody.days[own], everybody.monetary[own])
        if model is not None:
            spend[currency] = model
    return Population(
        customers=len(everybody.days),
        fitted_at=clock.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        spend_year=spend_year,
        active_months=quantiles(everybody.active_months),
        orders=round(float(np.median(everybody.orders))),
        monetary=monetary,
        order=order,
        spend=spend,
        satisfaction=round(points / number / 10, 2) if number >= ENOUGH_ANSWERS else None,
    )


def quantiles(values: Integers) -> list[int]:
    """The smallest values among the top 95, 90, ..., 5 %; who is tied with them is among them, too."""
    ordered = np.sort(values)
    percents = range(STEP_PERCENT, 100, STEP_PERCENT)
    return [int(ordered[len(ordered) * percent // 100]) for percent in percents]


def _spend(days: Integers, monetary: Integers) -> SpendModel | None:
    """What a purchase day is worth; None where too few spent anything."""
    spent = monetary > 0
    if np.count_nonzero(spent) < ENOUGH_OF_A_CURRENCY:
        return None
    found = gammagamma.fit(days[spent], monetary[spent] / days[spent])
    values = (found.parameters.p, found.parameters.q, found.parameters.v)
    if not np.isfinite(values).all():
        return None
    p, q, v = (float(f"{value:.{_DIGITS}g}") for value in values)
    return SpendModel(p, q, v, found.customers)


def is_same_population(old: Population, new: Population) -> bool:
    """Whether two fits judge alike."""
    return _judging(old) == _judging(new)


def _judging(one: Population) -> tuple[object, ...]:
    spend = {code: (model.p, model.q, model.v) for code, model in one.spend.items()}
    usual = (one.orders, one.monetary, one.order, one.satisfaction)
    return one.spend_year, one.active_months, *usual, spend
