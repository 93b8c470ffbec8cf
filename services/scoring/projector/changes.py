"""What would alter a customer's cell of the matrix, and by when."""

from dataclasses import dataclass
from datetime import date, timedelta

from services.scoring.policies import Cell
from services.scoring.projector.matrix import Thresholds, active, ordered_months, spend_year
from services.scoring.projector.state import State, month_of
from services.scoring.projector.view import Matrix

MANY = 24
"""Months ahead that a change is looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """The nearest thing that would alter a class.

    `code`: `purchase` (one, by `on`), `purchases` (`number` months with one each), `spend` (`amount`
    more), `silence` (no purchase by `on`), `withdrawn` (a person's word taken back) or `none`.
    """

    code: str
    then: str | None
    on: date | None = None
    days: int | None = None
    number: int | None = None
    amount: int | None = None
    currency: str | None = None


def nearest(  # noqa: PLR0911  (one way out a kind of change)
    state: State, found: Matrix, wanted: Thresholds, today: date
) -> Change:
    """Whatever comes first: an order that is missing this month, the year's end of one, an amount."""
    assert found.spend_year is not None, "who has bought"
    months, month = ordered_months(state), month_of(today)
    spend, cell = found.spend_year, found.found
    last = _month_start(month + 1) - timedelta(days=1)
    with_order = active({*months, month}, month)
    then = wanted.cell(spend, with_order)
    if then != cell:
        return Change("purchase", then, on=last, days=(last - today).days)
    if month not in months:  # without an order until its end, this month will be missing
        after = _then(state, found, wanted, months, month + 1)
        if after != cell:
            return Change("silence", after, on=last, days=(last - today).days)
    missing = wanted.spend - spend
    more = _months_to_go(months, month, wanted)
    if missing > 0 and (more is None or spend * (1 + more / wanted.months) >= wanted.spend):
        then = wanted.cell(wanted.spend, with_order)
        return Change("spend", then, on=last, amount=missing, currency=found.currency)
    if more is not None:
        then = wanted.cell(spend, wanted.months)
        end = _month_start(month + more) - timedelta(days=1)
        return Change("purchases", then, on=end, number=more)
    if missing > 0:
        then = wanted.cell(wanted.spend, with_order)
        return Change("spend", then, on=last, amount=missing, currency=found.currency)
    for ahead in range(1, MANY + 1):  # nothing to win: when is it lost, if nothing more is bought?
        then = _then(state, found, wanted, months, month + ahead)
        if then != cell:
            end = _month_start(month + ahead) - timedelta(days=1)
            return Change("silence", then, on=end, days=(end - today).days)
    return Change("none", cell)


def _then(state: State, found: Matrix, wanted: Thresholds, months: set[int], month: int) -> Cell:
    """The cell at the beginning of a month if nothing more is bought until then."""
    return wanted.cell(spend_year(state, found.currency, month), active(months, month))


def _months_to_go(months: set[int], month: int, wanted: Thresholds) -> int | None:
    """How many months in a row, this one first, must have an order; None where enough have one."""
    if active(months, month) >= wanted.months:
        return None
    kept = set(months)
    for number in range(1, MANY + 1):
        kept.add(month + number - 1)
        if active(kept, month + number - 1) >= wanted.months:
            return number
    return None


def _month_start(month: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, 1)
