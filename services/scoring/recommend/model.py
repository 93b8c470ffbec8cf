"""The trained model as a value, and the two lists of many customers at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.scoring.recommend import affinity, rhythm
from services.scoring.recommend.arrays import Floats, Ints, Mask, best
from services.scoring.recommend.ease import Ease
from services.scoring.recommend.history import Histories
from services.scoring.recommend.log import Catalogue
from services.scoring.recommend.network import Network
from services.scoring.recommend.shelf import Shelf
from services.scoring.recommend.together import Together

HORIZON = 28
"""Days ahead that the lists are for."""
JUST = 1 / 3
"""Share of the usual gap up to which an item was just bought."""
CHUNK = 256
"""Customers scored at a time: memory stays bounded."""
POPULAR = 200
"""Items that customers are offered by popularity where EASE has too few for them."""

AgainBy = Literal["frequency", "decay", "network"]
NewBy = Literal["popularity", "ease", "network"]
AGAIN_BY: tuple[AgainBy, ...] = ("frequency", "decay", "network")
NEW_BY: tuple[NewBy, ...] = ("popularity", "ease", "network")
"""From the plainest on: what comes first wins a draw."""
READS_FIT = ("ease", "network")
"""Those that need to know how items fit a customer."""


@dataclass(frozen=True, slots=True)
class Model:
    """All that is needed to recommend. `today`: the morning that it knows everything before."""

    today: int
    catalogue: Catalogue
    shelf: Shelf
    ease: Ease
    together: Together
    again_by: AgainBy
    new_by: NewBy
    again: Network | None
    new: Network | None
    quality: dict[str, float]
    """ndcg@10 of what was tried on the last closed 28 days; empty where there were too few."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Customers' items with scores, by customer. `chance` is of a purchase within 28 days, nan
    where nothing was trained."""

    customer: Ints
    item: Ints
    score: Floats
    chance: Floats

    def top(self, limit: int) -> "Scored":
        """The best of each customer, best first."""
        chosen = best(self.customer, self.score, self.item, limit)
        return Scored(
            self.customer[chosen], self.item[chosen], self.score[chosen], self.chance[chosen]
        )


def chunks(histories: Histories) -> Iterator[tuple[int, Histories]]:
    """Some customers at a time, with the number of the first."""
    for start in range(0, histories.customers, CHUNK):
        yield start, histories.some(start, start + CHUNK)


def score_again(model: Model, histories: Histories, fit: affinity.Fit | None, today: int) -> Scored:
    """Every item that each customer bought."""
    times = histories.times.astype(np.float64)
    if model.again_by == "network" and model.again is not None:
        assert fit is not None, "the network reads how items fit"
        fits = affinity.of_pairs(fit, model.ease, histories)
        logits = model.again.logits(rhythm.features(histories, model.shelf, today, fits))
        score, chance = logits, probability(logits)
    else:
        by_decay = model.again_by == "decay"
        score = rhythm.decayed(histories, today) if by_decay else times
        chance = np.full(len(times), np.nan)
    return Scored(histories.customer, histories.item, score, chance)


def score_new(
    model: Model,
    histories: Histories,
    fit: affinity.Fit | None,
    today: int,
    barred: Mask | None = None,
) -> Scored:
    """The most promising items that each customer never bought; `barred`: (customers, items)."""
    if model.new_by == "popularity":
        return _popular(model, histories, barred)
    assert fit is not None, "only popularity does without"
    members = None if barred is None else barred[:, model.ease.members]
    found = affinity.candidates(fit, model.ease, model.shelf, members)
    if model.new_by == "network" and model.new is not None:
        table = affinity.features(found, histories, model.shelf, model.catalogue.category, today)
        logits = model.new.logits(table)
        return Scored(found.customer, found.item, logits, probability(logits))
    return Scored(found.customer, found.item, found.crude, np.full(len(found), np.nan))


def _popular(model: Model, histories: Histories, barred: Mask | None) -> Scored:
    """By buyers in the last 56 days."""
    most = int(np.bincount(histories.customer, minlength=1).max(initial=0))
    width = min(len(model.catalogue), POPULAR + most)
    out = np.zeros((histories.customers, width), dtype=np.bool_)
    near = histories.item < width
    out[histories.customer[near], histories.item[near]] = True
    if barred is not None:
        out |= barred[:, :width]
    customer, item = np.nonzero(~out)
    buyers = model.shelf.buyers56[item]
    return Scored(customer, item, buyers, np.full(len(item), np.nan))


def probability(logits: Floats) -> Floats:
    """The logistic function, safe for any input."""
    value: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
    return value


def just_bought(model: Model, histories: Histories, today: int) -> Mask:
    """Pairs that are on no list: bought on this very day; or, by the customer's rhythm with the item, less
    than a third of the usual gap is over and they will not need it within the horizon."""
    gap = np.exp(rhythm.usual_gap(histories, model.shelf))
    since = (today - histories.last).astype(np.float64)
    settled = (since < gap * JUST) & (gap - since > HORIZON)
    return np.asarray(settled | (since < 1), dtype=np.bool_)


def lists(
    model: Model, histories: Histories, today: int, limit: int, barred: Mask | None = None
) -> tuple[Scored, Scored]:
    """Both lists of customers, at most CHUNK of them; `barred` (customers, items) on neither."""
    fit = affinity.fit_of(histories, model.ease, today)
    again = score_again(model, histories, fit, today)
    keep = ~just_bought(model, histories, today)
    if barred is not None:
        keep &= ~barred[again.customer, again.item]
    again = Scored(again.customer[keep], again.item[keep], again.score[keep], again.chance[keep])
    new = score_new(model, histories, fit, today, barred)
    return again.top(limit), new.top(limit)
