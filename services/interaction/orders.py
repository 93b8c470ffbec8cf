"""Settling orders: what each counts for, whatever comes in which order.

An order is a publisher's (source, order id). The version with the latest `time` holds (of equal ones the later to
arrive); refunds reduce it; once cancelled it counts for nothing. Every event about an order carries what it
counted for before and after, so that consumers only add and subtract.

An event is told to the customer whom it names. The order belongs to the customer of the version that holds; where
that is, or was, somebody else, they are told beside it what changes for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec
import orjson

from shared.language import (
    Contribution,
    PurchaseCompleted,
    PurchaseRefunded,
    Settled,
    contribution,
)
from shared.language.money import minor

SETTLED_TYPES = frozenset({"purchase.completed", "purchase.cancelled", "purchase.refunded"})
CORRECTED = "purchase.corrected"


class RefundLine(msgspec.Struct, frozen=True, gc=False):
    """Money that went back: minor units of a currency."""

    time: datetime
    event_id: str
    utcoffset: int
    currency: str
    amount: int
    customer: str = ""
    """Empty in orders that were kept before it was."""


class Order(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One order as it stands. The empty one is an order that nobody spoke of."""

    current: Contribution | None = None
    """The version that holds, before refunds."""
    cancelled: bool = False
    refunds: dict[str, RefundLine] = {}
    told: Contribution | None = None
    """What consumers were last told that it counts for."""
    customer: str = ""
    """Whose it was told to be."""


class _OrderId(msgspec.Struct, gc=False):
    order_id: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A publisher's event about an order, resolved to a customer."""

    event_id: str
    type: str
    time: datetime
    utcoffset: int
    customer: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An event to be appended for one customer."""

    type: str
    customer: str
    data: bytes
    derived: bool = False
    """True for what is told beside the event, to a customer whom it does not name."""


order_in = msgspec.msgpack.Decoder(Order).decode
"""An order from the bytes that are kept of it."""
_order_id = msgspec.json.Decoder(_OrderId).decode
_completed = msgspec.json.Decoder(PurchaseCompleted).decode
_refunded = msgspec.json.Decoder(PurchaseRefunded).decode
_plain = msgspec.json.Encoder().encode


def order_key(source: str, data: bytes) -> bytes:
    """16 bytes that stand for a publisher's order."""
    return blake2b(f"{source}\0{_order_id(data).order_id}".encode(), digest_size=16).digest()


def settle(order: Order, fact: Fact) -> tuple[Order, Sequence[Told]]:
    """Fold one fact into its order; answer what is to be told."""
    if fact.type == "purchase.completed":
        return _complete(order, fact)
    refunded = fact.type == "purchase.refunded"
    order = _refund(order, fact) if refunded else msgspec.structs.replace(order, cancelled=True)
    return _tell(order, fact, fact.type, _holder(order) or fact.customer)


def _complete(order: Order, fact: Fact) -> tuple[Order, Sequence[Told]]:
    version = contribution(fact.event_id, fact.time, fact.utcoffset, _completed(fact.data))
    if order == Order():
        # Nearly every order: it comes once and needs no settling.
        after = Order(current=version, told=version, customer=fact.customer)
        return after, (Told(fact.type, fact.customer, fact.data),)
    known = order.current
    if known is not None and fact.time < known.time:
        return _tell(order, fact, CORRECTED, order.customer)
    type_ = fact.type if known is None else CORRECTED
    return _tell(msgspec.structs.replace(order, current=version), fact, type_, fact.customer)


def _refund(order: Order, fact: Fact) -> Order:
    data = _refunded(fact.data)
    assert data.amount is not None, "the door asks for it"
    name = data.refund_id or fact.event_id
    line = RefundLine(
        time=fact.time,
        event_id=fact.event_id,
        utcoffset=fact.utcoffset,
        currency=data.amount.currency,
        amount=minor(data.amount),
        customer=fact.customer,
    )
    known = order.refunds.get(name)
    if known is not None and known.time > fact.time:
        return order
    return msgspec.structs.replace(order, refunds=order.refunds | {name: line})


def _holder(order: Order) -> str:
    """Whose order it is: the buyer's; of one whose purchase is not known, whoever was refunded first."""
    if order.current is None and order.refunds:
        return _in_time(order.refunds)[0].customer or order.customer
    return order.customer


def _in_time(refunds: Mapping[str, RefundLine]) -> list[RefundLine]:
    return sorted(refunds.values(), key=lambda line: (line.time, line.event_id))


def _tell(order: Order, fact: Fact, type_: str, holder: str) -> tuple[Order, Sequence[Told]]:
    """Say what the order counts for now, and for whom."""
    before, after = order.told, _counts(order)
    changes = {holder: Settled(before, after)}
    if order.customer not in {"", holder}:
        changes = {order.customer: Settled(before, None), holder: Settled(None, after)}
    told = [Told(type_, fact.customer, _with(fact.data, changes.pop(fact.customer, Settled())))]
    beside = CORRECTED if fact.type == "purchase.completed" else fact.type
    for customer, change in changes.items():
        if change.before != change.after:
            settled = msgspec.structs.replace(change, elsewhere=True)
            told.append(Told(beside, customer, _with(fact.data, settled), derived=True))
    return msgspec.structs.replace(order, told=after, customer=holder), told


def _counts(order: Order) -> Contribution | None:
    """What an order comes to: its version less its refunds, nothing once it is cancelled."""
    if order.cancelled:
        return None
    refunds = _in_time(order.refunds)
    if order.current is None:
        if not refunds:
            return None
        first = refunds[0]
        unknown = Contribution(
            event_id=first.event_id,
            time=first.time,
            utcoffset=first.utcoffset,
            orders=0,
            spend={},
            discount={},
            promoted=False,
            categories={},
        )
        return _less(unknown, refunds)
    return _less(order.current, refunds) if refunds else order.current


def _less(version: Contribution, refunds: Sequence[RefundLine]) -> Contribution:
    spend = dict(version.spend)
    for line in refunds:
        spend[line.currency] = spend.get(line.currency, 0) - line.amount
    return msgspec.structs.replace(version, spend=spend)


def _with(data: bytes, settled: Settled) -> bytes:
    """The publisher's data with what the order counted and counts for beside it."""
    return orjson.dumps({**orjson.loads(data), "settled": orjson.Fragment(_plain(settled))})
