"""Figures with intervals: a measure of the model and of each simple rule on the same customers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.backtest.data import Floats, Mask

DRAWS = 200
"""Of the bootstrap: customers, each with all of their rows."""
LEVEL = (2.5, 97.5)
MOST = 50_000
"""Customers of a cut; of more, so many are drawn once and stand for all."""

Measure = Callable[[Floats, Floats], float]
"""Of the truth and what was said."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report: the model beside its opponents."""

    score: str
    measure: str
    population: str
    horizon: int
    model: Value
    rules: Mapping[str, Value]
    higher_is_better: bool | None
    """None where it should be near something else: a slope near 1, a bias near 0."""
    best_rule: str | None
    ratio: Value | None
    """The model's over the best rule's."""
    customers: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """The customers of one cut: the truth, and what everybody said."""

    customer: Floats
    truth: Floats
    said: Mapping[str, Floats]
    """By the model, under "model", and by each rule."""

    def chosen(self, rows: Mask) -> "Case":
        said = {name: values[rows] for name, values in self.said.items()}
        return Case(self.customer[rows], self.truth[rows], said)


def figure(
    cases: Sequence[Case],
    measure: Measure,
    seed: int,
    *,
    score: str,
    name: str,
    population: str,
    horizon: int,
    higher: bool | None,
    draws: int = DRAWS,
    most: int = MOST,
    note: str = "",
) -> Figure:
    """The mean over cuts of a measure, with intervals by drawing customers with replacement.

    A cut where the measure cannot be taken (all alike) does not count; nan if that is every cut.
    """
    cases = [_thinned(case, most, seed) for case in cases]
    names, point, table = drawn(cases, measure, seed, draws=draws, most=most)
    values = {
        rule: Value(point[index], *interval(table[:, index])) for index, rule in enumerate(names)
    }
    best = _best(values, higher)
    ratio = None
    if best is not None:
        ours, theirs = names.index("model"), names.index(best)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = table[:, ours] / table[:, theirs]
        ratio = Value(_over(point[ours], point[theirs]), *interval(spread))
    return Figure(
        score=score,
        measure=name,
        population=population,
        horizon=horizon,
        model=values["model"],
        rules={rule: value for rule, value in values.items() if rule != "model"},
        higher_is_better=higher,
        best_rule=best,
        ratio=ratio,
        customers=int(np.mean([len(case.truth) for case in cases])),
        note=note,
    )


def drawn(
    cases: Sequence[Case], measure: Measure, seed: int, *, draws: int = DRAWS, most: int = MOST
) -> tuple[list[str], list[float], Floats]:
    """The voices; of each, the mean over cuts of a measure; the same of draws of customers, one a row, so that
    voices can be compared on the same customers."""
    cases = [_thinned(case, most, seed) for case in cases]
    names = list(cases[0].said)
    random = np.random.default_rng(seed)
    everybody = np.unique(np.concatenate([case.customer for case in cases]))
    means = [
        _mean([_draw(case, everybody, counts) for case in cases], measure, names)
        for counts in (_counts(len(everybody), random) for _ in range(draws))
    ]
    table = np.array(means, dtype=np.float64).reshape(len(means), len(names))
    return names, _mean(cases, measure, names), table


def _thinned(case: Case, most: int, seed: int) -> Case:
    if len(case.customer) <= most:
        return case
    chosen = np.zeros(len(case.customer), dtype=np.bool_)
    drawn = np.random.default_rng(seed).choice(len(chosen), most, replace=False)
    chosen[drawn] = True
    return case.chosen(chosen)


def _over(one: float, other: float) -> float:
    return one / other if other else float("nan")


def _best(values: Mapping[str, Value], higher: bool | None) -> str | None:
    rules = {name: value.value for name, value in values.items() if name != "model"}
    rules = {name: value for name, value in rules.items() if np.isfinite(value)}
    if higher is None or not rules:
        return None
    return (max if higher else min)(rules, key=lambda name: rules[name])


def _mean(cases: Sequence[Case], measure: Measure, names: Sequence[str]) -> list[float]:
    """Of each voice, over the cuts where there is something to measure."""
    means = []
    for name in names:
        taken = [measure(case.truth, case.said[name]) for case in cases if len(case.truth)]
        known = [value for value in taken if np.isfinite(value)]
        means.append(float(np.mean(known)) if known else float("nan"))
    return means


def _counts(size: int, random: np.random.Generator) -> np.typing.NDArray[np.int64]:
    return np.bincount(random.integers(0, size, size), minlength=size)


def _draw(case: Case, everybody: Floats, counts: np.typing.NDArray[np.int64]) -> Case:
    times = counts[np.searchsorted(everybody, case.customer)]
    rows = np.repeat(np.arange(len(case.customer)), times)
    said = {name: values[rows] for name, values in case.said.items()}
    return Case(case.customer[rows], case.truth[rows], said)


def interval(values: Floats) -> tuple[float, float]:
    """Of 95 %; nan where nothing is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, LEVEL)
    return float(low), float(high)
