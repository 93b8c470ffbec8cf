"""The features of `projector/seen.py` for all customers at once, as they stood when a day began."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from services.scoring.models import bgnbd
from services.scoring.policies import Calibrated
from services.scoring.predict.snapshots import logit
from services.scoring.predict.visits import Floats, Mask
from services.scoring.projector.complaints import SEVERITIES, UNSAID
from services.scoring.projector.complaints import handled as handled_as
from services.scoring.projector.seen import (
    FADING,
    FEATURES,
    FULL_POINTS,
    LEAST,
    ORDER_MONTHS,
    STRENGTH,
    TOUCH_FADING,
    middle_of,
    months_ahead,
)
from services.scoring.projector.state import (
    ANSWER_MONTHS,
    MONTHS,
    NEWEST,
    TOUCH_MONTHS,
    Points,
    month_of,
)
from services.scoring.train.facts import Facts, Integers
from shared.moments import HOUR, moment

EPOCH = date(1970, 1, 1).toordinal()

ACTIVE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Standing:
    """Everybody with a purchase day before `cut`, one row each. Days are ordinals."""

    cut: int
    customer: Integers
    days: Integers
    first: Integers
    last: Integers
    n90: Integers
    """Purchase days of the last 90."""
    late_gap: Floats
    """nan where there is none."""
    fading: Floats
    """A column for each of `FADING`."""
    currency: Integers
    """The main one; -1 where there is none."""
    net: Integers
    """In the main currency, minor units."""
    deals: "Deals"
    complaints_open: Integers
    complaints_settled: Integers
    handled: Integers
    handled_points: Integers
    """Of resolved complaints, and their points, of the months that are kept."""
    answers: Integers
    points: Integers
    touches: "Contacts"

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def active(self) -> Mask:
        """Who bought within the 90 days before the cut."""
        active: Mask = self.cut - self.last <= ACTIVE_DAYS
        return active

    @property
    def repeats(self) -> Integers:
        return self.days - 1

    @property
    def span(self) -> Integers:
        return self.last - self.first

    @property
    def age(self) -> Integers:
        return self.cut - self.first

    def p_none(self, closed: bgnbd.Parameters, horizon: int) -> Floats:
        """BG/NBD's probability of no purchase within the horizon."""
        none = closed.p_none(self.repeats, self.span / 7, self.age / 7, horizon / 7)
        return np.clip(none, 0.0, 1.0)

    def values(
        self, model: Calibrated, currencies: list[str], closed: bgnbd.Parameters, horizon: int
    ) -> Floats:
        """The features, in the order of `FEATURES`."""
        x = self.repeats
        gap = np.where(x > 0, self.span / np.maximum(x, 1), 0.0)
        late = np.where(
            np.isnan(self.late_gap) | (x == 0), 0.0, np.log1p(self.late_gap) - np.log1p(gap)
        )
        columns = {
            "silence": np.log1p(self.age - self.span),
            "closed": logit(self.p_none(closed, horizon)),
            "days": np.log1p(self.days),
            "gap": np.log1p(gap),
            "once": (x == 0).astype(np.float64),
            "span": np.log1p(self.span),
            "late_gap": late,
            "fading30": np.log(self.fading[:, 0] + LEAST),
            "fading120": np.log(self.fading[:, 1] + LEAST),
            "purchase_value": self._purchase_value(model, currencies),
            "complaints_open": np.log1p(self.complaints_open),
            "complaints_settled": np.log1p(self.complaints_settled),
            "handling": (self.handled_points / FULL_POINTS - self.handled * model.handling)
            / (self.handled + STRENGTH),
            "answers": (self.points / FULL_POINTS - self.answers * model.answers)
            / (self.answers + STRENGTH),
            "promoted": (self.deals.promoted - self.deals.orders * model.promoted)
            / (self.deals.orders + STRENGTH),
            "discount": np.where(self.deals.full > 0, self.deals.spared - model.discount, 0.0)
            * self.deals.paid
            / (self.deals.paid + STRENGTH),
            "contacts": np.log(self.touches.came + LEAST),
            "reached": np.log(self.touches.sent + LEAST),
            "responses": (self.touches.answered - self.touches.number * model.responses)
            / (self.touches.number + STRENGTH),
            "season": self._season(horizon),
        }
        return np.column_stack([columns[name] for name in FEATURES])

    def _season(self, horizon: int) -> Floats:
        """Orders by month stand in `deals.year`, from twelve months ago to the last one."""
        coming = self.deals.year[:, : months_ahead(horizon) + 1].sum(axis=1)
        share = (months_ahead(horizon) + 1) / ORDER_MONTHS
        whole = np.maximum(self.deals.year.sum(axis=1), 0)
        value = np.log((np.maximum(coming, 0) + STRENGTH * share) / ((whole + STRENGTH) * share))
        return np.where(
            month_of(date.fromordinal(self.cut)) - _month(self.first) < ORDER_MONTHS, 0.0, value
        )

    def _purchase_value(self, model: Calibrated, currencies: list[str]) -> Floats:
        usual = np.array(
            [model.purchase_value.get(code, np.nan) for code in currencies] + [np.nan]
        )[self.currency]
        value = np.log1p(np.maximum(self.net, 0) / self.days) - np.log1p(usual)
        return np.where(np.isnan(value), 0.0, value)


