"""From weekly sums to a forecast. Pure; the same input and seed give the same bytes."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from services.scoring.forecast.bands import PAIRS, UNSEEN, Tried, best_share, ends, newer_ends
from services.scoring.forecast.calendar import holiday_days
from services.scoring.forecast.errors import ForecastError
from services.scoring.forecast.panel import WINDOWS, Learnt, Panel, windows
from services.scoring.forecast.result import (
    DECIMALS,
    Forecast,
    Level,
    Line,
    Method,
    Note,
    Quality,
)
from services.scoring.forecast.signals import Signal, align
from services.scoring.forecast.table import Weekly

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

USUAL_WEEKS = 4
SHORT = 8
"""Weeks since the first sale below which only the mean is used."""
CHANCE = np.array([-1.96, -1.28, 1.28, 1.96])
"""lo95, lo80, hi80 and hi95 of counts around their mean, in roots of it."""
FARTHEST = 8
SHARES = tuple(tenth / 10 for tenth in range(11))
"""Shares of the model that are tried."""


def fit(
    table: Weekly,
    signals: Sequence[Signal] = (),
    *,
    origin: date,
    seed: int = 7,
    horizon: int = FARTHEST,
    country: str | None = None,
    learning: bool = True,
) -> Forecast:
    """The forecast made at `origin` of weeks that were over by then.

    `horizon`: 1 to 8 weeks. `country`: whose public holidays count, None for none. Without
    `learning` it is the 4-week mean, with intervals made in the same way: the opponent. Raises
    ForecastError for input that must be changed; little or poor data is no error but is said in
    `notes`.
    """
    if not 1 <= horizon <= FARTHEST:
        raise ForecastError("horizon_unclear", f"The horizon is 1 to {FARTHEST} weeks.")
    table = table.before(origin)
    starts = _starts(table.sums)
    usable, notes = align(signals, table, horizon)
    panel = Panel(
        sums=table.sums,
        starts=starts,
        departments=_codes(table.departments),
        holidays=_holidays(country, table, horizon),
        signals=usable,
        horizon=horizon,
    )
    learnt = _learn(panel, seed) if learning else None
    cuts = _cuts(table.weeks, horizon)
    usual = usual_at(table.sums, starts, np.array([table.weeks]))[:, 0]
    before = usual_at(table.sums, starts, cuts)
    mean = Tried(
        forecast=np.repeat(before[:, :, None], horizon, axis=2),
        truth=_truth(table.sums, starts, cuts, horizon),
    )
    scale = changes(table.sums, starts)
    share = _share(learnt, mean, scale)
    why = "history_too_short" if len(windows(table.weeks, horizon)) < 2 else None
    if learnt is not None and share == 0 and (learnt.season == 1).all():
        learnt, why = None, "mean_was_better"
    ahead, mixed = _mixed(learnt, share, usual, mean, horizon)
    used = np.zeros(len(table.keys), dtype=bool)
    if learnt is not None:
        used[learnt.places] = True
    notes += _said(table, starts, used, why) if learning else []
    lines = _lines(table, starts, ahead, mixed, mean, usual, used, learnt)
    return Forecast(
        origin=origin,
        first=table.end,
        horizon=horizon,
        seed=seed,
        trained_weeks=table.weeks,
        weight=share,
        lines=tuple(lines),
        quality=_quality(mixed, mean, scale),
        importance=learnt.importance if learnt is not None else {},
        notes=tuple(notes),
    )


def _learn(panel: Panel, seed: int) -> Learnt | None:
    """None where there is too little to learn from: then nothing heavy is loaded either."""
    if len(windows(panel.weeks, panel.horizon)) < 2:
        return None
    from services.scoring.forecast.model import learn  # it brings pandas and LightGBM

    return learn(panel, seed)


def _starts(sums: Floats) -> Integers:
    """Week of each series' first sale; the number of weeks for one without."""
    sold = sums > 0
    none = ~sold.any(axis=1)
    first = sold.argmax(axis=1) if sums.shape[1] else np.zeros(len(sums), dtype=np.intp)
    return np.where(none, sums.shape[1], first).astype(np.int64)


def _codes(departments: tuple[str, ...] | None) -> Integers | None:
    if departments is None:
        return None
    return np.unique(departments, return_inverse=True)[1].astype(np.int64)


def _holidays(country: str | None, table: Weekly, horizon: int) -> Floats | None:
    if country is None:
        return None
    return holiday_days(country, table.first, table.weeks + horizon + 1)


def _cuts(weeks: int, horizon: int) -> Integers:
    """Weeks of data at each earlier forecast that is tried."""
    cuts = windows(weeks, horizon)
    return cuts if len(cuts) >= 2 else np.arange(max(2, weeks - WINDOWS), weeks, dtype=np.int64)


