"""Real and simulated customers as sufficient statistics, in whole days."""

import csv
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

END = date(1997, 9, 30).toordinal()


def _datasets() -> Path:
    package = find_spec("lifetimes")  # only its data: importing it warns
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets"


@cache
def _purchases() -> dict[str, dict[int, int]]:
    """CDNOW's 1/10 sample up to 1997-09-30: customer, day, cents."""
    bought: dict[str, dict[int, int]] = {}
    for line in (_datasets() / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, on, _, value = line.split()
        day = date(int(on[:4]), int(on[4:6]), int(on[6:])).toordinal()
        if day <= END:
            days = bought.setdefault(customer, {})
            days[day] = days.get(day, 0) + round(float(value) * 100)
    return bought


def cdnow() -> list[np.ndarray]:
    """x, t_x and T of its 2,357 customers."""
    rows = [(len(on) - 1, max(on) - min(on), END - min(on)) for on in _purchases().values()]
    return list(np.array(rows, dtype=np.int64).T)


def cdnow_values() -> tuple[np.ndarray, np.ndarray]:
    """Repeat purchase days and their mean value, in whole cents rounded half up: as published."""
    x, mean = [], []
    for on in _purchases().values():
        cents = [on[day] for day in sorted(on)][1:]
        if cents:
            x.append(len(cents))
            mean.append((2 * sum(cents) + len(cents)) // (2 * len(cents)) / 100)
    return np.array(x, dtype=np.float64), np.array(mean)


def donors() -> list[np.ndarray]:
    """x, t_x and n of 11,104 donors, six years after the first donation."""
    with (_datasets() / "donations.csv").open() as file:
        rows = [[int(value) for value in row] for row in list(csv.reader(file))[1:] if row]
    columns = np.array(rows, dtype=np.int64)
    return list(np.repeat(columns[:, :3], columns[:, 3], axis=0).T.copy())


def simulated_bg_nbd(customers: int, r, alpha, a, b, *, seed: int, weeks: float = 78):
    """Customers of up to `weeks` weeks who behave as the BG/NBD says; days (x, t_x, T).

    At most one purchase a day is counted, as in the models' data.
    """
    chance = np.random.default_rng(seed)
    age = chance.integers(1, round(weeks * 7), customers)
    rate = chance.gamma(r, 1 / alpha, customers)
    leaving = chance.beta(a, b, customers)
    return _bought(chance, age, rate, chance.geometric(np.maximum(leaving, 1e-12)), np.inf)


def simulated_pareto_nbd(customers: int, r, alpha, s, beta, *, seed: int, weeks: float = 78):
    """The same by the Pareto/NBD."""
    chance = np.random.default_rng(seed)
    age = chance.integers(1, round(weeks * 7), customers)
    rate = chance.gamma(r, 1 / alpha, customers)
    until = chance.exponential(1 / np.maximum(chance.gamma(s, 1 / beta, customers), 1e-300))
    return _bought(chance, age, rate, np.full(customers, 1 << 40), until * 7)


def _bought(chance, age, rate, most, until):
    """Purchases one after the other: at most `most`, none after `until` or `age` (days)."""
    time = np.zeros(len(age))
    x, last = np.zeros(len(age), dtype=np.int64), np.zeros(len(age), dtype=np.int64)
    active = np.arange(len(age))
    stop = np.minimum(age, until)
    while active.size:
        time[active] += chance.exponential(7 / np.maximum(rate[active], 1e-12))
        active = active[(time[active] <= stop[active]) & (most[active] > 0)]
        day = np.floor(time[active]).astype(np.int64)
        new = day > last[active]
        x[active[new]] += 1
        last[active] = day
        most[active] -= 1
    return [x, last, age.astype(np.int64)]
