"""Features of what a customer may need again: how often, how lately, how regularly they and others
buy it. One row per pair of customer and item; all logarithms, so that a ratio is a difference."""

import numpy as np

from services.scoring.recommend.arrays import Floats, count, starts
from services.scoring.recommend.history import Histories
from services.scoring.recommend.shelf import Shelf

MEMORIES = (14.0, 28.0, 56.0, 112.0)
"""Days in which the weight of a purchase falls to 1 / e."""
SHRINK = 2.0
"""A customer's own rhythm with an item weighs as the item's once they bought it three times."""


def usual_gap(histories: Histories, shelf: Shelf) -> Floats:
    """Logarithm of the days until a customer needs an item again: their own gaps, drawn to the
    item's."""
    again = ~starts(histories.pair)
    gaps = np.log(np.diff(histories.day, prepend=0)[again].astype(np.float64))
    size = len(histories.item)
    own, observed = count(histories.pair[again], size, gaps), count(histories.pair[again], size)
    gap: Floats = (own + SHRINK * shelf.gap[histories.item]) / (observed + SHRINK)
    return gap


def features(histories: Histories, shelf: Shelf, today: int, fits: tuple[Floats, Floats]) -> Floats:
    """(pairs, features); `fits`: two scores of how well the item fits the customer's others."""
    customer, item, pair = histories.customer, histories.item, histories.pair
    size, customers = len(item), histories.customers
    age = (today - histories.day).astype(np.float64)
    visit_age = (today - histories.visit).astype(np.float64)
    times, visits = (
        histories.times.astype(np.float64),
        histories.visits.astype(np.float64)[customer],
    )
    since = np.log1p((today - histories.last).astype(np.float64))
    latest = np.zeros(customers, dtype=np.int64)
    np.maximum.at(latest, histories.visitor, histories.visit)
    share = np.log((times + 0.5) / (visits + 1.0))
    gap = usual_gap(histories, shelf)
    visits_since = np.log1p(_visits_after(histories))
    columns = [
        np.log(decayed(histories, today) * times**0.5 + 1e-3),
        np.log(times),
        np.log1p(visits),
        share,
        since,
        np.log1p((today - latest[customer]).astype(np.float64)),
        np.log((today - histories.first + 7.0) / (times + 0.5)),
        shelf.gap[item],
        gap,
        since - gap,
        np.abs(since - gap),
        visits_since,
        visits_since + share,
        np.log1p(shelf.sold56[item]),
        np.log((shelf.sold28[item] * 2.0 + 2.0) / (shelf.sold56[item] + 2.0)),
        np.log((shelf.sold56[item] * 2.0 + 2.0) / (shelf.sold112[item] + 2.0)),
        shelf.per_buyer[item],
        shelf.repeat[item],
        np.log(histories.quantity / times + 0.1),
        np.log1p(count(pair, size, age <= 28)),
        np.log1p(count(pair, size, age <= 56)),
        np.log1p(count(customer, customers)[customer]),
        *fits,
    ]
    for memory in MEMORIES:
        fresh = np.log(count(pair, size, np.exp(-age / memory)) + 0.02)
        around = count(histories.visitor, customers, np.exp(-visit_age / memory))[customer]
        busy = np.log(around + 0.1)
        columns += [fresh, busy, fresh - busy]
    return np.column_stack(columns)


def _visits_after(histories: Histories) -> Floats:
    """Kept visits of the customer after they last bought the item."""
    span = 1 << 24  # days; more than any calendar has
    visits = histories.visitor * span + histories.visit
    after = np.searchsorted(visits, histories.customer * span + histories.last, side="right")
    end = np.searchsorted(histories.visitor, histories.customer, side="right")
    return (end - after).astype(np.float64)


def decayed(histories: Histories, today: int, memory: float = 112.0) -> Floats:
    """Purchases of each pair, older ones weighing less: a formula that needs no training."""
    age = (today - histories.day).astype(np.float64)
    return count(histories.pair, len(histories.item), np.exp(-age / memory))