def usual_at(sums: Floats, starts: Integers, cuts: Integers) -> Floats:
    """Mean of the last 4 weeks before each cut, fewer if the series is younger: series x cuts."""
    total = np.cumsum(np.pad(sums, ((0, 0), (1, 0))), axis=1)
    begin = np.maximum(cuts[None, :] - USUAL_WEEKS, np.minimum(starts[:, None], cuts[None, :] - 1))
    begin = np.maximum(begin, 0)
    means: Floats = (total[:, cuts] - np.take_along_axis(total, begin, axis=1)) / np.maximum(
        cuts[None, :] - begin, 1
    )
    return np.maximum(means, 0.0)


def _truth(sums: Floats, starts: Integers, cuts: Integers, horizon: int) -> Floats:
    """Series x cuts x weeks ahead; nan after the last week, and for a series not yet begun."""
    wide = np.pad(sums, ((0, 0), (0, horizon)), constant_values=np.nan)
    found = np.stack([wide[:, cuts + h] for h in range(horizon)], axis=2)
    return np.where((starts[:, None] < cuts[None, :])[:, :, None], found, np.nan)


def changes(sums: Floats, starts: Integers) -> Floats:
    """Mean change from week to week of each series: the unit of MASE; nan where there is none."""
    weeks = np.arange(1, sums.shape[1])
    live = weeks[None, :] > starts[:, None]
    changes = np.where(live, np.abs(np.diff(sums, axis=1)), 0.0).sum(axis=1)
    counts = live.sum(axis=1)
    return np.where(changes > 0, changes / np.maximum(counts, 1), np.nan)


def _share(learnt: Learnt | None, mean: Tried, scale: Floats) -> float:
    """The share of the model that would have served best at earlier weeks.

    The rest is the 4-week mean, moved by last year's season where there is one: whether a peak of
    the year comes again cannot be seen in the weeks before it.
    """
    if learnt is None:
        return 0.0
    places = learnt.places
    unit = scale[places, None, None]
    truth, plain = mean.truth[places], mean.forecast[places] * learnt.season_tried
    losses = np.array(
        [
            _mean(np.abs(truth - (share * learnt.tried + (1 - share) * plain)) / unit)
            for share in SHARES
        ]
    )
    if not np.isfinite(losses[0]) or losses.min() >= losses[0]:
        return 0.0
    return round(best_share(SHARES, losses), 3)


def _mean(values: Floats) -> float | np.float64:
    known = np.isfinite(values)
    return values[known].mean() if known.any() else np.nan


def _mixed(
    learnt: Learnt | None, share: float, usual: Floats, mean: Tried, horizon: int
) -> tuple[Floats, Tried]:
    """Each category's weeks ahead, and how the same mixture did at earlier weeks."""
    ahead = np.repeat(usual[:, None], horizon, axis=1)
    tried = mean.forecast.copy()
    if learnt is not None:
        places = learnt.places
        moved = tried[places] * learnt.season_tried
        ahead[places] = share * learnt.ahead + (1 - share) * ahead[places] * learnt.season
        mixture = share * learnt.tried + (1 - share) * moved
        tried[places] = np.where(np.isnan(learnt.tried), tried[places], mixture)
    return ahead, Tried(tried, mean.truth)


def _lines(
    table: Weekly,
    starts: Integers,
    ahead: Floats,
    tried: Tried,
    mean: Tried,
    usual: Floats,
    used: NDArray[np.bool_],
    learnt: Learnt | None,
) -> list[Line]:
    """Categories, departments and the total; the sums are those of the rounded numbers."""
    thousandths = np.rint(np.maximum(ahead, 0.0) * 10**DECIMALS).astype(np.int64)
    factors = _factors(learnt)
    restless = changes(table.sums, starts)
    wider = np.where(table.weeks - starts < SHORT, UNSEEN, 1.0)
    methods: list[Method] = ["model" if one else "mean" for one in used]
    lines = _group(
        "category", table.keys, methods, thousandths, tried, mean, usual, restless, wider, factors
    )
    above: list[tuple[str, Level, NDArray[np.bool_]]] = []
    if table.departments is not None:
        names = np.array(table.departments, dtype=object)
        above += [(name, "department", names == name) for name in sorted(set(table.departments))]
    if table.keys:
        above.append(("total", "total", np.ones(len(table.keys), dtype=bool)))
    if not above:
        return lines
    member = np.stack([mask for _, _, mask in above]).astype(np.int64)
    summed, plain = (
        Tried(_sums(member, one.forecast), _sums(member, one.truth)) for one in (tried, mean)
    )
    upper = _group(
        "department",
        [name for name, _, _ in above],
        ["sum"] * len(above),
        member @ thousandths,
        summed,
        plain,
        member @ usual,
        changes(member @ table.sums, np.zeros(len(above), dtype=np.int64)),
        np.ones(len(above)),
        {},
    )
    levels = [level for _, level, _ in above]
    return lines + [_at(line, level) for line, level in zip(upper, levels, strict=True)]


