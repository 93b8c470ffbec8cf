"""Training: from a log to a model, by what ranked best on the last closed 28 days.

Nothing at or after `today` is looked at. Training rows come from earlier mornings (28, 56, ...
days ago), described by what was known then and labelled by the 28 days that followed; the last of
these windows first serves to choose between the network and the formulas that a sceptic would use,
then the chosen kind is trained on all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from services.scoring.recommend import affinity, rhythm
from services.scoring.recommend.arrays import Floats, Ints, places
from services.scoring.recommend.ease import Ease, fit_ease
from services.scoring.recommend.history import Histories
from services.scoring.recommend.log import Log
from services.scoring.recommend.model import (
    AGAIN_BY,
    HORIZON,
    NEW_BY,
    READS_FIT,
    AgainBy,
    Model,
    NewBy,
    chunks,
    score_again,
    score_new,
)
from services.scoring.recommend.network import Network, train
from services.scoring.recommend.shelf import Shelf, stand
from services.scoring.recommend.together import Together, bought_together

WINDOWS = 3
WINDOWS_OF_MANY = 2
MANY_ITEMS = 1_000
"""Items beyond which a window's EASE is dear."""
CUSTOMERS = 3_000
"""Customers trained on, of each window."""
ROWS = 70
"""Items trained on, of each customer: the lower ranks do not matter."""
LEAST_HITS = 200
"""Purchases in the training windows below which nothing is trained."""
LEAST_JUDGED = 30
"""Customers with a purchase in the judging window below which nothing can be chosen."""
EPOCHS_AGAIN, EPOCHS_NEW = 8, 6
MARGIN = 1.002
"""A trained ranker must beat the best formula by this much: a draw goes to the simpler."""

_Kind = TypeVar("_Kind", bound=str)
DISCOUNT = 1.0 / np.log2(np.arange(2, 12))


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows of one window; those of a customer stand together."""

    features: Floats
    hit: Floats
    customer: Ints


@dataclass(frozen=True, slots=True)
class Window:
    """How things stood on a morning, and what was bought in the 28 days after it."""

    base: Model
    histories: Histories
    keys: Ints
    """customer * items + item of what was bought, ascending."""
    again: Rows
    new: Rows


def fit_model(log: Log, today: int, *, seed: int = 0) -> Model:
    """The model for recommending on `today` or soon after."""
    known, histories, shelf = stand(log, today)
    model = replace(
        _untrained(known, shelf, fit_ease(histories, shelf), today),
        together=bought_together(known, today),
        new_by="ease" if known.customers > 1 else "popularity",
    )
    first = int(known.day.min(initial=today))
    several = WINDOWS if len(known.catalogue) <= MANY_ITEMS else WINDOWS_OF_MANY
    mornings = [today - HORIZON * number for number in range(1, several + 1)]
    windows = [_window(known, morning) for morning in mornings if morning - first >= HORIZON]
    if not windows:
        return model
    return _with_new(_with_again(model, windows, seed), windows, seed)


def _window(log: Log, morning: int) -> Window:
    known, histories, shelf = stand(log, morning)
    ease = fit_ease(histories, shelf)
    base = _untrained(known, shelf, ease, morning)
    then = (log.day >= morning) & (log.day < morning + HORIZON)
    keys = np.unique(log.customer[then] * len(log.catalogue) + log.item[then])
    again, new = [], []
    for start, some in chunks(histories.some(0, CUSTOMERS)):
        fit = affinity.fit_of(some, ease, morning)
        again.append(_again_rows(base, some, fit, keys, start))
        new.append(_new_rows(base, some, fit, keys, start))
    return Window(base, histories, keys, _joined(again), _joined(new))


def _untrained(log: Log, shelf: Shelf, ease: Ease, morning: int) -> Model:
    nobody = np.empty(0, dtype=np.int64)
    return Model(
        today=morning,
        catalogue=log.catalogue,
        shelf=shelf,
        ease=ease,
        together=Together(nobody, nobody, nobody, np.empty(0), np.empty(0)),
        again_by="frequency",
        new_by="ease",
        again=None,
        new=None,
        quality={},
    )


def _again_rows(base: Model, some: Histories, fit: affinity.Fit, keys: Ints, start: int) -> Rows:
    fits = affinity.of_pairs(fit, base.ease, some)
    table = rhythm.features(some, base.shelf, base.today, fits)
    likely = rhythm.decayed(some, base.today) * some.times.astype(np.float64) ** 0.3
    order = np.lexsort((some.item, -likely, some.customer))
    order = np.sort(order[places(some.customer[order]) < ROWS])
    return _labelled(base, table[order], some.customer[order] + start, some.item[order], keys)


def _new_rows(base: Model, some: Histories, fit: affinity.Fit, keys: Ints, start: int) -> Rows:
    found = affinity.candidates(fit, base.ease, base.shelf)
    table = affinity.features(found, some, base.shelf, base.catalogue.category, base.today)
    return _labelled(base, table, found.customer + start, found.item, keys)


def _labelled(base: Model, table: Floats, customer: Ints, item: Ints, keys: Ints) -> Rows:
    hit = np.isin(customer * len(base.catalogue) + item, keys).astype(np.float64)
    return Rows(table.astype(np.float32), hit, customer)


def _joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several windows or chunks; customers of different windows are kept apart."""
    if not parts:
        return Rows(np.empty((0, 1)), np.empty(0), np.empty(0, dtype=np.int64))
    return Rows(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.hit for part in parts]),
        np.concatenate([part.customer for part in parts]),
    )


