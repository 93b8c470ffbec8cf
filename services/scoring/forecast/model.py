"""One gradient boosting over all categories: mlforecast makes the features and the windows of its
own back-test, LightGBM learns.

For each week ahead one model of its own (so nothing forecast is fed back). What it learns is the
logarithm of next units over the mean of the last 8 weeks: a small and a large category then look
alike, and no forecast is negative.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import lightgbm
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean, RollingStd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin  # type: ignore[import-untyped]

from services.scoring.forecast.panel import (
    LAGS,
    ROWS_A_SERIES,
    YEAR_NEEDS,
    Floats,
    Integers,
    Learnt,
    Panel,
    windows,
)

YEAR = 52
LEVEL = "rolling_mean_lag1_window_size8"
TREES = 120
FLOOR = 0.02
"""A week without sales is learnt as this share of the level: a logarithm needs one."""
HALF = 20.0
"""Units a week at which a category weighs half: few units are mostly chance."""
TRAINED_EVERY = 4
MOST_ROWS = 150_000
MOST_KEYS = 1_000


def learn(panel: Panel, seed: int) -> Learnt | None:
    """Train and try. None where nothing can be learnt: too few weeks, or only dead series."""
    cuts = windows(panel.weeks, panel.horizon)
    places = _worth(panel)
    if len(cuts) < 2 or not places.size:
        return None
    first = max(0, panel.weeks - max(60, MOST_ROWS // len(places)))
    columns, by_horizon = _regressors(panel, places)
    frame = _frame(panel, places, columns, first)
    made: dict[str, Any] = {
        "static_features": ["department"],
        "max_horizon": panel.horizon,
        "horizon_features": by_horizon,
    }
    tried, season_tried = _try(panel, places, frame, columns, cuts, made, seed)
    forecaster = _forecaster(panel, seed).fit(frame, **made)
    seen: list[pd.DataFrame] = []

    def keep(features: pd.DataFrame) -> pd.DataFrame:
        seen.append(features.copy())
        return features

    predicted = forecaster.predict(
        panel.horizon,
        X_df=_future(columns, range(len(places)), panel.weeks, panel.horizon),
        before_predict_callback=keep,
    )
    estimators = list(forecaster.models_["units"].values())
    shape = (len(places), panel.horizon)
    names = [signal.name for signal in panel.signals]
    return Learnt(
        places=places,
        ahead=predicted["units"].to_numpy().reshape(shape),
        tried=tried,
        season=_seasonal(estimators, columns, np.arange(len(places)), panel.weeks),
        season_tried=season_tried,
        factors=_factors(estimators, seen, by_horizon, names),
        importance=_importance(estimators, names),
    )


def _try(
    panel: Panel,
    places: NDArray[np.intp],
    frame: pd.DataFrame,
    columns: Mapping[str, Floats],
    cuts: Integers,
    made: Mapping[str, Any],
    seed: int,
) -> tuple[Floats, Floats]:
    """What would have been forecast at earlier weeks, and its season: keys x cuts x weeks ahead.

    A model is trained at every fourth cut and serves the three after it, as it would have.
    """
    tried = np.full((len(places), len(cuts), panel.horizon), np.nan)
    season = np.ones_like(tried)
    forecaster = _forecaster(panel, seed)
    old: NDArray[np.intp] = np.empty(0, dtype=np.intp)
    for window, cut in enumerate(cuts.tolist()):
        if window % TRAINED_EVERY == 0:
            old = np.flatnonzero(panel.starts[places] <= cut - LAGS - ROWS_A_SERIES)
        if not old.size:
            continue
        known = frame[(frame["ds"] < cut) & frame["unique_id"].isin(old)]
        if window % TRAINED_EVERY == 0:
            forecaster.fit(known, **made)
        found = forecaster.predict(
            panel.horizon, X_df=_future(columns, old.tolist(), cut, panel.horizon), new_df=known
        )
        tried[old, window] = found["units"].to_numpy().reshape(len(old), panel.horizon)
        estimators = list(forecaster.models_["units"].values())
        season[old, window] = _seasonal(estimators, columns, old, cut)
    return tried, season


def _seasonal(
    estimators: Sequence["Relative"],
    columns: Mapping[str, Floats],
    places: NDArray[np.intp],
    cut: int,
) -> Floats:
    """What last year multiplies the level at `cut` with: keys x weeks ahead."""
    logs = np.zeros((len(places), len(estimators)))
    for week, estimator in enumerate(estimators):
        for name, follow in zip(estimator.names_, estimator.season_, strict=True):
            if follow > 0:
                logs[:, week] += follow * columns[name][places, cut + week]
    return np.exp(logs)


def _worth(panel: Panel) -> NDArray[np.intp]:
    """Keys that sell at least a unit a week, long enough; the largest, if there are too many."""
    level = panel.sums[:, -LAGS:].mean(axis=1) if panel.weeks else np.zeros(len(panel.sums))
    old = panel.weeks - panel.starts >= LAGS + panel.horizon
    places = np.flatnonzero(old & (level >= 1.0))
    largest = places[np.argsort(-level[places], kind="stable")][:MOST_KEYS]
    return np.sort(largest)


def _forecaster(panel: Panel, seed: int) -> MLForecast:
    kinds: list[dict[str, Any]] = [{"global_": True}]
    if panel.departments is not None:
        kinds.append({"groupby": ["department"]})
    transforms: list[Any] = [
        RollingMean(2),
        RollingMean(4),
        RollingMean(LAGS),
        RollingMean(26, min_samples=LAGS),
        RollingStd(LAGS),
    ]
    for kind in kinds:
        transforms += [RollingMean(size, **kind) for size in (1, 4, LAGS)]
    return MLForecast(
        models={"units": Relative(seed)},
        freq=1,
        lags=list(range(1, LAGS + 1)),
        lag_transforms={1: transforms},
        num_threads=1,
    )


def _frame(
    panel: Panel, places: NDArray[np.intp], columns: Mapping[str, Floats], first: int
) -> pd.DataFrame:
    """The long table that mlforecast reads; a series begins with its first sale."""
    weeks = panel.weeks
    ids = np.repeat(np.arange(len(places)), weeks)
    times = np.tile(np.arange(weeks), len(places))
    groups = panel.departments if panel.departments is not None else np.zeros(len(panel.sums))
    frame = pd.DataFrame(
        {
            "unique_id": ids,
            "ds": times,
            "y": panel.sums[places].ravel(),
            "department": np.repeat(groups[places].astype(np.int64), weeks),
            **{name: values[:, :weeks].ravel() for name, values in columns.items()},
        }
    )
    kept = times >= np.maximum(np.repeat(panel.starts[places], weeks), first)
    return frame[kept].reset_index(drop=True)


def _future(
    columns: Mapping[str, Floats], ids: Sequence[int], cut: int, horizon: int
) -> pd.DataFrame | None:
    """What is known of the weeks after `cut`."""
    if not columns:
        return None
    weeks = np.arange(cut, cut + horizon)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.asarray(ids), horizon),
            "ds": np.tile(weeks, len(ids)),
            **{name: values[ids][:, weeks].ravel() for name, values in columns.items()},
        }
    )


def _regressors(
    panel: Panel, places: NDArray[np.intp]
) -> tuple[dict[str, Floats], dict[int, list[str]] | None]:
    """Columns (keys x weeks and weeks ahead) and which of them each week ahead may read.

    Column `..._h3` of a week says what was known three weeks before it.
    """
    span = panel.weeks + panel.horizon
    columns: dict[str, Floats] = {}
    by_horizon: dict[int, list[str]] = {h: [] for h in range(1, panel.horizon + 1)}

    def add(name: str, values: Floats, horizons: Sequence[int]) -> None:
        columns[name] = values
        for h in horizons:
            by_horizon[h].append(name)

    everything = range(1, panel.horizon + 1)
    if panel.holidays is not None:
        around = np.concatenate(([0.0], panel.holidays))
        for name, shift in (("holiday_before", 0), ("holiday", 1), ("holiday_after", 2)):
            values = around[shift : shift + span]
            add(name, np.tile(values, (len(places), 1)), everything)
    if panel.weeks >= YEAR_NEEDS:
        own, everybody = panel.sums[places], panel.sums.sum(axis=0, keepdims=True)
        for h in everything:
            add(f"year_h{h}", _last_year(own, h, panel.horizon), [h])
            total = _last_year(everybody, h, panel.horizon)
            add(f"year_all_h{h}", np.tile(total, (len(places), 1)), [h])
    for place, signal in enumerate(panel.signals):
        values = signal.levels[places]
        reached = range(1, min(signal.known, panel.horizon) + 1)
        add(f"s{place}", values, reached)
        for h in reached:
            add(f"s{place}_change_h{h}", values - _mean_before(values, h, LAGS), [h])
            add(f"s{place}_last_h{h}", values - _mean_before(values, h, 1), [h])
    return columns, by_horizon if columns else None


def _mean_before(values: Floats, h: int, weeks: int) -> Floats:
    """For each week, the mean of the last `weeks` weeks that were over `h` weeks before its end."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    stop = np.maximum(np.arange(values.shape[1]) - h + 1, 0)
    start = np.maximum(stop - weeks, 0)
    means: Floats = (sums[:, stop] - sums[:, start]) / np.maximum(stop - start, 1)
    return means


