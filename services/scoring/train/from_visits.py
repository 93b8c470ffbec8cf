"""The served model on a back-test's purchase days: what it would have said at a cut."""

from datetime import UTC, date, datetime

import numpy as np

from services.scoring.predict.visits import Floats, Visits
from services.scoring.projector.state import month_of
from services.scoring.train.errors import CannotTrain
from services.scoring.train.facts import Facts, Integers
from services.scoring.train.learn import Mornings, learn
from services.scoring.train.quality import say

EPOCH = date(1970, 1, 1).toordinal()
MINOR = 100
"""Hundredths: the money of a back-test is of one currency."""


def served(visits: Visits, cut: int, horizon: int, seed: int) -> Floats | None:
    """The churn probability of everybody with a purchase day before the cut, in the order of their
    numbers; None where too little is known. Days count from 1970."""
    facts = facts_of(visits.before(cut), cut)
    mornings = Mornings(facts, seed)
    try:
        model, learnt = learn(mornings, cut + EPOCH, horizon)
    except CannotTrain:
        return None
    seen, _ = mornings.at(cut + EPOCH)
    return say(learnt, seen.values(model, list(facts.currencies), learnt.closed, horizon))


def facts_of(visits: Visits, end: int) -> Facts:
    """One order a purchase day; `end` is the first day that is not over."""
    day, count = visits.day + EPOCH, len(visits)
    ones = np.ones(count, dtype=np.int64)
    refunds = visits.refunds
    back = refunds.day + EPOCH
    rows = np.column_stack([visits.customer, day, np.arange(count), day, day, ones])
    no, none = ones * 0, back * 0
    bought = [visits.customer, day, _months(day), no, ones, _minor(visits.money), no, no]
    given = _minor(refunds.value)
    returned = [refunds.customer, back, _months(back), none, none, given, none, none]
    empty = np.empty((0, 7), dtype=np.int64)
    customers = max(int(visits.customer.max(initial=-1)), int(refunds.customer.max(initial=-1)))
    return Facts(
        customers=customers + 1,
        end=end + EPOCH,
        clock=datetime.fromordinal(end + EPOCH).replace(tzinfo=UTC),
        purchases=rows.astype(np.int64),
        money=np.column_stack(
            [np.concatenate(pair) for pair in zip(bought, returned, strict=True)]
        ).astype(np.int64),
        complaints=empty,
        answers=empty[:, :4],
        touches=empty[:, :6],
        currencies=("XXX",),
        unread=0,
    )


def _months(day: Integers) -> Integers:
    known, back = np.unique(day, return_inverse=True)
    months = [month_of(date.fromordinal(int(one))) for one in known]
    found: Integers = np.array(months, dtype=np.int64)[back.ravel()]
    return found


def _minor(money: Floats) -> Integers:
    return np.rint(money * MINOR).astype(np.int64)
