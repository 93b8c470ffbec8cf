"""What a forecast learns from and what it learnt, as values; cheap to import.

The learning itself (`model`) brings pandas and LightGBM with it: only whoever learns shall load them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.signals import Aligned

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LAGS = 8
YEAR_NEEDS = 80
"""Weeks from which last year's season is a feature: a year, its level, and some to learn from."""
ROWS_A_SERIES = 3
WINDOWS = 12


@dataclass(frozen=True, slots=True)
class Panel:
    """What is known: sums (keys x weeks), each key's first week, its department, and the rest."""

    sums: Floats
    starts: Integers
    departments: Integers | None
    holidays: Floats | None
    """Of the weeks and of those ahead, and one more."""
    signals: Sequence[Aligned]
    horizon: int

    @property
    def weeks(self) -> int:
        return int(self.sums.shape[1])


@dataclass(frozen=True, slots=True)
class Learnt:
    """Forecasts now and at earlier weeks, for the keys `places` of the panel."""

    places: NDArray[np.intp]
    ahead: Floats
    """Keys x weeks ahead."""
    tried: Floats
    """Keys x windows x weeks ahead, of models that had not seen these weeks; nan: too young."""
    season: Floats
    """What last year multiplies today's level with: keys x weeks ahead; 1 without a last year."""
    season_tried: Floats
    """The same at earlier weeks: keys x windows x weeks ahead."""
    factors: Mapping[str, Floats]
    importance: Mapping[str, float]


def windows(weeks: int, horizon: int) -> Integers:
    """Weeks of data at each window of the back-test, ascending; empty if history is too short."""
    first = LAGS + horizon - 1 + ROWS_A_SERIES
    step = 1 if weeks < YEAR_NEEDS else 2
    return np.arange(weeks - 1, first - 1, -step, dtype=np.int64)[:WINDOWS][::-1]