@dataclass(frozen=True, slots=True)
class Deals:
    """What orders by month come to, one row each."""

    orders: Integers
    promoted: Integers
    """Of all currencies and all months that are kept."""
    paid: Integers
    """Orders in the main currency."""
    full: Integers
    """What they would have cost without discounts."""
    spared: Floats
    """What of that was spared, 0 to 1."""
    year: Integers
    """Orders, a column for each of the twelve months before this one, the oldest first."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """One row each; `came` and `sent`: the older the less."""

    came: Floats
    sent: Floats
    number: Integers
    answered: Integers
    """Ours and the responses, of the months that are kept."""


def standing(facts: Facts, cut: int) -> Standing:
    """From what was known when `cut` began."""
    customer, day = _purchases(facts, cut)
    who, start = np.unique(customer, return_index=True)
    end = np.append(start[1:], len(customer))
    place = np.full(facts.customers, -1, dtype=np.int64)
    place[who] = np.arange(len(who))
    pairs = np.unique(np.column_stack([place[customer], day]), axis=0)
    days = np.bincount(pairs[:, 0], minlength=len(who))
    recent = pairs[pairs[:, 1] >= cut - ACTIVE_DAYS]
    fading, currency, net = _money(facts, cut, place, len(who))
    still_open, settled, handled, handled_points = _complaints(facts, cut, place, len(who))
    answers, points = _answers(facts, cut, place, len(who))
    return Standing(
        cut=cut,
        customer=who,
        days=days.astype(np.int64),
        first=_reduced(np.minimum, day, start),
        last=_reduced(np.maximum, day, start),
        n90=np.bincount(recent[:, 0], minlength=len(who)).astype(np.int64),
        late_gap=_late_gap(day, end, len(who)),
        fading=fading,
        currency=currency,
        net=net,
        deals=_deals(facts, cut, place, currency),
        complaints_open=still_open,
        complaints_settled=settled,
        handled=handled,
        handled_points=handled_points,
        answers=answers,
        points=points,
        touches=_contacts(facts, cut, place, len(who)),
    )


def _reduced(how: np.ufunc, values: Integers, start: Integers) -> Integers:
    if not len(start):
        return np.empty(0, dtype=np.int64)
    reduced: Integers = how.reduceat(values, start)
    return reduced


def _purchases(facts: Facts, cut: int) -> tuple[Integers, Integers]:
    """Customer and day of each purchase that counts, by customer and time."""
    rows = facts.purchases[facts.purchases[:, 1] < cut]
    moment, first, back = np.unique(rows[:, 2], return_index=True, return_inverse=True)
    counts = np.bincount(back.ravel(), weights=rows[:, 5], minlength=len(moment))
    kept = rows[first[counts > 0]]
    kept = kept[np.lexsort((kept[:, 2], kept[:, 4], kept[:, 0]))]
    return kept[:, 0], kept[:, 3]


def _late_gap(day: Integers, end: Integers, size: int) -> Floats:
    """Mean days from one to the next of the days of the three newest purchases."""
    gap = np.full(size, np.nan)
    if not size:
        return gap
    start = np.concatenate(([0], end[:-1]))
    newest = np.full((size, NEWEST), np.nan)
    for back in range(NEWEST):
        known = end - 1 - back >= start
        newest[known, back] = day[(end - 1 - back)[known]]
    low, high = np.nanmin(newest, axis=1), np.nanmax(newest, axis=1)
    inside = (newest > low[:, None]) & (newest < high[:, None])
    apart = (high > low) * (1 + inside.any(axis=1))
    gap[apart > 0] = (high - low)[apart > 0] / apart[apart > 0]
    return gap


def _money(facts: Facts, cut: int, place: Integers, size: int) -> tuple[Floats, Integers, Integers]:
    rows = facts.money[facts.money[:, 1] < cut]
    rows = rows[place[rows[:, 0]] >= 0]
    who = place[rows[:, 0]]
    this = month_of(date.fromordinal(cut))
    inside = (this - rows[:, 2] >= 0) & (this - rows[:, 2] <= ORDER_MONTHS)
    months, back = np.unique(rows[inside, 2], return_inverse=True)
    middle = np.array([middle_of(int(month)) for month in months], dtype=np.float64)
    age = np.maximum(cut - middle, 0.0)[back.ravel()] if len(months) else np.empty(0)
    fading = np.column_stack(
        [
            np.bincount(who[inside], weights=rows[inside, 4] * np.exp(-age / tau), minlength=size)
            for tau in FADING
        ]
    )
    codes = max(len(facts.currencies), 1)
    cell = who * codes + rows[:, 3]
    orders = np.bincount(cell, weights=rows[:, 4], minlength=size * codes).reshape(size, codes)
    net = np.bincount(cell, weights=rows[:, 5], minlength=size * codes).reshape(size, codes)
    known = (orders != 0) | (net != 0)
    ranked = np.where(known, orders, -np.inf)
    main = np.argmax(ranked, axis=1) if size else np.empty(0, dtype=np.int64)
    currency = np.where(known.any(axis=1), main, -1)
    spent = net[np.arange(size), main] if size else np.empty(0)
    return np.maximum(fading, 0.0), currency, np.rint(spent).astype(np.int64)


def _deals(facts: Facts, cut: int, place: Integers, main: Integers) -> Deals:
    """Of the newest months of each, in each currency, that anything touched."""
    rows = facts.money[facts.money[:, 1] < cut]
    rows = rows[place[rows[:, 0]] >= 0]
    size, codes = len(main), max(len(facts.currencies), 1)
    cell = place[rows[:, 0]] * codes + rows[:, 3]
    pairs, back = np.unique(np.column_stack([cell, rows[:, 2]]), axis=0, return_inverse=True)
    sums = [
        np.bincount(back.ravel(), weights=rows[:, column], minlength=len(pairs))
        for column in (4, 5, 6, 7)
    ]
    kept = _newest(pairs[:, 0], MONTHS)
    who, code, months = pairs[kept, 0] // codes, pairs[kept, 0] % codes, pairs[kept, 1]
    orders, net, promoted, discount = (_whole(one[kept]) for one in sums)
    ours = code == main[who]

    def total(values: Integers, chosen: Mask | None = None) -> Integers:
        some = slice(None) if chosen is None else chosen
        return _whole(np.bincount(who[some], weights=values[some], minlength=size))

    ago = month_of(date.fromordinal(cut)) - months
    year = np.column_stack([total(orders, ago == back) for back in range(ORDER_MONTHS, 0, -1)])
    given, full = total(discount, ours), total(net + discount, ours)
    return Deals(
        orders=np.maximum(total(orders), 0),
        promoted=np.maximum(total(promoted), 0),
        paid=np.maximum(total(orders, ours), 0),
        full=full,
        spared=np.clip(given / np.maximum(full, 1), 0.0, 1.0),
        year=year,
    )


def _contacts(facts: Facts, cut: int, place: Integers, size: int) -> Contacts:
    """Of the newest months of each that have any."""
    rows = facts.touches[facts.touches[:, 1] < cut]
    rows = rows[place[rows[:, 0]] >= 0]
    pairs, back = np.unique(
        np.column_stack([place[rows[:, 0]], rows[:, 2]]), axis=0, return_inverse=True
    )
    kept = _newest(pairs[:, 0], TOUCH_MONTHS)
    came, sent, answered = (
        np.maximum(np.bincount(back.ravel(), weights=rows[:, column], minlength=len(pairs)), 0)[
            kept
        ]
        for column in (3, 4, 5)
    )
    who, months = pairs[kept, 0], pairs[kept, 1]
    ago = month_of(date.fromordinal(cut)) - months
    inside = (ago >= 0) & (ago <= ORDER_MONTHS)
    age = np.maximum(cut - _middles(months[inside]), 0.0)
    weight = np.zeros(len(who))
    weight[inside] = np.exp(-age / TOUCH_FADING)
    return Contacts(
        came=np.bincount(who, weights=came * weight, minlength=size).astype(np.float64),
        sent=np.bincount(who, weights=sent * weight, minlength=size).astype(np.float64),
        number=_whole(np.bincount(who, weights=sent, minlength=size)),
        answered=_whole(np.bincount(who, weights=answered, minlength=size)),
    )


def _newest(group: Integers, most: int) -> Mask:
    """The last so many rows of each group; rows are sorted by group."""
    kept: Mask = np.searchsorted(group, group, side="right") - np.arange(len(group)) <= most
    return kept


def _whole(values: Floats | Integers) -> Integers:
    return np.rint(values).astype(np.int64)


def _middles(months: Integers) -> Floats:
    known, back = np.unique(months, return_inverse=True)
    middle = np.array([middle_of(int(month)) for month in known], dtype=np.float64)
    found: Floats = middle[back.ravel()]
    return found


def _month(days: Integers) -> Integers:
    """Of ordinals: 12 x year + month - 1."""
    since = (days - EPOCH).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return since + 12 * 1970


def _complaints(
    facts: Facts, cut: int, place: Integers, size: int
) -> tuple[Integers, Integers, Integers, Integers]:
    """Open ones, settled ones; of the newest months in which some were settled, how many, and the points of
    their handling."""
    rows = facts.complaints[facts.complaints[:, 1] < cut]
    rows = rows[place[rows[:, 0]] >= 0]
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2]))]
    _, start, length = np.unique(rows[:, 2], return_index=True, return_counts=True)
    newest = rows[start + length - 1]
    counts = [
        np.bincount(place[newest[newest[:, 4] == state, 0]], minlength=size).astype(np.int64)
        for state in (1, 0)
    ]
    number, points = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    done: dict[tuple[int, int], Points] = {}
    for begin, count in zip(start, length, strict=True):
        one = rows[begin : begin + count]
        if one[-1, 4]:
            continue
        said = one[one[:, 6] >= 0, 6]
        severity = SEVERITIES[said[-1]] if len(said) else UNSAID
        month = month_of(moment(int(one[-1, 5])))
        of = done.setdefault((int(place[one[0, 0]]), month), Points())
        of.number += 1
        of.total += handled_as(severity, int(one[-1, 5] - one[:, 5].min()) // HOUR)
    keys = sorted(done)
    kept = _newest(np.array([who for who, _ in keys], dtype=np.int64), ANSWER_MONTHS)
    for (who, month), is_kept in zip(keys, kept, strict=True):
        if is_kept:
            number[who] += done[who, month].number
            points[who] += done[who, month].total
    return counts[0], counts[1], number, points


def _answers(facts: Facts, cut: int, place: Integers, size: int) -> tuple[Integers, Integers]:
    """Of the newest months of each that have any."""
    rows = facts.answers[facts.answers[:, 1] < cut]
    rows = rows[place[rows[:, 0]] >= 0]
    who = place[rows[:, 0]]
    pairs, back = np.unique(np.column_stack([who, rows[:, 2]]), axis=0, return_inverse=True)
    if len(pairs):
        kept = _newest(pairs[:, 0], ANSWER_MONTHS)[back.ravel()]
        who, rows = who[kept], rows[kept]
    number = np.bincount(who, minlength=size)
    points = np.bincount(who, weights=rows[:, 3], minlength=size)
    return number.astype(np.int64), np.rint(points).astype(np.int64)


def returned(facts: Facts, seen: Standing, horizon: int) -> Mask:
    """Who bought on a day from the cut until before `cut + horizon`, as is known in the end."""
    customer, day = _purchases(facts, int(np.iinfo(np.int64).max))
    inside = (day >= seen.cut) & (day < seen.cut + horizon)
    came: Mask = np.isin(seen.customer, customer[inside])
    return came
