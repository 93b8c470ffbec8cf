"""How satisfied a customer is, from what they answered and how their complaints were handled.

A weighted mean, of which each part pulls towards itself and never past itself:

    score = (k * usual + sum of w_i s_i) / (k + sum of w_i)

- `usual`, the mean of all customers' answers, weighs as much as k answers: of whom little is known,
  little is said;
- an answer weighs 1, whatever its scale, and half of that after each half-life;
- an open complaint is a 0 that does not age, and weighs more the more severe it is;
- a resolved complaint weighs 1 and ages; it is worth less the more severe it was and the longer it
  took (`complaints.handled`).

Answers are known by the month; their age counts from its first day.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import msgspec

from services.scoring.policies import SatisfactionRules
from services.scoring.projector.state import Points, State
from services.scoring.projector.surveys import FULL
from services.scoring.projector.view import Satisfaction

OPEN_WEIGHTS = {"low": 1.0, "medium": 1.5, "high": 2.5, "critical": 4.0}
"""What an open complaint weighs, in answers; never less than a resolved one."""


class Mood(msgspec.Struct, frozen=True, gc=False):
    """What is known, weighed. `total` is of points from 0 to 1."""

    usual: float
    strength: float
    weight: float
    total: float

    @property
    def score(self) -> float:
        """0 to 100, rounded as it is shown."""
        return self.with_answers(0, 0)

    def with_answers(self, number: float, total: float) -> float:
        """The score if so many fresh answers came on top, of so many points together (0 to 1 each)."""
        known = self.strength * self.usual / 100 + self.total + total
        return round(100 * known / (self.strength + self.weight + number), 2)


def mood(state: State, today: int, rules: SatisfactionRules, usual: float) -> Mood:
    """What is known of a customer on a day (ordinal); `usual` from 0 to 100."""
    answered = _aged(state.answers, today, rules.half_life_days)
    handled = _aged(state.handled, today, rules.half_life_days)
    still_open = sum([OPEN_WEIGHTS[severity] * count for severity, count in state.open_by.items()])
    return Mood(
        usual=usual,
        strength=rules.strength,
        weight=answered[0] + handled[0] + still_open,
        total=answered[1] + handled[1],
    )


def fresh(today: int, rules: SatisfactionRules) -> float:
    """What an answer of today (ordinal) weighs: its age counts from the first day of the month."""
    return float(0.5 ** ((date.fromordinal(today).day - 1) / rules.half_life_days))


@lru_cache(maxsize=1024)
def _first_day(month: int) -> int:
    """The ordinal of the first day of a month (12 x year + month - 1)."""
    year, index = divmod(month, 12)
    return date(year, index + 1, 1).toordinal()


def _aged(months: Mapping[int, Points], today: int, half_life: int) -> tuple[float, float]:
    weight = total = 0.0
    for month, points in months.items():
        age = max(today - _first_day(month), 0)
        fresh = 0.5 ** (age / half_life)
        weight += fresh * points.number
        total += fresh * points.total / FULL
    return weight, total


def satisfaction(
    state: State, today: int, rules: SatisfactionRules, usual: float
) -> Satisfaction | None:
    """The score as it is kept; None of whom nothing was ever heard."""
    if not state.answers and not state.complaints:
        return None
    found = mood(state, today, rules, usual)
    return Satisfaction(
        score=found.score,
        weight=round(found.weight, 4),
        answers=sum([points.number for points in state.answers.values()]),
        points=sum([points.total for points in state.answers.values()]),
    )
