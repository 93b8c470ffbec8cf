"""How much more the coming weeks bring than those before: one number from a year ago.

Last year's same window, held against what the sceptic's rule expected of it then; relative to how
far off that rule is lately, since where customers leave for good it always expects too much. Only
customers of some standing count: those who had just come say nothing about a season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.predict.snapshots import Snapshot, outcome, snapshot
from services.scoring.predict.visits import Floats, Visits

YEAR_DAYS = 364
"""Whole weeks."""
STANDING_DAYS = 180
ENOUGH = 100
"""Customers of standing a year ago."""
DAMPING = 0.7
LARGEST = 2.0
TALLEST = 0.99


@dataclass(frozen=True, slots=True)
class Season:
    """Factors of the purchase days and of the spend; 1 where nothing is known."""

    days: float = 1.0
    money: float = 1.0


def season(visits: Visits, cut: int, horizon: int, recent: Sequence[Snapshot]) -> Season:
    """`recent` are snapshots before the cut whose windows have closed."""
    then = cut - YEAR_DAYS
    first = int(visits.day.min(initial=cut))
    if horizon > YEAR_DAYS or then - first < STANDING_DAYS or not recent:
        return Season()
    old = _ratios(visits, snapshot(visits, then, horizon))
    new = [ratio for seen in recent if (ratio := _ratios(visits, seen)) is not None]
    if old is None or not new:
        return Season()
    days, money = np.array(old) / np.median(np.array(new), axis=0)
    return Season(_damped(float(days)), _damped(float(money)))


def _damped(ratio: float) -> float:
    return float(np.clip(ratio**DAMPING, 1 / LARGEST, LARGEST))


def _ratios(visits: Visits, seen: Snapshot) -> tuple[float, float] | None:
    """Actual to expected, of days and of money; the largest spenders count as the others do."""
    standing = seen.stats.age * 7 >= STANDING_DAYS
    if int(standing.sum()) < ENOUGH:
        return None
    became = outcome(visits, seen)
    pairs = (
        (became.days[standing], seen.rates.days_mixed[standing]),
        (_capped(became.money[standing]), _capped(seen.rates.money_mixed[standing])),
    )
    days, money = (float(actual.sum() / max(rule.sum(), 1e-9)) for actual, rule in pairs)
    return (days, money) if days > 0 and money > 0 else None


def _capped(money: Floats) -> Floats:
    return np.clip(money, 0.0, np.quantile(money, TALLEST))
