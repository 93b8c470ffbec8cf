"""Events that the walk passes by: purchases, complaints, answered surveys.

Each one changes its child row. Where it comes from after the walker's position, the walker goes on;
else the state is marked `stale`, and the walk starts anew once all child rows are there.
"""

from services.profile.projector import items
from services.profile.projector.items import (
    Item,
    bought,
    case_key,
    contact_key,
    day_key,
    is_open,
    survey_key,
)
from services.profile.projector.lifecycle import Answer, Day, Turn, apply
from services.profile.projector.purchases import apply as apply_purchase
from services.profile.projector.recorded import met
from services.profile.projector.state import KINDS, Profile, count
from shared.bounded import (
    ENDS,
    Register,
    Stamp,
    first_of,
    insert,
    last_of,
    latest,
    retain,
)
from shared.codec import Event
from shared.language import (
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    Contribution,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseRefunded,
    SurveyAnswered,
    contact_of,
    effect,
)
from shared.moments import local_day, micros

Complaint = (
    ComplaintOpened | ComplaintAnswered | ComplaintEscalated | ComplaintResolved | ComplaintReopened
)
_PURCHASES = (PurchaseCompleted, PurchaseCancelled, PurchaseRefunded)
_COMPLAINTS = (
    *(ComplaintOpened, ComplaintAnswered, ComplaintEscalated),
    *(ComplaintResolved, ComplaintReopened),
)
_STATUS: dict[type, int] = {
    ComplaintOpened: items.OPENED,
    ComplaintAnswered: items.ANSWERED,
    ComplaintEscalated: items.ESCALATED,
    ComplaintResolved: items.RESOLVED,
    ComplaintReopened: items.REOPENED,
}


def item_keys(event: Event) -> tuple[str, ...]:
    """The child rows that `evolve` reads for an event. An answered survey only writes its own."""
    data = event.data
    if isinstance(data, _PURCHASES):
        settled = effect(event)
        days = [_day(part) for part in (settled.before, settled.after) if part and part.orders]
        if len(days) == 1 or (days and days[0] == days[1]):
            return (day_key(days[0]),)
        return tuple(map(day_key, days))
    if isinstance(data, _COMPLAINTS):
        return (case_key(data.complaint_id),)
    contact = contact_of(event)
    return (contact_key(contact.id),) if contact else ()


def purchase(state: Profile, event: Event, stamp: Stamp) -> None:
    """Take away what the order counted for before, add what it counts for now."""
    settled = effect(event)
    if not settled.elsewhere:
        met(state, stamp)
        if isinstance(event.data, PurchaseCompleted) and event.data.coupons:
            state.contacts.coupon = first_of(state.contacts.coupon, stamp)
    for part, sign in ((settled.before, -1), (settled.after, 1)):
        if part is not None:
            at = micros(part.time)
            apply_purchase(state.purchases, part, sign, at)
            state.latest_fact = max(state.latest_fact, at)
    _days(state, settled.before, settled.after)


def _day(part: Contribution) -> int:
    return local_day(micros(part.time), part.utcoffset)


def _days(state: Profile, before: Contribution | None, after: Contribution | None) -> None:
    """Move the order from its old day to its new one; mostly there is no old one, or the same."""
    gone, come = _entry(before, -1), _entry(after, 1)
    if gone is None or come is None or gone[0] != come[0]:
        for entry in (gone, come):
            if entry is not None:
                _change_day(state, entry[0], entry[1:])
    else:
        _change_day(state, gone[0], gone[1:], come[1:])


def _entry(part: Contribution | None, sign: int) -> tuple[int, int, str, int] | None:
    """The day of an order, and its entry there."""
    if part is None or not part.orders:
        return None
    at = micros(part.time)
    return local_day(at, part.utcoffset), at, part.event_id, sign * part.orders


def _change_day(state: Profile, ordinal: int, *entries: tuple[int, str, int]) -> None:
    key = day_key(ordinal)
    day = state.items.get(key)
    if day is None:
        day = state.items[key] = Item()
    was = bought(day)
    for at, by, orders in entries:
        insert(day.entries, at, by, orders)
        day.orders += orders
    _walk_day(state, ordinal, was, bought(day))


def _walk_day(
    state: Profile, ordinal: int, was: tuple[Stamp, Stamp] | None, now: tuple[Stamp, Stamp] | None
) -> None:
    if now == was or state.stale:
        return
    walker = state.walker
    if was is None and now is not None and now[0] > walker.position:
        apply(walker, now[0], Day(ordinal, now[1]))
    elif was and now and _goes_on(state, ordinal, was, now):
        walker.last = max(walker.last, now[1])
    else:
        state.stale = True


def _goes_on(
    state: Profile, ordinal: int, was: tuple[Stamp, Stamp], now: tuple[Stamp, Stamp]
) -> bool:
    """Whether the only news is a later purchase on the day that was walked last."""
    walker = state.walker
    return was[0] == now[0] and was[1] < now[1] and walker.day == ordinal and not walker.quiet


def complaint(state: Profile, stamp: Stamp, data: Complaint) -> None:
    """Put a step into the history of its complaint."""
    case = state.items.setdefault(case_key(data.complaint_id), Item())
    count(state.complaints, case, -1)
    was_open = is_open(case)
    insert(case.entries, *stamp, _STATUS[type(data)])
    if isinstance(data, ComplaintOpened):
        case.category = latest(case.category, Register(*stamp, data.category))
        case.severity = latest(case.severity, Register(*stamp, data.severity))
    count(state.complaints, case, 1)
    state.complaints.first = first_of(state.complaints.first, stamp)
    state.complaints.last = last_of(state.complaints.last, stamp)
    _walk_case(state, stamp, case, is_open(case) - was_open)


def _walk_case(state: Profile, stamp: Stamp, case: Item, change: int) -> None:
    if state.stale:
        return
    newest = case.entries[-1][:2] == stamp
    if newest and stamp > state.walker.position and len(case.entries) < 2 * ENDS:
        if change:
            apply(state.walker, stamp, Turn(change))
    else:
        state.stale = True


def survey(state: Profile, stamp: Stamp, data: SurveyAnswered) -> None:
    """Keep a score; a form without one says nothing about satisfaction."""
    if data.score is None or data.kind == "form":
        return
    state.scores[data.kind] = latest(state.scores.get(data.kind), Register(*stamp, data.score))
    retain(state.scores, KINDS)
    entry = (*stamp, 1)
    state.items[survey_key(stamp[1])] = Item(entries=[entry], kind=data.kind, score=data.score)
    if stamp > state.walker.position and not state.stale:
        apply(state.walker, stamp, Answer(data.kind, data.score))
    else:
        state.stale = True