def _at(line: Line, level: Level) -> Line:
    if level == line.level:
        return line
    return Line(
        key=line.key,
        level=level,
        method=line.method,
        usual=line.usual,
        yhat=line.yhat,
        lo80=line.lo80,
        hi80=line.hi80,
        lo95=line.lo95,
        hi95=line.hi95,
        factors=line.factors,
    )


def _sums(member: Integers, values: Floats) -> Floats:
    """Sums by group; a series not yet begun counts as 0, a week that nobody knows stays nan."""
    unknown = np.isnan(values).min(axis=0)
    found = np.einsum("gk,kch->gch", member.astype(np.float64), np.nan_to_num(values))
    return np.where(unknown[None, :, :], np.nan, found)


def _factors(learnt: Learnt | None) -> dict[int, dict[str, tuple[float, ...]]]:
    if learnt is None:
        return {}
    return {
        int(key): {
            label: tuple(round(float(value), 4) for value in values[place])
            for label, values in learnt.factors.items()
        }
        for place, key in enumerate(learnt.places)
    }


def _group(
    level: Level,
    names: Sequence[str],
    methods: Sequence[Method],
    thousandths: Integers,
    tried: Tried,
    mean: Tried,
    usual: Floats,
    restless: Floats,
    wider: Floats,
    factors: Mapping[int, Mapping[str, tuple[float, ...]]],
) -> list[Line]:
    """Lines of one level; their misses are counted together."""
    if not names:
        return []
    ahead = thousandths / 10**DECIMALS
    plain = np.repeat(usual[:, None], ahead.shape[1], axis=1)
    found = ends(tried, mean, ahead, plain, restless) - ahead[:, :, None]
    # Who was hardly seen has at least the interval that mere chance makes.
    chance = (
        np.where(wider > 1, 1.0, 0.0)[:, None, None] * np.sqrt(ahead + 0.5)[:, :, None] * CHANCE
    )
    found = found * wider[:, None, None]
    found = np.where(CHANCE < 0, np.minimum(found, chance), np.maximum(found, chance))
    scaled = np.rint(found * 10**DECIMALS).astype(np.int64)
    lo95, lo80, hi80, hi95 = (thousandths + scaled[:, :, place] for place in range(4))
    lo80, hi80 = np.minimum(lo80, thousandths), np.maximum(hi80, thousandths)
    lo95, hi95 = np.minimum(lo95, lo80), np.maximum(hi95, hi80)
    lo80, lo95 = np.maximum(lo80, 0), np.maximum(lo95, 0)
    return [
        Line(
            key=name,
            level=level,
            method=methods[place],
            usual=round(float(usual[place]), DECIMALS),
            yhat=_numbers(thousandths[place]),
            lo80=_numbers(lo80[place]),
            hi80=_numbers(hi80[place]),
            lo95=_numbers(lo95[place]),
            hi95=_numbers(hi95[place]),
            factors=factors.get(place, {}),
        )
        for place, name in enumerate(names)
    ]


def _numbers(thousandths: Integers) -> tuple[float, ...]:
    return tuple(int(value) / 10**DECIMALS for value in thousandths)


def _quality(tried: Tried, mean: Tried, scale: Floats) -> Quality:
    """Of all categories; coverage is that of newer windows by the misses of older ones."""
    count = tried.truth.shape[1]
    unit = scale[:, None, None]
    mase = _mean(np.abs(tried.truth - tried.forecast) / unit)
    plain = _mean(np.abs(mean.truth - mean.forecast) / unit)
    if not np.isfinite(mase):
        return Quality(windows=count)
    inside: list[list[Floats]] = [[], []]
    for window, found in newer_ends(tried, mean, scale):
        truth = tried.truth[:, window]
        for place, (low, high, _) in enumerate(PAIRS):
            within = (truth >= found[..., low]) & (truth <= found[..., high])
            inside[place].append(np.where(np.isfinite(truth), within, np.nan))
    covered = [_covered(one) for one in inside]
    return Quality(count, round(float(mase), 4), round(float(plain), 4), covered[0], covered[1])


def _covered(inside: Sequence[Floats]) -> float | None:
    share = _mean(np.stack(inside)) if inside else np.nan
    return round(float(share), 4) if np.isfinite(share) else None


def _said(
    table: Weekly,
    starts: Integers,
    used: NDArray[np.bool_],
    why: str | None,
) -> list[Note]:
    """What a reader must know about the data behind the numbers."""
    notes = []
    ages = table.weeks - starts
    if not table.keys or not table.sums.any():
        notes.append(Note("nothing_sold", {}))
    young = int(((ages > 0) & (ages < SHORT)).sum())
    if young:
        notes.append(Note("short_series", {"keys": young, "weeks": SHORT}))
    slow = int(((ages >= SHORT) & ~used).sum())
    if why is None and slow:
        notes.append(Note("few_sales", {"keys": slow}))
    if why is not None and table.keys:
        notes.append(Note(why, {"weeks": table.weeks}))
    return notes
