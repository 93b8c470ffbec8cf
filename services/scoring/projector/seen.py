"""What a trained model looks at: numbers of one customer on one day, from the state alone.

Each is a plain function of facts before the day, and of silence it only knows that it grows: where
nothing is bought, features that change at all go one way, so that with weights of the right sign
(`SIGNS`) silence never lowers the risk. `services/scoring/train/table.py` computes the same for
whole columns; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from math import exp, log, log1p

from services.scoring.models.bgnbd import Parameters, p_none
from services.scoring.policies import Calibrated
from services.scoring.projector.rfm import main_currency
from services.scoring.projector.state import NEWEST, State, month_of

SIGNS: Mapping[str, int] = {
    "silence": 1,
    "closed": 1,
    "days": 0,
    "gap": 0,
    "once": 0,
    "span": 0,
    "late_gap": 0,
    "fading30": -1,
    "fading120": -1,
    "purchase_value": 0,
    "complaints_open": 0,
    "complaints_settled": 0,
    "answers": 0,
}
"""Features, and which way each may move the risk of no purchase; 0: either."""
FEATURES = tuple(SIGNS)

FADING = (30.0, 120.0)
"""Days after which an order counts for 1/e."""
LEAST = 0.1
"""Orders that everybody is taken to have made, so that a logarithm is finite."""
ORDER_MONTHS = 12
"""Calendar months before this one whose orders count."""
STRENGTH = 3.0
"""So many answers weigh as much as what is usual."""
FULL_POINTS = 1000
CERTAIN = 1e-6
"""A probability of the closed form is kept away from 0 and 1 by this."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One customer on a day. `today`, `first` and `last` are ordinals of local dates."""

    state: State
    days: int
    first: int
    last: int
    today: int
    bought_on: tuple[int, ...] = ()
    """Days on which something more is bought than the state knows."""

    @classmethod
    def of(cls, state: State, today: int) -> "Seen":
        """Somebody who has bought."""
        assert state.first_day is not None, "there is a purchase"
        assert state.last_day is not None, "there is a purchase"
        return cls(state, state.days, state.first_day, state.last_day, max(today, state.last_day))

    def later(self, days: int) -> "Seen":
        """After so many days of silence."""
        return replace(self, today=self.today + days)

    def bought(self, days: int) -> "Seen":
        """After a purchase in so many days; 0: today."""
        day = self.today + days
        more = 1 if day > self.last else 0
        return replace(
            self, days=self.days + more, last=day, today=day, bought_on=(*self.bought_on, day)
        )

    @property
    def late_gap(self) -> float | None:
        """Mean days from one to the next of the days of the three newest purchases; None where that
        is one day."""
        days = [local_of(time, offset) for time, _, offset in self.state.newest]
        if self.bought_on:
            days = [*self.bought_on, *days]
        days = sorted(days, reverse=True)[:NEWEST]
        apart = len(set(days)) - 1
        return (days[0] - days[-1]) / apart if apart else None


_EPOCH = date(1970, 1, 1).toordinal()
_MINUTE = 60_000_000


def local_of(time: int, offset: int) -> int:
    """Ordinal of the local date of a moment (microseconds since 1970 UTC; minutes from UTC)."""
    return (time // _MINUTE + offset) // 1440 + _EPOCH


@lru_cache(maxsize=4096)
def middle_of(month: int) -> int:
    """Ordinal of the sixteenth of a month (12 x year + month - 1)."""
    year, index = divmod(month, 12)
    return date(year, index + 1, 16).toordinal()


def measure(seen: Seen, model: Calibrated, closed: Parameters, horizon: int) -> list[float]:
    """The features, in the order of `FEATURES`."""
    state, x = seen.state, seen.days - 1
    span, age = seen.last - seen.first, seen.today - seen.first
    gap = span / x if x else 0.0
    late = seen.late_gap
    month_fading, season_fading = _fading(seen)
    none = p_none(closed, x, span / 7, age / 7, horizon / 7)
    none = min(max(none, CERTAIN), 1 - CERTAIN)
    number, points = _answers(seen) if state.answers else (0, 0)
    return [
        log1p(age - span),
        log(none) - log1p(-none),
        log1p(seen.days),
        log1p(gap),
        0.0 if x else 1.0,
        log1p(span),
        0.0 if late is None or not x else log1p(late) - log1p(gap),
        log(month_fading + LEAST),
        log(season_fading + LEAST),
        _purchase_value(seen, model),
        log1p(state.open_complaints),
        log1p(state.complaints - state.open_complaints),
        (points / FULL_POINTS - number * model.answers) / (number + STRENGTH),
    ]


def _fading(seen: Seen) -> tuple[float, float]:
    """Orders of the last twelve months and this one, the older the less."""
    weights = _weights(seen.today)
    this = month_of(date.fromordinal(seen.today))
    near = far = 0.0
    for months in seen.state.months.values():
        for month, sums in months.items():
            if 0 <= this - month <= ORDER_MONTHS:
                fresh, old = weights[this - month]
                near += sums.orders * fresh
                far += sums.orders * old
    for day in seen.bought_on:
        fresh, old = weights[this - month_of(date.fromordinal(day))]
        near += fresh
        far += old
    return (near if near > 0 else 0.0), (far if far > 0 else 0.0)


@lru_cache(maxsize=1024)
def _weights(today: int) -> tuple[tuple[float, float], ...]:
    """What an order of this month counts for, of the one before it, and so on."""
    this = month_of(date.fromordinal(today))
    ages = [max(today - middle_of(this - back), 0) for back in range(ORDER_MONTHS + 1)]
    near, far = FADING
    return tuple((exp(-age / near), exp(-age / far)) for age in ages)


def _purchase_value(seen: Seen, model: Calibrated) -> float:
    """How many times the usual a purchase day is worth, as a logarithm; 0 where it is not known."""
    currency = main_currency(seen.state)
    usual = model.purchase_value.get(currency or "")
    if currency is None or usual is None:
        return 0.0
    net = max(seen.state.money[currency].net, 0)
    return log1p(net / seen.state.days) - log1p(usual)


def _answers(seen: Seen) -> tuple[int, int]:
    """How many answers are kept, and their points."""
    known = seen.state.answers.values()
    return sum(one.number for one in known), sum(one.total for one in known)
