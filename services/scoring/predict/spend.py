"""Expected purchase days and expected spend within the horizon."""

from dataclasses import dataclass

import numpy as np

from services.scoring.predict.learners import Linear, Trees, boosted, poisson
from services.scoring.predict.lessons import (
    FEW,
    FEW_FOR_TREES,
    Lessons,
    days_start,
    money_start,
    usual_money,
)
from services.scoring.predict.snapshots import Snapshot
from services.scoring.predict.visits import Floats

ENOUGH = 60
"""Windows with a purchase below which nothing is learnt."""
ENOUGH_FOR_TREES = 300
TALLEST = 0.999
"""The share of windows whose spend is learnt from as it is; the few above count as the tallest."""
RULE = 0.1
"""Weight of the sceptic's rule: what is learnt from a falling season expects too little of the next,
and the rule, which forgets nobody, too much."""


def _exp(logs: Floats, horizon: int) -> Floats:
    return np.exp(np.minimum(logs, np.log(horizon)))


@dataclass(frozen=True, slots=True)
class Spend:
    """A judge of snapshots with one horizon."""

    line: Linear | None
    trees: Trees | None
    money: Trees | None
    method: str

    def days(self, seen: Snapshot) -> Floats:
        """Expected purchase days, at most as many as the horizon has."""
        said = [seen.expected]
        if self.line is not None:
            said.append(_exp(self.line(seen.values), seen.horizon))
        if self.trees is not None:
            said.append(_exp(days_start(seen) + self.trees(seen.values), seen.horizon))
        mean: Floats = np.mean(said, axis=0)
        return mean

    def spend(self, seen: Snapshot, days: Floats) -> Floats:
        """Expected purchases less refunds, from the expected `days`; not negative."""
        by_days = days * usual_money(seen)
        rule = np.maximum(seen.rates.money_mixed, 0.0)
        guess = by_days
        if self.money is not None:
            guess = np.exp(money_start(seen) + self.money(seen.values))
        elif self.line is not None:
            guess = rule
        return (1 - RULE) * (by_days + guess) / 2 + RULE * rule


def learn_spend(rows: Lessons | None, seed: int) -> Spend:
    """From closed windows; by closed forms where they are too few."""
    bought = 0 if rows is None else int((rows.days > 0).sum())
    if rows is None or bought < ENOUGH or rows.customers < FEW:
        return Spend(None, None, None, "closed")
    line = poisson(rows.rows, rows.days)
    if bought < ENOUGH_FOR_TREES or rows.customers < FEW_FOR_TREES:
        return Spend(line, None, None, "line")
    trees = boosted(rows.rows, rows.days, "poisson", seed, start=rows.days_rule)
    spent = np.maximum(rows.money, 0.0)
    if not (spent > 0).any():
        return Spend(line, trees, None, "line+trees")
    spent = np.minimum(spent, np.quantile(spent, TALLEST))
    money = boosted(rows.rows, spent, "tweedie", seed, start=rows.money_rule)
    return Spend(line, trees, money, "line+trees")
