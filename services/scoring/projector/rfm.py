"""Recency, frequency, monetary: scores by published cut points, classes by published names."""

from collections.abc import Sequence

from services.scoring.policies import RfmCuts, Scoring
from services.scoring.projector.state import State
from services.scoring.projector.view import Rfm

MIDDLE = 3
"""The monetary score of whom there is nobody to compare with: too few others in their currency."""


def score(value: int, cuts: Sequence[int | None]) -> int:
    """1, and 1 more for each cut point (the smallest values scoring 2 to 5) that is reached."""
    return 1 + sum([cut is not None and value >= cut for cut in cuts])


def main_currency(state: State) -> str | None:
    """The currency of most purchases; of several the first by code."""
    money = state.money
    if len(money) < 2:
        return next(iter(money), None)
    return max(sorted(money), key=lambda code: money[code].purchases)


def rfm(state: State, recency_days: int, cuts: RfmCuts | None, scoring: Scoring) -> Rfm:
    """The view of a customer who has bought. Currencies never add up: only the main one counts."""
    currency = main_currency(state)
    monetary = state.money[currency].net if currency else 0
    if cuts is None:
        return Rfm(recency_days, state.orders, currency, monetary)
    peers = cuts.monetary.get(currency or "")
    r = score(state.newest[0][0], cuts.recency)
    f = score(state.orders, cuts.frequency)
    m = MIDDLE if peers is None else score(monetary, peers)
    return Rfm(
        recency_days=recency_days,
        frequency=state.orders,
        currency=currency,
        monetary=monetary,
        r=r,
        f=f,
        m=m,
        rfm_class=scoring.rfm_class(r, f, m),
    )
