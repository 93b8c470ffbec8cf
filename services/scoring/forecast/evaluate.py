"""How good forecasts are: made at earlier origins, held to what came, beside the 4-week mean."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.bands import interval_score
from services.scoring.forecast.fitting import fit
from services.scoring.forecast.result import Forecast, Level
from services.scoring.forecast.rows import EPOCH, Purchases, weekly_of
from services.scoring.forecast.signals import Signal
from services.scoring.forecast.table import WEEK, Weekly

Floats = NDArray[np.float64]

DRAWS = 2_000
MISSES = {"80": 0.2, "95": 0.05}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval: origins and series drawn again, both at random."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Judged:
    """One level of one way to forecast. Errors and interval scores in units of each series' mean
    change from week to week before the origin (MASE; its interval score likewise).
    """

    name: str
    level: Level
    series: int
    origins: int
    mase: Figure
    mase_mean: Figure
    ratio: Figure
    """Of `mase` to the 4-week mean's."""
    wape: float
    wape_mean: float
    covered_80: Figure
    covered_95: Figure
    score_80: Figure
    """Interval score to that of the same intervals around the 4-week mean."""
    score_95: Figure

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one origin: series x weeks ahead; `scale` one per series."""

    truth: Floats
    scale: Floats
    made: dict[str, Floats]
    plain: dict[str, Floats]


def origins_of(table: Weekly, count: int = 9, step: int = 2, ahead: int = 4) -> list[date]:
    """The last origins whose `ahead` weeks are known, `step` weeks apart, ascending."""
    last = table.weeks - ahead
    weeks = range(last, max(table.weeks // 3, 8) - 1, -step)
    return [table.first + timedelta(days=WEEK * week) for week in list(weeks)[:count]][::-1]


def evaluate(
    name: str,
    table: Weekly,
    origins: Iterable[date],
    *,
    signals: Sequence[Signal] = (),
    judged: Mapping[Level, Sequence[str]] | None = None,
    horizon: int = 8,
    ahead: int = 4,
    country: str | None = None,
    seed: int = 7,
) -> list[Judged]:
    """Every level of the hierarchy, 1 to `ahead` weeks ahead. `judged`: which keys of a level count;
    all that change where it does not say. Departments and the total are of the whole table.
    """
    by_level: dict[Level, list[_Outcome]] = {}
    series: dict[Level, int] = {}
    for origin in origins:
        made = fit(table, signals, origin=origin, seed=seed, horizon=horizon, country=country)
        plain = fit(table, origin=origin, seed=seed, horizon=horizon, learning=False)
        for level in ("category", "department", "total"):
            keys = [line.key for line in made.lines if line.level == level]
            if judged is not None and level in judged:
                wanted = set(judged[level])
                keys = [key for key in keys if key in wanted]
            if keys:
                outcome = _outcome(table, made, plain, level, keys, ahead)
                by_level.setdefault(level, []).append(outcome)
                series[level] = len(keys)
    return [
        _judge(name, level, series[level], outcomes, seed) for level, outcomes in by_level.items()
    ]


def evaluate_purchases(
    purchases: Purchases, *, country: str | None = None, seed: int = 7
) -> list[Judged]:
    """Of a list of purchases, at its last origins; nothing if it is too short to try."""
    if not len(purchases.day):
        return []
    end = EPOCH + timedelta(days=int(purchases.day.max()) + 1)
    table = weekly_of(purchases, end, None)
    return evaluate("demand", table, origins_of(table), country=country, seed=seed)


def _outcome(
    table: Weekly, made: Forecast, plain: Forecast, level: Level, keys: Sequence[str], ahead: int
) -> _Outcome:
    sums = _summed(table, level, keys)
    weeks = made.trained_weeks
    change = np.abs(np.diff(sums[:, :weeks], axis=1)).mean(axis=1)
    return _Outcome(
        truth=sums[:, weeks : weeks + ahead],
        scale=np.where(change > 0, change, np.nan),
        made=_numbers(made, level, keys, ahead),
        plain=_numbers(plain, level, keys, ahead),
    )


def _summed(table: Weekly, level: Level, keys: Sequence[str]) -> Floats:
    if level == "total":
        total: Floats = table.sums.sum(axis=0, keepdims=True)
        return total
    names = np.array(table.keys if level == "category" else table.departments, dtype=object)
    return np.stack([table.sums[names == key].sum(axis=0) for key in keys])


def _numbers(
    forecast: Forecast, level: Level, keys: Sequence[str], ahead: int
) -> dict[str, Floats]:
    lines = {line.key: line for line in forecast.lines if line.level == level}
    return {
        name: np.array([getattr(lines[key], name) for key in keys])[:, :ahead]
        for name in ("yhat", "lo80", "hi80", "lo95", "hi95")
    }


def _judge(name: str, level: Level, series: int, outcomes: Sequence[_Outcome], seed: int) -> Judged:
    def each(value: Any) -> Floats:
        """A value of every forecast, averaged over the weeks ahead: origins x series."""
        return np.stack([value(outcome).mean(axis=1) for outcome in outcomes])

    def error(numbers: str) -> Floats:
        return each(
            lambda one: np.abs(one.truth - getattr(one, numbers)["yhat"]) / one.scale[:, None]
        )

    def covered(level: str) -> Floats:
        return each(
            lambda one: np.where(
                np.isnan(one.scale)[:, None],
                np.nan,
                (one.truth >= one.made[f"lo{level}"]) & (one.truth <= one.made[f"hi{level}"]),
            )
        )

    def score(numbers: str, level: str) -> Floats:
        def of(one: _Outcome) -> Floats:
            bands = getattr(one, numbers)
            low, high = bands[f"lo{level}"], bands[f"hi{level}"]
            return interval_score(one.truth, low, high, MISSES[level]) / one.scale[:, None]

        return each(of)

    def wape(numbers: str) -> float:
        missed = sum(np.abs(one.truth - getattr(one, numbers)["yhat"]).sum() for one in outcomes)
        return float(missed / max(sum(one.truth.sum() for one in outcomes), 1e-9))

    ones = np.ones_like(error("made"))
    draw = _Draws(ones.shape, seed)
    return Judged(
        name=name,
        level=level,
        series=series,
        origins=len(outcomes),
        mase=draw.ratio(error("made"), ones),
        mase_mean=draw.ratio(error("plain"), ones),
        ratio=draw.ratio(error("made"), error("plain")),
        wape=wape("made"),
        wape_mean=wape("plain"),
        covered_80=draw.ratio(covered("80"), ones),
        covered_95=draw.ratio(covered("95"), ones),
        score_80=draw.ratio(score("made", "80"), score("plain", "80")),
        score_95=draw.ratio(score("made", "95"), score("plain", "95")),
    )


class _Draws:
    """Counts of how often each origin and each series is drawn, again and again."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        random = np.random.default_rng(seed)
        self._rows, self._columns = (
            random.multinomial(size, np.full(size, 1 / size), DRAWS) for size in shape
        )

    def ratio(self, above: Floats, below: Floats) -> Figure:
        """Of the sums, and where 95 % of the draws lie. nan in either counts in neither."""
        unknown = np.isnan(above) | np.isnan(below)
        above, below = np.where(unknown, 0.0, above), np.where(unknown, 0.0, below)
        if not below.sum() > 0:
            return Figure(np.nan, np.nan, np.nan)
        numerators = np.einsum("do,os,ds->d", self._rows, above, self._columns, optimize=True)
        denominators = np.einsum("do,os,ds->d", self._rows, below, self._columns, optimize=True)
        drawn = numerators[denominators > 0] / denominators[denominators > 0]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Figure(float(above.sum() / below.sum()), float(low), float(high))


def text(judged: Sequence[Judged]) -> str:
    """A table for people."""
    head = (
        "demand", "level", "MASE", "4-week mean", "ratio", "WAPE", "of the mean",
        "in 80 %", "in 95 %", "score 80 to mean's", "score 95 to mean's",
    )  # fmt: skip
    rows = [head] + [
        (
            one.name,
            f"{one.level} ({one.series})",
            f"{one.mase.value:.3f}",
            f"{one.mase_mean.value:.3f}",
            str(one.ratio),
            f"{one.wape:.3f}",
            f"{one.wape_mean:.3f}",
            str(one.covered_80),
            str(one.covered_95),
            str(one.score_80),
            str(one.score_95),
        )
        for one in judged
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
