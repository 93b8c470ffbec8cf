"""evolve, merge and what goes with them: how events become the state."""

from typing import assert_never

from services.scoring.projector.complaints import case_key, complain, open_entries
from services.scoring.projector.purchases import (
    days_touched,
    purchase_days,
    purchases,
    trade,
)
from services.scoring.projector.state import NEWEST, Case, Item, State, Sums
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
    CustomerIdentified,
    CustomerNumbered,
    HistoryClosed,
    IdentifiersAdded,
    IdentifiersLinked,
    InteractionRecorded,
    InteractionRetracted,
    LifecycleChanged,
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageOpened,
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
    }
)
SHOWS = frozenset({"identifiers.added"})
"""Read only so that whoever never bought has a row too, at the end of the list."""


def evolve(state: State, event: Event) -> State:
    """Fold one event; `state` is changed in place."""
    match event.data:
        case PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded():
            settled = effect(event)
            return trade(state if settled.elsewhere else _hear(state, event), settled)
        case (
            ComplaintOpened() | ComplaintAnswered() | ComplaintEscalated() | ComplaintReopened()
        ) as step:
            return complain(_hear(state, event), step.complaint_id, _case(event, is_open=True))
        case ComplaintResolved(complaint_id=complaint_id):
            return complain(_hear(state, event), complaint_id, _case(event, is_open=False))
        case (
            ComplaintAssigned()
            | InteractionRecorded()
            | InteractionRetracted()
            | SurveyAnswered()
            | CustomerDescribed()
            | CustomerIdentified()
            | CustomerNumbered()
            | CustomerEdited()
            | ConsentChanged()
            | MessageDelivered()
            | MessageOpened()
            | MessageClicked()
            | MessageBounced()
            | MessageComplained()
            | IdentifiersAdded()
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
            | SegmentEntered()
            | SegmentLeft()
        ):
            return state
        case other:
            assert_never(other)


def _hear(state: State, event: Event) -> State:
    time = micros(event.time)
    state.heard = time if state.heard is None else max(state.heard, time)
    return state


def _case(event: Event, *, is_open: bool) -> Case:
    return Case(time=micros(event.time), event_id=event.id, is_open=is_open)


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
    return merged


def _merge_items(one: Item, other: Item) -> Item:
    counts = dict(one.purchases)
    for text, count in other.purchases.items():
        counts[text] = counts.get(text, 0) + count
    cases = [item.case for item in (one, other) if item.case is not None]
    return Item(
        purchases={text: count for text, count in sorted(counts.items()) if count},
        case=max(cases, default=None),
    )


def is_stale(state: State) -> bool:
    """Whether `settle` must read the state off all items."""
    return state.stale


def settle(state: State) -> State:
    """Read off all items what only they know; changes `state` in place."""
    days = purchase_days(state)
    bought = purchases(state)
    cases = [item.case for item in state.items.values() if item.case is not None]
    still_open = [entry for case in cases for entry in open_entries(case)]
    state.days, state.orders = len(days), len(bought)
    state.first_day, state.last_day = (days[0], days[-1]) if days else (None, None)
    state.newest = sorted(bought, reverse=True)[:NEWEST]
    state.complaints, state.open_complaints = len(cases), len(still_open)
    state.complained = sorted(still_open, reverse=True)[:NEWEST]
    state.stale = False
    return state
