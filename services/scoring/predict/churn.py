"""P(no purchase within the horizon), by several voices weighed on the last closed window.

No voice wins everywhere: a logistic regression, boosted trees and BG/NBD are put together on the
scale of log odds. Their weights, and the shift that calibrates the sum, are learnt where none of
them has learnt: in the newest window that had closed before the cut, from models of windows that
had closed before it. Little evidence leaves the weights where they usually are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from services.scoring.predict.learners import boosted, logistic
from services.scoring.predict.lessons import FEW, FEW_FOR_TREES, Lessons
from services.scoring.predict.snapshots import Snapshot, logit
from services.scoring.predict.visits import Floats, Mask

Voice = Callable[[Floats], Floats]
"""From rows of features to log odds."""

ENOUGH_OF_BOTH = 30
"""Customers who left, and who did not, below which nothing is learnt."""
ENOUGH_FOR_TREES = 150
USUAL = {"logistic": 0.45, "trees": 0.45, "closed": 0.1}
"""Weights where there is no window to weigh the voices on."""
CONVICTION = 25.0
"""How much evidence it takes to move the weights from the usual ones."""


@dataclass(frozen=True, slots=True)
class Voices:
    """Those that have learnt, by name. The closed form needs no rows: it is always there."""

    learnt: dict[str, Voice]

    def log_odds(self, seen: Snapshot) -> Floats:
        """One column per voice, the closed form's last."""
        rows = seen.values
        spoken = [voice(rows) for voice in self.learnt.values()]
        return np.column_stack([*spoken, logit(seen.p_none)])

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.learnt, "closed")


@dataclass(frozen=True, slots=True)
class Churn:
    """A judge of snapshots with one horizon."""

    voices: Voices
    weights: tuple[float, ...]
    """In the order of the voices' names."""
    shift: float
    weighed: bool
    """Whether a closed window was there to weigh the voices on."""
    method: str

    def __call__(self, seen: Snapshot) -> Floats:
        if not len(seen):
            return np.empty(0)
        odds = self.voices.log_odds(seen) @ np.array(self.weights) + self.shift
        return np.asarray(expit(odds), dtype=np.float64)


def learn_churn(rows: Lessons | None, closed: str, seed: int) -> Churn:
    """From closed windows; `closed` names the closed form, which is all there is without them."""
    voices = _voices(rows, seed) if rows is not None else Voices({})
    if not voices.learnt or rows is None:
        return Churn(voices, (1.0,), 0.0, weighed=False, method=closed)
    usual = _usual(voices.names)
    method = "+".join([*voices.learnt, closed])
    newest = int(rows.origin.max())
    horizon = rows.snapshots[0].horizon
    older, latest = rows.origin <= newest - horizon, rows.origin == newest
    trial = _voices(rows.chosen(older), seed)
    if trial.names != voices.names:
        return Churn(voices, tuple(usual), 0.0, weighed=False, method=method)
    exam = rows.chosen(latest)
    spoken = np.column_stack(
        [*(voice(exam.rows) for voice in trial.learnt.values()), exam.rows[:, -2]]
    )
    weights, shift = weigh(spoken, exam.churned, usual)
    return Churn(voices, tuple(weights), shift, weighed=True, method=method)


def _usual(names: Sequence[str]) -> Floats:
    weights = np.array([USUAL[name] for name in names])
    shares: Floats = weights / weights.sum()
    return shares


def _voices(rows: Lessons, seed: int) -> Voices:
    """Those for which there are enough rows."""
    churned = rows.churned
    rarer = min(int(churned.sum()), int((~churned).sum()))
    learnt: dict[str, Voice] = {}
    if rarer >= ENOUGH_OF_BOTH and rows.customers >= FEW:
        learnt["logistic"] = logistic(rows.rows, churned)
    if rarer >= ENOUGH_FOR_TREES and rows.customers >= FEW_FOR_TREES:
        learnt["trees"] = boosted(rows.rows, churned.astype(np.float64), "binary", seed)
    return Voices(learnt)


def weigh(spoken: Floats, truth: Mask, usual: Floats) -> tuple[Floats, float]:
    """Weights and shift of the columns of log odds that make `truth` likeliest.

    The weights are not negative, and stay near the usual ones unless the truth moves them.
    """
    start = np.append(usual, 0.0)
    columns = np.column_stack([spoken, np.ones(len(spoken))])
    sign = np.where(truth, 1.0, -1.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (columns @ weights)
        value = np.logaddexp(0.0, -margin).sum()
        slope = -(columns * (sign * expit(-margin))[:, None]).sum(axis=0)
        off = weights - start
        return float(value + CONVICTION * off @ off), slope + 2 * CONVICTION * off

    bounds = [(0.0, 3.0)] * len(usual) + [(-2.0, 2.0)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:-1], float(found.x[-1])
