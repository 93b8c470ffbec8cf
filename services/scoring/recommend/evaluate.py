"""How good the lists are, beside what a sceptic would use instead. Nothing here is fitted to it.

For every cut: the lists of every customer with a purchase before it, held against what they bought
in the 28 days from it on; customers who bought nothing that a list could have named are left out.

- `again`: the items bought before, against the personal frequency (days with the item). The truth
  is everything that was bought in the window; of `again_known` only what they had bought before.
- `new`: the items never bought, against the popularity (buyers in the last 56 days) of what the
  customer never bought. The truth is what they bought for the first time.

The intervals are of the ratio to the naive, 95 %, from 1,000 draws of customers, each with all of
their cuts. Ties of the naive rankings go to the more popular item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np

from services.scoring.backtest.data import Purchases
from services.scoring.recommend.arrays import Floats, Ints, best, count, places
from services.scoring.recommend.fitting import DISCOUNT, fit_model
from services.scoring.recommend.history import Histories, histories_of
from services.scoring.recommend.model import HORIZON, Model, Scored, chunks, lists
from services.scoring.recommend.rows import LIMIT, log_at

DRAWS = 1_000
Judged = Literal["again", "again_known", "new"]


class Measure(NamedTuple):
    """One figure: the mean over customers and cuts, the naive one's, and the ratio."""

    level: str
    list: Judged
    metric: str
    """`recall@10` or `ndcg@10`."""
    value: float
    naive: float
    ratio: float
    low: float
    high: float
    judged: int
    """Lists: pairs of a customer and a cut."""


@dataclass(frozen=True, slots=True)
class _Gains:
    """One row per list judged: the customer's code; recall and ndcg of ours, then of the naive."""

    customer: Ints
    gains: Floats


def evaluate(
    purchases: Purchases,
    cuts: Sequence[datetime | np.datetime64],
    level: str,
    *,
    seed: int = 0,
) -> list[Measure]:
    """Figures over all cuts (naive moments in the shop's zone); empty where nothing can be judged."""
    found: dict[Judged, list[_Gains]] = {"again": [], "again_known": [], "new": []}
    for cut in cuts:
        for judged, gains in _at(purchases, cut, level, seed).items():
            found[judged].append(gains)
    return [
        measure for judged, parts in found.items() for measure in _measures(level, judged, parts)
    ]


def _at(
    purchases: Purchases, cut: datetime | np.datetime64, level: str, seed: int
) -> dict[Judged, _Gains]:
    log, today = log_at(purchases, cut, level)
    if not len(log):
        return {}
    model = fit_model(log, today, seed=seed)
    histories = histories_of(log)
    again, new, frequency, popularity = _lists(model, histories, today)
    truth = _truth(purchases, cut, level, log.code, model)
    size = _width(model, purchases, level)
    past = histories.customer * size + histories.item
    known = np.isin(truth, past)
    kinds: dict[Judged, tuple[Ints, Scored, Scored]] = {
        "again": (truth, again, frequency),
        "again_known": (truth[known], again, frequency),
        "new": (truth[~known], new, popularity),
    }
    return {
        judged: _gains(wanted, (ours, naive), size, log.code)
        for judged, (wanted, ours, naive) in kinds.items()
    }


def _width(model: Model, purchases: Purchases, level: str) -> int:
    """More than any item's number: the catalogue's, then those that nobody had bought yet."""
    names = purchases.products if level == "product" else purchases.categories
    return len(model.catalogue) + len(names)


def _truth(
    purchases: Purchases,
    cut: datetime | np.datetime64,
    level: str,
    code: Ints,
    model: Model,
) -> Ints:
    """customer * width + item of what was bought in the window, ascending."""
    moment = np.datetime64(cut).astype("datetime64[us]")
    names = purchases.products if level == "product" else purchases.categories
    item = purchases.product if level == "product" else purchases.category
    within = (purchases.time >= moment) & (purchases.time < moment + np.timedelta64(HORIZON, "D"))
    chosen = within & purchases.is_purchase & (item >= 0) & np.isin(purchases.customer, code)
    index = {name: number for number, name in enumerate(model.catalogue.items)}
    unseen = len(model.catalogue)
    number = np.array(
        [index.get(name, unseen + place) for place, name in enumerate(names)], dtype=np.int64
    )
    by_code = np.argsort(code)
    customer = by_code[np.searchsorted(code[by_code], purchases.customer[chosen])]
    return np.unique(customer * _width(model, purchases, level) + number[item[chosen]])


