"""The back-tests of demand and of recommendations, beside those of customers."""

from datetime import date, datetime, time, timedelta

import numpy as np

from services.scoring.backtest.data import Purchases
from services.scoring.backtest.pictures import Demand
from services.scoring.backtest.report import Other
from services.scoring.forecast.errors import ForecastError
from services.scoring.forecast.evaluate import Judged, evaluate, origins_of
from services.scoring.forecast.rows import forecast_rows, weekly_of

WINDOW = 28
CUTS = 2
WEEKS_SHOWN = 16
AHEAD = 4


def demand(purchases: Purchases, seed: int) -> Other:
    """Units by category and week, beside the 4-week mean."""
    try:
        table = weekly_of(purchases, _end(purchases), None)
        judged = evaluate("demand", table, origins_of(table, count=5), seed=seed)
    except ForecastError as error:
        return Other([str(error)], {"problem": error.code})
    if not judged:
        return Other(["The history is too short to judge a forecast by."], [])
    return Other([_demand(one) for one in judged], [one.as_json() for one in judged])


def _demand(one: Judged) -> str:
    return (
        f"{one.level} ({one.series} series, {one.origins} origins): MASE {one.mase}, "
        f"the 4-week mean's {one.mase_mean}, ratio {one.ratio}; "
        f"80 % covers {one.covered_80}, 95 % {one.covered_95}"
    )


def recommendations(purchases: Purchases, seed: int) -> Other:
    """Two lists, each beside what a sceptic would recommend."""
    from services.scoring.recommend.evaluate import evaluate as judge

    end = datetime.combine(_end(purchases), time())
    cuts = [end - timedelta(days=WINDOW * (index + 1)) for index in range(CUTS)]
    first: datetime = purchases.time[0].astype("datetime64[us]").item()
    cuts = [cut for cut in cuts if (cut - first).days >= WINDOW]
    lines, found = [], []
    for level, items in (("category", purchases.category), ("product", purchases.product)):
        if not cuts or not (items >= 0).any():
            continue
        for one in judge(purchases, cuts, level, seed=seed):
            lines.append(
                f"{one.level}, {one.list}: {one.metric} {one.value:.4f}, naive {one.naive:.4f}, "
                f"ratio {one.ratio:.3f} [{one.low:.3f}, {one.high:.3f}]"
            )
            found.append(one._asdict())
    if not lines:
        return Other(["There is nothing to judge them by."], [])
    return Other(lines, found)


def fan(purchases: Purchases, seed: int) -> Demand | None:
    """The category that sells most, forecast from four weeks before the end."""
    end = _end(purchases)
    origin = end - timedelta(days=7 * AHEAD)
    try:
        rows = forecast_rows(purchases, origin, horizon=2 * AHEAD, seed=seed)
        table = weekly_of(purchases, end, None)
    except ForecastError:
        return None
    if not rows or table.weeks <= AHEAD:
        return None
    sums = {key: float(table.sums[index].sum()) for index, key in enumerate(table.keys)}
    key = max({row.key for row in rows}, key=lambda name: (sums.get(name, 0.0), name))
    if key not in sums:
        return None
    weeks = table.sums[table.keys.index(key)][-WEEKS_SHOWN:]
    ours = [row for row in rows if row.key == key]
    bands = [
        np.array([getattr(row, name) for row in ours]) for name in ("lo80", "hi80", "lo95", "hi95")
    ]
    return Demand(key, weeks, np.array([row.yhat for row in ours]), bands, len(weeks) - AHEAD)


def _end(purchases: Purchases) -> date:
    """The day after the last."""
    last: date = purchases.time[-1].astype("datetime64[D]").item()
    return last + timedelta(days=1)
