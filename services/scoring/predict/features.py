"""What is known about each customer when a day begins: numbers from facts before it only.

Counts, sums and times are compressed by log(1 + x), since a hundredth purchase says less than a
second. Everything is finite for every customer with at least one purchase day before the cut.
"""

from dataclasses import dataclass

import numpy as np

from services.scoring.predict.visits import Fact, Floats, Integers, Visits, pack

WINDOWS = (7, 14, 28, 56, 90, 180, 365)
"""Days before the cut within which purchases are counted."""
DECAYS = (14, 45, 120, 360)
"""Days after which a purchase counts for 1/e."""
YEAR = 365
RECENT = 90


@dataclass(frozen=True, slots=True)
class Table:
    """Features at one cut, one row for each customer with a purchase day before it."""

    cut: int
    customer: Integers
    values: Floats
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.customer)

    def column(self, name: str) -> Floats:
        column: Floats = self.values[:, self.names.index(name)]
        return column


@dataclass(frozen=True, slots=True)
class History:
    """A customer's purchase days before the cut, as positions in the sorted visits."""

    customer: Integers
    start: Integers
    end: Integers
    """Behind the last purchase day before the cut."""
    key: Integers
    cut: int

    def position(self, days: int) -> Integers:
        """The first purchase day that is at most `days` before the cut."""
        return np.searchsorted(self.key, pack(self.customer, self.cut - days))


def history(visits: Visits, cut: int) -> History:
    """Where each customer's past begins and ends."""
    key = visits.key
    customer = np.unique(visits.customer[visits.day < cut])
    start = np.searchsorted(key, pack(customer, -(1 << 31)))
    end = np.searchsorted(key, pack(customer, cut))
    return History(customer, start, end, key, cut)


def features(visits: Visits, cut: int, horizon: int) -> Table:
    """All features of all customers at the beginning of `cut`, for the `horizon` days from it."""
    past = history(visits, cut)
    if not len(past.customer):
        return Table(cut, past.customer, np.empty((0, 0)), ())
    columns: dict[str, Floats] = {}
    columns |= _rhythm(visits, past)
    columns |= _counts(visits, past, horizon)
    columns |= _money(visits, past)
    columns |= _season(visits, past, horizon)
    for name, fact in {"refund": visits.refunds, **visits.facts}.items():
        columns |= _fact(name, fact, past)
    values = np.nan_to_num(np.column_stack(list(columns.values())))
    return Table(cut, past.customer, values, tuple(columns))


def _sums(values: Floats) -> Floats:
    """Sums of all before each position."""
    return np.concatenate(([0.0], np.cumsum(values)))


def _rhythm(visits: Visits, past: History) -> dict[str, Floats]:
    """When they came, and how regularly."""
    count = past.end - past.start
    first, last = visits.day[past.start], visits.day[past.end - 1]
    recency = (past.cut - last).astype(np.float64)
    age = (past.cut - first).astype(np.float64)
    gaps = np.diff(visits.day, prepend=visits.day[:1]).astype(np.float64)
    gaps[past.start] = 0.0
    total, squares = _sums(gaps), _sums(gaps**2)
    repeats = np.maximum(count - 1, 1)
    mean = np.where(count > 1, (last - first) / repeats, age)
    variance = (squares[past.end] - squares[past.start]) / repeats - mean**2
    spread = np.where(count > 2, np.sqrt(np.maximum(variance, 0)) / np.maximum(mean, 1), 1.0)
    few = np.maximum(past.end - 3, past.start)
    taken = np.maximum(past.end - 1 - few, 1)
    lately = np.where(count > 1, (total[past.end] - total[few + 1]) / taken, age)
    return {
        "recency": np.log1p(recency),
        "age": np.log1p(age),
        "days": np.log1p(count),
        "rate": np.log(count / (age + 7.0)),
        "mean_gap": np.log1p(mean),
        "gap_spread": spread,
        "late_gap": np.log1p(lately),
        "overdue": np.log1p(recency) - np.log1p(mean),
        "once": (count == 1).astype(np.float64),
        "silent_share": recency / (age + 7.0),
    }


def _counts(visits: Visits, past: History, horizon: int) -> dict[str, Floats]:
    """How often they came lately."""
    columns: dict[str, Floats] = {}
    for days in WINDOWS:
        columns[f"n{days}"] = np.log1p(past.end - past.position(days))
    inside = past.end - past.position(horizon)
    before = past.position(horizon) - past.position(2 * horizon)
    columns["nh"] = np.log1p(inside)
    columns["trend"] = np.log1p(inside) - np.log1p(before)
    of = np.repeat(np.arange(len(past.customer)), past.end - past.start)
    rows = _rows(past)
    ago = (past.cut - visits.day[rows]).astype(np.float64)
    for days in DECAYS:
        weight = np.bincount(of, weights=np.exp(-ago / days), minlength=len(past.customer))
        columns[f"decay{days}"] = np.log(weight + 1e-3)
    return columns


def _rows(past: History) -> Integers:
    """Positions of all purchase days before the cut, by customer."""
    length = past.end - past.start
    offset = np.concatenate(([0], np.cumsum(length)[:-1])) if len(length) else length
    return np.arange(int(length.sum())) + np.repeat(past.start - offset, length)


def _money(visits: Visits, past: History) -> dict[str, Floats]:
    """How much, and how broadly."""
    money, lines, kinds = _sums(visits.money), _sums(visits.lines), _sums(visits.kinds)
    count = past.end - past.start
    recent = past.position(RECENT)
    near = past.end - recent
    spent = money[past.end] - money[past.start]
    lately = money[past.end] - money[recent]
    age = past.cut - visits.day[past.start]
    return {
        "spend_per_day": np.log1p(spent / count),
        "spend_rate": np.log1p(spent / (age + 7.0)),
        "spend90": np.log1p(lately),
        "spend_trend": np.log1p(lately / np.maximum(near, 1)) - np.log1p(spent / count),
        "lines": np.log1p((lines[past.end] - lines[past.start]) / count),
        "kinds": np.log1p((kinds[past.end] - kinds[past.start]) / count),
        "kinds90": np.log1p(kinds[past.end] - kinds[recent]),
    }


def _season(visits: Visits, past: History, horizon: int) -> dict[str, Floats]:
    """What they did a year ago within the same window, where they were customers then."""
    old = past.position(YEAR - horizon) - past.position(YEAR)
    were = visits.day[past.start] <= past.cut - YEAR
    return {"last_year": np.where(were, np.log1p(old), 0.0), "year_old": were.astype(np.float64)}


def _fact(name: str, fact: Fact, past: History) -> dict[str, Floats]:
    """How much of it lately, and how long ago it was."""
    size = len(past.customer)
    kept = fact.day < past.cut
    customer, day, value = fact.customer[kept], fact.day[kept], fact.value[kept]
    place = np.minimum(np.searchsorted(past.customer, customer), size - 1)
    known = past.customer[place] == customer
    place, day, value = place[known], day[known], value[known]
    ago = (past.cut - day).astype(np.float64)
    amount = np.bincount(place, weights=value * np.exp(-ago / RECENT), minlength=size)
    newest = np.full(size, 10.0 * YEAR)
    np.minimum.at(newest, place, ago)
    return {
        f"{name}_sum": np.sign(amount) * np.log1p(np.abs(amount)),
        f"{name}_ago": np.log1p(newest),
    }
