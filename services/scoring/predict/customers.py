"""All predictions for all customers at one cut."""

from dataclasses import dataclass

import numpy as np

from services.scoring.predict.churn import Churn, learn_churn
from services.scoring.predict.lessons import Lessons, lessons
from services.scoring.predict.season import Season, season
from services.scoring.predict.snapshots import Snapshot, origins, snapshot
from services.scoring.predict.spend import Spend, learn_spend
from services.scoring.predict.visits import Floats, Integers, Visits
from services.scoring.predict.waiting import Waiting, learn_waiting

MOST_CUSTOMERS = 60_000
"""More teach nothing new, and their snapshots would fill the memory."""


@dataclass(frozen=True, slots=True)
class Predictors:
    """What was learnt from windows that had closed before `cut`."""

    cut: int
    horizon: int
    origins: tuple[int, ...]
    churn: Churn
    spend: Spend
    waiting: Waiting
    season: Season


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row per customer with a purchase day before the cut; nothing is ever nan."""

    customer: Integers
    churn: Floats
    """Probability of no purchase day within the horizon."""
    days: Floats
    """Expected purchase days within the horizon."""
    spend: Floats
    """Expected purchases less refunds within the horizon."""
    wait: Floats
    """Days from the cut by which half of such customers have bought."""
    wait_low: Floats
    wait_high: Floats
    """An interval of 80 %."""


def learn(visits: Visits, cut: int, horizon: int, seed: int = 0) -> Predictors:
    """From facts before `cut` only. `horizon` in days, from 1."""
    past = _some(visits.before(cut), seed)
    first = int(past.day.min(initial=cut))
    days = origins(first, cut, horizon)
    snapshots = [snapshot(past, day, horizon) for day in days]
    rows = _rows(past, snapshots, seed)
    now = snapshot(past, cut, horizon)
    return Predictors(
        cut=cut,
        horizon=horizon,
        origins=tuple(days),
        churn=learn_churn(rows, now.closed.method, seed),
        spend=learn_spend(rows, seed),
        waiting=learn_waiting(rows, seed),
        season=season(past, cut, horizon, snapshots),
    )


def _some(past: Visits, seed: int) -> Visits:
    """All customers, or as many of them, drawn at random, as are enough to learn from."""
    known = np.unique(past.customer)
    if len(known) <= MOST_CUSTOMERS:
        return past
    most = max(int(part.max(initial=0)) for part in _numbers(past))
    chosen = np.zeros(most + 1, dtype=np.bool_)
    chosen[np.random.default_rng(seed).choice(known, MOST_CUSTOMERS, replace=False)] = True
    return past.of(chosen)


def _numbers(past: Visits) -> list[Integers]:
    facts = (past.refunds, *past.facts.values())
    return [past.customer, *(fact.customer for fact in facts)]


def _rows(past: Visits, snapshots: list[Snapshot], seed: int) -> Lessons | None:
    return lessons(past, snapshots, seed) if snapshots else None


def predict(visits: Visits, learnt: Predictors) -> Predictions:
    """For everybody with a purchase day before the cut that was learnt for."""
    seen = snapshot(visits.before(learnt.cut), learnt.cut, learnt.horizon)
    return judge(seen, learnt)


def judge(seen: Snapshot, learnt: Predictors) -> Predictions:
    """For the customers of a snapshot with the same horizon."""
    if not len(seen):
        none = np.empty(0)
        return Predictions(seen.past.customer, none, none, none, none, none, none)
    churn = learnt.churn(seen) ** learnt.season.days
    days = learnt.spend.days(seen) * learnt.season.days
    days = np.clip(days, 1 - churn, seen.horizon)  # who buys at all buys once
    spend = learnt.spend.spend(seen, days / learnt.season.days) * learnt.season.money
    low, wait, high = learnt.waiting(seen, churn)
    return Predictions(seen.past.customer, churn, days, spend, wait, low, high)
