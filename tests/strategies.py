"""Canonical events of one customer, as the resolver would have written them.

`make_event` is a factory for table-driven tests; `histories` and the strategies below it draw what
a customer can have done: orders that are corrected, refunded and cancelled (settled as differences
that telescope), complaints, surveys, interactions, contacts that people record and take back, traits,
identifiers, consents, messages.

Facts must fold in any order to the same state; `rearranged` draws a history together with a shuffle
of it, `divided` a history in two parts and one of their interleavings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from shared.codec import Event
from shared.language import (
    EVENT_TYPES,
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    ConsentChanged,
    Contribution,
    CustomerDescribed,
    CustomerIdentified,
    Data,
    IdentifiersAdded,
    InteractionRecorded,
    InteractionRetracted,
    Item,
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageOpened,
    Money,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    Settled,
    SurveyAnswered,
    contribution,
)
from shared.language.money import major

CUSTOMER = "01890000-0000-7000-8000-000000000001"
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""A Monday."""

_TYPES = {kind.struct: kind for kind in EVENT_TYPES.values()}


def event_id(number: int) -> str:
    """A UUID by number; ascending numbers give ascending ids."""
    return str(UUID(int=(0x01890000_0000_7000_8000 << 48) + number))


def make_event(
    data: Data,
    *,
    time: datetime = START,
    number: int = 1,
    utcoffset: int = 480,
    subject: str = CUSTOMER,
    history: str | None = None,
    origin: str = "interaction",
    commanded: bool = False,
) -> Event:
    """One event. `number` makes its ids and its place on the log; `utcoffset` in minutes; `commanded`: a command
    made it, so that the publisher's id is ours."""
    kind = _TYPES[type(data)]
    return Event(
        id=event_id(number),
        source="test",
        sourceid=event_id(number) if commanded else f"s-{number}",
        type=kind.name,
        subject=subject,
        time=time,
        utcoffset=utcoffset,
        receivedtime=time,
        history=history,
        data=data,
        origin=origin,
        sequence=number,
        partition=0,
        offset=number - 1,
        recordedtime=time,
    )


def bought(
    amount: int = 1000,
    *,
    currency: str = "CNY",
    order_id: str = "A-1",
    coupons: tuple[str, ...] = (),
    categories: Sequence[str] = (),
    discount: int = 0,
    channel: str | None = None,
    store: str | None = None,
    corrected: bool = False,
    settled: Settled | None = None,
) -> PurchaseCompleted:
    """A purchase; `amount` and `discount` in minor units."""
    kind = PurchaseCorrected if corrected else PurchaseCompleted
    return kind(
        order_id=order_id,
        total=Money(major(amount, currency), currency),
        discount=Money(major(discount, currency), currency) if discount else None,
        channel=channel,
        store=store,
        coupons=coupons,
        items=tuple(Item(category=category) for category in categories),
        settled=settled,
    )


# Drawn from few values, so that days, moments and orders meet.
times = st.builds(
    lambda day, hour, second: START + timedelta(days=day, hours=hour, seconds=second),
    st.integers(0, 40) | st.integers(0, 800),
    st.integers(0, 23),
    st.sampled_from((0, 0, 1, 59)),
)
offsets = st.sampled_from((480, 480, -300, 345, 0))
currencies = st.sampled_from(("CNY", "CNY", "USD", "JPY"))
amounts = st.integers(0, 100_000)


@st.composite
def _baskets(
    draw: st.DrawFn, order_id: str, currency: str, *, corrected: bool
) -> PurchaseCompleted:
    return bought(
        draw(amounts),
        currency=currency,
        order_id=order_id,
        coupons=draw(st.sampled_from(((), (), ("WELCOME",)))),
        categories=draw(st.lists(st.sampled_from(("Dairy", "Bread", "Tea")), max_size=3)),
        discount=draw(st.sampled_from((0, 0, 250))),
        channel=draw(st.sampled_from((None, "store", "online"))),
        store=draw(st.sampled_from((None, "7"))),
        corrected=corrected,
    )


