"""evolve(state, event) -> state: what rules may ask for, folded. Any order gives the same."""

from typing import Any, assert_never

import msgspec

from services.campaign.projector import state as bounds
from services.campaign.projector.bounded import count, greatest, least
from services.campaign.projector.state import (
    CASE,
    Audience,
    Item,
    Sums,
    contact_key,
    count_contact,
    forget,
    joined_ends,
    later_consent,
    merged_item,
    trim_fields,
)
from shared.bounded import Register, Shown, insert, latest, retain, shown_last
from shared.codec import Event
from shared.language import (
    EVENT_TYPES,
    PUBLISHABLE,
    ChurnBandChanged,
    ClockTicked,
    ComplaintAnswered,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    ConsentChanged,
    Contact,
    Contribution,
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
    contact_of,
    effect,
)
from shared.language.purchase import orders_by_currency
from shared.moments import local_day, micros

BOUGHT = "purchase.completed"
COUNTED = tuple(sorted(PUBLISHABLE))
"""Types that `count` knows."""

_OF_THE_STREAM = frozenset({"clock.ticked", "history.closed", "policy.published"})
_SILENT = frozenset(
    {
        *("identifiers.linked", "customer.numbered", "customer.regrouped"),
        *("complaint.assigned", "customer.forgotten", "score.matrix_reviewed"),
        *(f"message.{outcome}" for outcome in ("sent", "uncertain", "failed", "withheld")),
    }
)
CONSUMES = frozenset(
    name for name in EVENT_TYPES if name not in _OF_THE_STREAM | _SILENT and name[:8] != "segment."
)

LONGEST_VALUE = 500
LONGEST_NAME = 100
MOST_OF_A_LIST = 50


def evolve(state: Audience, event: Event) -> Audience:  # noqa: C901, PLR0912, PLR0915  (one arm a type)
    """Fold one event into the state, in place."""
    data = event.data
    match data:
        case PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded():
            _trade(state, event)
        case (
            ComplaintOpened()
            | ComplaintAnswered()
            | ComplaintEscalated()
            | ComplaintReopened()
            | ComplaintResolved()
        ):
            _happened(state, event, touched=True)
            _complain(state, event, data.complaint_id, not isinstance(data, ComplaintResolved))
        case SurveyAnswered():
            _happened(state, event, touched=True)
            if data.score is not None:
                _write(state.answers, data.kind, event, data.score)
        case InteractionRecorded() | InteractionRetracted():
            contact = contact_of(event)
            if contact is None:
                _happened(state, event, touched=True)
            else:
                _by_hand(state, event, contact)
        case MessageOpened() | MessageClicked() | MessageComplained():
            _happened(state, event, touched=True)
        case CustomerIdentified() | MessageDelivered() | MessageBounced():
            _happened(state, event)
        case CustomerDescribed():
            _happened(state, event)
            _describe(state, event, data.traits)
        case CustomerEdited():
            _heard(state, event)
            _describe(state, event, data.changes)
        case ConsentChanged():
            _happened(state, event)
            key = f"{data.channel}.{data.topic}" if data.topic else data.channel
            word = Register(micros(event.time), event.id, data.granted)
            state.consents[key] = later_consent(state.consents.get(key), word)
            retain(state.consents, bounds.CONSENTS)
        case IdentifiersAdded():
            for type_, value in data.identifiers.items():
                state.identifiers[f"{type_}:{value}"] = True
            retain(state.identifiers, bounds.IDENTIFIERS)
        case TagAdded() | TagRemoved():
            _write(state.marks, data.tag, event, isinstance(data, TagAdded))
            retain(state.marks, bounds.TAGS)
        case TagGained() | TagDropped():
            told = Shown(event.sequence, isinstance(data, TagGained))
            state.derived[data.tag] = shown_last(state.derived.get(data.tag), told)
            retain(state.derived, bounds.TAGS)
        case LifecycleChanged():
            since = [data.state, micros(data.since)]
            state.lifecycle = shown_last(state.lifecycle, Shown(event.sequence, since))
        case ChurnBandChanged():
            state.churn_band = shown_last(state.churn_band, Shown(event.sequence, data.band))
        case RfmClassChanged():
            state.rfm_class = shown_last(state.rfm_class, Shown(event.sequence, data.rfm_class))
        case MatrixChanged():
            state.matrix = shown_last(state.matrix, Shown(event.sequence, data.matrix))
        case ClockTicked() | HistoryClosed() | PolicyPublished():
            pass  # of the stream, not of a customer
        case CustomerErased():
            state.erased = True
            state.heard = greatest(state.heard, micros(event.time))
        case CustomerForgotten():
            pass  # what a service did about an erasure
        case CustomerNumbered() | CustomerRegrouped() | IdentifiersLinked():
            pass  # no rule asks for it
        case MessageSent() | MessageUncertain() | MessageFailed() | MessageWithheld():
            pass  # what we did; what the customer made of it is told by others
        case ComplaintAssigned() | MatrixReviewed():
            pass  # no rule asks for it
        case SegmentEntered() | SegmentLeft():
            pass  # what was told is the difference's business
        case _:
            assert_never(data)
    # What was sealed before the erasure may stand behind it on the log and still be opened for a moment.
    return forget(state) if state.erased else state


