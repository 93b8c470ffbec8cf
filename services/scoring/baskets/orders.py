"""What stands of a customer's orders, and their history as recommendations want it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.scoring.baskets.rows import Basket, Line
from services.scoring.recommend.history import NEWEST, VISITS, Bought, History

Level = Literal["category", "product"]
MOST_ITEMS = 500
"""Items of a customer that are read: those bought last."""
EVIDENCE = 3
EPOCH = 719_163
"""Ordinal of 1970-01-01: recommendations count days from there."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order that counts. `day`: days since 1970-01-01, local."""

    version: str
    order_id: str
    time: int
    day: int
    lines: tuple[Line, ...]


def item_of(line: Line, level: Level) -> str | None:
    """What a line is of, as a level has it."""
    return line.product if level == "product" else line.category


def standing(rows: Iterable[tuple[str | None, Basket]]) -> list[Order]:
    """The orders that count, of rows (version that went, basket) of all parts of a customer, in any
    order; the newest first."""
    kept = list(rows)
    gone = {version for version, _ in kept if version is not None}
    orders = [
        Order(one.version, one.order_id, one.time, one.day - EPOCH, one.lines)
        for _, one in kept
        if one.version is not None and one.refund is None and one.version not in gone
    ]
    orders.sort(key=lambda order: (-order.time, order.version))
    return orders


@dataclass(slots=True)
class _Item:
    days: set[int] = field(default_factory=set)
    quantity: float = 0.0
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """A customer's history, and the events that bear it out."""

    history: History
    evidence: dict[str, list[str]]
    """Events of the newest orders with each item, newest first."""
    last: dict[str, int]
    """Day of the last order with each item."""


def known_of(orders: Sequence[Order], level: Level, today: int) -> Known:
    """The history of orders, newest first. A day beyond `today` counts as today."""
    items: dict[str, _Item] = {}
    visits: set[int] = set()
    for order in orders:
        day = min(order.day, today)
        visits.add(day)
        for line in order.lines:
            name = item_of(line, level)
            if name is None or (name not in items and len(items) >= MOST_ITEMS):
                continue
            item = items.setdefault(name, _Item())
            item.days.add(day)
            item.quantity += line.quantity
            if len(item.evidence) < EVIDENCE and order.version not in item.evidence:
                item.evidence.append(order.version)
    bought = [
        Bought(
            item=name,
            times=len(item.days),
            first=min(item.days),
            newest=sorted(item.days)[-NEWEST:],
            quantity=item.quantity,
        )
        for name, item in items.items()
    ]
    return Known(
        History(items=bought, visits=len(visits), newest_visits=sorted(visits)[-VISITS:]),
        {name: item.evidence for name, item in items.items()},
        {name: max(item.days) for name, item in items.items()},
    )


@dataclass(frozen=True, slots=True)
class Grievance:
    """What a complaint is about."""

    complaint_id: str
    event_id: str
    order_id: str | None
    products: Sequence[str]


def complained_of(grievances: Collection[Grievance], orders: Sequence[Order]) -> dict[str, str]:
    """Products that were complained about, each with the event that said so.

    A complaint about an order without naming products is about all of its lines.
    """
    found: dict[str, str] = {}
    for one in grievances:
        products = list(one.products)
        if not products and one.order_id is not None:
            products = [
                line.product
                for order in orders
                if order.order_id == one.order_id
                for line in order.lines
                if line.product is not None
            ]
        for product in products:
            found.setdefault(product, one.event_id)
    return found
