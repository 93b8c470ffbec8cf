"""A small network that ranks: one hidden layer beside a linear part.

Trained on the cross-entropy of each row, or, where hits are rare, on the softmax within each
customer's list (ListNet; Cao et al., ICML 2007), so that the top of the list is right; with many
hits in a list the softmax would flatten its top. The softmax knows no level, so two numbers are
fitted after it (Platt's scaling) that make its output a probability. Adam with a falling rate,
batches of whole customers, a seed: the same rows in the same order give the same weights.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.scoring.recommend.arrays import Floats, Ints, starts

Singles = NDArray[np.float32]
"""Trained in single precision: twice as fast, and precise enough."""

HIDDEN = 24
BATCH = 64
RATE = 0.004
SHRINK = 1e-4
FARTHEST = 5.0
"""Standard deviations at which a feature is cut off: a stranger's outlier must not fly away."""
LEAST_STEPS = 400
"""Few customers make few batches: then there are more rounds, so that the weights arrive."""
POINTWISE = 8.0
"""Weight of the cross-entropy of a batch, beside the shrinkage."""


@dataclass(frozen=True, slots=True)
class Network:
    """Weights, and the mean and spread by which features are scaled."""

    mean: Floats
    spread: Floats
    inner: Floats
    offset: Floats
    outer: Floats
    direct: Floats
    bias: Floats
    level: Floats
    """Intercept and slope that make a score a log-odds."""

    def logits(self, features: Floats) -> Floats:
        """Log-odds of each row."""
        level: Floats = self.level[0] + self.level[1] * self.scores(features)
        return level

    def scores(self, features: Floats) -> Floats:
        """What rows are ranked by."""
        scaled = np.clip((features - self.mean) / self.spread, -FARTHEST, FARTHEST)
        value: Floats = np.tanh(scaled @ self.inner + self.offset) @ self.outer
        value += scaled @ self.direct + self.bias[0]
        return value


def train(
    features: Floats, hit: Floats, customer: Ints, *, epochs: int, seed: int, listwise: bool
) -> Network:
    """Fit to rows of which those of one customer (and moment) stand together; `hit` is 0 or 1,
    and both occur.

    `listwise`: by the softmax of each list. The first feature is then the logarithm of a formula
    that ranks well already: the search starts from it, so that little data leads no further away
    than it can tell.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = np.clip((features - mean) / spread, -FARTHEST, FARTHEST)
    random = np.random.default_rng(seed)
    width, rate = scaled.shape[1], float(hit.mean())
    drawn = [
        random.normal(0.0, width**-0.5, (width, HIDDEN)),
        np.zeros(HIDDEN),
        random.normal(0.0, 0.03, HIDDEN),
        np.zeros(width),
        np.log([rate / (1.0 - rate)]),
    ]
    if listwise:
        drawn[3][0] = spread[0]
    weights: list[Singles] = [weight.astype(np.float32) for weight in drawn]
    rows_, hits_ = scaled.astype(np.float32), hit.astype(np.float32)
    head = np.flatnonzero(starts(customer))
    length = np.diff(np.append(head, len(customer)))
    batches = -(-len(head) // BATCH)
    epochs = max(epochs, -(-LEAST_STEPS // batches))
    adam = _Adam(weights, epochs * batches)
    for _ in range(epochs):
        order = random.permutation(len(head))
        for batch in range(batches):
            chosen = order[batch * BATCH : (batch + 1) * BATCH]
            rows = np.repeat(head[chosen] - _ends(length[chosen]), length[chosen])
            rows += np.arange(len(rows))
            adam.step(
                weights,
                _gradient(weights, rows_[rows], hits_[rows], length[chosen] if listwise else None),
            )
    inner, offset, outer, direct, bias = (weight.astype(np.float64) for weight in weights)
    as_is = np.array([0.0, 1.0])
    network = Network(mean, spread, inner, offset, outer, direct, bias, level=as_is)
    return replace(network, level=_level(network.scores(features), hit)) if listwise else network


def _level(score: Floats, hit: Floats) -> Floats:
    """Platt's scaling: a logistic regression on the score alone, by Newton's steps; the slope is
    kept above zero, so that the order stays."""
    middle, spread = float(score.mean()), float(score.std()) + 1e-9
    rows = np.column_stack((np.ones(len(score)), (score - middle) / spread))
    rate = float(hit.mean())
    level = np.array([np.log(rate / (1.0 - rate)), 0.5])
    for _ in range(25):
        chance = 1.0 / (1.0 + np.exp(-np.clip(rows @ level, -30, 30)))
        slope = rows.T @ (hit - chance)
        curve = (rows * (chance * (1.0 - chance))[:, None]).T @ rows + 1e-6 * np.eye(2)
        level = level + np.clip(np.linalg.solve(curve, slope), -1.0, 1.0)
    level[1] = max(level[1], 1e-3)
    return np.array([level[0] - level[1] * middle / spread, level[1] / spread])


def _ends(length: Ints) -> Ints:
    """Where each group begins when they are laid end to end."""
    return np.asarray(np.cumsum(length) - length, dtype=np.int64)


def _gradient(
    weights: list[Singles], rows: Singles, hit: Singles, lists: Ints | None
) -> list[Singles]:
    """`lists`: how many rows each list has; None for the cross-entropy alone."""
    inner, offset, outer, direct, bias = weights
    hidden = np.tanh(rows @ inner + offset)
    score = hidden @ outer + rows @ direct + bias[0]
    if lists is None:
        slope = (1.0 / (1.0 + np.exp(-np.clip(score, -30, 30))) - hit) * (POINTWISE / len(rows))
    else:
        slope = _listwise(score, hit, lists)
    back = slope[:, None] * outer * (1.0 - hidden * hidden)
    return [
        rows.T @ back,
        back.sum(axis=0),
        hidden.T @ slope,
        rows.T @ slope,
        slope.sum(keepdims=True),
    ]


def _listwise(score: Singles, hit: Singles, length: Ints) -> Singles:
    """Slope of the softmax loss; a list weighs as the root of what was found in it, up to ten."""
    begin = _ends(length)
    raised = np.exp(score - np.repeat(np.maximum.reduceat(score, begin), length))
    share = raised / np.repeat(np.add.reduceat(raised, begin), length)
    hits = np.add.reduceat(hit, begin)
    wanted = hit / np.repeat(np.maximum(hits, np.float32(1.0)), length)
    weight = np.repeat(np.sqrt(np.minimum(hits, np.float32(10.0))), length) / np.float32(
        len(length)
    )
    slope: Singles = (share - wanted) * weight
    return slope


class _Adam:
    """Kingma & Ba, ICLR 2015; the rate falls to nothing along a half cosine."""

    def __init__(self, weights: list[Singles], steps: int) -> None:
        self.first = [np.zeros_like(weight) for weight in weights]
        self.second = [np.zeros_like(weight) for weight in weights]
        self.steps, self.done = steps, 0

    def step(self, weights: list[Singles], gradients: list[Singles]) -> None:
        """Move the weights, in place."""
        self.done += 1
        rate = RATE * 0.5 * (1.0 + np.cos(np.pi * self.done / self.steps))
        for number, slope in enumerate(gradients):
            pull = slope + SHRINK * weights[number]
            self.first[number] += np.float32(0.1) * (pull - self.first[number])
            self.second[number] += np.float32(0.01) * (pull * pull - self.second[number])
            ahead = self.first[number] / (1.0 - 0.9**self.done)
            spread = np.sqrt(self.second[number] / (1.0 - 0.99**self.done))
            weights[number] = weights[number] - np.float32(rate) * ahead / (spread + 1e-8)
