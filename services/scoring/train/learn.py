"""From facts to a model of churn: lines through what customers looked like on earlier mornings.

Everything that a model for a day learns from had happened before it: windows that had closed, the
closed form as it would have been fitted on each of those mornings.
"""

from dataclasses import dataclass, field

import numpy as np

from services.scoring.policies import Calibrated, Learnt, Line
from services.scoring.predict.churn import ENOUGH_OF_BOTH
from services.scoring.predict.closed import Closed, closed_of
from services.scoring.predict.lessons import MAX_ROWS
from services.scoring.predict.snapshots import origins
from services.scoring.predict.visits import Floats, Integers, Mask
from services.scoring.projector.seen import FEATURES, FULL_POINTS
from services.scoring.train.errors import CannotTrain
from services.scoring.train.facts import Facts
from services.scoring.train.lines import Lines, calibrate, fit_lines, rounded
from services.scoring.train.table import Standing, returned, standing

ENOUGH = 100
"""Customers with a purchase below which nothing is learnt."""
ENOUGH_OF_A_CURRENCY = 20
ENOUGH_ANSWERS = 20
"""The same of answers, orders, contacts: below, what is usual is not known."""
USUAL_ANSWERS = 0.7
USUAL_HANDLING = 0.5


@dataclass(slots=True)
class Mornings:
    """Customers as they stood on the days that are asked for, each made once."""

    facts: Facts
    seed: int
    made: dict[int, tuple[Standing, Closed]] = field(default_factory=dict)

    def at(self, cut: int) -> tuple[Standing, Closed]:
        """Who was there, and BG/NBD as it would have been fitted that morning."""
        if cut not in self.made:
            seen = standing(self.facts, cut)
            self.made[cut] = seen, closed_of(seen.repeats, seen.span, seen.age)
        return self.made[cut]

    @property
    def first(self) -> int:
        """The first day with a purchase."""
        return int(self.facts.purchases[:, 3].min(initial=self.facts.end))


def context(seen: Standing, currencies: list[str]) -> Calibrated:
    """What is usual among these customers, without anything learnt."""
    value = {}
    for code, currency in enumerate(currencies):
        own = seen.currency == code
        if int(own.sum()) >= ENOUGH_OF_A_CURRENCY:
            spent = np.maximum(seen.net[own], 0) / seen.days[own]
            value[currency] = rounded(float(np.median(spent)))
    mean = _share(seen.points / FULL_POINTS, seen.answers, USUAL_ANSWERS)
    return Calibrated(
        horizons=[],
        purchase_value=value,
        answers=mean,
        handling=_share(seen.handled_points / FULL_POINTS, seen.handled, USUAL_HANDLING),
        promoted=_share(seen.deals.promoted, seen.deals.orders, 0.0),
        discount=_share(seen.deals.spared * seen.deals.paid, seen.deals.paid, 0.0),
        responses=_share(seen.touches.answered, seen.touches.number, 0.0),
    )


def _share(some: Floats | Integers, number: Integers, otherwise: float) -> float:
    """Of all that there are; `otherwise` where there are too few."""
    whole = int(number.sum())
    return rounded(float(some.sum()) / whole) if whole >= ENOUGH_ANSWERS else otherwise


@dataclass(frozen=True, slots=True)
class Lesson:
    """One morning's rows and what became of them."""

    cut: int
    customer: Integers
    rows: Floats
    churned: Mask
    active: Mask


def learn(mornings: Mornings, cut: int, horizon: int) -> tuple[Calibrated, Learnt]:
    """A model for the mornings from `cut` on. Raises CannotTrain."""
    facts = mornings.facts
    currencies = list(facts.currencies)
    days = origins(mornings.first, cut, horizon)
    if not days:
        known = max(facts.end - mornings.first, 0)
        raise CannotTrain("not_enough_history", days=known, horizon=horizon)
    seen, closed = mornings.at(cut)
    if len(seen) < ENOUGH:
        raise CannotTrain("not_enough_customers", customers=len(seen), enough=ENOUGH)
    model = context(seen, currencies)
    lessons = [_lesson(mornings, day, horizon, model) for day in days]
    active = seen.values(model, currencies, closed.parameters, horizon)[seen.active]
    if not len(active):
        raise CannotTrain("nobody_active")
    usual = np.median(active, axis=0)
    lines = _lines(lessons, usual)
    slope, shift = _calibrated(lessons, horizon, usual)
    return model, Learnt(
        horizon_days=horizon,
        base=lines.base,
        lines=[
            Line(name, *(float(column[index]) for column in _columns(lines)))
            for index, name in enumerate(FEATURES)
            if lines.used[index]
        ],
        slope=slope,
        shift=shift,
        closed=closed.parameters,
    )


def _columns(lines: Lines) -> tuple[Floats, ...]:
    return lines.weights, lines.low, lines.high, lines.usual


def _lesson(mornings: Mornings, day: int, horizon: int, model: Calibrated) -> Lesson:
    facts = mornings.facts
    seen, closed = mornings.at(day)
    rows = seen.values(model, list(facts.currencies), closed.parameters, horizon)
    churned = ~returned(facts, seen, horizon)
    return Lesson(day, seen.customer, rows, churned, seen.active)


def _lines(lessons: list[Lesson], usual: Floats) -> Lines:
    total = sum(len(lesson.rows) for lesson in lessons)
    share = min(1.0, MAX_ROWS / max(total, 1))
    kept = [_kept(lesson, share) for lesson in lessons]
    pairs = list(zip(lessons, kept, strict=True))
    churned = np.concatenate([lesson.churned[rows] for lesson, rows in pairs])
    rarer = min(int(churned.sum()), int((~churned).sum()))
    if rarer < ENOUGH_OF_BOTH:
        raise CannotTrain("all_alike", rarer=rarer, enough=ENOUGH_OF_BOTH)
    return fit_lines(np.vstack([lesson.rows[rows] for lesson, rows in pairs]), churned, usual)


def _kept(lesson: Lesson, share: float) -> Mask:
    """The same customers on every morning, spread evenly over all of them."""
    if share >= 1:
        return np.ones(len(lesson.customer), dtype=np.bool_)
    spread = (lesson.customer * 2_654_435_761) % 2**32
    kept: Mask = spread < share * 2**32
    return kept


def _calibrated(lessons: list[Lesson], horizon: int, usual: Floats) -> tuple[float, float]:
    """From the newest closed window, by lines that had not seen it; 1 and 0 where there is none."""
    newest = lessons[0]
    older = [lesson for lesson in lessons if lesson.cut <= newest.cut - horizon]
    active = newest.active
    if not older or not newest.churned[active].any() or newest.churned[active].all():
        return 1.0, 0.0
    try:
        lines = _lines(older, usual)
    except CannotTrain:
        return 1.0, 0.0
    return calibrate(lines(newest.rows[active]), newest.churned[active])
