"""From loaded purchases to purchase days, as the predictions want them."""

from datetime import datetime

import numpy as np

from services.scoring.backtest.data import Purchases
from services.scoring.backtest.errors import BacktestError
from services.scoring.predict.visits import Visits, visits

MICROSECONDS_A_DAY = 86_400_000_000


def visits_of(purchases: Purchases, clock: datetime | None = None) -> Visits:
    """Purchase days; `clock` is the time of day at which a day begins (that of the cut)."""
    shift = 0
    if clock is not None:
        midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
        shift = round((clock - midnight).total_seconds() * 1e6)
    moments = purchases.time.astype("datetime64[us]").astype(np.int64) - shift
    by_category = bool((purchases.category >= 0).any())
    kind = purchases.category if by_category else purchases.product
    return visits(
        purchases.customer.astype(np.int64),
        moments // MICROSECONDS_A_DAY,
        purchases.amount,
        kind.astype(np.int64),
        purchases.is_purchase,
    )


def day_of(moment: datetime) -> int:
    """Days since 1970-01-01 of the day that begins at the moment (or contains it)."""
    return (moment.date() - datetime(1970, 1, 1).date()).days  # noqa: DTZ001 - a wall clock


def money_of(purchases: Purchases) -> tuple[Purchases, tuple[str, ...]]:
    """Purchases whose amounts are all of one currency, and what has to be said about the others.

    Raises BacktestError where there is nothing at all.
    """
    if not len(purchases):
        raise BacktestError("There is no purchase to learn from.")
    main = purchases.main_currency()
    counts = {
        name: int((purchases.currency == code).sum())
        for code, name in enumerate(purchases.currencies)
    }
    others = {name: count for name, count in counts.items() if count and name != main}
    if main is None or not others:
        return purchases, ()
    listed = ", ".join(f"{name} ({count:,} lines)" for name, count in sorted(others.items())[:20])
    note = (
        f"Money is in {main}. Lines in {listed} count as purchases, but their money is left out: "
        "amounts of different currencies are never added."
    )
    return purchases.in_currency(main), (note,)
