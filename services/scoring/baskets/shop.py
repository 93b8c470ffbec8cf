"""Everybody's orders as columns, for learning from: lines by customer, and sums by category and week.

Pure. Rows are taken in one by one, in any order, so that the whole is never held as objects.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import numpy as np

from services.scoring.baskets.orders import EPOCH, Level
from services.scoring.baskets.rows import Basket, Line
from services.scoring.recommend.arrays import Ints
from services.scoring.recommend.log import Lines, Log, make_log

Measure = Literal["units", "lines", "money"]
MEASURES: tuple[Measure, ...] = ("units", "lines", "money")
UNSORTED = "uncategorised"
"""The category of lines that name none, and of orders without lines (one line each)."""
MOST_CATEGORIES = 2_000
"""Categories that are forecast by themselves; the lesser ones count as `OTHERS`."""
OTHERS = "other categories"
WEEK = 7
_NOTHING = Line(None, None, 1.0)
_NONE = -1


class Names:
    """Numbers for names, in the order in which they come."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str | None) -> int:
        """-1 for None."""
        if name is None:
            return _NONE
        found = self._codes.get(name)
        if found is None:
            found = self._codes[name] = len(self.names)
            self.names.append(name)
        return found


def week_of(day: int) -> int:
    """Number of the week (Monday to Sunday) of an ordinal; 0 begins on 0001-01-01, a Monday."""
    return (day - 1) // WEEK


