"""When the next purchase comes: half of such customers have bought by then, and an interval.

Within the horizon the wait is learnt as a quantile; beyond it nobody was watched, so the chance
goes on as the churn probability says: p is left after one horizon, p squared after two.
"""

from dataclasses import dataclass

import numpy as np

from services.scoring.predict.closed import A_CENTURY
from services.scoring.predict.learners import Trees, boosted
from services.scoring.predict.lessons import FEW_FOR_TREES, Lessons
from services.scoring.predict.snapshots import Snapshot
from services.scoring.predict.visits import Floats

ENOUGH = 300
"""Windows with a purchase below which the closed form answers."""
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A judge of snapshots with one horizon."""

    trees: tuple[Trees, ...]
    """One per quantile, on log(1 + days); none where there was too little to learn from."""
    method: str

    def __call__(self, seen: Snapshot, churn: Floats) -> tuple[Floats, ...]:
        """Days from the cut by which 10, 50 and 90 % of such customers have bought."""
        found: list[Floats] = []
        for index, share in enumerate(QUANTILES):
            if self.trees:
                inside = np.expm1(np.maximum(self.trees[index](seen.values), 0.0))
                days = _beyond(np.minimum(inside, seen.horizon), churn, share, seen.horizon)
            else:
                days = seen.closed.quantile(seen.stats, share)
            found.append(np.maximum(days, found[-1]) if found else days)
        return tuple(found)


def _beyond(inside: Floats, churn: Floats, share: float, horizon: int) -> Floats:
    """The quantile, continued past the horizon for those who are not expected within it."""
    left = np.clip(churn, 1e-12, 1 - 1e-12)
    later = np.minimum(horizon * np.log1p(-share) / np.log(left), A_CENTURY)
    return np.where(left > 1 - share, np.maximum(later, horizon), inside)


def learn_waiting(rows: Lessons | None, seed: int) -> Waiting:
    """From closed windows; by closed forms where they are too few."""
    bought = 0 if rows is None else int((rows.days > 0).sum())
    if rows is None or bought < ENOUGH or rows.customers < FEW_FOR_TREES:
        return Waiting((), "closed")
    horizon = rows.snapshots[0].horizon
    waited = np.log1p(np.minimum(rows.wait, horizon))
    trees = [
        boosted(rows.rows, waited, "l1" if share == 0.5 else "quantile", seed, alpha=share)
        for share in QUANTILES
    ]
    return Waiting(tuple(trees), "trees")