def item_keys(event: Event) -> tuple[str, ...]:
    """Child rows that `evolve` will change."""
    match event.data:
        case (
            ComplaintOpened()
            | ComplaintAnswered()
            | ComplaintEscalated()
            | ComplaintReopened()
            | ComplaintResolved()
        ) as step:
            return (f"{CASE}{step.complaint_id}",)
        case _:
            contact = contact_of(event)
            return (contact_key(contact.id),) if contact else ()


def _heard(state: Audience, event: Event) -> int:
    at = micros(event.time)
    state.heard = greatest(state.heard, at)
    state.first = least(state.first, at)
    return at


def _happened(state: Audience, event: Event, *, touched: bool = False) -> None:
    """Take in what a publisher's event says besides its data: when, and at which local time."""
    at = _heard(state, event)
    if touched:
        state.touched = greatest(state.touched, at)
    state.offset = latest(state.offset, Register(at, event.id, event.utcoffset))
    if event.type in PUBLISHABLE and event.type != BOUGHT:
        count(state.counts, event.type, event.day, 1)


def _write(registers: dict[str, Register], key: str, event: Event, value: Any) -> None:
    new = Register(micros(event.time), event.id, value)
    registers[key] = latest(registers.get(key), new)


def _trade(state: Audience, event: Event) -> None:
    settled = effect(event)
    if not settled.elsewhere:
        _happened(state, event)
    for part, sign in ((settled.before, -1), (settled.after, 1)):
        if part is not None:
            _apply(state, part, sign)


def _apply(state: Audience, part: Contribution, sign: int) -> None:
    orders = sign * part.orders
    state.orders += orders
    for currency, number in orders_by_currency(part).items():
        sums = state.money.setdefault(currency, Sums())
        sums.orders += sign * number
        sums.spend += sign * part.spend[currency]
        if not sums.orders and not sums.spend:
            # An order that was taken away leaves no trace, as if it had been cancelled before it came.
            del state.money[currency]
    if orders:
        at = micros(part.time)
        insert(state.stamps, at, part.event_id, orders)
        count(state.counts, BOUGHT, local_day(at, part.utcoffset), orders)


def _complain(state: Audience, event: Event, complaint: str, is_open: bool) -> None:
    key = f"{CASE}{complaint}"
    new, kept = Item(micros(event.time), event.id, is_open), state.items.get(key)
    if kept is None or new > kept:
        state.items[key] = new
        state.complaints += kept is None
        state.open += new.is_open - (kept is not None and kept.is_open)


def _by_hand(state: Audience, event: Event, contact: Contact) -> None:
    """Take what an event says of a contact that people may take back. That they do is heard when they do."""
    if contact.retracted:
        state.heard = greatest(state.heard, micros(event.time))
    key = contact_key(contact.id)
    was = state.items.get(key, Item())
    told = Item(
        at=micros(contact.time),
        id=contact.id,
        recorded=not contact.retracted,
        retracted=contact.retracted,
        utcoffset=contact.utcoffset,
    )
    now = state.items[key] = merged_item(was, told)
    count_contact(state, now, now.number - was.number)
    ends = state.by_hand
    if now.stands and not was.stands:
        state.by_hand = joined_ends(ends, now)
    elif was.stands and not now.stands:
        state.stale = state.stale or ends is None or now.at in {ends.first, ends.last.at}


def _describe(state: Audience, event: Event, values: dict[str, Any]) -> None:
    """Take attributes; null clears one, and what no rule can compare counts as cleared."""
    for name, value in values.items():
        if len(name) <= LONGEST_NAME:
            _write(state.fields, name, event, _comparable(value))
    trim_fields(state.fields)


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else None
    if isinstance(value, list):
        texts = [one for one in value if isinstance(one, str) and len(one) <= LONGEST_VALUE]
        return texts[:MOST_OF_A_LIST]
    return value if isinstance(value, bool | int | float) else None


def decoded(state: bytes) -> Audience:
    """A state as its row holds it; nobody yet where it is empty."""
    return _decode(state) if state else Audience()


_decode = msgspec.msgpack.Decoder(Audience).decode
