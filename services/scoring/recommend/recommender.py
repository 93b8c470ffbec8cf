"""The trained model with its questions: for a customer, together, audience."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from services.scoring.recommend import affinity, reasons, rhythm
from services.scoring.recommend.arrays import Mask
from services.scoring.recommend.fitting import fit_model
from services.scoring.recommend.history import Histories, History, gather
from services.scoring.recommend.log import RECENT, Log
from services.scoring.recommend.model import (
    CHUNK,
    Model,
    Scored,
    just_bought,
    lists,
    score_again,
    score_new,
)
from services.scoring.recommend.view import Companion, Lists, Prospect, Reason, Suggestion

LIMIT = 10
LARGEST_AUDIENCE = 10_000


def fit(log: Log, today: int, *, seed: int = 0) -> "Recommender":
    """Train on what was bought before `today` (local days since 1970-01-01)."""
    return Recommender(fit_model(log, today, seed=seed))


@dataclass(frozen=True)
class Recommender:
    """Answers from a model; `model` is what is kept."""

    model: Model

    @cached_property
    def index(self) -> dict[str, int]:
        """Where each item is in the catalogue."""
        return {item: number for number, item in enumerate(self.model.catalogue.items)}

    def for_customer(
        self, history: History, *, today: int, without: Collection[str] = (), limit: int = LIMIT
    ) -> Lists:
        """Both lists. `without`: items, or categories of items, that shall be on neither.

        An unknown customer, or one without a purchase, gets what is popular as new.
        """
        histories = gather([history], self.index)
        if not histories.visits.any():
            return Lists([], self._popular(limit, self._barred(without)))
        again, new = lists(self.model, histories, today, limit, self._barred(without))
        return Lists(
            again=self._suggestions(histories, again, today, is_new=False),
            new=self._suggestions(histories, new, today, is_new=True),
        )

    def just_bought(self, history: History, *, today: int) -> dict[str, int]:
        """Items that are on no list since they were just bought, with the days until they are about due."""
        histories = gather([history], self.index)
        gap = np.exp(rhythm.usual_gap(histories, self.model.shelf))
        return {
            self.model.catalogue.items[int(histories.item[pair])]: max(
                1, round(float(gap[pair] - (today - histories.last[pair])))
            )
            for pair in np.flatnonzero(just_bought(self.model, histories, today))
        }

    def _popular(self, limit: int, barred: Mask | None) -> list[Suggestion]:
        """What most customers bought lately; in the catalogue the most popular come first."""
        buyers = self.model.shelf.buyers56
        allowed = np.ones(len(buyers), dtype=np.bool_) if barred is None else ~barred[0]
        return [
            Suggestion(
                item=self.model.catalogue.items[item],
                rank=place,
                chance=None,
                kind="cross_sell",
                reason=Reason("popular", {"buyers": int(buyers[item]), "days": RECENT}),
                score=float(buyers[item]),
            )
            for place, item in enumerate(np.flatnonzero(allowed)[:limit].tolist(), start=1)
        ]

    def together(self, item: str, *, limit: int = LIMIT) -> list[Companion]:
        """What is often bought on the same visit, best first; empty for an unknown item."""
        number, pairs = self.index.get(item, -1), self.model.together
        low, high = np.searchsorted(pairs.item, (number, number + 1))
        return [
            Companion(
                item=self.model.catalogue.items[int(pairs.companion[pair])],
                visits=int(pairs.visits[pair]),
                lift=float(pairs.lift[pair]),
                confidence=float(pairs.confidence[pair]),
            )
            for pair in range(low, min(high, low + limit))
        ]

    def audience(
        self,
        item: str,
        people: Iterable[tuple[str, History]],
        *,
        today: int,
        limit: int = 100,
        can_know_it: bool = True,
    ) -> list[Prospect]:
        """The customers to offer an item to, the likeliest first; `people` are read in pieces.

        Who just bought it is left out, and with `can_know_it=False` who ever did. Ties go to who
        visited last, then who came more often, then the smaller key. Empty for an unknown item.
        """
        number = self.index.get(item)
        if number is None or limit <= 0:
            return []
        kept: list[tuple[tuple[float, int, int], Prospect]] = []
        everybody = iter(people)
        while piece := list(islice(everybody, CHUNK)):
            kept += self._prospects(number, piece, today, can_know_it=can_know_it)
            kept.sort(key=lambda one: (*(-value for value in one[0]), one[1].customer))
            del kept[min(limit, LARGEST_AUDIENCE) :]
        return [prospect for _, prospect in kept]

    def _prospects(
        self, number: int, people: Sequence[tuple[str, History]], today: int, *, can_know_it: bool
    ) -> Iterator[tuple[tuple[float, int, int], Prospect]]:
        model = self.model
        histories = gather([history for _, history in people], self.index)
        fit_ = affinity.fit_of(histories, model.ease, today)
        again = score_again(model, histories, fit_, today)
        ready = can_know_it & ~just_bought(model, histories, today) & (again.item == number)
        latest = np.zeros(histories.customers, dtype=np.int64)
        np.maximum.at(latest, histories.visitor, histories.visit)
        found = ((again, ready), _only(score_new(model, histories, fit_, today), number))
        for is_new, (scored, chosen) in enumerate(found):
            for place in np.flatnonzero(chosen).tolist():
                customer = int(scored.customer[place])
                prospect = Prospect(
                    customer=people[customer][0],
                    list="new" if is_new else "again",
                    score=_rank_value(scored, place, is_new=bool(is_new)),
                    chance=_chance(scored, place),
                )
                yield (
                    (prospect.score, int(latest[customer]), int(histories.visits[customer])),
                    prospect,
                )

    def _barred(self, without: Collection[str]) -> Mask | None:
        """(1, items) that shall not be named."""
        if not without:
            return None
        catalogue, names = self.model.catalogue, set(without)
        kinds = np.array([kind in names for kind in catalogue.categories] + [False])
        out = np.array([item in names for item in catalogue.items], dtype=np.bool_)
        return np.asarray(out | kinds[catalogue.category])[None, :]

    def _suggestions(
        self, histories: Histories, scored: Scored, today: int, *, is_new: bool
    ) -> list[Suggestion]:
        why = reasons.new if is_new else reasons.again
        return [
            Suggestion(
                item=self.model.catalogue.items[item],
                rank=place + 1,
                chance=_chance(scored, place),
                kind=reasons.kind(self.model, histories, item) if is_new else "again",
                reason=why(self.model, histories, item, today),
                score=_rank_value(scored, place, is_new=is_new),
            )
            for place, item in enumerate(scored.item.tolist())
        ]


def _only(scored: Scored, number: int) -> tuple[Scored, Mask]:
    return scored, np.asarray(scored.item == number, dtype=np.bool_)


def _chance(scored: Scored, place: int) -> float | None:
    value = float(scored.chance[place])
    return None if np.isnan(value) else round(value, 4)


def _rank_value(scored: Scored, place: int, *, is_new: bool) -> float:
    """By chance where there is one; without, who bought it before stands first."""
    value = float(scored.chance[place])
    if not np.isnan(value):
        return round(value, 10)
    score = round(float(scored.score[place]), 10)
    return score / (1.0 + score) + (0.0 if is_new else 1.0)