@dataclass
class _Order:
    """One order, as the resolver follows it."""

    order_id: str
    currency: str
    counts: Contribution | None = None
    refunded: int = 0
    known: bool = False
    cancelled: bool = False

    def settle(self, after: Contribution | None) -> Settled:
        before, self.counts = self.counts, after
        return Settled(before, after)

    def net(self, whole: Contribution) -> Contribution:
        """What a purchase counts for once the refunds so far are taken off."""
        spend = {self.currency: whole.spend[self.currency] - self.refunded}
        return msgspec.structs.replace(whole, spend=spend)


@st.composite
def orders(draw: st.DrawFn, order_id: str, first: int) -> list[Event]:
    """The events of one order in log order; numbers count up from `first`.

    A refund may come before its purchase, whatever comes after a cancellation changes nothing, and
    now and then a purchase is not settled at all.
    """
    order = _Order(order_id, draw(currencies))
    if draw(st.integers(0, 9)) == 0:
        data = draw(_baskets(order_id, order.currency, corrected=False))
        return [make_event(data, time=draw(times), number=first, utcoffset=draw(offsets))]
    steps = draw(st.lists(st.sampled_from("PPPPRRC"), min_size=1, max_size=5))
    return [
        _step(draw, order, step, draw(times), draw(offsets), first + index)
        for index, step in enumerate(steps)
    ]


def _step(
    draw: st.DrawFn, order: _Order, step: str, time: datetime, utcoffset: int, number: int
) -> Event:
    if step == "P":
        data: Data = _purchase(draw, order, time, utcoffset, number)
    elif step == "R":
        data = _refund(draw, order, time, utcoffset, number)
    else:
        order.cancelled = True
        data = PurchaseCancelled(order.order_id, settled=order.settle(None))
    return make_event(data, time=time, number=number, utcoffset=utcoffset)


def _purchase(
    draw: st.DrawFn, order: _Order, time: datetime, utcoffset: int, number: int
) -> PurchaseCompleted:
    data = draw(_baskets(order.order_id, order.currency, corrected=order.known))
    order.known = True
    whole = contribution(event_id(number), time, utcoffset, data)
    after = None if order.cancelled else order.net(whole)
    return msgspec.structs.replace(data, settled=order.settle(after))


def _refund(
    draw: st.DrawFn, order: _Order, time: datetime, utcoffset: int, number: int
) -> PurchaseRefunded:
    amount = draw(st.integers(1, 20_000))
    order.refunded += amount
    back = {order.currency: -amount}
    counts = order.counts
    if order.cancelled:
        after = None
    elif counts is None:  # the order is not known yet: money went back, nothing was bought
        after = Contribution(event_id(number), time, utcoffset, 0, back, {}, False, {})
    else:
        after = msgspec.structs.replace(
            counts, spend={order.currency: counts.spend[order.currency] - amount}
        )
    return PurchaseRefunded(
        order.order_id,
        amount=Money(major(amount, order.currency), order.currency),
        settled=order.settle(after),
    )


_complaint_steps = st.sampled_from(
    (ComplaintAnswered, ComplaintEscalated, ComplaintResolved, ComplaintReopened)
)


@st.composite
def complaints(draw: st.DrawFn, complaint_id: str, first: int) -> list[Event]:
    """The events of one complaint; now and then the opening is missing."""
    opened = ComplaintOpened(complaint_id, category="quality", severity=draw(_severities))
    steps: list[Data] = [opened] if draw(st.integers(0, 4)) else []
    steps += [
        kind(complaint_id, by="li.na") for kind in draw(st.lists(_complaint_steps, max_size=4))
    ]
    return [
        make_event(data, time=draw(times), number=first + index, utcoffset=draw(offsets))
        for index, data in enumerate(steps)
    ]


_severities = st.sampled_from((None, "low", "medium", "high", "critical"))
_texts = st.sampled_from(("a", "b", "上海", ""))

interactions = st.builds(
    InteractionRecorded,
    kind=st.sampled_from(
        ("call", "visit", "email", "page_view", "campaign_sent", "campaign_response")
    ),
    channel=st.sampled_from((None, "phone", "web")),
    direction=st.sampled_from((None, "inbound", "outbound")),
)


