"""How purchases change the state."""

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
    count,
    keep_newest,
    month_at,
    newest_months,
    slot,
)
from shared import moments
from shared.language import Contribution, Settled
from shared.language.purchase import orders_by_currency
from shared.moments import micros

DAY = "day:"


def local_day(time: datetime, utcoffset: int) -> int:
    """Ordinal of the local date; `utcoffset` in minutes."""
    return (time + timedelta(minutes=utcoffset)).toordinal()


def days_touched(settled: Settled) -> tuple[str, ...]:
    """Keys of the items that a purchase event changes."""
    keys: dict[str, None] = {}
    for part in (settled.before, settled.after):
        if part is not None and part.orders:
            keys[_key(moments.local_day(micros(part.time), part.utcoffset))] = None
    return tuple(keys)


def _key(day: int) -> str:
    return f"{DAY}{day}"


def _write(moment: Moment) -> str:
    time, event_id, utcoffset = moment
    return f"{time}|{utcoffset}|{event_id}"


def _read(text: str) -> Moment:
    time, utcoffset, event_id = text.split("|", 2)
    return int(time), event_id, int(utcoffset)


def trade(state: State, settled: Settled) -> State:
    """Take off what an order counted for, add what it counts for now."""
    changes: dict[int, dict[Moment, int]] = {}
    if settled.before is not None:
        _count(state, settled.before, -1, changes)
    if settled.after is not None:
        _count(state, settled.after, 1, changes)
    come: set[Moment] = set()
    gone: set[Moment] = set()
    for day, change in changes.items():
        _change_day(state, day, change, come, gone)
    if come or gone:
        state.orders += len(come) - len(gone)
        kept = keep_newest(state.newest, come, gone, state.orders)
        if kept is None:
            state.stale = True
        else:
            state.newest = kept
        _keep_first(state, come, gone)
    return state


def _count(
    state: State, part: Contribution, sign: int, changes: dict[int, dict[Moment, int]]
) -> None:
    """Add the money of a contribution, or take it off; note what becomes of its purchase, by local day."""
    at = micros(part.time)
    day = moments.local_day(at, part.utcoffset)
    _add_money(state, part, month_at(day), sign)
    earn(state.came.weeks, part, day, sign)
    if part.orders:
        change = changes.setdefault(day, {})
        moment = at, part.event_id, part.utcoffset
        change[moment] = change.get(moment, 0) + sign * part.orders


def _keep_first(state: State, come: set[Moment], gone: set[Moment]) -> None:
    """The first purchase; where it goes away, and others are left, only the items may know."""
    first, earliest = state.first_at, min(come)[0] if come else None
    if first is not None and gone and min(gone)[0] <= first:
        others = state.orders - len(come)
        if others and (earliest is None or earliest > first):
            state.stale = True
            return
        first = None
    if earliest is not None and (first is None or earliest < first):
        first = earliest
    state.first_at = first


def _add_money(state: State, part: Contribution, month: int, sign: int) -> None:
    """`month`: the local one."""
    for currency, number in orders_by_currency(part).items():
        sums = slot(state.money, currency, Sums)
        sums.net += sign * part.spend[currency]
        sums.purchases += sign * number
        months = slot(state.months, currency, dict)
        _add_month(slot(months, month, Month), part, currency, number, sign)
        newest_months(months, MONTHS)
        if part.categories:
            _add_categories(state, part, currency, sign)
        if not sums.net and not sums.purchases:
            # An order that was taken away leaves no trace, as if it had been cancelled first.
            del state.money[currency]


def _add_month(month: Month, part: Contribution, currency: str, orders: int, sign: int) -> None:
    month.orders += sign * orders
    month.net += sign * part.spend[currency]
    if part.promoted:
        month.promoted += sign * orders
    if part.discount:
        month.discount += sign * part.discount.get(currency, 0)


def _add_categories(state: State, part: Contribution, currency: str, sign: int) -> None:
    """Share the money of an order out over its categories, by their number of lines: an event does
    not say what each line comes to."""
    kept = slot(state.categories, currency, dict)
    amount, lines = part.spend[currency], sum(part.categories.values())
    for category, number in part.categories.items():
        if len(kept) < CATEGORIES or category <= next(reversed(kept)):
            count(kept, category, sign * (amount * number // lines))
    while len(kept) > CATEGORIES:
        kept.popitem()


def _change_day(
    state: State, day: int, change: dict[Moment, int], come: set[Moment], gone: set[Moment]
) -> None:
    """Purchases of one day come and go; those that count now, or no more, are added to `come` and `gone`."""
    key = _key(day)
    item = state.items.get(key)
    if item is None:
        item = state.items[key] = Item()
    was_bought_on = _is_bought_on(item)
    for moment, number in change.items():
        text = _write(moment)
        before = item.purchases.pop(text, 0)
        after = before + number
        if after:
            item.purchases[text] = after
        if before <= 0 < after:
            come.add(moment)
        elif after <= 0 < before:
            gone.add(moment)
    if len(item.purchases) > 1:
        item.purchases = dict(sorted(item.purchases.items()))
    if _is_bought_on(item) != was_bought_on:
        _count_day(state, day, came=not was_bought_on)


def _is_bought_on(item: Item) -> bool:
    return max(item.purchases.values(), default=0) > 0


def _count_day(state: State, day: int, *, came: bool) -> None:
    if came:
        state.days += 1
        if state.first_day is None or day < state.first_day:
            state.first_day = day
        if state.last_day is None or day > state.last_day:
            state.last_day = day
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
