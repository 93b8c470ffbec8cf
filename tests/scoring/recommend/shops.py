"""Shops that never were: seeded customers with rhythms and tastes."""

from collections.abc import Sequence

import numpy as np

from services.scoring.backtest.data import Purchases, coded

CUT = np.datetime64("2020-07-01")
DAY = np.timedelta64(1, "D")

Line = tuple[str, int, str | None, str | None]
"""Customer, days before the cut (negative: after it), product, category."""


def purchases(lines: Sequence[Line], quantity: Sequence[float] | None = None) -> Purchases:
    """A table in the order of time."""
    order = sorted(range(len(lines)), key=lambda n: -lines[n][1])
    lines = [lines[n] for n in order]
    customer, customers = coded([line[0] for line in lines])
    product, products = coded([line[2] for line in lines])
    category, categories = coded([line[3] for line in lines])
    time = np.array([CUT - DAY * line[1] + np.timedelta64(12, "h") for line in lines])
    return Purchases(
        customer=customer,
        time=time.astype("datetime64[us]") if lines else np.empty(0, dtype="datetime64[us]"),
        amount=np.full(len(lines), 2.0),
        category=category,
        product=product,
        quantity=np.array([quantity[n] for n in order]) if quantity else np.ones(len(lines)),
        currency=np.full(len(lines), -1, dtype=np.int32),
        customers=customers,
        categories=categories,
        products=products,
    )


def shop(customers: int = 90, items: int = 30, days: int = 150, seed: int = 3) -> list[Line]:
    """Two tastes, each with half of the items; each item of a customer has a rhythm of its own."""
    random = np.random.default_rng(seed)
    lines: list[Line] = []
    for customer in range(customers):
        taste = customer % 2
        for item in range(items):
            likes = 0.35 if item % 2 == taste else 0.04
            if random.random() > likes:
                continue
            gap = random.choice((6, 14, 30, 45))
            day = float(random.uniform(1, days))
            while day > -28:
                lines.append((f"c{customer:03d}", int(day), f"p{item:02d}", f"k{item % 7}"))
                day -= max(1.0, random.normal(gap, gap / 5))
    return lines
