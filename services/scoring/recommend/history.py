"""What is kept of a customer to recommend by, and many customers side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from services.scoring.recommend.arrays import Floats, Ints, count, from_the_end, starts
from services.scoring.recommend.log import Log

NEWEST = 8
"""Purchase days kept of each item; eight rank as well as all of them."""
VISITS = 32
"""Purchase days kept of a customer: those of about the last four weeks, however often they come."""


class Bought(msgspec.Struct, frozen=True):
    """What is kept of one item of a customer. Days are local, since 1970-01-01."""

    item: str
    times: int
    """Days on which it was bought."""
    first: int
    newest: list[int]
    """The last eight of these days, ascending."""
    quantity: float
    """Units on all days."""


class History(msgspec.Struct, frozen=True):
    """What is kept of one customer."""

    items: list[Bought] = []
    visits: int = 0
    """Days with a purchase."""
    newest_visits: list[int] = []
    """The last 32 of them, ascending."""


@dataclass(frozen=True, slots=True)
class Histories:
    """Many customers: arrays of pairs (customer, item), of the pairs' days, and of visits."""

    customers: int
    customer: Ints
    item: Ints
    times: Ints
    first: Ints
    last: Ints
    quantity: Floats
    pair: Ints
    """The pair that a day belongs to; ascending."""
    day: Ints
    visits: Ints
    """One per customer."""
    visitor: Ints
    """The customer whose visit it was; ascending."""
    visit: Ints

    def some(self, start: int, stop: int) -> "Histories":
        """The customers from `start` up to `stop`, numbered from 0."""
        low, high = np.searchsorted(self.customer, (start, stop))
        day_low, day_high = np.searchsorted(self.pair, (low, high))
        visit_low, visit_high = np.searchsorted(self.visitor, (start, stop))
        pairs, days, visits = (
            slice(low, high),
            slice(day_low, day_high),
            slice(visit_low, visit_high),
        )
        return Histories(
            customers=min(stop, self.customers) - start,
            customer=self.customer[pairs] - start,
            item=self.item[pairs],
            times=self.times[pairs],
            first=self.first[pairs],
            last=self.last[pairs],
            quantity=self.quantity[pairs],
            pair=self.pair[days] - low,
            day=self.day[days],
            visits=self.visits[start:stop],
            visitor=self.visitor[visits] - start,
            visit=self.visit[visits],
        )


def histories_of(log: Log) -> Histories:
    """Everybody's history, as a projection would have kept it."""
    begins = starts(log.customer) | starts(log.item)
    pair = np.cumsum(begins) - 1
    head = np.flatnonzero(begins)
    tail = np.append(head[1:], len(log)) - 1 if len(log) else head
    kept = from_the_end(pair) < NEWEST
    order = np.lexsort((log.day, log.customer))
    visitor, visit = log.customer[order], log.day[order]
    distinct = starts(visitor) | starts(visit)
    visitor, visit = visitor[distinct], visit[distinct]
    newest = from_the_end(visitor) < VISITS
    return Histories(
        customers=log.customers,
        customer=log.customer[head],
        item=log.item[head],
        times=tail - head + 1,
        first=log.day[head],
        last=log.day[tail],
        quantity=count(pair, len(head), log.quantity),
        pair=pair[kept],
        day=log.day[kept],
        visits=count(visitor, log.customers).astype(np.int64),
        visitor=visitor[newest],
        visit=visit[newest],
    )


def gather(histories: Sequence[History], index: Mapping[str, int]) -> Histories:
    """Histories side by side; items that `index` does not know are passed over."""
    pairs = [
        (customer, index[bought.item], bought)
        for customer, history in enumerate(histories)
        for bought in history.items
        if bought.item in index and bought.newest
    ]
    pairs.sort(key=lambda pair: pair[:2])
    newest = [sorted(bought.newest)[-NEWEST:] for _, _, bought in pairs]
    visits = [sorted(history.newest_visits)[-VISITS:] for history in histories]
    return Histories(
        customers=len(histories),
        customer=_ints([customer for customer, _, _ in pairs]),
        item=_ints([item for _, item, _ in pairs]),
        times=_ints([bought.times for _, _, bought in pairs]),
        first=_ints([bought.first for _, _, bought in pairs]),
        last=_ints([days[-1] for days in newest]),
        quantity=np.array([bought.quantity for _, _, bought in pairs], dtype=np.float64),
        pair=_ints([number for number, days in enumerate(newest) for _ in days]),
        day=_ints([day for days in newest for day in days]),
        visits=_ints([history.visits for history in histories]),
        visitor=_ints([number for number, days in enumerate(visits) for _ in days]),
        visit=_ints([day for days in visits for day in days]),
    )


def scatter(histories: Histories, items: Sequence[str]) -> list[History]:
    """The other way: one value per customer."""
    days: list[list[int]] = [[] for _ in histories.item]
    for pair, day in zip(histories.pair.tolist(), histories.day.tolist(), strict=True):
        days[pair].append(day)
    visits: list[list[int]] = [[] for _ in range(histories.customers)]
    for visitor, day in zip(histories.visitor.tolist(), histories.visit.tolist(), strict=True):
        visits[visitor].append(day)
    bought: list[list[Bought]] = [[] for _ in range(histories.customers)]
    for pair, customer in enumerate(histories.customer.tolist()):
        bought[customer].append(
            Bought(
                item=items[int(histories.item[pair])],
                times=int(histories.times[pair]),
                first=int(histories.first[pair]),
                newest=days[pair],
                quantity=float(histories.quantity[pair]),
            )
        )
    return [
        History(
            items=bought[number], visits=int(histories.visits[number]), newest_visits=visits[number]
        )
        for number in range(histories.customers)
    ]


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
