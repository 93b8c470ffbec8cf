"""How purchases change the state."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.scoring.projector.prospecting import earn
from services.scoring.projector.state import (
    CATEGORIES,
    MONTHS,
    Item,
    Moment,
    Month,
    State,
    Sums,
    keep_newest,
    month_of,
    newest_months,
    slot,
)
from shared.language import Contribution, Settled
from shared.language.purchase import orders_by_currency
from shared.moments import micros

DAY = "day:"


def local_day(time: datetime, utcoffset: int) -> int:
    """Ordinal of the local date; `utcoffset` in minutes."""
    return (time + timedelta(minutes=utcoffset)).toordinal()


def days_touched(settled: Settled) -> tuple[str, ...]:
    """Keys of the items that a purchase event changes."""
    parts = (settled.before, settled.after)
    return tuple({_day(part): None for part in parts if part is not None and part.orders})


def _day(part: Contribution) -> str:
    return f"{DAY}{local_day(part.time, part.utcoffset)}"


def _write(part: Contribution) -> str:
    return f"{micros(part.time)}|{part.utcoffset}|{part.event_id}"


def _read(text: str) -> Moment:
    time, utcoffset, event_id = text.split("|", 2)
    return int(time), event_id, int(utcoffset)


@dataclass(slots=True)
class _Turnover:
    """Purchases that came to count, and that ceased to."""

    come: set[Moment] = field(default_factory=set)
    gone: set[Moment] = field(default_factory=set)


def trade(state: State, settled: Settled) -> State:
    """Take off what an order counted for, add what it counts for now."""
    changes: dict[str, dict[str, int]] = {}
    for part, sign in ((settled.before, -1), (settled.after, 1)):
        if part is None:
            continue
        _add_money(state, part, sign)
        earn(state.came.weeks, part, sign)
        if part.orders:
            day = changes.setdefault(_day(part), {})
            text = _write(part)
            day[text] = day.get(text, 0) + sign * part.orders
    turnover = _Turnover()
    for key, change in changes.items():
        _change_day(state, key, change, turnover)
    if turnover.come or turnover.gone:
        state.orders += len(turnover.come) - len(turnover.gone)
        kept = keep_newest(state.newest, turnover.come, turnover.gone, state.orders)
        state.stale = state.stale or kept is None
        state.newest = state.newest if kept is None else kept
        _keep_first(state, turnover)
    return state


def _keep_first(state: State, turnover: _Turnover) -> None:
    """The first purchase; where it goes away, and others are left, only the items may know."""
    come = min((time for time, _, _ in turnover.come), default=None)
    first = state.first_at
    if first is not None and any(time <= first for time, _, _ in turnover.gone):
        others = state.orders - len(turnover.come)
        if others and (come is None or come > first):
            state.stale = True
            return
        first = None
    if come is not None:
        first = come if first is None else min(first, come)
    state.first_at = first


def _add_money(state: State, part: Contribution, sign: int) -> None:
    for currency, number in orders_by_currency(part).items():
        sums = state.money.get(currency)
        if sums is None:
            state.money = dict(sorted([*state.money.items(), (currency, sums := Sums())]))
        sums.net += sign * part.spend[currency]
        sums.purchases += sign * number
        _add_month(state, part, currency, number, sign)
        if part.categories:
            _add_categories(state, part, currency, sign)
        if not sums.net and not sums.purchases:
            # An order that was taken away leaves no trace, as if it had been cancelled first.
            del state.money[currency]


def _add_month(state: State, part: Contribution, currency: str, orders: int, sign: int) -> None:
    months = slot(state.months, currency, dict[int, Month])
    month = slot(months, month_of(part.time + timedelta(minutes=part.utcoffset)), Month)
    month.orders += sign * orders
    month.net += sign * part.spend[currency]
    if part.promoted:
        month.promoted += sign * orders
    if part.discount:
        month.discount += sign * part.discount.get(currency, 0)
    newest_months(months, MONTHS)


def _add_categories(state: State, part: Contribution, currency: str, sign: int) -> None:
    """Share the money of an order out over its categories, by their number of lines: an event does
    not say what each line comes to."""
    kept = slot(state.categories, currency, dict[str, int])
    amount, lines = part.spend[currency], sum(part.categories.values())
    for category, number in part.categories.items():
        if len(kept) >= CATEGORIES and category > next(reversed(kept)):
            continue
        slot(kept, category, int)
        kept[category] += sign * (amount * number // lines)
    while len(kept) > CATEGORIES:
        kept.popitem()


def _change_day(state: State, key: str, change: dict[str, int], turnover: _Turnover) -> None:
    item = state.items.setdefault(key, Item())
    was_bought_on = _is_bought_on(item)
    for text, count in change.items():
        before = item.purchases.pop(text, 0)
        after = before + count
        if after:
            item.purchases[text] = after
        if before <= 0 < after:
            turnover.come.add(_read(text))
        elif after <= 0 < before:
            turnover.gone.add(_read(text))
    item.purchases = dict(sorted(item.purchases.items()))
    if _is_bought_on(item) != was_bought_on:
        _count_day(state, int(key.removeprefix(DAY)), came=not was_bought_on)


def _is_bought_on(item: Item) -> bool:
    return any(count > 0 for count in item.purchases.values())


def _count_day(state: State, day: int, *, came: bool) -> None:
    if came:
        state.days += 1
        state.first_day = day if state.first_day is None else min(state.first_day, day)
        state.last_day = day if state.last_day is None else max(state.last_day, day)
        return
    state.days -= 1
    if not state.days:
        state.first_day = state.last_day = None
    elif day in {state.first_day, state.last_day}:
        state.stale = True


def purchase_days(state: State) -> list[int]:
    """Ordinals of all days with a purchase, ascending; all items must be loaded."""
    keys = (key for key, item in state.items.items() if _is_bought_on(item))
    return sorted(int(key.removeprefix(DAY)) for key in keys)


def purchases(state: State) -> list[Moment]:
    """All purchases that count; all items must be loaded."""
    return [
        _read(text)
        for item in state.items.values()
        for text, count in item.purchases.items()
        if count > 0
    ]
