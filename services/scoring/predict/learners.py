"""The two learners, seeded and on one thread: the same rows and seed give the same numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit

from services.scoring.predict.visits import Floats, Mask

FAR = 5.0
"""Standard deviations; who is further out counts as this far, so that no line is drawn beyond."""
TREES = 150
LEAST_LEAF = 80
CALM = 1e-9
HIGHEST = 30.0
"""Of a logarithm of a rate, so that a step too far does not overflow."""
MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Scale:
    """To mean 0 and deviation 1."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, rows: Floats) -> "Scale":
        deviation = rows.std(axis=0)
        return cls(rows.mean(axis=0), np.where(deviation > CALM, deviation, 1.0))

    def __call__(self, rows: Floats) -> Floats:
        return np.clip((rows - self.mean) / self.deviation, -FAR, FAR)


@dataclass(frozen=True, slots=True)
class Linear:
    """A line through scaled features, on the scale of log odds or of logarithms."""

    scale: Scale
    weights: Floats
    intercept: float

    def __call__(self, rows: Floats) -> Floats:
        line: Floats = self.scale(rows) @ self.weights + self.intercept
        return line


def logistic(rows: Floats, truth: Mask, penalty: float = 33.0) -> Linear:
    """Log odds of `truth`, which must have both values."""

    def loss(line: Floats) -> tuple[float, Floats, Floats]:
        p = expit(line)
        return float(np.logaddexp(0.0, line).sum() - line[truth].sum()), p - truth, p * (1 - p)

    share = float(truth.mean())
    return _climb(rows, loss, penalty, float(np.log(share / (1 - share))))


def poisson(rows: Floats, counts: Floats, penalty: float = 0.01) -> Linear:
    """Logarithm of the expected count; not all counts may be 0. `penalty` is per row."""

    def loss(line: Floats) -> tuple[float, Floats, Floats]:
        rate = np.exp(np.minimum(line, HIGHEST))
        return float(rate.sum() - counts @ line), rate - counts, rate

    return _climb(rows, loss, penalty * len(rows), float(np.log(counts.mean())))


Loss = Callable[[Floats], tuple[float, Floats, Floats]]
"""Of the line's values: the sum, and its first and second derivative by each value."""


def _climb(rows: Floats, loss: Loss, penalty: float, start: float) -> Linear:
    """Newton's steps, halved where they overshoot; the intercept is not penalised."""
    scale = Scale.of(rows)
    design = np.column_stack([scale(rows), np.ones(len(rows))])
    held = np.append(np.full(rows.shape[1], penalty), 1e-9)
    weights = np.append(np.zeros(rows.shape[1]), start)
    value, slope, curve = loss(design @ weights)
    for _ in range(MOST_STEPS):
        gradient = design.T @ slope + held * weights
        hessian = (design * curve[:, None]).T @ design + np.diag(held)
        step = np.linalg.solve(hessian, gradient)
        before = value + 0.5 * held @ weights**2
        for _ in range(MOST_STEPS):
            tried = weights - step
            value, slope, curve = loss(design @ tried)
            if value + 0.5 * held @ tried**2 <= before:
                break
            step /= 2
        weights = tried
        if float(gradient @ step) < 1e-9 * len(rows):
            break
    return Linear(scale, weights[:-1], float(weights[-1]))


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees; their answer is on the scale of the objective."""

    booster: Any

    def __call__(self, rows: Floats) -> Floats:
        raw = self.booster.predict(rows, raw_score=True, num_threads=1)
        return np.asarray(raw, dtype=np.float64)


def boosted(
    rows: Floats,
    truth: Floats,
    objective: Literal["binary", "poisson", "tweedie", "l1", "quantile"],
    seed: int,
    start: Floats | None = None,
    alpha: float = 0.5,
) -> Trees:
    """Boosted trees from `start` (on the objective's scale); `alpha` is the quantile."""
    import lightgbm

    parameters = {
        "objective": objective,
        "alpha": alpha,
        "tweedie_variance_power": 1.5,
        "learning_rate": 0.04,
        "num_leaves": 8,
        "min_data_in_leaf": LEAST_LEAF,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(rows, truth, init_score=start, free_raw_data=True)
    return Trees(lightgbm.train(parameters, data, num_boost_round=TREES))
