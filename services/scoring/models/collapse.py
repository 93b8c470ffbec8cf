"""Equal customers are counted once: the likelihood needs each kind only once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.stable import Floats

Days = NDArray[np.int64]

_BITS = 20
MOST = (1 << _BITS) - 1
"""The greatest x, t_x and T: more than a million days."""


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Distinct (x, t_x, T) and how many customers each stands for."""

    x: Floats
    t_x: Floats
    age: Floats
    weight: Floats
    counts: Floats
    """Distinct x, ascending: gamma functions are needed of these only."""
    counts_weight: Floats
    """How many customers have each of `counts`."""

    @property
    def customers(self) -> int:
        return int(self.weight.sum())

    def loss(
        self, counts: tuple[Floats, Floats], times: tuple[Floats, Floats]
    ) -> tuple[float, Floats]:
        """The negative log-likelihood of all customers and its gradient. `counts`: value and gradient of what
        depends on x only, for each of `counts`; `times`: of the rest, for each (x, t_x, T)."""
        (value, gradient), (rest, slopes) = counts, times
        return (
            -float(value @ self.counts_weight + rest @ self.weight),
            -(gradient @ self.counts_weight + slopes @ self.weight),
        )


def collapse(x: Days, t_x: Days, age: Days, per: float = 7.0) -> Collapsed:
    """Count equal (x, t_x, T), given in whole days; times are divided by `per` (weeks).

    Packed into one integer each, which sorts much faster than rows do.
    """
    packed = (x << (2 * _BITS)) | (t_x << _BITS) | age
    distinct, counts = np.unique(packed, return_counts=True)
    many: Floats = (distinct >> (2 * _BITS)).astype(np.float64)
    last: Floats = ((distinct >> _BITS) & MOST) / per
    observed: Floats = (distinct & MOST) / per
    return _with_counts(many, last, observed, counts.astype(np.float64))


def _with_counts(x: Floats, t_x: Floats, age: Floats, weight: Floats) -> Collapsed:
    """`x` ascends, being the highest bits."""
    starts = np.flatnonzero(np.diff(x, prepend=-1))
    totals = np.add.reduceat(weight, starts) if len(x) else weight
    return Collapsed(x, t_x, age, weight, counts=x[starts], counts_weight=totals)


def thin(data: Collapsed, rows: int = 2000) -> Collapsed | None:
    """About `rows` kinds of customers who stand for all, for a first look; None if there are not
    many more.

    All kinds of many customers, and of the others, which are in the order of x, t_x and T, every
    so many-th.
    """
    if len(data.x) < 4 * rows:
        return None
    many = data.weight > data.customers / rows
    step = int((~many).sum()) // rows + 1
    some = np.flatnonzero(~many)[step // 2 :: step]
    chosen = np.sort(np.concatenate((np.flatnonzero(many), some)))
    weight = np.where(many, data.weight, data.weight * step)[chosen]
    return _with_counts(data.x[chosen], data.t_x[chosen], data.age[chosen], weight)
