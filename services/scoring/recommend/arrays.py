"""Types of arrays, and sums over their groups."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def count(groups: Ints, size: int, weights: Floats | Mask | None = None) -> Floats:
    """How many entries, or how much weight, each of `size` groups has."""
    if weights is None:
        return np.bincount(groups, minlength=size).astype(np.float64)
    return np.bincount(groups, weights=weights, minlength=size).astype(np.float64)


def starts(groups: Ints) -> Mask:
    """Where a new group begins; equal groups stand together."""
    first = np.ones(len(groups), dtype=np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    return first


def places(groups: Ints) -> Ints:
    """0, 1, 2, ... within each group; equal groups stand together."""
    index = np.arange(len(groups), dtype=np.int64)
    begins = np.maximum.accumulate(np.where(starts(groups), index, 0))
    return np.asarray(index - begins, dtype=np.int64)


def from_the_end(groups: Ints) -> Ints:
    """0 for the last of each group, 1 for the one before it, ...; equal groups stand together."""
    return places(groups[::-1])[::-1]


def best(groups: Ints, scores: Floats, items: Ints, limit: int) -> Ints:
    """Indices of the `limit` best of each group, best first, groups ascending.

    Scores are equal where their first ten decimals are: the order must not hang on how a sum was
    rounded. Ties go to the smaller item, that is to the more popular one.
    """
    order = np.lexsort((items, -np.round(scores, 10), groups))
    return np.asarray(order[places(groups[order]) < limit], dtype=np.int64)
