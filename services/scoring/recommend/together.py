"""What is bought on the same visit: pairs of items with support, confidence and lift."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, triu

from services.scoring.recommend.arrays import Floats, Ints, best, count, starts
from services.scoring.recommend.log import Log

WINDOW = 365
"""Days that are looked back."""
ITEMS = 5_000
"""The most popular items; others have too few visits in common with any."""
LEAST_SUPPORT = 5
KEPT = 10
LARGEST_VISIT = 100
"""Items of a visit; of a greater one the most popular count. A truck's load says nothing of what
goes with what, and costs its square."""


@dataclass(frozen=True, slots=True)
class Together:
    """The companions of each item, best first, the items ascending."""

    item: Ints
    companion: Ints
    visits: Ints
    """Visits with both: support."""
    lift: Floats
    """How many times as often as if they had nothing to do with each other."""
    confidence: Floats
    """Share of the item's visits that had the companion."""


def bought_together(log: Log, today: int) -> Together:
    """Pairs with five visits in common and a lift above 1, ten for each item.

    Ranked by the log-likelihood ratio (Dunning 1993): neither chance pairs of rare items, whose
    lift is great, nor popular ones that go with everything come first.
    """
    used = (log.day >= today - WINDOW) & (log.item < ITEMS)
    customer, item, day = log.customer[used], log.item[used], log.day[used]
    order = np.lexsort((item, day, customer))
    customer, item, day = customer[order], item[order], day[order]
    visit = np.cumsum(starts(customer) | starts(day)) - 1
    order = np.lexsort((item, visit))
    visit, item = visit[order], item[order]
    total = int(visit[-1]) + 1 if len(visit) else 0
    nth = np.arange(len(visit)) - np.searchsorted(visit, visit)
    visit, item = visit[nth < LARGEST_VISIT], item[nth < LARGEST_VISIT]
    size = min(len(log.catalogue), ITEMS)
    baskets = csr_array((np.ones(len(visit), dtype=np.int32), (visit, item)), shape=(total, size))
    common = triu(baskets.T @ baskets, k=1).tocoo()
    enough = common.data >= LEAST_SUPPORT
    one, other = common.row[enough].astype(np.int64), common.col[enough].astype(np.int64)
    both = common.data[enough].astype(np.int64)
    alone = count(item, size)
    lift = both * float(total) / (alone[one] * alone[other])
    ratio = _likelihood_ratio(both.astype(np.float64), alone[one], alone[other], float(total))
    kept = lift > 1.0
    one, other, both, lift, ratio = one[kept], other[kept], both[kept], lift[kept], ratio[kept]
    left, right = np.concatenate((one, other)), np.concatenate((other, one))
    chosen = best(left, np.tile(ratio, 2), right, KEPT)
    left, support = left[chosen], np.tile(both, 2)[chosen]
    return Together(
        item=left,
        companion=right[chosen],
        visits=support,
        lift=np.tile(lift, 2)[chosen].round(4),
        confidence=(support / alone[left]).round(4),
    )


def _likelihood_ratio(both: Floats, one: Floats, other: Floats, total: float) -> Floats:
    """G squared of the table with / without one, with / without the other."""
    cells = (both, one - both, other - both, total - one - other + both)
    margins = (
        one * other,
        one * (total - other),
        (total - one) * other,
        (total - one) * (total - other),
    )
    value = np.zeros_like(both)
    for seen, margin in zip(cells, margins, strict=True):
        expected = np.maximum(margin / total, 1e-12)
        value += np.where(seen > 0, seen * np.log(np.maximum(seen, 1e-12) / expected), 0.0)
    return 2.0 * value
