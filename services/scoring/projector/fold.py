"""evolve, merge and what goes with them: how events become the state."""

from operator import add
from typing import assert_never

import msgspec

from services.scoring.projector.complaints import case_key, complain, settle_complaints
from services.scoring.projector.prospecting import come_by, contact, merge_came, see
from services.scoring.projector.purchases import (
    days_touched,
    purchase_days,
    purchases,
    trade,
)
from services.scoring.projector.state import (
    ANSWER_MONTHS,
    CATEGORIES,
    MONTHS,
    NEWEST,
    Case,
    Item,
    Key,
    Month,
    Points,
    State,
    Sums,
    Value,
    Verdict,
    newest_months,
)
from services.scoring.projector.surveys import answer, points_of
from services.scoring.projector.touches import merge_touches, touch, touch_of
from shared.bounded import joined
from shared.codec import Event
from shared.language import (
    ChurnBandChanged,
    ClockTicked,
    ComplaintAnswered,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    ConsentChanged,
    CustomerDescribed,
    CustomerEdited,
    CustomerErased,
    CustomerForgotten,
    CustomerIdentified,
    CustomerNumbered,
    CustomerRegrouped,
    HistoryClosed,
    IdentifiersAdded,
    IdentifiersLinked,
    InteractionRecorded,
    InteractionRetracted,
    LifecycleChanged,
    MatrixChanged,
    MatrixReviewed,
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageFailed,
    MessageOpened,
    MessageSent,
    MessageUncertain,
    MessageWithheld,
    PolicyPublished,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    RfmClassChanged,
    SegmentEntered,
    SegmentLeft,
    SurveyAnswered,
    TagAdded,
    TagDropped,
    TagGained,
    TagRemoved,
    effect,
)
from shared.moments import micros

CONSUMES = frozenset(
    {
        "purchase.completed",
        "purchase.corrected",
        "purchase.cancelled",
        "purchase.refunded",
        "complaint.opened",
        "complaint.answered",
        "complaint.escalated",
        "complaint.resolved",
        "complaint.reopened",
        "survey.answered",
        "interaction.recorded",
        "interaction.retracted",
        "message.delivered",
        "message.clicked",
        "score.matrix_reviewed",
    }
)
SHOWS = frozenset({"identifiers.added", "customer.described", "customer.edited", "customer.erased"})
"""Read only so that whoever never bought has a row too, how they came is known, and who is to be left alone. What is
announced are classes, which name nobody: of who was erased they are the same."""


def evolve(state: State, event: Event) -> State:  # noqa: C901, PLR0911  (one arm a type)
    """Fold one event; `state` is changed in place."""
    match event.data:
        case PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded():
            settled = effect(event)
            return trade(state if settled.elsewhere else _hear(state, event), settled)
        case ComplaintOpened() as opened:
            case = _case(event, is_open=True)
            return complain(_hear(state, event), opened.complaint_id, case, opened)
        case ComplaintAnswered() | ComplaintEscalated() | ComplaintReopened() as step:
            case = _case(event, is_open=True)
            return complain(_hear(state, event), step.complaint_id, case, None)
        case ComplaintResolved(complaint_id=complaint_id):
            case = _case(event, is_open=False)
            return complain(_hear(state, event), complaint_id, case, None)
        case SurveyAnswered() as answered:
            points = points_of(answered)
            return state if points is None else answer(_hear(state, event), event, points)
        case MatrixReviewed() as reviewed:
            return _review(_hear(state, event), event, reviewed)
        case InteractionRecorded() | InteractionRetracted() | MessageDelivered() | MessageClicked():
            found = touch_of(event)
            assert found is not None, "each of these counts"
            return contact(touch(_hear(state, event), found), event, found)
        case CustomerDescribed(traits=said) | CustomerEdited(changes=said):
            return come_by(see(state, micros(event.time), event.utcoffset), event, said)
        case IdentifiersAdded():
            return see(state, micros(event.time), event.utcoffset)
        case CustomerErased():
            return forget(state)
        case (
            ComplaintAssigned()
            | CustomerIdentified()
            | CustomerForgotten()
            | CustomerNumbered()
            | CustomerRegrouped()
            | ConsentChanged()
            | MessageOpened()
            | MessageBounced()
            | MessageSent()
            | MessageUncertain()
            | MessageFailed()
            | MessageWithheld()
            | MessageComplained()
            | IdentifiersLinked()
            | ClockTicked()
            | HistoryClosed()
            | PolicyPublished()
            | TagAdded()
            | TagRemoved()
            | TagGained()
            | TagDropped()
            | LifecycleChanged()
            | ChurnBandChanged()
            | RfmClassChanged()
            | MatrixChanged()
            | SegmentEntered()
            | SegmentLeft()
        ):
            return state
        case other:
            assert_never(other)


