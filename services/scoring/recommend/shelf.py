"""What is known of every item at a moment: how it sells, to whom, how soon it is bought again."""

from dataclasses import dataclass, fields

import numpy as np

from services.scoring.recommend.arrays import Floats, count, starts
from services.scoring.recommend.history import Histories, histories_of
from services.scoring.recommend.log import RECENT, Log

SHRINK = 5.0
"""An item's own rhythm weighs as that of all items once it was observed five times."""
AGAIN = 28
DEFAULT_GAP = 28.0
"""Days between purchases where nothing was ever bought twice."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One number per item, in the order of the catalogue."""

    sold28: Floats
    """Customers' purchase days in the last 28 days; likewise 56 and 112."""
    sold56: Floats
    sold112: Floats
    buyers56: Floats
    """Customers who bought it in the last 56 days: popularity."""
    fresh28: Floats
    """Customers who bought it for the first time in the last 28 days; likewise 56."""
    fresh56: Floats
    buyers: Floats
    """Customers who ever bought it."""
    gap: Floats
    """Logarithm of the days between two purchases by one customer, drawn towards all items'."""
    per_buyer: Floats
    """Logarithm of the purchase days per buyer."""
    repeat: Floats
    """Log-odds that an earlier buyer bought it in the last 28 days, drawn towards all items'."""
    customers: float

    def __len__(self) -> int:
        return len(self.buyers)


COLUMNS = tuple(field.name for field in fields(Shelf) if field.name != "customers")


def shelf_of(log: Log, histories: Histories, today: int) -> Shelf:
    """The shelf in the morning of `today`, from what was bought before it."""
    size = len(log.catalogue)
    age = today - log.day
    pair = starts(log.customer) | starts(log.item)
    recent = age <= RECENT
    buyers_now = starts(log.customer[recent]) | starts(log.item[recent])
    buyers = count(histories.item, size)

    again = ~pair[1:]
    gaps = np.log(np.diff(log.day)[again].astype(np.float64))
    overall = float(gaps.mean()) if gaps.size else float(np.log(DEFAULT_GAP))
    repeated = log.item[1:][again]
    gap = (count(repeated, size, gaps) + SHRINK * overall) / (count(repeated, size) + SHRINK)

    known = histories.first < today - AGAIN
    back = known & (histories.last >= today - AGAIN)
    usual = (float(back.sum()) + 1.0) / (float(known.sum()) + 2.0)
    rate = (count(histories.item, size, back) + SHRINK * usual) / (
        count(histories.item, size, known) + SHRINK
    )
    return Shelf(
        sold28=count(log.item[age <= 28], size),
        sold56=count(log.item[recent], size),
        sold112=count(log.item[age <= 112], size),
        buyers56=count(log.item[recent][buyers_now], size),
        fresh28=count(histories.item[histories.first >= today - 28], size),
        fresh56=count(histories.item[histories.first >= today - RECENT], size),
        buyers=buyers,
        gap=gap,
        per_buyer=np.log((count(log.item, size) + 1.0) / (buyers + 1.0)),
        repeat=np.log(rate / (1.0 - rate)),
        customers=float(log.customers),
    )


def stand(log: Log, today: int) -> tuple[Log, Histories, Shelf]:
    """Log, histories and shelf as they stood in the morning of `today`."""
    known = log.before(today)
    histories = histories_of(known)
    return known, histories, shelf_of(known, histories, today)