def _apart(parts: Sequence[Rows]) -> Rows:
    step = 1 + max((int(part.customer.max(initial=0)) for part in parts), default=0)
    return _joined(
        [replace(part, customer=part.customer + step * n) for n, part in enumerate(parts)]
    )


def _network(parts: Sequence[Rows], epochs: int, seed: int, *, listwise: bool) -> Network | None:
    """None where there is too little to learn from."""
    rows = _apart(parts)
    if not rows.hit.sum() >= LEAST_HITS or rows.hit.all():
        return None
    table = rows.features.astype(np.float64)
    return train(table, rows.hit, rows.customer, epochs=epochs, seed=seed, listwise=listwise)


def _with_again(model: Model, windows: Sequence[Window], seed: int) -> Model:
    def learn(parts: Sequence[Window]) -> Network | None:
        return _network([part.again for part in parts], EPOCHS_AGAIN, seed, listwise=False)

    def judge(base: Model, by: AgainBy, network: Network | None) -> float | None:
        tried = replace(base, again_by=by, again=network)
        return _ndcg(tried, windows[0], is_new=False)

    kind, network, quality = _choose(windows, AGAIN_BY, learn, judge)
    return replace(
        model,
        again_by=kind or model.again_by,
        again=network,
        quality=model.quality | {f"again_{name}": value for name, value in quality.items()},
    )


def _with_new(model: Model, windows: Sequence[Window], seed: int) -> Model:
    def learn(parts: Sequence[Window]) -> Network | None:
        return _network([part.new for part in parts], EPOCHS_NEW, seed, listwise=True)

    def judge(base: Model, by: NewBy, network: Network | None) -> float | None:
        tried = replace(base, new_by=by, new=network)
        return _ndcg(tried, windows[0], is_new=True)

    kind, network, quality = _choose(windows, NEW_BY, learn, judge)
    return replace(
        model,
        new_by=kind or model.new_by,
        new=network,
        quality=model.quality | {f"new_{name}": value for name, value in quality.items()},
    )


def _choose(
    windows: Sequence[Window],
    kinds: Sequence[_Kind],
    learn: Callable[[Sequence[Window]], Network | None],
    judge: Callable[[Model, _Kind, Network | None], float | None],
) -> tuple[_Kind | None, Network | None, dict[_Kind, float]]:
    """The kind that ranks best, trained on all windows; None where nothing can be judged."""
    base = windows[0].base
    trial = learn(windows[1:]) if len(windows) > 1 else None
    quality: dict[_Kind, float] = {}
    for kind in kinds:
        value = None if kind == "network" and trial is None else judge(base, kind, trial)
        if value is not None:
            quality[kind] = round(value, 6)
    if not quality:
        return None, None, {}
    formula = max((kind for kind in quality if kind != "network"), key=quality.__getitem__)
    winner = max(quality, key=quality.__getitem__)
    if winner == "network" and quality[winner] > quality[formula] * MARGIN:
        return winner, learn(windows), quality
    return formula, None, quality


def _ndcg(model: Model, window: Window, *, is_new: bool) -> float | None:
    """Mean ndcg@10 over customers who bought something of the kind in the window."""
    size = len(model.catalogue)
    past = window.histories.customer * size + window.histories.item
    keys = window.keys[np.isin(window.keys, past) != is_new]
    drawn = min(window.histories.customers, CUSTOMERS)
    buyers = keys // max(size, 1)
    wanted = np.bincount(buyers[buyers < drawn], minlength=drawn)
    # Whoever has no history yet cannot be told anything again, and is not judged.
    wanted[window.histories.visits[:drawn] == 0] = 0
    judged = wanted > 0
    if judged.sum() < LEAST_JUDGED:
        return None
    gain = np.zeros(drawn)
    for start, some in chunks(window.histories.some(0, drawn)):
        by = model.new_by if is_new else model.again_by
        fit = affinity.fit_of(some, model.ease, model.today) if by in READS_FIT else None
        score = score_new if is_new else score_again
        top = score(model, some, fit, model.today).top(len(DISCOUNT))
        hit = np.isin((top.customer + start) * size + top.item, keys)
        np.add.at(gain, top.customer[hit] + start, DISCOUNT[places(top.customer)[hit]])
    ideal = np.cumsum(DISCOUNT)[np.minimum(wanted[judged], len(DISCOUNT)) - 1]
    return float((gain[judged] / ideal).mean())
