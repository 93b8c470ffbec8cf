"""EASE: which items foretell which others, on bought / not bought.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: with G the items' counts of
common buyers and P = (G + lambda I)^-1, the weights are B = -P / diag(P), zero on the diagonal, and
a customer's score of item j is the sum of B[i, j] over what they bought.

The inverse grows with the cube of the items, so only the most popular are in; the others are
recommended by popularity. Of each column only the weights that matter most are kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_array

from services.scoring.recommend.arrays import Floats, Ints
from services.scoring.recommend.history import Histories
from services.scoring.recommend.shelf import Shelf

ITEMS = 4_000
KEPT = 100
CUSTOMERS = 20_000
"""Who the common buyers are counted among: drawn, where there are more."""
RIDGE = 1_000.0
FOR = 2_500.0
"""Customers that the ridge is meant for; it grows with them."""


@dataclass(frozen=True, slots=True)
class Ease:
    """Weights between the `members` (items of the catalogue), by column: which foretell item j."""

    members: Ints
    """Ascending."""
    begins: Ints
    """Column j's weights are those from begins[j] up to begins[j + 1]."""
    sources: NDArray[np.uint16]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.members)

    def positions(self, items: Ints) -> Ints:
        """Where items of the catalogue are among the members; -1 where they are not."""
        if not len(self.members):
            return np.full(len(items), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.members, items), len(self.members) - 1)
        return np.where(self.members[place] == items, place, -1)

    def matrix(self) -> csr_array:
        """The weights, a row for each target."""
        shape = (len(self), len(self))
        return csr_array(
            (self.weights.astype(np.float64), self.sources.astype(np.int32), self.begins),
            shape=shape,
        )


def bought(histories: Histories, ease_members: Ints, values: Floats) -> csr_array:
    """Customers by members: `values` of their pairs."""
    size = len(ease_members)
    if not size:
        return csr_array((histories.customers, 0))
    place = np.minimum(np.searchsorted(ease_members, histories.item), size - 1)
    inside = ease_members[place] == histories.item
    return csr_array(
        (values[inside], (histories.customer[inside], place[inside])),
        shape=(histories.customers, size),
    )


def fit_ease(histories: Histories, shelf: Shelf, limit: int = ITEMS) -> Ease:
    """Weights from everybody's histories."""
    order = np.lexsort((np.arange(len(shelf)), -shelf.buyers, -shelf.buyers56))
    chosen = order[:limit]
    members = np.sort(chosen[shelf.buyers[chosen] > 0])
    drawn = histories.some(0, CUSTOMERS)
    who = bought(drawn, members, np.ones(len(drawn.item)))
    common = (who.T @ who).toarray()
    if not len(members):
        return _kept(members, common)
    ridge = RIDGE * max(drawn.customers / FOR, 0.05)
    common[np.diag_indices_from(common)] += ridge
    factor, _ = lapack.dpotrf(common, lower=0, clean=1, overwrite_a=1)
    inverse, _ = lapack.dpotri(factor, lower=0, overwrite_c=1)
    diagonal = np.diag(inverse).copy()
    weights = np.triu(inverse, 1)
    weights += weights.T
    weights /= -diagonal
    return _kept(members, weights)


def _kept(members: Ints, weights: Floats) -> Ease:
    """The greatest weights of each column, whatever their sign."""
    size = len(members)
    kept = min(KEPT, size)
    rows = weights.T  # by target, so that a target's weights lie together
    if kept < size:
        top = np.sort(np.argpartition(-np.abs(rows), kept - 1, axis=1)[:, :kept], axis=1)
    else:
        top = np.tile(np.arange(size), (size, 1))
    chosen = np.take_along_axis(rows, top, axis=1).astype(np.float32) if size else rows
    return Ease(
        members=members,
        begins=np.arange(size + 1, dtype=np.int64) * kept,
        sources=top.ravel().astype(np.uint16),
        weights=chosen.ravel().astype(np.float32),
    )


def contributions(ease: Ease, target: int, items: Ints) -> tuple[Ints, Floats]:
    """Those of `items` that speak for a target, and how much; greatest first."""
    place = int(ease.positions(np.array([target]))[0])
    if place < 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    column = slice(int(ease.begins[place]), int(ease.begins[place + 1]))
    sources = ease.members[ease.sources[column].astype(np.int64)]
    weights = ease.weights[column].astype(np.float64)
    use = np.isin(sources, items) & (weights > 0)
    order = np.lexsort((sources[use], -weights[use]))
    return sources[use][order], weights[use][order]
