"""Reliability, lift and the fan of a forecast, as PNG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.scoring.backtest.data import Floats, Mask
from services.scoring.backtest.errors import BacktestError
from services.scoring.backtest.measures import bins
from services.scoring.backtest.rolling import Trial

WIDE = (6.4, 4.8)
_TELL_NOTHING = {"Software": None}
"""So that the same figures make the same bytes."""


def draw(folder: Path, trials: Mapping[int, Sequence[Trial]], demand: "Demand | None") -> list[str]:
    """Names of the pictures written. Raises BacktestError where the folder cannot be made."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BacktestError(f"{folder} cannot be made: {error.strerror or error}.") from None
    written = []

    def save(name: str, figure: Any) -> None:
        figure.tight_layout()
        figure.savefig(folder / name, dpi=120, metadata=_TELL_NOTHING)
        plt.close(figure)
        written.append(name)

    for horizon, those in trials.items():
        truth = np.concatenate([one.came.churned[one.seen.active] for one in those])
        said = np.concatenate([one.told.churn[one.seen.active] for one in those])
        rule = np.concatenate([one.seen.table.column("n90")[one.seen.active] for one in those])
        if not len(truth) or truth.all() or not truth.any():
            continue
        figure, axes = plt.subplots(figsize=WIDE)
        _reliability(axes, truth, said, horizon)
        save(f"reliability_{horizon}.png", figure)
        figure, axes = plt.subplots(figsize=WIDE)
        _lift(axes, truth, {"model": said, "purchases in 90 days": -rule}, horizon)
        save(f"lift_{horizon}.png", figure)
    if demand is not None:
        figure, axes = plt.subplots(figsize=WIDE)
        demand.draw(axes)
        save("forecast_fan.png", figure)
    return written


def _reliability(axes: Any, truth: Mask, said: Floats, horizon: int) -> None:
    """What was said against what happened, in ten groups, each with its 95 % interval."""
    groups = bins(said)
    mean = np.array([said[rows].mean() for rows in groups])
    rate = np.array([truth[rows].mean() for rows in groups])
    size = np.array([len(rows) for rows in groups])
    error = 1.96 * np.sqrt(np.maximum(rate * (1 - rate), 0.25 / size) / size)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    axes.errorbar(mean, rate, yerr=error, fmt="o-", capsize=3, label="model")
    axes.set(
        xlabel="probability said",
        ylabel="share that did not buy",
        title=f"Churn within {horizon} days, active customers",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend()


def _lift(axes: Any, truth: Mask, scores: Mapping[str, Floats], horizon: int) -> None:
    """How many of those who left are among the first so many of the list."""
    share = np.arange(1, len(truth) + 1) / len(truth)
    for name, score in scores.items():
        order = np.argsort(-score, kind="stable")
        axes.plot(share, np.cumsum(truth[order]) / truth.sum(), label=name)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="at random")
    axes.set(
        xlabel="share of active customers, the likeliest to leave first",
        ylabel="share of those who left that is among them",
        title=f"Lift of churn within {horizon} days",
    )
    axes.legend()


@dataclass(frozen=True, slots=True)
class Demand:
    """The weeks before an origin, what was forecast from it, and what came."""

    key: str
    weeks: Floats
    """Until the end of what is known; those from index `origin` on were not known to the forecast."""
    ahead: Floats
    bands: Sequence[Floats]
    """lo80, hi80, lo95, hi95."""
    origin: int

    def draw(self, axes: Any) -> None:
        """Weeks are counted from the origin."""
        lo80, hi80, lo95, hi95 = self.bands
        known = np.arange(len(self.weeks)) - self.origin
        later = np.arange(len(self.ahead))
        axes.plot(known, self.weeks, color="black", linewidth=1, label="sold")
        axes.fill_between(later, lo95, hi95, alpha=0.2, color="tab:blue", label="95 %")
        axes.fill_between(later, lo80, hi80, alpha=0.35, color="tab:blue", label="80 %")
        axes.plot(later, self.ahead, color="tab:blue", label="forecast")
        axes.set(xlabel="weeks from the origin", ylabel="units", title=f"Demand: {self.key}")
        axes.legend()
