"""Shops that never were: seeded customers who come at their own pace and leave for good."""

import numpy as np

from services.scoring.predict.visits import Visits, visits

FIRST = 17_000
"""1970-01-01 and so many days."""


def shop(
    customers: int = 400,
    days: int = 500,
    gap: float = 20.0,
    leave: float = 0.04,
    seed: int = 1,
    price: float = 30.0,
) -> Visits:
    """`gap`: mean days between purchases of the middle customer; `leave`: chance after each."""
    random = np.random.default_rng(seed)
    who: list[int] = []
    when: list[int] = []
    spent: list[float] = []
    for customer in range(customers):
        pace = gap * random.lognormal(0.0, 0.8)
        level = price * random.lognormal(0.0, 0.6)
        day = random.uniform(0, days * 0.6)
        while day < days:
            who.append(customer)
            when.append(FIRST + int(day))
            spent.append(round(level * random.lognormal(0.0, 0.4), 2))
            if random.random() < leave:
                break
            day += random.exponential(pace) + 0.5
    return visits(np.array(who), np.array(when), np.array(spent))


def lines(*rows: tuple[int, int, float]) -> Visits:
    """(customer, day, amount)."""
    customer, day, amount = zip(*rows, strict=True)
    return visits(np.array(customer), FIRST + np.array(day), np.array(amount, dtype=float))