def _hear(state: State, event: Event) -> State:
    time = micros(event.time)
    if state.heard is None or time > state.heard:
        state.heard = time
    return see(state, time, event.utcoffset)


def _case(event: Event, *, is_open: bool) -> Case:
    return Case(time=micros(event.time), event_id=event.id, is_open=is_open)


def _review(state: State, event: Event, said: MatrixReviewed) -> State:
    verdict = Verdict(
        at=micros(event.time),
        event_id=event.id,
        month=said.month,
        overridden=said.verdict == "overridden",
        matrix=said.matrix,
        by=said.by,
        reason="" if state.erased else said.reason,
    )
    state.verdict = _later(state.verdict, verdict)
    return state


def forget(state: State) -> State:
    """Leave what says nothing of who it was. What people wrote goes, and where they came from: it is of the record,
    and what was sealed there is not found again when rows are made anew."""
    state.erased = True
    state.came.source = None
    if state.verdict is not None:
        state.verdict = msgspec.structs.replace(state.verdict, reason="")
    return state


def _later(one: Verdict | None, other: Verdict | None) -> Verdict | None:
    """The last word of people."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda verdict: (verdict.at, verdict.event_id))


def item_keys(event: Event) -> tuple[str, ...]:
    """Items that `evolve` will change."""
    match event.data:
        case PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded():
            return days_touched(effect(event))
        case (
            ComplaintOpened()
            | ComplaintAnswered()
            | ComplaintEscalated()
            | ComplaintReopened()
            | ComplaintResolved()
        ) as step:
            return (case_key(step.complaint_id),)
        case _:
            return ()


def merge(one: State, other: State) -> State:
    """The fold of both histories; it waits for `settle` with the items of both."""
    merged = State(stale=True)
    merged.heard = max((s.heard for s in (one, other) if s.heard is not None), default=None)
    for state in (one, other):
        for currency, sums in state.money.items():
            whole = merged.money.setdefault(currency, Sums())
            whole.purchases += sums.purchases
            whole.net += sums.net
        for key, item in state.items.items():
            merged.items[key] = _merge_items(merged.items.get(key, Item()), item)
    money = sorted(merged.money.items())
    merged.money = {code: sums for code, sums in money if sums.net or sums.purchases}
    merged.months = _sorted(joined(one.months, other.months, _join_months))
    merged.categories = _sorted(joined(one.categories, other.categories, _join_categories))
    merged.answers = _sorted(joined(one.answers, other.answers, _add_points))
    newest_months(merged.answers, ANSWER_MONTHS)
    answered = {*one.answered, *other.answered}
    merged.answered = sorted(answered, reverse=True)[:NEWEST]
    merged.touches = merge_touches(one.touches, other.touches)
    merged.came = merge_came(one.came, other.came)
    merged.verdict = _later(one.verdict, other.verdict)
    merged.erased = one.erased and other.erased
    return merged


def _sorted(kept: dict[Key, Value]) -> dict[Key, Value]:
    return dict(sorted(kept.items()))


def _join_months(one: dict[int, Month], other: dict[int, Month]) -> dict[int, Month]:
    months = _sorted(joined(one, other, _add_months))
    newest_months(months, MONTHS)
    return months


def _add_months(one: Month, other: Month) -> Month:
    return Month(
        one.orders + other.orders,
        one.net + other.net,
        one.promoted + other.promoted,
        one.discount + other.discount,
    )


def _join_categories(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    categories = _sorted(joined(one, other, add))
    while len(categories) > CATEGORIES:
        categories.popitem()
    return categories


def _add_points(one: Points, other: Points) -> Points:
    return Points(one.number + other.number, one.total + other.total)


def _merge_items(one: Item, other: Item) -> Item:
    counts = dict(one.purchases)
    for text, count in other.purchases.items():
        counts[text] = counts.get(text, 0) + count
    cases = [item.case for item in (one, other) if item.case is not None]
    openings = [item.opening for item in (one, other) if item.opening is not None]
    began = [item.began for item in (one, other) if item.began is not None]
    return Item(
        purchases={text: count for text, count in sorted(counts.items()) if count},
        case=max(cases, default=None),
        opening=max(openings, default=None),
        began=min(began, default=None),
    )


def is_stale(state: State) -> bool:
    """Whether `settle` must read the state off all items."""
    return state.stale


def settle(state: State) -> State:
    """Read off all items what only they know; changes `state` in place."""
    days = purchase_days(state)
    bought = purchases(state)
    state.days, state.orders = len(days), len(bought)
    state.first_day, state.last_day = (days[0], days[-1]) if days else (None, None)
    state.newest = sorted(bought, reverse=True)[:NEWEST]
    state.first_at = min((time for time, _, _ in bought), default=None)
    settle_complaints(state)
    state.stale = False
    return state
