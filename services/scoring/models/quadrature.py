"""Integrals of many positive functions at once. Nothing is subtracted, so nothing cancels."""

from collections.abc import Callable
from functools import cache

import numpy as np

from services.scoring.models.stable import Floats

DROP = 45.0
"""e^-45 of the greatest value is nothing in a double."""
_PANELS = 12
_NODES = 20
_GRID = np.linspace(0.0, 1.0, 33)


@cache
def gauss(nodes: int, panels: int = 1) -> tuple[Floats, Floats]:
    """Places in (0, 1) and weights of Gauss and Legendre, in each of equal panels."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    places, weights = (places + 1) / 2 / panels, weights / 2 / panels
    starts = np.arange(panels)[:, None] / panels
    return (starts + places).ravel(), np.tile(weights, panels)


def integral_of_hill(log_f: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Log of the integral of e^log_f from `low` to `high`, for functions with a single hill.

    `log_f` maps places, shape (rows, places), to values of that shape. What lies e^-45 below the
    top is left out, and the rest is cut into panels.
    """
    low, high = _hill(log_f, low, high)
    places, weights = gauss(_NODES, _PANELS)
    width = (high - low)[:, None]
    values = log_f(low[:, None] + width * places)
    top = values.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(values - top) @ weights
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(total * width[:, 0]) + top[:, 0]
    return logs


def _hill(
    log_f: Callable[[Floats], Floats], low: Floats, high: Floats, rounds: int = 6
) -> tuple[Floats, Floats]:
    """Where a function with a single hill is not negligible: each round at best 32 times nearer."""
    last = len(_GRID) - 1
    for _ in range(rounds):
        width = high - low
        values = log_f(low[:, None] + width[:, None] * _GRID)
        seen = values > values.max(axis=1, keepdims=True) - DROP
        first = np.maximum(seen.argmax(axis=1) - 1, 0)
        final = np.minimum(last - seen[:, ::-1].argmax(axis=1) + 1, last)
        low, high = low + width * _GRID[first], low + width * _GRID[final]
    return low, high