def retraction(recorded: Event, number: int, time: datetime = START) -> Event:
    """What takes a recorded contact back."""
    data = recorded.data
    assert isinstance(data, InteractionRecorded)
    taken_back = InteractionRetracted(
        interaction_id=recorded.id,
        at=recorded.time,
        utcoffset=recorded.utcoffset,
        kind=data.kind,
        channel=data.channel,
        direction=data.direction,
        by="crm",
    )
    return make_event(taken_back, time=time, number=number, utcoffset=0, commanded=True)


@st.composite
def contacts(draw: st.DrawFn, first: int) -> list[Event]:
    """A contact that somebody records by hand, and often takes back, now and then twice."""
    recorded = make_event(
        draw(interactions),
        time=draw(times),
        number=first,
        utcoffset=draw(offsets),
        commanded=True,
    )
    back = range(first + 1, first + 1 + draw(st.sampled_from((0, 0, 1, 1, 2))))
    return [recorded, *(retraction(recorded, number, draw(times)) for number in back)]


surveys = st.sampled_from((("csat", 1, 5), ("nps", 0, 10), ("ces", 1, 7))).flatmap(
    lambda kind: st.builds(
        SurveyAnswered,
        survey_id=st.sampled_from(("s1", "s2")),
        kind=st.just(kind[0]),
        score=st.integers(kind[1], kind[2]).map(float),
    )
)
traits = st.dictionaries(
    st.sampled_from(("name", "region", "industry", "size", "source", "birthday", "key_need")),
    st.none() | _texts,
    min_size=1,
    max_size=4,
).map(CustomerDescribed)
identifiers = st.dictionaries(
    st.sampled_from(("member_no", "phone", "email", "cookie")),
    st.sampled_from(("1001", "1002")),
    min_size=1,
    max_size=2,
)
consents = st.builds(
    ConsentChanged,
    channel=st.sampled_from(("email", "sms")),
    granted=st.booleans(),
    topic=st.sampled_from((None, "news")),
)
messages = st.builds(
    lambda kind, number: kind(message_id=f"m{number}", channel="email"),
    st.sampled_from(
        (MessageDelivered, MessageOpened, MessageClicked, MessageBounced, MessageComplained)
    ),
    st.integers(1, 3),
)
others = st.one_of(
    interactions,
    surveys,
    traits,
    identifiers.map(CustomerIdentified),
    identifiers.map(IdentifiersAdded),
    consents,
    messages,
)
"""Facts that stand alone."""


@st.composite
def histories(draw: st.DrawFn, *, most_orders: int = 6) -> list[Event]:
    """Facts about one customer in an order that the log could hold them in."""
    events: list[Event] = []
    for index in range(draw(st.integers(0, most_orders))):
        events += draw(orders(f"A-{index}", len(events) + 1))
    for index in range(draw(st.integers(0, 2))):
        events += draw(complaints(f"K-{index}", len(events) + 1))
    for _ in range(draw(st.integers(0, 3))):
        events += draw(contacts(len(events) + 1))
    for data in draw(st.lists(others, max_size=5)):
        events.append(
            make_event(data, time=draw(times), number=len(events) + 1, utcoffset=draw(offsets))
        )
    return events


@st.composite
def rearranged(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """A history, and the same events in another order."""
    events = draw(histories())
    return events, draw(st.permutations(events))


@st.composite
def divided(draw: st.DrawFn) -> tuple[list[Event], list[Event], list[Event]]:
    """Two parts of a history, each in its own order, and all of it interleaved anyhow."""
    events = draw(histories())
    sides = draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    one = [event for event, side in zip(events, sides, strict=True) if side]
    other = [event for event, side in zip(events, sides, strict=True) if not side]
    return one, other, draw(st.permutations(events))


clocks = st.none() | st.builds(
    lambda day, minute: START + timedelta(days=day, minutes=minute),
    st.integers(-5, 1000),
    st.integers(0, 1439),
)
