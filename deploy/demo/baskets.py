"""Every basket as one `purchase.completed`, by column arithmetic: no Python object per line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.shift import Shift
from deploy.demo.source import Integers, cents, integers, read

SMALL_HOUSEHOLDS = 200
DISCOUNTS = ("retail_disc", "coupon_disc", "coupon_match_disc")


@dataclass(frozen=True)
class Lines:
    """The lines of the chosen households, a basket's together, in the package's order."""

    household: Integers
    store: Integers
    basket: Integers
    product: Integers
    quantity: Integers
    amount: Integers  # cents, what was paid
    discount: Integers  # cents, never negative
    utc: Integers  # seconds
    last_utc: int  # of the whole year, whatever households were chosen


@dataclass(frozen=True)
class Baskets:
    """One entry a basket, in the order of time; lines from `first` to `first[+1]`."""

    id: Integers
    household: Integers
    store: Integers
    total: Integers  # cents
    discount: Integers  # cents
    utc: Integers  # seconds, before the shift
    first: Integers
    product: Integers
    quantity: Integers
    amount: Integers


def load(*, small: bool) -> Lines:
    """Read the package's transactions, of everybody or of the lowest household numbers.

    One column at a time: together they would take three times the memory.
    """
    households = _whole("household_id")
    wanted = np.unique(households)[: SMALL_HOUSEHOLDS if small else None]
    basket, utc = _whole("basket_id"), _whole("transaction_timestamp")
    order = np.argsort(basket, kind="stable")
    order = order[np.isin(households[order], wanted)]
    return Lines(
        household=households[order],
        store=_whole("store_id")[order],
        basket=basket[order],
        product=_whole("product_id")[order],
        quantity=_whole("quantity")[order],
        amount=_money("sales_value")[order],
        discount=np.sum([np.abs(_money(column)[order]) for column in DISCOUNTS], axis=0),
        utc=utc[order],
        last_utc=int(utc.max()),
    )


def _whole(column: str) -> Integers:
    return integers(read("transactions", [column]), column)


def _money(column: str) -> Integers:
    return cents(read("transactions", [column]), column)


def together(lines: Lines) -> Baskets:
    """Add up the lines of each basket and put the baskets in the order of time."""
    ids, first, count = np.unique(lines.basket, return_index=True, return_counts=True)
    utc = lines.utc[first]
    order = np.lexsort((ids, utc))
    first_now = np.concatenate(([0], np.cumsum(count[order])))
    line = np.repeat(first[order] - first_now[:-1], count[order]) + np.arange(first_now[-1])
    return Baskets(
        id=ids[order],
        household=lines.household[first][order],
        store=lines.store[first][order],
        total=np.add.reduceat(lines.amount, first)[order],
        discount=np.add.reduceat(lines.discount, first)[order],
        utc=utc[order],
        first=first_now,
        product=lines.product[line],
        quantity=lines.quantity[line],
        amount=lines.amount[line],
    )


def money(amounts: Integers) -> Any:
    """Cents as decimal strings, `1250` as `12.50`."""
    most = int(amounts.max(initial=0))
    texts = pa.array([f"{cent // 100}.{cent % 100:02d}" for cent in range(most + 1)])
    return texts.take(pa.array(amounts))


def _join(*parts: Any) -> Any:
    return pc.binary_join_element_wise(*parts, "")


class Writer:
    """Writes baskets as JSON. Holds the beginning of a line for every product that was bought."""

    def __init__(self, baskets: Baskets, shift: Shift) -> None:
        self._baskets = baskets
        self._shift = shift
        self._products = np.unique(baskets.product)
        self._beginnings = pa.array(_beginnings(self._products))

    def write(self, start: int, stop: int) -> Any:
        """Baskets `start` to `stop` as JSON texts: a pyarrow array of strings."""
        b, some = self._baskets, slice(start, stop)
        first = b.first[start : stop + 1]
        lines = self._lines(int(first[0]), int(first[-1]))
        grouped = pa.ListArray.from_arrays(pa.array(first - first[0], pa.int32()), lines)
        order = pc.cast(pa.array(b.id[some]), pa.string())
        return _join(
            '{"id":"cj-basket-', order,
            '","source":"completejourney","type":"purchase.completed","time":"',
            self._shift.texts(b.utc[some]),
            '","customer":{"member_no":"', pc.cast(pa.array(b.household[some]), pa.string()),
            '"},"data":{"order_id":"', order,
            '","total":{"amount":"', money(b.total[some]),
            '","currency":"USD"},"discount":{"amount":"', money(b.discount[some]),
            '","currency":"USD"},"channel":"store","store":"',
            pc.cast(pa.array(b.store[some]), pa.string()),
            '","items":[', pc.binary_join(grouped, ","), "]}}",
        )  # fmt: skip

    def _lines(self, start: int, stop: int) -> Any:
        quantity = self._baskets.quantity[start:stop]
        amount = self._baskets.amount[start:stop]
        product = np.searchsorted(self._products, self._baskets.product[start:stop])
        return _join(
            self._beginnings.take(pa.array(product)),
            pc.cast(pa.array(quantity), pa.string()),
            ',"amount":"', money(amount), _unit_prices(quantity, amount), '"}',
        )  # fmt: skip


def _unit_prices(quantity: Integers, amount: Integers) -> Any:
    """A unit price where it is whole cents; nothing where it is not, or nothing was counted."""
    units = np.maximum(quantity, 1)
    whole = (quantity > 0) & (amount % units == 0)
    price = money(amount // units)
    return pc.if_else(pa.array(whole), _join('","unit_price":"', price), "")


def _beginnings(products: Integers) -> list[str]:
    """How a line of each product begins, up to its quantity; some products have no record."""
    table = read("products", ["product_id", "product_type", "product_category", "department"])
    records = {row.pop("product_id"): row for row in table.to_pylist()}
    return [_beginning(product, records.get(product, {})) for product in products.tolist()]


def _beginning(product: int, record: dict[str, str | None]) -> str:
    line = {
        "product_id": str(product),
        "name": record.get("product_type"),
        "category": record.get("product_category"),
        "department": record.get("department"),
    }
    known = orjson.dumps({name: value for name, value in line.items() if value}).decode()
    return known[:-1] + ',"quantity":'
