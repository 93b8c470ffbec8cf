"""Intervals from how earlier forecasts missed: split conformal, scaled by series.

A miss is measured in what a series of its size and restlessness usually misses (and a little in
what it missed itself: few forecasts were tried) and in how much more is missed further ahead. Such
misses of all series are alike enough to be counted together; their quantiles, times the scale, are
the interval.

Two ways to forecast have two intervals. Ends half way between theirs cost, by the interval score, at most the mean of
what theirs cost (it is convex), and less where the two miss at different times; how far from one to the other serves
best is learnt from earlier weeks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
PAIRS = ((1, 2, 0.2), (0, 3, 0.05))
"""Places in `LEVELS` of the intervals of 80 and 95 %, and how often each is missed."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the way to the other interval: what is tried."""
ENOUGH_TO_CHOOSE = 50
"""Fewer series do not say which way serves better: what shakes one week shakes them all, and the weeks are few."""
NEAR = 1.005
"""Times the least loss."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Forecasts and truth, series x windows x weeks ahead (nan: unknown)."""

    forecast: Floats
    truth: Floats

    @property
    def misses(self) -> Floats:
        """Truth minus forecast."""
        missed: Floats = self.truth - self.forecast
        return missed

    def older(self, windows: int) -> "Tried":
        """The first so many."""
        return Tried(self.forecast[:, :windows], self.truth[:, :windows])


def ends(made: Tried, other: Tried, now: Floats, others: Floats, changes: Floats) -> Floats:
    """Where intervals end: series x weeks ahead x (lo95, lo80, hi80, hi95), in units.

    `now` and `others`: today's forecasts in the one way and in the other, series x weeks ahead.
    """
    own, far = _both(made, other, now, others, changes)
    return _between(now, own, far, shares(made, other, changes))


def newer_ends(made: Tried, other: Tried, changes: Floats) -> Iterator[tuple[int, Floats]]:
    """The newer half of the windows, each with the ends that the misses of the older half make."""
    share = shares(made, other, changes)
    for window, own, far in _newer(made, other, changes):
        yield window, _between(made.forecast[:, window], own, far, share)


def _between(now: Floats, own: Floats, far: Floats, share: Floats) -> Floats:
    """Part of the way from one to the other; half of its own distance stays on either side. At a peak that the other
    way does not know, a forecast is no end of its interval."""
    mixed, half = own + share * (far - own), (own + now[:, :, None]) / 2
    return np.where(np.array(LEVELS) < 0.5, np.minimum(mixed, half), np.maximum(mixed, half))


def shares(made: Tried, other: Tried, changes: Floats) -> Floats:
    """How far each end goes from `made`'s to `other`'s: what would have served best in the newer half of the windows,
    by the misses of the older half. 0 where there are too few windows or series."""
    if len(changes) < ENOUGH_TO_CHOOSE:
        return np.zeros(len(LEVELS))
    costs: list[Floats] = []
    for window, own, far in _newer(made, other, changes):
        truth = made.truth[:, window, :, None]
        found = own[..., None, :] + np.array(SHARES)[:, None] * (far - own)[..., None, :]
        each = [
            interval_score(truth, found[..., low], found[..., high], miss)
            for low, high, miss in PAIRS
        ]
        costs.append(np.stack(each, axis=-1) / changes[:, None, None, None])
    if not costs:
        return np.zeros(len(LEVELS))
    whole = np.concatenate(costs)  # (windows x series) x weeks x shares x pairs
    known = np.isfinite(whole).all(axis=(2, 3))
    if not known.any():
        return np.zeros(len(LEVELS))
    mean = whole[known].mean(axis=0)
    placed = np.zeros(len(LEVELS))
    for place, (low, high, _) in enumerate(PAIRS):
        placed[[low, high]] = best_share(SHARES, mean[:, place])
    return placed


def best_share(tried: Sequence[float], losses: Floats) -> float:
    """The mean of all shares whose loss is near to the least: which of them is best is chance."""
    return float(np.array(tried)[losses <= NEAR * losses.min()].mean())


def _newer(made: Tried, other: Tried, changes: Floats) -> Iterator[tuple[int, Floats, Floats]]:
    count = made.truth.shape[1]
    half = count // 2
    if half < 2:
        return
    first, last = made.older(half), other.older(half)
    for window in range(half, count):
        now, others = made.forecast[:, window], other.forecast[:, window]
        yield window, *_both(first, last, now, others, changes)


def _both(
    made: Tried, other: Tried, now: Floats, others: Floats, changes: Floats
) -> tuple[Floats, Floats]:
    own = now[:, :, None] + bands(made.misses, made.forecast, now, changes)
    far = others[:, :, None] + bands(other.misses, other.forecast, others, changes)
    return own, far


def interval_score(truth: Floats, low: Floats, high: Floats, miss: float) -> Floats:
    """Width, and 2 / miss times how far outside: smaller is better (Gneiting & Raftery, 2007)."""
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    score: Floats = high - low + 2 / miss * outside
    return score


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
