"""Sums by category and week: the one input of a forecast."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.errors import ForecastError

Floats = NDArray[np.float64]

WEEK = 7
LONGEST = 520
"""Weeks that are read: ten years. Older ones are left out."""
MOST_UNITS = 1e12


@dataclass(frozen=True, slots=True)
class Weekly:
    """Units of every category in every week from `first` on; a week without a sale is 0."""

    keys: tuple[str, ...]
    """Categories, in alphabetical order."""
    departments: tuple[str, ...] | None
    """The department of each category; None where there are none."""
    first: date
    """First day of the first week; the others follow every seven days."""
    sums: Floats
    """Categories x weeks, finite, never negative."""

    def __post_init__(self) -> None:
        keys, weeks = self.sums.shape
        if keys != len(self.keys) or len(set(self.keys)) != keys:
            raise ForecastError("keys_unclear", "Every category needs exactly one row of sums.")
        if self.departments is not None and len(self.departments) != keys:
            raise ForecastError("keys_unclear", "Every category needs exactly one department.")
        if not ((self.sums >= 0) & (self.sums <= MOST_UNITS)).all():
            raise ForecastError("sums_unclear", f"Sums must be from 0 to {MOST_UNITS:.0e}.")
        if weeks > LONGEST:
            raise ForecastError("too_long", f"At most {LONGEST} weeks.")

    @property
    def weeks(self) -> int:
        return int(self.sums.shape[1])

    @property
    def end(self) -> date:
        """The day after the last week."""
        return self.first + timedelta(days=WEEK * self.weeks)

    def before(self, origin: date) -> "Weekly":
        """Only weeks that were over at `origin`."""
        over = max(0, min(self.weeks, (origin - self.first).days // WEEK))
        return replace(self, sums=self.sums[:, :over])


def weekly(
    rows: Iterable[tuple[str, str | None, date, float]],
    *,
    until: date | None = None,
    anchor: date = date(1, 1, 1),
) -> Weekly:
    """The table of (category, department or None, a day of the week, quantity).

    The span reaches from the first row's week to the last week that was over at `until` (without
    it: to the last row's week); days from `until` on are not read. Several rows of a category and
    week add up; a week whose returns outweigh its sales is 0. `anchor` is a day on which weeks
    begin (a Monday). A category of several departments belongs to the one of most units.
    """
    sums: dict[tuple[str, int], float] = defaultdict(float)
    units: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    stop = None if until is None else (until - anchor).days // WEEK
    for category, department, day, quantity in rows:
        week = (day - anchor).days // WEEK
        if stop is not None and week >= stop:
            continue
        if not isfinite(quantity):
            raise ForecastError("sums_unclear", f"{category}, {day}: a quantity is not finite.")
        sums[category, week] += quantity
        if department is not None:
            units[category][department] += abs(quantity)
    keys = sorted({category for category, _ in sums})
    weeks = [week for _, week in sums]
    last = max(weeks, default=-1) if stop is None else stop - 1
    start = max(min(weeks, default=last + 1), last + 1 - LONGEST)
    table = np.zeros((len(keys), last + 1 - start))
    index = {key: place for place, key in enumerate(keys)}
    for (category, week), quantity in sums.items():
        if week >= start:
            table[index[category], week - start] = max(0.0, quantity)
    return Weekly(
        keys=tuple(keys),
        departments=_departments(keys, units),
        first=anchor + timedelta(days=WEEK * start),
        sums=table,
    )


def _departments(keys: Sequence[str], units: dict[str, dict[str, float]]) -> tuple[str, ...] | None:
    """The department of most units, the first of the alphabet among equals; '' without one."""
    if not units:
        return None
    return tuple(
        min(units[key].items(), key=lambda item: (-item[1], item[0]))[0] if key in units else ""
        for key in keys
    )
