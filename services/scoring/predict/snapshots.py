"""Customers as they stood on a day, and what became of them: the rows that models learn from.

A snapshot sees nothing of its own day or later. What became of it is known only when its window
has closed, so a model for a cut learns from snapshots at least a horizon older than it.
"""

from dataclasses import dataclass

import numpy as np

from services.scoring.predict.closed import Closed, Stats, fit_closed, stats
from services.scoring.predict.features import History, Table, features, history
from services.scoring.predict.visits import Fact, Floats, Mask, Visits, pack

MAX_ORIGINS = 8
SHORTEST_DAYS = 28
"""Of history before a snapshot: fewer tell little about anybody."""
WANTED_DAYS = 60
YOUNG_DAYS = 28
"""A rate over fewer days than these is chance."""
RECENT_DAYS = 90
ACTIVE_DAYS = 90
_ALL_DAYS = 1 << 30


@dataclass(frozen=True, slots=True)
class Rates:
    """The sceptic's rules: what a customer did so far, in units of the horizon."""

    days: Floats
    """Purchase days at the average rate; `days_recent` at that of the last 90 days."""
    days_recent: Floats
    money: Floats
    money_recent: Floats
    mean_money: Floats
    """Of one purchase day."""

    @property
    def days_mixed(self) -> Floats:
        return (self.days + self.days_recent) / 2

    @property
    def money_mixed(self) -> Floats:
        """The strongest of the simple rules."""
        return (self.money + self.money_recent) / 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All customers with a purchase day before the cut."""

    table: Table
    past: History
    stats: Stats
    closed: Closed
    rates: Rates
    horizon: int
    p_none: Floats
    """By the closed form; `expected` purchase days likewise."""
    expected: Floats

    def __len__(self) -> int:
        return len(self.table)

    @property
    def cut(self) -> int:
        return self.table.cut

    @property
    def active(self) -> Mask:
        """Who bought within the 90 days before the cut."""
        active: Mask = np.asarray(self.past.end > self.past.position(ACTIVE_DAYS))
        return active

    @property
    def values(self) -> Floats:
        """Features and the closed forms' answers, one row per customer."""
        return np.column_stack([self.table.values, logit(self.p_none), np.log(self.expected + 0.1)])

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.table.names, "closed_p_none", "closed_expected")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the customers of a snapshot within the horizon, in their order."""

    days: Floats
    """Purchase days."""
    money: Floats
    """Purchases less refunds."""
    wait: Floats
    """Days from the cut to the first purchase day; inf if it is not within the horizon."""

    @property
    def churned(self) -> Mask:
        churned: Mask = self.days == 0
        return churned


def logit(p: Floats) -> Floats:
    """Log odds, kept within what a probability of 1e-6 has."""
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(inside) - np.log1p(-inside)
    return odds


def snapshot(visits: Visits, cut: int, horizon: int) -> Snapshot:
    """Customers when `cut` begins; nothing of that day or later is used."""
    table, past = features(visits, cut, horizon), history(visits, cut)
    closed, known = fit_closed(visits, cut), stats(visits, past)
    return Snapshot(
        table=table,
        past=past,
        stats=known,
        closed=closed,
        rates=_rates(visits, past, horizon),
        horizon=horizon,
        p_none=closed.p_none(known, horizon),
        expected=closed.expected(known, horizon),
    )


def _rates(visits: Visits, past: History, horizon: int) -> Rates:
    age = np.maximum(past.cut - visits.day[past.start], YOUNG_DAYS).astype(np.float64)
    count = (past.end - past.start).astype(np.float64)
    total = _money(visits, past, past.cut - _ALL_DAYS, past.cut)
    recent = _money(visits, past, past.cut - RECENT_DAYS, past.cut)
    lately = (past.end - past.position(RECENT_DAYS)).astype(np.float64)
    return Rates(
        days=np.minimum(count / age, 1.0) * horizon,
        days_recent=lately / RECENT_DAYS * horizon,
        money=total / age * horizon,
        money_recent=recent / RECENT_DAYS * horizon,
        mean_money=total / count,
    )


def outcome(visits: Visits, seen: Snapshot) -> Outcome:
    """What the `horizon` days from the snapshot's cut brought."""
    past, horizon = seen.past, seen.horizon
    until = np.searchsorted(past.key, pack(past.customer, past.cut + horizon))
    days = (until - past.end).astype(np.float64)
    wait = np.full(len(seen), np.inf)
    came = days > 0
    wait[came] = visits.day[past.end[came]] - past.cut
    return Outcome(days, _money(visits, past, past.cut, past.cut + horizon), wait)


def _money(visits: Visits, past: History, start: int, end: int) -> Floats:
    """Purchases less refunds of each customer, from `start` until before `end`."""
    sums = np.concatenate(([0.0], np.cumsum(visits.money)))
    low = np.searchsorted(past.key, pack(past.customer, max(start, 1 - (1 << 31))))
    high = np.searchsorted(past.key, pack(past.customer, end))
    return sums[high] - sums[low] + _refunded(visits.refunds, past, start, end)


def _refunded(refunds: Fact, past: History, start: int, end: int) -> Floats:
    size = len(past.customer)
    inside = (refunds.day >= start) & (refunds.day < end)
    if not size or not inside.any():
        return np.zeros(size)
    customer = refunds.customer[inside]
    place = np.minimum(np.searchsorted(past.customer, customer), size - 1)
    known = past.customer[place] == customer
    value = np.bincount(place[known], weights=refunds.value[inside][known], minlength=size)
    return value.astype(np.float64)


def origins(first: int, cut: int, horizon: int) -> list[int]:
    """Days of earlier snapshots for a model at `cut`, the newest first.

    Each window had closed before the cut. `first` is the first day of the data; where the history
    is short, a snapshot may do with less of it.
    """
    step = max(min(horizon // 3, 30), 14)
    latest = cut - horizon
    for least in (WANTED_DAYS, SHORTEST_DAYS):
        days = [latest - step * index for index in range(MAX_ORIGINS)]
        found = [day for day in days if day - first >= least]
        if found:
            return found
    return []
