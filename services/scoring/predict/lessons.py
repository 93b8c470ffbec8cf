"""Snapshots whose windows have closed, as rows to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.predict.snapshots import Snapshot, outcome
from services.scoring.predict.visits import Floats, Integers, Mask, Visits

MAX_ROWS = 48_000
"""More rows make it slower, not better."""
FEW = 60
"""Customers below which nothing is learnt: the closed forms need less."""
FEW_FOR_TREES = 200


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows of several snapshots and what became of them."""

    snapshots: Sequence[Snapshot]
    rows: Floats
    origin: Integers
    """The day of the snapshot of each row."""
    days: Floats
    money: Floats
    wait: Floats
    days_rule: Floats
    money_rule: Floats
    """The sceptic's mixed rates, where trees begin."""

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def churned(self) -> Mask:
        churned: Mask = self.days == 0
        return churned

    @property
    def customers(self) -> int:
        """In the newest snapshot: its rows are of as many people, all rows are of the same ones."""
        return len(self.snapshots[0])

    def chosen(self, chosen: Mask) -> "Lessons":
        """Some of the rows."""
        return Lessons(
            self.snapshots,
            self.rows[chosen],
            self.origin[chosen],
            self.days[chosen],
            self.money[chosen],
            self.wait[chosen],
            self.days_rule[chosen],
            self.money_rule[chosen],
        )


def lessons(visits: Visits, snapshots: Sequence[Snapshot], seed: int) -> Lessons:
    """All rows of the snapshots, or those of as many customers, drawn at random, as are enough."""
    outcomes = [outcome(visits, seen) for seen in snapshots]
    total = sum(len(seen) for seen in snapshots)
    kept = [_kept(seen, min(1.0, MAX_ROWS / max(total, 1)), seed) for seen in snapshots]

    def column(parts: Sequence[Floats]) -> Floats:
        return np.concatenate([part[rows] for part, rows in zip(parts, kept, strict=True)])

    return Lessons(
        snapshots=snapshots,
        rows=np.vstack([seen.values[rows] for seen, rows in zip(snapshots, kept, strict=True)]),
        origin=np.concatenate(
            [np.full(int(rows.sum()), s.cut) for s, rows in zip(snapshots, kept, strict=True)]
        ),
        days=column([became.days for became in outcomes]),
        money=column([became.money for became in outcomes]),
        wait=column([became.wait for became in outcomes]),
        days_rule=column([days_start(seen) for seen in snapshots]),
        money_rule=column([money_start(seen) for seen in snapshots]),
    )


def _kept(seen: Snapshot, share: float, seed: int) -> Mask:
    """The same customers in every snapshot."""
    draw = np.random.default_rng(seed).random(int(seen.past.customer.max(initial=-1)) + 1)
    kept: Mask = draw[seen.past.customer] < share
    return kept


def days_start(seen: Snapshot) -> Floats:
    """Logarithm of a first guess of the purchase days."""
    return np.log(0.8 * seen.rates.days_mixed + 0.2 * seen.expected + 1e-3)


def money_start(seen: Snapshot) -> Floats:
    """Logarithm of a first guess of the spend; of one unit of money at least a thousandth."""
    mean = usual_money(seen)
    guess = 0.8 * np.maximum(seen.rates.money_mixed, 0) + 0.1 * mean
    return np.log(guess + 1e-3 * max(float(mean.mean()), 1e-3))


def usual_money(seen: Snapshot) -> Floats:
    """What a purchase day of each costs, drawn towards everybody's where they had few."""
    mean = np.maximum(seen.rates.mean_money, 0.0)
    top = np.quantile(mean, 0.99) if len(mean) else 0.0
    everybody = float(np.minimum(mean, top).mean()) if len(mean) else 0.0
    count = seen.stats.x + 1
    drawn: Floats = (mean * count + 2 * everybody) / (count + 2)
    return drawn
