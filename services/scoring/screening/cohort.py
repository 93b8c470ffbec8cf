"""Everybody who was ever seen, in columns, and how long each waited in what state. Pure.

Days are ordinals of local dates. What was known of somebody on a day is made of what had been said
and done by then, so a table "as of a day" is what could have been made on that day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.scoring.screening.policy import FACTORS, OTHER, STAGES, WINDOWS

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]

NEVER = 10_000_000
"""A day that does not come."""
MOST_LEVELS = 50
"""Levels of a factor that are told apart: the most frequent."""
_BANDS = ("0", "1", "2-4", "5+")
CONTACTS = ("", *(f"{window}:{band}" for window in WINDOWS for band in _BANDS))


@dataclass(frozen=True, slots=True)
class Cohort:
    """Columns of equal length; `NEVER` where something never was."""

    seen: Integers
    won: Integers
    """Day of the first purchase."""
    at_once: NDArray[np.bool_]
    """Whether they were never prospects: first seen when they bought."""
    source: Sequence[str]
    source_day: Integers
    kind: Sequence[str]
    channel: Sequence[str]
    contact_day: Integers
    contacts: Integers
    """Their own, one column for each of `WINDOWS`."""
    spend: Sequence[dict[str, int] | None] = field(default_factory=list)
    """Of who was won."""

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True, slots=True)
class Coded:
    """A cohort with levels as numbers; the first level of a factor is that of whom nothing is known,
    the last one the rest."""

    cohort: Cohort
    names: dict[str, list[str]]
    said: dict[str, Integers]
    """Number of the level by factor, as it was to become; `contacts` changes and is made when asked."""

    def on(self, who: Integers, day: Integers) -> Integers:
        """Levels of some customers, each on the morning of a day: one column for each of `FACTORS`."""
        known = self.cohort
        said = known.source_day[who] < day
        met = known.contact_day[who] < day
        # Of the day on which somebody was first seen that day counts, too: it is how they came.
        first = known.seen[who] == day
        said |= first & (known.source_day[who] <= day)
        met |= first & (known.contact_day[who] <= day)
        columns = [
            np.where(said, self.said["source"][who], 0),
            np.where(met, self.said["kind"][who], 0),
            np.where(met, self.said["channel"][who], 0),
            self._contacts(who, day),
        ]
        return np.stack(columns, axis=1)

    def _contacts(self, who: Integers, day: Integers) -> Integers:
        age = day - self.cohort.contact_day[who]
        found = np.zeros(len(who), dtype=np.int64)
        for place, window in enumerate(WINDOWS):
            number = self.cohort.contacts[who, place]
            band = (number >= 1).astype(np.int64) + (number >= 2) + (number >= 5)
            found = np.where(age >= window, 1 + place * len(_BANDS) + band, found)
        return found


def coded(cohort: Cohort, last: int) -> Coded:
    """Levels by number: the most frequent of those who had been seen by a day."""
    names: dict[str, list[str]] = {"contacts": list(CONTACTS)}
    said: dict[str, Integers] = {}
    there = cohort.seen <= last
    for name, values, days in (
        ("source", cohort.source, cohort.source_day),
        ("kind", cohort.kind, cohort.contact_day),
        ("channel", cohort.channel, cohort.contact_day),
    ):
        texts, places = np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)
        counts = np.bincount(places[there & (days <= last)], minlength=len(texts))
        counts[texts == ""] = 0
        often = [int(at) for at in np.argsort(-counts, kind="stable")[:MOST_LEVELS] if counts[at]]
        number = np.full(len(texts), len(often) + 1, dtype=np.int64)
        number[texts == ""] = 0
        number[often] = np.arange(1, len(often) + 1)
        names[name] = ["", *(str(texts[at]) for at in often), OTHER]
        said[name] = number[places]
    return Coded(cohort, names, said)


@dataclass(frozen=True, slots=True)
class Waited:
    """Days at risk and first purchases, by stage of age and levels: one row for all who are alike."""

    stage: Integers
    levels: Integers
    days: Numbers
    won: Numbers


def waited(known: Coded, last: int) -> Waited:
    """What had been seen of everybody at the end of a day."""
    cohort, found = known.cohort, []
    there = np.flatnonzero(~cohort.at_once & (cohort.seen <= last))
    seen = cohort.seen[there]
    won = np.where(cohort.won[there] <= last, cohort.won[there], NEVER)
    sizes = [len(known.names[name]) for name in FACTORS]
    for stage, begin in enumerate(STAGES):
        end = STAGES[stage + 1] if stage + 1 < len(STAGES) else NEVER
        day = seen + begin
        at_risk = (day <= last) & (won >= day)
        if not at_risk.any():
            continue
        who, day, since = there[at_risk], day[at_risk], seen[at_risk]
        left = np.minimum(np.minimum(since + end, last + 1), won[at_risk] + 1)
        cell = np.full(len(who), stage, dtype=np.int64)
        for column, size in zip(known.on(who, day).T, sizes, strict=True):
            cell = cell * size + column
        alike, place = np.unique(cell, return_inverse=True)
        bought = (won[at_risk] < since + end).astype(np.float64)
        found.append((alike, _sums(place, (left - day).astype(np.float64)), _sums(place, bought)))
    if not found:
        nothing = np.zeros(0)
        return Waited(
            nothing.astype(np.int64), np.zeros((0, len(FACTORS)), np.int64), nothing, nothing
        )
    cells, days, bought = (np.concatenate(parts) for parts in zip(*found, strict=True))
    columns: list[Integers] = []
    for size in reversed(sizes):
        columns.insert(0, cells % size)
        cells = cells // size
    return Waited(cells, np.stack(columns, axis=1), days, bought)


def _sums(place: Integers, values: Numbers) -> Numbers:
    return np.asarray(np.bincount(place, weights=values), dtype=np.float64)


def prospects_of(cohort: Cohort, morning: int) -> Integers:
    """Who had been seen before a day and had not bought."""
    there = ~cohort.at_once & (cohort.seen < morning) & (cohort.won >= morning)
    return np.flatnonzero(there)


def share_won(cohort: Cohort, morning: int, days: int) -> tuple[int, int]:
    """How many prospects there were on a morning, and how many of them bought in so many days."""
    who = prospects_of(cohort, morning)
    return len(who), int(np.count_nonzero(cohort.won[who] < morning + days))
