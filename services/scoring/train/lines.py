"""A logistic regression whose weights have the signs that they must have: seeded by nothing, one thread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from services.scoring.predict.churn import weigh
from services.scoring.predict.visits import Floats, Mask
from services.scoring.projector.seen import FEATURES, SIGNS

PENALTY = 33.0
PRIOR, PRIOR_WEIGHT = "closed", 0.5
"""Little evidence leaves the log odds near half of the closed form's, which is too sure of itself;
all other weights are drawn to 0."""
FAR = (0.5, 99.5)
"""Percentiles of the rows beyond which a value counts as the end."""
CALM = 1e-9
DIGITS = 9
"""Significant digits of what is kept: what changes behind them changes nobody's score."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Log odds: `base` where every feature is as usual, and weights per unit of each feature."""

    base: float
    weights: Floats
    low: Floats
    high: Floats
    usual: Floats
    used: Mask
    """Features that vary at all."""

    def __call__(self, rows: Floats) -> Floats:
        line: Floats = (np.clip(rows, self.low, self.high) - self.usual) @ self.weights + self.base
        return line


def rounded(value: float) -> float:
    """To so many significant digits."""
    return float(f"{value:.{DIGITS}g}")


def _rounded(values: Floats) -> Floats:
    return np.array([rounded(float(value)) for value in values])


def fit_lines(rows: Floats, truth: Mask, usual: Floats, names: Sequence[str] = FEATURES) -> Lines:
    """The likeliest lines; `truth` must have both values. `usual`: a value of each feature."""
    low, high = (_rounded(edge) for edge in np.percentile(rows, FAR, axis=0))
    inside = np.clip(rows, low, high)
    mean, deviation = inside.mean(axis=0), inside.std(axis=0)
    used = np.asarray(deviation > CALM)
    scale = np.where(used, deviation, 1.0)
    design = np.column_stack([(inside - mean) / scale, np.ones(len(rows))])
    held = np.append(np.full(rows.shape[1], PENALTY), 0.0)
    first = np.append(np.where(_is_prior(names) & used, PRIOR_WEIGHT * scale, 0.0), 0.0)
    target = truth.astype(np.float64)

    def loss(weights: Floats) -> tuple[float, Floats]:
        line, off = design @ weights, weights - first
        value = np.logaddexp(0.0, line).sum() - line @ target + 0.5 * held @ off**2
        slope = design.T @ (expit(line) - target) + held * off
        return float(value) / len(rows), slope / len(rows)

    share = float(np.clip(truth.mean(), 1e-6, 1 - 1e-6))
    start = np.append(first[:-1], np.log(share / (1 - share)))
    bounds = [_bound(SIGNS[name], one) for name, one in zip(names, used, strict=True)]
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
        options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-8},
    )
    weights = np.where(used, found.x[:-1] / scale, 0.0)
    usual = _rounded(np.clip(usual, low, high))
    base = float(found.x[-1] + (usual - mean) @ weights)
    return Lines(rounded(base), _rounded(weights), low, high, usual, used)


def _is_prior(names: Sequence[str]) -> Mask:
    return np.array([name == PRIOR for name in names])


def _bound(sign: int, used: bool) -> tuple[float | None, float | None]:
    if not used:
        return 0.0, 0.0
    return (0.0 if sign > 0 else None), (0.0 if sign < 0 else None)


def calibrate(said: Floats, truth: Mask) -> tuple[float, float]:
    """Slope and shift that make the truth likeliest; near 1 and 0 unless it moves them."""
    weights, shift = weigh(said[:, None], truth, np.ones(1))
    return rounded(float(weights[0])), rounded(shift)
