"""Forecasts of a list of purchases, as plain rows."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.fitting import FARTHEST, fit
from services.scoring.forecast.result import Forecast, Level, Row
from services.scoring.forecast.signals import Signal
from services.scoring.forecast.table import LONGEST, WEEK, Weekly

Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 1)


class Purchases(Protocol):
    """What is read of a list of purchases; days are local, counted from 1970-01-01."""

    @property
    def day(self) -> NDArray[np.int64]: ...
    @property
    def category(self) -> NDArray[np.int32]:
        """Index into `categories`; -1 for none."""

    @property
    def quantity(self) -> NDArray[np.float64]:
        """Units, negative when returned; 1 a line where the source does not say."""

    @property
    def categories(self) -> Sequence[str]: ...


def forecast_rows(
    purchases: Purchases,
    origin: date,
    *,
    horizon: int = FARTHEST,
    country: str | None = None,
    signals: Sequence[Signal] = (),
    departments: Mapping[str, str] | None = None,
    levels: Sequence[Level] = ("category",),
    seed: int = 7,
) -> list[Row]:
    """Rows by category (and department and total, if asked) and week: week `h` ahead is the days
    from `origin` + 7 (h - 1) on. Nothing at or after the origin is read.
    """
    table = weekly_of(purchases, origin, departments)
    made = fit(table, signals, origin=origin, seed=seed, horizon=horizon, country=country)
    return list(made.rows(*levels))


def forecast_of(
    purchases: Purchases, origin: date, *, country: str | None = None, seed: int = 7
) -> Forecast:
    """The whole forecast of `forecast_rows`, with its reasons, quality and notes."""
    return fit(weekly_of(purchases, origin, None), origin=origin, seed=seed, country=country)


def weekly_of(purchases: Purchases, origin: date, departments: Mapping[str, str] | None) -> Weekly:
    """Sums of the seven-day weeks that end at the origin; a first week cut short is left out.

    Lines without a category count in none; where no line has one, all are of the category `all`.
    """
    day, category = purchases.day, purchases.category.astype(np.int64)
    names = list(purchases.categories)
    if not (category >= 0).any():
        category, names = np.zeros(len(category), dtype=np.int64), ["all"]
    last = (origin - EPOCH).days
    known = (day < last) & (day >= last - WEEK * LONGEST)
    quantity = np.nan_to_num(purchases.quantity.astype(np.float64), posinf=0.0, neginf=0.0)
    weeks = (last - int(day[known].min())) // WEEK if known.any() else 0
    if weeks == 0 and known.any():
        weeks = 1
    back = (last - 1 - day) // WEEK
    chosen = known & (category >= 0) & (back < weeks)
    place = category[chosen] * weeks + (weeks - 1 - back[chosen])
    sums = np.bincount(place, quantity[chosen], minlength=len(names) * weeks)
    table: Floats = np.maximum(sums.reshape(len(names), weeks), 0.0).astype(np.float64)
    seen = np.zeros(len(names), dtype=bool)
    seen[category[known & (category >= 0)]] = True
    keys = [(name, index) for index, name in enumerate(names) if seen[index]]
    keys.sort()
    return Weekly(
        keys=tuple(name for name, _ in keys),
        departments=(
            None if departments is None else tuple(departments.get(name, "") for name, _ in keys)
        ),
        first=origin - timedelta(days=WEEK * weeks),
        sums=table[[index for _, index in keys]],
    )
