"""Value and activity: which of four cells a customer lies in, and why.

Value is the net spend of twelve months in the main currency, activity the number of those months
with an order; both by local calendar months. A month that has just begun counts against nobody:
the twelve months that end with this one are taken, or the twelve before it, whichever is better.
"""

from functools import lru_cache
from typing import Literal

import msgspec

from services.scoring.policies import YEAR_MONTHS, Cell, Population, Scoring
from services.scoring.projector.state import State
from services.scoring.projector.view import Matrix
from shared.language.money import Money, minor

_CELLS: dict[tuple[bool, bool], Cell] = {
    (True, True): "core",
    (True, False): "potential",
    (False, True): "basic",
    (False, False): "watch",
}


class Thresholds(msgspec.Struct, frozen=True, gc=False):
    """What must be reached. `spend` in minor units of the main currency."""

    by: Literal["quantile", "absolute"]
    spend: int
    months: int

    def cell(self, spend: int, months: int) -> Cell:
        """Where a spend and a number of months lie."""
        return _CELLS[spend >= self.spend, months >= self.months]


@lru_cache(maxsize=256)
def _above(amount: str, currency: str) -> int:
    """The smallest sum that exceeds an amount."""
    try:
        return minor(Money(amount, currency)) + 1
    except (KeyError, ValueError):  # more decimals than that currency has
        return minor(Money(amount.partition(".")[0], currency)) + 1


def thresholds(currency: str | None, scoring: Scoring, population: Population | None) -> Thresholds:
    """What holds for customers of a currency."""
    rules = scoring.matrix
    known = population.spend_year.get(currency or "") if population else None
    if rules.by == "quantile" and population is not None and known is not None:
        return Thresholds(
            by="quantile",
            spend=max(population.top(known, rules.value_top_percent), 1),
            months=max(population.top(population.active_months, rules.activity_top_percent), 1),
        )
    wanted = rules.value_from_by_currency.get(currency or "", rules.value_from)
    spend = _above(wanted, currency) if currency else 1
    return Thresholds(by="absolute", spend=spend, months=rules.active_from)


def spend_year(state: State, currency: str | None, month: int) -> int:
    """Net spend of twelve months, in minor units."""
    whole = this = first = 0
    for index, one in state.months.get(currency or "", {}).items():
        if index == month:
            this = one.net
        elif index == month - YEAR_MONTHS:
            first = one.net
        if 0 <= month - index <= YEAR_MONTHS:
            whole += one.net
    return max(whole - first, whole - this)


def ordered_months(state: State) -> set[int]:
    """Months with an order, in whatever currency."""
    return {
        index
        for months in state.months.values()
        for index, month in months.items()
        if month.orders > 0
    }


def active(months: set[int], month: int) -> int:
    """With an order, of the twelve months up to this one, or of the twelve before it."""
    within = sum([0 <= month - index <= YEAR_MONTHS for index in months])
    return within - (month in months and month - YEAR_MONTHS in months)


def decided(state: State) -> str | None:
    """The cell that somebody chose in place of what was found."""
    verdict = state.verdict
    return verdict.matrix if verdict is not None and verdict.overridden else None


def matrix(state: State, month: int, currency: str | None, wanted: Thresholds) -> Matrix:
    """The cell of a customer who has bought. `wanted`: what holds for their main currency."""
    chosen = decided(state)
    spend, months = spend_year(state, currency, month), active(ordered_months(state), month)
    found = wanted.cell(spend, months)
    return Matrix(
        cell=chosen or found,
        found=found,
        overridden=chosen is not None,
        by=wanted.by,
        currency=currency,
        spend_year=spend,
        spend_from=wanted.spend,
        active_months=months,
        active_from=wanted.months,
    )