@dataclass(slots=True)
class Shop:
    """What was bought, up to the day of the clock.

    `today`: ordinal of the local day at the clock; later days count as that day. `gone`: versions of
    orders that count no more. `heads`: customers that are one with others. `share`: of the
    customers, how many are taken as lines; the sums are of all.
    """

    today: int
    gone: Collection[str]
    heads: Mapping[UUID, UUID] = field(default_factory=dict)
    share: float = 1.0
    orders: int = 0
    customers: dict[UUID, int] = field(default_factory=dict)
    first_day: int | None = None
    products: Names = field(default_factory=Names)
    categories: Names = field(default_factory=Names)
    names: dict[str, str] = field(default_factory=dict)
    """What people call a product."""
    sums: dict[Measure, dict[tuple[str, str, int], float]] = field(
        default_factory=lambda: {measure: {} for measure in MEASURES}
    )
    """By category, currency ('' but for money) and week."""
    departments: dict[str, Counter[str]] = field(default_factory=dict)
    currencies: Counter[str] = field(default_factory=Counter)
    _returned: dict[tuple[str, str], Basket] = field(default_factory=dict)
    _customer: "array[int]" = field(default_factory=lambda: array("q"))
    _product: "array[int]" = field(default_factory=lambda: array("q"))
    _category: "array[int]" = field(default_factory=lambda: array("q"))
    _day: "array[int]" = field(default_factory=lambda: array("q"))
    _quantity: "array[float]" = field(default_factory=lambda: array("d"))
    _amount: "array[float]" = field(default_factory=lambda: array("d"))
    _currency: "array[int]" = field(default_factory=lambda: array("q"))
    _codes: Names = field(default_factory=Names)

    def add(self, customer: UUID, basket: Basket) -> None:
        """Take in one row."""
        if basket.version is None or basket.version in self.gone:
            return
        if basket.refund is not None:
            key = (basket.version, basket.refund)
            before = self._returned.get(key)
            if before is None or before.time <= basket.time:
                self._returned[key] = basket
            return
        day = min(basket.day, self.today)
        self.orders += 1
        self.first_day = day if self.first_day is None else min(self.first_day, day)
        if basket.currency is not None:
            self.currencies[basket.currency] += 1
        lines = basket.lines or (_NOTHING,)
        self._sum(lines, basket.currency, week_of(day), 1.0)
        self._keep(self.heads.get(customer, customer), lines, basket.currency, day - EPOCH)

    def close(self) -> None:
        """Take off what came back, in the week in which it did."""
        for basket in self._returned.values():
            week = week_of(min(basket.day, self.today))
            self._sum(basket.lines, basket.currency, week, -1.0)
        self._returned.clear()

    def _sum(self, lines: Collection[Line], currency: str | None, week: int, sign: float) -> None:
        units, counts, money = (self.sums[measure] for measure in MEASURES)
        for line in lines:
            category = line.category or UNSORTED
            key = (category, "", week)
            units[key] = units.get(key, 0.0) + sign * line.quantity
            counts[key] = counts.get(key, 0.0) + sign
            if line.amount is not None and currency is not None:
                key = (category, currency, week)
                money[key] = money.get(key, 0.0) + sign * line.amount
            if line.department is not None:
                self.departments.setdefault(category, Counter())[line.department] += 1

    def _keep(
        self, customer: UUID, lines: Collection[Line], currency: str | None, day: int
    ) -> None:
        if self.share < 1.0 and (customer.int & 0xFFFFFFFF) >= self.share * 2**32:
            return
        who = self.customers.setdefault(customer, len(self.customers))
        money = self._codes.code(currency)
        for line in lines:
            self._customer.append(who)
            self._product.append(self.products.code(line.product))
            self._category.append(self.categories.code(line.category))
            self._day.append(day)
            self._quantity.append(line.quantity)
            self._amount.append(np.nan if line.amount is None else line.amount)
            self._currency.append(money)
            if line.name is not None and line.product is not None:
                self.names[line.product] = line.name

    @property
    def main_currency(self) -> str | None:
        """Of most orders, the first of the alphabet among equals."""
        if not self.currencies:
            return None
        return min(self.currencies.items(), key=lambda one: (-one[1], one[0]))[0]

    def log(self, level: Level, today: int) -> Log:
        """The lines as recommendations learn from them; `today`: days since 1970-01-01."""
        customer, product, category, day, currency = (
            np.frombuffer(column, dtype=np.int64) if len(column) else np.empty(0, dtype=np.int64)
            for column in (self._customer, self._product, self._category, self._day, self._currency)
        )
        main = self.main_currency
        amount = np.array(self._amount, dtype=np.float64)
        amount[currency != (self._codes.code(main) if main else _NONE)] = np.nan
        is_product = level == "product"
        lines = Lines(
            customer=customer,
            item=product if is_product else category,
            day=day,
            quantity=np.array(self._quantity, dtype=np.float64),
            amount=amount,
            category=category if is_product else np.full(len(category), _NONE, dtype=np.int64),
        )
        everybody: Ints = np.arange(len(self.customers), dtype=np.int64)
        names = self.products.names if is_product else self.categories.names
        kinds = self.categories.names if is_product else []
        return make_log(lines, names, kinds, today, everybody)

    def demand(self, measure: Measure) -> dict[tuple[str, int], float]:
        """Sums by category and week; money in the main currency. Beyond `MOST_CATEGORIES` the
        lesser ones are one."""
        wanted = (self.main_currency or "") if measure == "money" else ""
        sums = {
            (category, week): value
            for (category, currency, week), value in self.sums[measure].items()
            if currency == wanted
        }
        totals: Counter[str] = Counter()
        for (category, _), value in sums.items():
            totals[category] += abs(value)  # type: ignore[assignment]  # a Counter adds floats as well
        if len(totals) <= MOST_CATEGORIES:
            return sums
        ranked = sorted(totals, key=lambda name: (-totals[name], name))
        kept = set(ranked[: MOST_CATEGORIES - 1])
        joined: dict[tuple[str, int], float] = {}
        for (category, week), value in sums.items():
            key = (category if category in kept else OTHERS, week)
            joined[key] = joined.get(key, 0.0) + value
        return joined

    def department(self, category: str) -> str | None:
        """The one that most lines name, the first of the alphabet among equals."""
        found = self.departments.get(category)
        return min(found, key=lambda name: (-found[name], name)) if found else None
