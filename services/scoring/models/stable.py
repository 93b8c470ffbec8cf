"""Pieces that stay exact where the textbook's formulas divide nothing by nothing or overflow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, exprel

Floats = NDArray[np.float64]

CHUNK = 1 << 14
"""Rows worked on at once: what a core's cache holds."""


def floats(*columns: ArrayLike) -> tuple[Floats, ...]:
    """Columns (or single numbers) as arrays of one common length."""
    arrays = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns]
    return tuple(np.ascontiguousarray(array) for array in np.broadcast_arrays(*arrays))


def chunks(rows: int, cells: int = 1) -> Iterator[slice]:
    """Slices of `rows`, so that a table of `cells` numbers a row stays small."""
    size = max(CHUNK // max(cells // 32, 1), 1)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def log_beta(a: float | NDArray[Any], b: float | NDArray[Any]) -> Floats:
    """log B(a, b)."""
    value: Floats = np.asarray(betaln(a, b), dtype=np.float64)
    return value


def power_integral(exponent: ArrayLike, log_ratio: Floats) -> Floats:
    """(1 - e^(-exponent * l)) / exponent for l = `log_ratio` >= 0, which is l where exponent is 0.

    It is the integral of (1 + y / c)^-(exponent + 1) dy / c from 0 to h, with l = log(1 + h / c).
    """
    value: Floats = log_ratio * exprel(-np.asarray(exponent, dtype=np.float64) * log_ratio)
    return value
