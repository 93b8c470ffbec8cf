"""Features of what a customer has not bought yet: how well it goes with what they bought."""

from dataclasses import dataclass

import numpy as np

from services.scoring.recommend.arrays import Floats, Ints, Mask, count
from services.scoring.recommend.ease import Ease, bought
from services.scoring.recommend.history import Histories
from services.scoring.recommend.shelf import Shelf

CANDIDATES = 100
"""Unbought items of each customer that are looked at closely."""
MEMORY = 84.0
LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the members of EASE fit each customer: (customers, members)."""

    plain: Floats
    """By bought or not."""
    fresh: Floats
    """By how often and how lately."""
    has: Mask


def fit_of(histories: Histories, ease: Ease, today: int) -> Fit:
    """Scores of all members for all customers."""
    age = (today - histories.last).astype(np.float64)
    lively = np.log1p(histories.times) * np.exp(-age / MEMORY) + 0.1
    once = bought(histories, ease.members, np.ones(len(histories.item)))
    weights = ease.matrix().T
    return Fit(
        plain=(once @ weights).toarray(),
        fresh=(bought(histories, ease.members, lively) @ weights).toarray(),
        has=once.toarray() > 0,
    )


def of_pairs(fit: Fit, ease: Ease, histories: Histories) -> tuple[Floats, Floats]:
    """The two scores of what each customer bought already; 0 for items outside of EASE."""
    place = ease.positions(histories.item)
    inside = place >= 0
    found = []
    for scores in (fit.plain, fit.fresh):
        of_pair = np.zeros(len(place))
        of_pair[inside] = scores[histories.customer[inside], place[inside]]
        found.append(of_pair)
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Unbought items of customers, by customer and then by `crude`, the best first."""

    customer: Ints
    item: Ints
    crude: Floats
    """EASE times the root of the recent first-time buyers: a formula that needs no training."""
    plain: Floats
    fresh: Floats

    def __len__(self) -> int:
        return len(self.item)


def candidates(fit: Fit, ease: Ease, shelf: Shelf, barred: Mask | None = None) -> Candidates:
    """The most promising unbought members; `barred` (customers, members) are left out."""
    customers, members = fit.plain.shape
    out = fit.has if barred is None else fit.has | barred
    lure = np.sqrt(shelf.fresh56[ease.members] + 1.0)
    crude = np.where(out, -np.inf, np.round(np.maximum(fit.plain, LEAST) * lure, 10))
    # Members ascend in popularity's order, and a stable sort keeps it among equals.
    limit = min(CANDIDATES, members)
    top = np.argsort(-crude, axis=1, kind="stable")[:, :limit]
    customer = np.repeat(np.arange(customers), limit)
    place = top.ravel()
    chosen = np.isfinite(crude[customer, place])
    customer, place = customer[chosen], place[chosen]
    return Candidates(
        customer=customer,
        item=ease.members[place],
        crude=crude[customer, place],
        plain=fit.plain[customer, place],
        fresh=fit.fresh[customer, place],
    )


def features(
    found: Candidates, histories: Histories, shelf: Shelf, category: Ints, today: int
) -> Floats:
    """(candidates, features)."""
    customer, item = found.customer, found.item
    customers = histories.customers
    fits, lately = (np.log(np.maximum(scores, LEAST)) for scores in (found.plain, found.fresh))
    size = np.log1p(count(histories.customer, customers)[customer])
    fresh56, sold56 = np.log1p(shelf.fresh56[item]), np.log1p(shelf.sold56[item])
    buyers = np.log1p(shelf.buyers[item])
    visits = count(histories.visitor, customers, today - histories.visit <= 28)
    tried = count(histories.customer, customers, histories.first >= today - 28)
    columns = [
        np.log(found.crude),
        fits,
        found.plain,
        lately,
        fits - size,
        fits - buyers,
        fresh56,
        np.log1p(shelf.fresh28[item]) - fresh56,
        sold56,
        np.log1p(shelf.buyers56[item]),
        np.log1p(shelf.sold28[item]) - sold56,
        buyers,
        np.log((shelf.fresh56[item] + 1.0) / (shelf.customers - shelf.buyers[item] + 20.0)),
        np.log1p(histories.visits.astype(np.float64))[customer],
        np.log1p(visits)[customer],
        size,
        np.log1p(tried)[customer],
    ]
    if (category >= 0).any():
        columns += _by_category(found, histories, shelf, category, today)
    return np.column_stack(columns)


def _by_category(
    found: Candidates, histories: Histories, shelf: Shelf, category: Ints, today: int
) -> list[Floats]:
    """What the customer bought of the candidate's category."""
    # Items without a category are one category of their own.
    kind = np.where(category < 0, category.max() + 1, category)
    kinds = int(kind.max()) + 1
    keys, group = np.unique(histories.customer * kinds + kind[histories.item], return_inverse=True)
    size = len(keys)
    wanted = found.customer * kinds + kind[found.item]
    place = np.minimum(np.searchsorted(keys, wanted), max(size - 1, 0))
    known = keys[place] == wanted if size else np.zeros(len(wanted), dtype=np.bool_)
    times = histories.times.astype(np.float64)
    age = (today - histories.last).astype(np.float64)
    latest = np.zeros(size, dtype=np.int64)
    np.maximum.at(latest, group, histories.last)

    def of(values: Floats) -> Floats:
        return np.where(known, values[place], 0.0) if size else np.zeros(len(wanted))

    varieties, bought_ = np.log1p(of(count(group, size))), np.log1p(of(count(group, size, times)))
    since = np.where(known, (today - latest[place]).astype(np.float64), 400.0) if size else None
    in_kind = count(kind, kinds, shelf.buyers56)
    return [
        varieties,
        bought_,
        bought_ - varieties,
        np.log1p(since if since is not None else np.full(len(wanted), 400.0)),
        np.log(of(count(group, size, times * np.exp(-age / 56.0))) + 0.05),
        np.log1p(of(count(group, size, histories.first >= today - 56))),
        np.log((shelf.buyers56[found.item] + 1.0) / (in_kind[kind[found.item]] + 5.0)),
    ]
