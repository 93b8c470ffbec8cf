"""Both lists of every customer of a table of purchases, as plain rows."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from services.scoring.backtest.data import Purchases
from services.scoring.recommend.arrays import places
from services.scoring.recommend.fitting import fit_model
from services.scoring.recommend.history import histories_of
from services.scoring.recommend.log import Lines, Log, make_log
from services.scoring.recommend.model import Model, chunks, lists

LEVELS = ("category", "product")
LIMIT = 10


class Row(NamedTuple):
    """One item of one list of one customer; `rank` from 1."""

    customer: str
    list: str
    """`again` or `new`."""
    rank: int
    item: str


def log_at(purchases: Purchases, cut: datetime | np.datetime64, level: str) -> tuple[Log, int]:
    """What was known at the cut, and the morning it is judged on. Raises ValueError for another
    level. Refunds take nothing back: what came back was needed all the same."""
    if level not in LEVELS:
        raise ValueError(f"The level is one of {', '.join(LEVELS)}, not {level}.")
    moment = np.datetime64(cut).astype("datetime64[us]")
    known = purchases.in_currency(purchases.main_currency())
    known = known.take((known.time < moment) & known.is_purchase)
    today = int(moment.astype("datetime64[D]").astype(np.int64))
    if np.datetime64(today, "D") != moment:
        today += 1  # what was bought in the morning of the cut is known as well
    category = known.category.astype(np.int64)
    is_product = level == "product"
    lines = Lines(
        customer=known.customer.astype(np.int64),
        item=known.product.astype(np.int64) if is_product else category,
        day=known.day,
        quantity=known.quantity,
        amount=known.amount,
        category=category if is_product else np.full(len(category), -1, dtype=np.int64),
    )
    names = known.products if is_product else known.categories
    kinds = known.categories if is_product else ()
    return make_log(lines, names, kinds, today, np.unique(lines.customer)), today


def recommend_rows(
    purchases: Purchases, cut: datetime | np.datetime64, level: str, *, seed: int = 0
) -> list[Row]:
    """Up to ten of each list for every customer with a purchase before the cut (naive, in the
    shop's zone), by customer. Trained on nothing at or after it."""
    log, today = log_at(purchases, cut, level)
    if not log.customers:
        return []
    rows = list(_rows(fit_model(log, today, seed=seed), log, purchases.customers))
    rows.sort(key=lambda row: row[:3])
    return rows


def _rows(model: Model, log: Log, ids: Sequence[str]) -> Iterator[Row]:
    for start, some in chunks(histories_of(log)):
        for name, found in zip(
            ("again", "new"), lists(model, some, model.today, LIMIT), strict=True
        ):
            ranks = places(found.customer) + 1
            for customer, rank, item in zip(
                found.customer.tolist(), ranks.tolist(), found.item.tolist(), strict=True
            ):
                yield Row(ids[log.code[start + customer]], name, rank, model.catalogue.items[item])