def _lists(model: Model, histories: Histories, today: int) -> tuple[Scored, Scored, Scored, Scored]:
    """Ours, and the two naive ones."""
    parts: list[tuple[Scored, ...]] = []
    for start, some in chunks(histories):
        four = (*lists(model, some, today, LIMIT), _frequency(some), _popularity(model, some))
        parts.append(
            tuple(Scored(one.customer + start, one.item, one.score, one.chance) for one in four)
        )
    again, new, frequency, popularity = (
        Scored(*(np.concatenate([getattr(part[n], name) for part in parts]) for name in _COLUMNS))
        for n in range(4)
    )
    return again, new, frequency, popularity


_COLUMNS = ("customer", "item", "score", "chance")


def _frequency(some: Histories) -> Scored:
    times = some.times.astype(np.float64)
    return Scored(some.customer, some.item, times, times).top(LIMIT)


def _popularity(model: Model, some: Histories) -> Scored:
    """The catalogue is in the order of popularity: the first ten that a customer never bought."""
    most = int(np.bincount(some.customer, minlength=1).max(initial=0)) + LIMIT
    width = min(most, len(model.catalogue))
    has = np.zeros((some.customers, width), dtype=np.bool_)
    near = some.item < width
    has[some.customer[near], some.item[near]] = True
    customer, item = np.nonzero(~has)
    buyers = model.shelf.buyers56[item]
    chosen = best(customer, buyers, item, LIMIT)
    return Scored(customer[chosen], item[chosen], buyers[chosen], buyers[chosen])


def _gains(wanted: Ints, found: tuple[Scored, Scored], size: int, code: Ints) -> _Gains:
    customers = len(code)
    want = count(wanted // size, customers)
    judged = want > 0
    ideal = np.cumsum(DISCOUNT)[np.minimum(want[judged], LIMIT).astype(np.int64) - 1]
    columns = []
    for one in found:
        hit = np.isin(one.customer * size + one.item, wanted)
        at = places(one.customer)[hit]
        columns.append(count(one.customer[hit], customers)[judged] / want[judged])
        columns.append(count(one.customer[hit], customers, DISCOUNT[at])[judged] / ideal)
    return _Gains(code[judged], np.column_stack(columns))


def _measures(level: str, judged: Judged, parts: Sequence[_Gains]) -> list[Measure]:
    if not sum(len(part.customer) for part in parts):
        return []
    customer = np.concatenate([part.customer for part in parts])
    gains = np.concatenate([part.gains for part in parts])
    _, who = np.unique(customer, return_inverse=True)
    people = int(who.max()) + 1
    totals = np.column_stack([count(who, people, column) for column in gains.T])
    random = np.random.default_rng(0)
    drawn = np.stack(
        [
            np.bincount(random.integers(people, size=people), minlength=people) @ totals
            for _ in range(DRAWS)
        ]
    )
    mean = gains.mean(axis=0)
    measures = []
    for column, metric in enumerate((f"recall@{LIMIT}", f"ndcg@{LIMIT}")):
        ours, naive = drawn[:, column], drawn[:, column + 2]
        ratios = ours / np.where(naive > 0, naive, np.nan)
        low, high = (
            np.nanquantile(ratios, (0.025, 0.975)) if (naive > 0).any() else (np.nan, np.nan)
        )
        ratio = float(mean[column] / mean[column + 2]) if mean[column + 2] > 0 else float("nan")
        measures.append(
            Measure(
                level=level,
                list=judged,
                metric=metric,
                value=float(mean[column]),
                naive=float(mean[column + 2]),
                ratio=ratio,
                low=float(low),
                high=float(high),
                judged=len(customer),
            )
        )
    return measures


def text(measures: Sequence[Measure]) -> str:
    """One line a figure."""
    return "\n".join(
        f"{one.level:<9} {one.list:<12} {one.metric:<10} {one.value:.4f} (naive {one.naive:.4f})"
        f"  ratio {one.ratio:.3f} [{one.low:.3f}, {one.high:.3f}]  {one.judged:,} lists"
        for one in measures
    )
