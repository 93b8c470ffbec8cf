"""Whom to offer each item to: the other side of everybody's lists, all items at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from services.scoring.recommend import affinity
from services.scoring.recommend.arrays import Floats, Ints, Mask, best
from services.scoring.recommend.history import Histories
from services.scoring.recommend.model import (
    Model,
    Scored,
    chunks,
    just_bought,
    score_again,
    score_new,
)

KEPT = 200
"""Customers kept of each item."""
MOST_AT_ONCE = 2_000_000
"""Pairs of item and customer above which the worse ones are let go of."""


class Offered(NamedTuple):
    """Columns, by item and then the likeliest customer first."""

    item: Ints
    customer: Ints
    """Place in the histories."""
    is_new: Mask
    score: Floats
    chance: Floats
    """nan where nothing was trained."""


def audiences(model: Model, histories: Histories, today: int, kept: int = KEPT) -> Offered:
    """The likeliest customers of every item; who just bought it is left out. Ties go to the smaller
    number of the customer."""
    parts: list[Offered] = []
    size = 0
    for start, some in chunks(histories):
        for part in _of(model, some, today, start):
            parts.append(part)
            size += len(part.item)
        if size > MOST_AT_ONCE:
            parts = [_best(parts, kept)]
            size = len(parts[0].item)
    return _best(parts, kept)


def _of(model: Model, some: Histories, today: int, start: int) -> Iterator[Offered]:
    fit = affinity.fit_of(some, model.ease, today)
    again = score_again(model, some, fit, today)
    yield _offered(again, ~just_bought(model, some, today), start, is_new=False)
    new = score_new(model, some, fit, today)
    yield _offered(new, np.ones(len(new.item), dtype=np.bool_), start, is_new=True)


def _offered(scored: Scored, chosen: Mask, start: int, *, is_new: bool) -> Offered:
    """By chance where there is one; without, who bought it before stands first."""
    score, chance = scored.score[chosen], scored.chance[chosen]
    crude = np.maximum(score, 0.0)
    value = np.where(np.isnan(chance), crude / (1.0 + crude) + (not is_new), chance)
    return Offered(
        scored.item[chosen],
        scored.customer[chosen] + start,
        np.full(len(score), is_new),
        value,
        chance,
    )


def _best(parts: list[Offered], kept: int) -> Offered:
    if not parts:
        nobody = np.empty(0, dtype=np.int64)
        return Offered(nobody, nobody, np.empty(0, dtype=np.bool_), np.empty(0), np.empty(0))
    whole = Offered(
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.customer for part in parts]),
        np.concatenate([part.is_new for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.chance for part in parts]),
    )
    order = best(whole.item, whole.score, whole.customer, kept)
    return Offered(
        whole.item[order],
        whole.customer[order],
        whole.is_new[order],
        whole.score[order],
        whole.chance[order],
    )
