"""Intervals from how earlier forecasts missed: split conformal, scaled by series.

A miss is measured in what a series of its size and restlessness usually misses (and a little in
what it missed itself: few forecasts were tried) and in how much more is missed further ahead. Such
misses of all series are alike enough to be counted together; their quantiles, times the scale, are
the interval.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS = (0.025, 0.1, 0.9, 0.975)
"""Where lo95, lo80, hi80 and hi95 stand."""
PRIOR_WINDOWS = 32.0
"""What series like it miss weighs as much as this many forecasts of its own."""
NORMAL = (-2.456, -1.606, 1.606, 2.456)
"""The same places of a normal distribution whose mean absolute value is 1."""
ENOUGH = 40
"""Fewer misses than this say little of 2.5 %: the normal's places are then the least."""
ENOUGH_SERIES = 8
"""Fewer say nothing of how misses grow with size and restlessness."""
UNSEEN = 1.5
"""How much wider where nothing was seen of the series, or of any."""


def bands(misses: Floats, sizes: Floats, now: Floats, changes: Floats) -> Floats:
    """Distances from the forecast: series x weeks ahead x (lo95, lo80, hi80, hi95).

    `misses`: truth minus forecast, series x windows x weeks ahead, nan where unknown. `sizes`: the
    units that were forecast then, of the same shape; `now`: today's, series x weeks ahead.
    `changes`: mean change from week to week of each series, nan where there is none.
    """
    power = _power(misses, sizes)
    grown = (sizes + 0.5) ** power
    scale = _scale(misses / grown, changes / grown.mean(axis=(1, 2)) if grown.size else changes)
    relative = misses / grown / np.maximum(scale, 1e-12)[:, None, None]
    further = _further(np.abs(relative))
    known = np.isfinite(misses).any(axis=2)
    weeks = int(known.any(axis=0).sum()) + misses.shape[2] - 1
    places = _places((relative / further).ravel(), int(known.sum()), weeks)
    size: Floats = scale[:, None] * further * (now + 0.5) ** power
    return size[:, :, None] * places


def _scale(grown: Floats, restless: Floats) -> Floats:
    """The usual absolute miss of each series, in units of what its size makes of it."""
    seen = np.isfinite(grown)
    counts = seen.sum(axis=(1, 2))
    own = np.where(seen, np.abs(grown), 0.0).sum(axis=(1, 2)) / np.maximum(counts, 1)
    if not counts.any():
        return np.full(len(grown), UNSEEN)
    usual = _usual(own, restless)
    windows = seen.any(axis=2).sum(axis=1)
    known = windows / (windows + PRIOR_WINDOWS)
    return np.where(counts > 0, known * own + (1 - known) * usual, UNSEEN * usual)


def _usual(own: Floats, restless: Floats) -> Floats:
    """What a series as restless as each usually misses: a line through the logarithms."""
    missed = own > 0
    if not missed.any():
        return np.zeros(len(own))
    moves = np.isfinite(restless) & (restless > 0)
    both = missed & moves
    typical = float(np.median(restless[both])) if both.any() else 1.0
    x = np.log(np.where(moves, restless, typical))
    y = np.log(np.where(missed, own, 1.0))
    slope = 1.0 if both.any() else 0.0
    if both.sum() >= ENOUGH_SERIES and np.ptp(x[both]) > 0.5:
        slope = float(np.clip(np.polyfit(x[both], y[both], 1)[0], 0.0, 1.2))
    some = both if both.any() else missed
    usual: Floats = np.exp(slope * x + (y - slope * x)[some].mean())
    return usual


def _power(misses: Floats, sizes: Floats) -> float:
    """How misses grow with size: between the root of it (chance) and a little more than with it."""
    seen = np.isfinite(misses)
    counts = np.maximum(seen.sum(axis=(1, 2)), 1)
    own = np.where(seen, np.abs(misses), 0.0).sum(axis=(1, 2)) / counts
    size = np.where(seen, sizes, 0.0).sum(axis=(1, 2)) / counts
    x, y = np.log(size[own > 0] + 0.5), np.log(own[own > 0])
    if len(x) < ENOUGH_SERIES or np.ptp(x) <= 1:
        return 0.7
    return float(np.clip(np.polyfit(x, y, 1)[0], 0.4, 1.1))


def _further(relative: Floats) -> Floats:
    """How much more is missed in each week ahead; never less than in the one before."""
    seen = np.isfinite(relative)
    counts = seen.sum(axis=(0, 1))
    sums = np.where(seen, relative, 0.0).sum(axis=(0, 1))
    if not sums.any():
        return np.ones(relative.shape[2])
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    found: Floats = np.maximum.accumulate(means)
    least: float = found[found > 0][0]
    further: Floats = np.maximum(found, least)
    return further


def _places(units: Floats, forecasts: int, weeks: int) -> Floats:
    """Where the interval ends, in units of the usual miss."""
    units = units[np.isfinite(units)]
    if not units.size:
        return np.array(NORMAL) * UNSEEN
    # What shakes one week shakes all series: it is the weeks seen that are few, not the misses.
    outward = 1 + 1 / (3 * max(weeks, 1))
    levels = np.clip(0.5 + (np.array(LEVELS) - 0.5) * outward, 0.0, 1.0)
    places: Floats = np.quantile(units, levels)
    if forecasts < ENOUGH:
        normal = np.array(NORMAL)
        places = np.where(normal < 0, np.minimum(places, normal), np.maximum(places, normal))
    return places
