"""External series that explain demand: promotions, weather, an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.errors import ForecastError
from services.scoring.forecast.result import Note
from services.scoring.forecast.table import WEEK, Weekly

Floats = NDArray[np.float64]

MOST = 20
"""Series of one forecast."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One uploaded series, past and planned.

    `rows`: (category or department, None for all; a day of the week; value). A category's own
    value goes before its department's, that before the one for all; several values of a key and
    week are averaged (days of weather). `gaps`: what a week without a value means, between the
    first and the last week of the series: `zero` (no promotion) or `last` (an index stays).
    """

    name: str
    rows: Sequence[tuple[str | None, date, float]]
    gaps: Literal["zero", "last"] = "zero"


@dataclass(frozen=True, slots=True)
class Aligned:
    """A series on the weeks of the table and of the horizon."""

    name: str
    levels: Floats
    """Categories x (weeks + horizon); 0 from the end of the series on."""
    known: int
    """For how many weeks ahead it is known."""


def align(
    signals: Sequence[Signal], table: Weekly, horizon: int
) -> tuple[list[Aligned], list[Note]]:
    """What a forecast can use of the series, and what must be said about them.

    A series that ends before the horizon explains only the weeks that it reaches; one that ends
    before the origin, or that never changes, is left out.
    """
    if len(signals) > MOST:
        raise ForecastError("too_many_signals", f"At most {MOST} series.")
    if len({signal.name for signal in signals}) != len(signals):
        raise ForecastError("signals_unclear", "Two series have one name.")
    usable: list[Aligned] = []
    notes: list[Note] = []
    for signal in sorted(signals, key=lambda one: one.name):
        found, said = _align(signal, table, horizon)
        notes.extend(said)
        if found is not None:
            usable.append(found)
    return usable, notes


def _align(signal: Signal, table: Weekly, horizon: int) -> tuple[Aligned | None, list[Note]]:
    span = table.weeks + horizon
    groups = _groups(table)
    sums = np.zeros((len(table.keys), 3, span))
    counts = np.zeros((len(table.keys), 3, span))
    last, unknown = -1, set()
    for key, day, value in signal.rows:
        if not isfinite(value):
            raise ForecastError("signals_unclear", f"{signal.name}, {day}: not a finite number.")
        week = (day - table.first).days // WEEK
        if key is not None and key not in groups:
            unknown.add(key)
            continue
        last = max(last, week)
        if 0 <= week < span:
            places, rank = groups[key]
            sums[places, rank, week] += value
            counts[places, rank, week] += 1
    notes = []
    if unknown:
        notes.append(Note("signal_keys_unknown", {"name": signal.name, "keys": len(unknown)}))
    known = min(horizon, last + 1 - table.weeks)
    if known < horizon:
        end = table.first + timedelta(days=WEEK * last)
        notes.append(
            Note(
                "signal_ends_early" if known > 0 else "signal_ended",
                {"name": signal.name, "last_week": end.isoformat(), "weeks": max(0, known)},
            )
        )
    values = _filled(sums, counts, signal.gaps)
    values[:, table.weeks + max(0, known) :] = 0.0
    past = values[:, : table.weeks]
    if known <= 0:
        return None, notes
    if not past.size or (past == past[:, :1]).all():
        return None, [*notes, Note("signal_constant", {"name": signal.name})]
    return Aligned(signal.name, values, known), notes


def _groups(table: Weekly) -> dict[str | None, tuple[NDArray[np.intp], int]]:
    """Which rows of the table a key of a series means, and which goes first (0)."""
    groups: dict[str | None, tuple[NDArray[np.intp], int]] = {None: (np.arange(len(table.keys)), 2)}
    names = np.array(table.departments or (), dtype=object)
    for department in set(table.departments or ()):
        groups[department] = (np.flatnonzero(names == department), 1)
    for place, key in enumerate(table.keys):
        groups[key] = (np.array([place]), 0)
    return groups


def _filled(sums: Floats, counts: Floats, gaps: str) -> Floats:
    """The value that goes first in every week: the category's own, its department's, that of all."""
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    keys, _, span = means.shape
    chosen: Floats = np.full((keys, span), np.nan)
    for rank in (2, 1, 0):
        chosen = np.where(counts[:, rank] > 0, means[:, rank], chosen)
    if gaps == "last":
        weeks = np.arange(span)
        seen = np.maximum.accumulate(np.where(np.isnan(chosen), -1, weeks), axis=1)
        first = np.argmax(~np.isnan(chosen), axis=1)[:, None]
        chosen = np.take_along_axis(chosen, np.where(seen < 0, first, seen), axis=1)
    return np.where(np.isnan(chosen), 0.0, chosen)
