"""What a trained model looks at: numbers of one customer on one day, from the state alone.

Each is a plain function of facts before the day, and of silence it only knows that it grows: where
nothing is bought, features that change at all go one way, so that with weights of the right sign
(`SIGNS`) silence never lowers the risk within a calendar month; from one month to the next the season
may. `services/scoring/train/table.py` computes the same for
whole columns; a test holds the two together.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from math import exp, log, log1p

import msgspec
from msgspec.structs import replace

from services.scoring.models.bgnbd import Parameters, p_none
from services.scoring.policies import Calibrated
from services.scoring.projector.rfm import main_currency
from services.scoring.projector.state import NEWEST, State, month_at
from shared.moments import local_day

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
    "handling": 0,
    "answers": 0,
    "promoted": 0,
    "discount": 0,
    "contacts": -1,
    "reached": -1,
    "responses": 0,
    "season": -1,
}
"""Features, and which way each may move the risk of no purchase; 0: either. Those of either way do not change
by silence, but for the season, which turns with the month."""
FEATURES = tuple(SIGNS)

FADING = (30.0, 120.0)
"""Days after which an order counts for 1/e."""
LEAST = 0.1
"""Orders that everybody is taken to have made, so that a logarithm is finite."""
TOUCH_FADING = 60.0
"""The same for a contact."""
ORDER_MONTHS = 12
"""Calendar months before this one whose orders and contacts count."""
MONTH_DAYS = 30
STRENGTH = 3.0
"""So many answers (orders, contacts) weigh as much as what is usual."""
FULL_POINTS = 1000
NO_TOUCH = (log(LEAST), log(LEAST), 0.0)
CERTAIN = 1e-6
"""A probability of the closed form is kept away from 0 and 1 by this."""


class Seen(msgspec.Struct, frozen=True, gc=False):
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
        days = [local_day(time, offset) for time, _, offset in self.state.newest]
        if self.bought_on:
            days = [*self.bought_on, *days]
        days = sorted(days, reverse=True)[:NEWEST]
        apart = len(set(days)) - 1
        return (days[0] - days[-1]) / apart if apart else None


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
    main = main_currency(state)
    this = month_at(seen.today)
    near, far, promoted, discount, season = _ordered(seen, main, this, model, horizon)
    contacts, reached, responses = _touched(seen, this, model) if state.touches else NO_TOUCH
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
        log(near + LEAST),
        log(far + LEAST),
        _purchase_value(seen, main, model),
        log1p(state.open_complaints),
        log1p(state.complaints - state.open_complaints),
        _handling(seen, model) if state.handled else 0.0,
        (points / FULL_POINTS - number * model.answers) / (number + STRENGTH),
        promoted,
        discount,
        contacts,
        reached,
        responses,
        season,
    ]


def _ordered(
    seen: Seen, main: str | None, this: int, model: Calibrated, horizon: int
) -> tuple[float, float, float, float, float]:
    """What the orders by month come to; every event asks for it: one pass, no calls in it.

    Orders of the last twelve months and this one, the older the less, twice; how much oftener than usual with a
    coupon or a discount, and how much more is saved (shares, drawn to what is usual where there are few orders);
    the season.
    """
    weights = _weights(seen.today)
    ahead = ORDER_MONTHS - months_ahead(horizon)
    near = far = 0.0
    number = promoted = year = coming = net = spared = paid = 0
    for currency, months in seen.state.months.items():
        for month, sums in months.items():
            orders = sums.orders
            number += orders
            promoted += sums.promoted
            if currency == main:
                net += sums.net
                spared += sums.discount
                paid += orders
            back = this - month
            if 0 <= back <= ORDER_MONTHS:
                fresh, old = weights[back]
                near += orders * fresh
                far += orders * old
                if back:
                    year += orders
                if back >= ahead:
                    coming += orders
    for day in seen.bought_on:
        fresh, old = weights[this - month_at(day)]
        near += fresh
        far += old
    often = (max(promoted, 0) - max(number, 0) * model.promoted) / (max(number, 0) + STRENGTH)
    saved, paid = 0.0, max(paid, 0)
    if net + spared > 0:
        share = min(max(spared / (net + spared), 0.0), 1.0)
        saved = (share - model.discount) * paid / (paid + STRENGTH)
    season = 0.0
    if this - month_at(seen.first) >= ORDER_MONTHS:
        season = season_of(max(coming, 0), max(year, 0), months_ahead(horizon))
    return (near if near > 0 else 0.0), (far if far > 0 else 0.0), often, saved, season


def months_ahead(horizon: int) -> int:
    """How many calendar months after this one a horizon of so many days reaches into."""
    return round(horizon / MONTH_DAYS)


def season_of(coming: int, year: int, ahead: int) -> float:
    """A year ago: orders in the months that now come (this one and so many after it), against those of the whole
    year, as a logarithm."""
    share = (ahead + 1) / ORDER_MONTHS
    return log((coming + STRENGTH * share) / ((year + STRENGTH) * share))


def _touched(seen: Seen, this: int, model: Calibrated) -> tuple[float, float, float]:
    """The customer's own contacts and ours, the older the less; responses, against what is usual."""
    weights = _touch_weights(seen.today)
    came = sent = 0.0
    number = answered = 0
    for month, touches in seen.state.touches.items():
        ours = touches.sent
        if ours > 0:
            number += ours
        if touches.answered > 0:
            answered += touches.answered
        if 0 <= this - month <= ORDER_MONTHS:
            weight = weights[this - month]
            if ours > 0:
                sent += ours * weight
            if touches.came > 0:
                came += touches.came * weight
    responses = (answered - number * model.responses) / (number + STRENGTH)
    return log(came + LEAST), log(sent + LEAST), responses


@lru_cache(maxsize=1024)
def _touch_weights(today: int) -> tuple[float, ...]:
    return tuple(exp(-age / TOUCH_FADING) for age in _ages(today))


def _ages(today: int) -> list[int]:
    """Days since the middle of this month (0 before it), of the one before it, and so on."""
    this = month_at(today)
    return [max(today - middle_of(this - back), 0) for back in range(ORDER_MONTHS + 1)]


def _handling(seen: Seen, model: Calibrated) -> float:
    """How complaints were handled, against what is usual; drawn to that where there are few."""
    known = seen.state.handled.values()
    number = sum(one.number for one in known)
    points = sum(one.total for one in known)
    return (points / FULL_POINTS - number * model.handling) / (number + STRENGTH)


@lru_cache(maxsize=1024)
def _weights(today: int) -> tuple[tuple[float, float], ...]:
    """What an order of this month counts for, of the one before it, and so on."""
    near, far = FADING
    return tuple((exp(-age / near), exp(-age / far)) for age in _ages(today))


def _purchase_value(seen: Seen, currency: str | None, model: Calibrated) -> float:
    """How many times the usual a purchase day is worth, as a logarithm; 0 where it is not known."""
    usual = model.purchase_value.get(currency or "")
    if currency is None or usual is None:
        return 0.0
    net = max(seen.state.money[currency].net, 0)
    return log1p(net / seen.state.days) - log1p(usual)


def _answers(seen: Seen) -> tuple[int, int]:
    """How many answers are kept, and their points."""
    known = seen.state.answers.values()
    return sum(one.number for one in known), sum(one.total for one in known)
