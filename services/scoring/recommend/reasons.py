"""Why an item is recommended. Every number in a reason is the customer's own or the shop's count."""

import numpy as np

from services.scoring.recommend import rhythm
from services.scoring.recommend.ease import contributions
from services.scoring.recommend.history import Histories
from services.scoring.recommend.log import RECENT
from services.scoring.recommend.model import Model
from services.scoring.recommend.view import Kind, Reason

SOON = 0.8
"""Share of the usual gap from which on it is due."""
LATE = 2.0
NAMED = 2
"""Items that a reason names."""


def again(model: Model, histories: Histories, item: int, today: int) -> Reason:
    """By the rhythm of one customer, the only one in `histories`, with the item."""
    pair = int(np.flatnonzero(histories.item == item)[0])
    since = today - int(histories.last[pair])
    times = int(histories.times[pair])
    every = max(1, round(float(np.exp(rhythm.usual_gap(histories, model.shelf)[pair]))))
    params = {"times": times, "since": since, "every": every}
    if times == 1:
        return Reason("bought_once", {"since": since, "every": every})
    if since > LATE * every:
        return Reason("long_ago", params)
    if since >= SOON * every:
        return Reason("due", params)
    return Reason("due_soon", params | {"until": max(1, every - since)})


def new(model: Model, histories: Histories, item: int, today: int) -> Reason:  # noqa: ARG001  (as `again`)
    """By what goes with it of the customer's items; else by its category; else by its buyers."""
    sources, _ = contributions(model.ease, item, histories.item)
    named = [model.catalogue.items[int(source)] for source in sources[:NAMED]]
    buyers = int(model.shelf.buyers56[item])
    if named:
        return Reason("goes_with", {"items": named, "buyers": buyers, "days": RECENT})
    category = int(model.catalogue.category[item])
    same = model.catalogue.category[histories.item] == category
    if category >= 0 and same.any():
        times = int(histories.times[same].sum())
        name = model.catalogue.categories[category]
        return Reason("category_bought", {"category": name, "times": times})
    return Reason("popular", {"buyers": buyers, "days": RECENT})


def kind(model: Model, histories: Histories, item: int) -> Kind:
    """Cross-sell, up-sell or variety, of an item that the customer never bought."""
    catalogue = model.catalogue
    category = int(catalogue.category[item])
    mine = histories.item[catalogue.category[histories.item] == category]
    if category < 0 or not mine.size:
        return "cross_sell"
    prices = catalogue.price[mine]
    usual = float(np.median(prices[~np.isnan(prices)])) if (~np.isnan(prices)).any() else np.nan
    return "up_sell" if catalogue.price[item] > usual else "variety"