def _last_year(sums: Floats, h: int, horizon: int) -> Floats:
    """Logarithm of last year's week (with its neighbours) over the level before it; 0 unknown."""
    wide = np.pad(sums, ((0, 0), (0, horizon)))
    weeks = np.arange(wide.shape[1])
    around = np.stack([wide[:, np.maximum(weeks - YEAR + shift, 0)] for shift in (-1, 0, 0, 1)])
    level = _mean_before(wide, h, LAGS)[:, np.maximum(weeks - YEAR, 0)]
    ratio = np.log((around.mean(axis=0) + 1) / (level + 1))
    return np.where(weeks >= YEAR + LAGS + h, np.clip(ratio, -2, 2), 0.0)


class Relative(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """LightGBM on features and target as shares of the level of the last 8 weeks."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, features: pd.DataFrame, target: Any) -> Self:
        values, level, names = relative(features)
        units = np.asarray(target, dtype=np.float64)
        logs = np.clip(np.log(np.maximum(units / level, FLOOR)), -3, 3)
        weight = level / (level + HALF)
        self.season_ = _season(values, names, logs, weight)
        offset = values @ self.season_
        self.explained_ = float((weight * (logs**2 - (logs - offset) ** 2)).sum())
        data = lightgbm.Dataset(
            values, logs - offset, weight=weight, feature_name=names, free_raw_data=True
        )
        self.names_ = names
        self.booster_ = lightgbm.train(
            {
                "objective": "l2",
                "learning_rate": 0.05,
                "num_leaves": 10,
                "min_data_in_leaf": int(np.clip(len(logs) // 20, 5, 50)),
                "bagging_fraction": 0.7,
                "bagging_freq": 1,
                "feature_fraction": 0.3,
                "lambda_l2": 5.0,
                "num_threads": 1,
                "seed": self.seed,
                "deterministic": True,
                "force_row_wise": True,
                "verbose": -1,
            },
            data,
            TREES,
        )
        return self

    def predict(self, features: pd.DataFrame) -> Floats:
        values, level, _ = relative(features)
        logs = np.asarray(self.booster_.predict(values, num_threads=1))
        return np.exp(logs + values @ self.season_) * level

    def explain(self, features: pd.DataFrame) -> Floats:
        """What each feature, and at last the average, adds to the logarithm: rows x features + 1."""
        values, _, _ = relative(features)
        found = np.asarray(self.booster_.predict(values, num_threads=1, pred_contrib=True))
        found[:, :-1] += values * self.season_
        return found

    def gains(self) -> Floats:
        found = np.asarray(self.booster_.feature_importance("gain"), dtype=np.float64)
        if self.season_.any():
            found[int(self.season_.argmax())] += max(0.0, self.explained_)
        return found


def _season(values: Floats, names: Sequence[str], logs: Floats, weight: Floats) -> Floats:
    """How far to follow last year, between not at all (0) and wholly (1): a weight per feature.

    A peak of a few weeks was seen once or twice: too few rows for a tree, enough for two numbers.
    """
    found = np.zeros(len(names))
    places = [place for place, name in enumerate(names) if name.startswith("year_")]
    if places:
        chosen = values[:, places]
        weighed = chosen * weight[:, None]
        ridge = chosen.T @ weighed + np.eye(len(places))
        found[places] = np.clip(np.linalg.solve(ridge, weighed.T @ logs), 0, 1)
    return found


def relative(features: pd.DataFrame) -> tuple[Floats, Floats, list[str]]:
    """Features without a scale, the level in units a week, and the features' names."""
    level = np.maximum(features[LEVEL].to_numpy(dtype=np.float64), 1e-9)
    made: dict[str, Floats] = {"level": np.log(level)}
    for name in features.columns:
        if name in {"department", LEVEL, "unique_id"} or name.endswith(f"lag1_window_size{LAGS}"):
            continue
        values = features[name].to_numpy(dtype=np.float64)
        if name.startswith(("global_", "groupby_")):
            kind = "global_" if name.startswith("global_") else "groupby_department_"
            values = values / np.maximum(features[kind + LEVEL].to_numpy(np.float64), 1e-9)
        elif name.startswith(("lag", "rolling")):
            values = values / level
        made[name] = values
    made["spread"] = features[f"rolling_std_lag1_window_size{LAGS}"].to_numpy(np.float64) / level
    return np.stack(list(made.values()), axis=1), level, list(made)


def cause(feature: str, signals: Sequence[str]) -> str:
    """What a person would call the cause: rhythm, season, holidays, or the name of a series."""
    if found := re.match(r"s(\d+)(_|$)", feature):
        return "signal:" + signals[int(found.group(1))]
    if feature.startswith("year_"):
        return "season"
    return "holidays" if feature.startswith("holiday") else "rhythm"


def _factors(
    estimators: Sequence[Relative],
    seen: Sequence[pd.DataFrame],
    by_horizon: Mapping[int, Sequence[str]] | None,
    signals: Sequence[str],
) -> dict[str, Floats]:
    """Cause -> keys x weeks ahead: what it multiplies the level with (1: nothing)."""
    logs: dict[str, Floats] = {}
    for week, (estimator, features) in enumerate(zip(estimators, seen, strict=True)):
        if by_horizon is not None:
            other = {name for names in by_horizon.values() for name in names}
            own = set(by_horizon[week + 1])
            kept = [name for name in features.columns if name in own or name not in other]
            parts = estimator.explain(features[kept])
        else:
            parts = estimator.explain(features)
        for place, name in enumerate([*estimator.names_, "average"]):
            label = cause(name, signals)
            if label not in logs:
                logs[label] = np.zeros((len(features), len(estimators)))
            logs[label][:, week] += parts[:, place]
    return {label: np.exp(values) for label, values in sorted(logs.items())}


def _importance(estimators: Sequence[Relative], signals: Sequence[str]) -> dict[str, float]:
    gains: dict[str, float] = {}
    for estimator in estimators:
        for name, gain in zip(estimator.names_, estimator.gains(), strict=True):
            label = cause(name, signals)
            gains[label] = gains.get(label, 0.0) + float(gain)
    total = sum(gains.values()) or 1.0
    return {label: round(gain / total, 4) for label, gain in sorted(gains.items())}
