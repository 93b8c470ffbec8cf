"""How well predictions agree with what happened. Pure; every measure is of whole columns."""

import numpy as np
from scipy.stats import rankdata

from services.scoring.backtest.data import Floats, Mask
from services.scoring.predict.learners import logistic
from services.scoring.predict.snapshots import logit

BINS = 10
_BLOCK = 1_000


def auc(truth: Mask, score: Floats) -> float:
    """How often somebody of whom it is true scores higher than somebody of whom it is not.

    nan where all are alike: there is nothing to tell apart.
    """
    true = int(truth.sum())
    false = len(truth) - true
    if not true or not false:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[truth].sum() - true * (true + 1) / 2) / (true * false))


def brier_ratio(truth: Mask, p: Floats) -> float:
    """Mean squared error, over that of telling everybody the base rate."""
    base = truth.mean()
    return float(np.mean((p - truth) ** 2) / max(base * (1 - base), 1e-12))


def bins(p: Floats) -> list[np.typing.NDArray[np.intp]]:
    """Rows in ten groups of equal size, by ascending probability."""
    return [part for part in np.array_split(np.argsort(p, kind="stable"), BINS) if len(part)]


def calibration_error(truth: Mask, p: Floats) -> float:
    """Mean distance between what was said and what happened, in ten groups of equal size."""
    said = np.array([abs(p[rows].mean() - truth[rows].mean()) * len(rows) for rows in bins(p)])
    return float(said.sum() / len(p))


def noise_floor(p: Floats, draws: int, seed: int) -> float:
    """The calibration error that the same probabilities would show if they were true."""
    random = np.random.default_rng(seed)
    return float(np.mean([calibration_error(random.random(len(p)) < p, p) for _ in range(draws)]))


def slope(truth: Mask, p: Floats) -> float:
    """Of the truth's log odds by those said: below 1 they were too sure; nan if all are alike."""
    if truth.all() or not truth.any():
        return float("nan")
    odds = logit(p)
    spread = odds.std()
    if spread < 1e-9:
        return float("nan")
    return float(logistic(odds[:, None], truth, penalty=1e-6).weights[0] / spread)


def rmse(truth: Floats, said: Floats) -> float:
    return float(np.sqrt(np.mean((said - truth) ** 2)))


def mae(truth: Floats, said: Floats) -> float:
    return float(np.mean(np.abs(said - truth)))


def total_bias(truth: Floats, said: Floats) -> float:
    """How much larger the sum of what was said is, as a share of what came."""
    return float(said.sum() / truth.sum() - 1) if truth.sum() else float("nan")


def spearman(truth: Floats, said: Floats) -> float:
    """Correlation of ranks; nan where one side is all alike."""
    one, other = rankdata(truth), rankdata(said)
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size else float("nan")


def concordance(wait: Floats, said: Floats, seen: float) -> float:
    """How often of two customers the one said to come first did; half a point for a tie.

    `wait` is inf, or at least `seen`, for those who did not come while they were watched: pairs
    of two of them, and of two on one day, do not count.
    """
    order = np.argsort(wait, kind="stable")
    wait, said = wait[order], said[order]
    right = pairs = 0.0
    for start in range(0, int((wait < seen).sum()), _BLOCK):
        rows = slice(start, min(start + _BLOCK, int((wait < seen).sum())))
        later = wait[None, :] > wait[rows, None]
        more = (said[None, :] > said[rows, None]) & later
        same = (said[None, :] == said[rows, None]) & later
        right += float(more.sum()) + 0.5 * float(same.sum())
        pairs += float(later.sum())
    return right / pairs if pairs else float("nan")
