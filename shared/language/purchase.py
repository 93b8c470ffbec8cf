"""Purchases: completed, cancelled, refunded, corrected; and what they come to once orders are
settled.

Only interaction's resolver knows orders. It writes into each event what the order counted for
`before` and what it counts for `after`; consumers subtract the one and add the other. The
differences of an order telescope, so any order of arrival gives the same sums, and no consumer
keeps a row per order.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Required

from msgspec import Struct
from pydantic import AfterValidator
from pydantic_core import InitErrorDetails

from shared.language.basket import Lines, MoneyIn, Refund, Sum, priced, same_currency
from shared.language.door import Fact, Id, Ids, Label, Name, Text, fault, refuse
from shared.language.event_type import INTERACTION, EventType
from shared.language.money import Money, minor

if TYPE_CHECKING:
    from shared.codec import Event


class Contribution(Struct, frozen=True, gc=False, omit_defaults=True):
    """What one order counts for, net of its refunds."""

    event_id: str
    time: datetime
    """When it was bought, UTC."""
    utcoffset: int
    """Minutes from UTC to the customer's local time."""
    orders: int
    """1; 0 for a refund whose order is not known."""
    spend: dict[str, int]
    """Minor units per currency, that of the order first: a refund may be in another one."""
    discount: dict[str, int]
    """Minor units per currency."""
    promoted: bool
    """It carried a coupon or a discount."""
    categories: dict[str, int]
    """Number of basket lines per category."""
    channel: str | None = None
    store: str | None = None


def orders_by_currency(part: Contribution) -> dict[str, int]:
    """How many orders a contribution is in each currency of its `spend`: an order is one of its own currency alone."""
    if len(part.spend) == 1:
        return dict.fromkeys(part.spend, part.orders)
    return {currency: part.orders if place == 0 else 0 for place, currency in enumerate(part.spend)}


class Settled(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an order counted for before an event, and what it counts for after it."""

    before: Contribution | None = None
    after: Contribution | None = None
    elsewhere: bool = False
    """The event names another customer and happened to them; this one's order is only changed by it."""


NOTHING = Settled()


class Item(Struct, frozen=True, gc=False):
    """A basket line, as far as folds read it."""

    product_id: str | None = None
    name: str | None = None
    category: str | None = None
    quantity: float | None = None
    amount: str | None = None
    """What the line costs, in the currency of the basket's total."""
    department: Any = None
    """Above the category; the door does not judge it."""


class PurchaseCompleted(Struct, frozen=True, gc=False):
    """A customer bought something."""

    order_id: str
    total: Money
    discount: Money | None = None
    channel: str | None = None
    store: str | None = None
    coupons: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    settled: Settled | None = None


class PurchaseCorrected(PurchaseCompleted, frozen=True, gc=False):
    """An order that was known already came again: these are its fields now."""


class PurchaseCancelled(Struct, frozen=True, gc=False):
    """An order counts no more."""

    order_id: str
    settled: Settled | None = None


class PurchaseRefunded(Struct, frozen=True, gc=False):
    """Money of an order went back."""

    order_id: str
    amount: Money | None = None
    refund_id: str | None = None
    items: tuple[Item, ...] | None = None
    """What came back."""
    settled: Settled | None = None


Purchase = PurchaseCompleted | PurchaseCorrected | PurchaseCancelled | PurchaseRefunded
_PURCHASES = (PurchaseCompleted, PurchaseCancelled, PurchaseRefunded)  # a tuple is looked at faster


def contribution(
    event_id: str, time: datetime, utcoffset: int, data: PurchaseCompleted
) -> Contribution:
    """Return what a purchase counts for by itself. `time` in UTC, `utcoffset` in minutes."""
    discount = {data.discount.currency: minor(data.discount)} if data.discount else {}
    categories: dict[str, int] = {}
    for item in data.items:
        if item.category:
            categories[item.category] = categories.get(item.category, 0) + 1
    return Contribution(
        event_id=event_id,
        time=time,
        utcoffset=utcoffset,
        orders=1,
        spend={data.total.currency: minor(data.total)},
        discount=discount,
        promoted=bool(data.coupons) or any(amount > 0 for amount in discount.values()),
        categories=categories,
        channel=data.channel,
        store=data.store,
    )


def effect(event: "Event") -> Settled:
    """Return what a purchase event changes: subtract `before`, add `after`.

    An event that the resolver did not settle counts only where it is a completed purchase.
    """
    data = event.data
    if not isinstance(data, _PURCHASES):
        return NOTHING
    if data.settled is not None:
        return data.settled
    if type(data) is PurchaseCompleted:
        return Settled(None, contribution(event.id, event.time, event.utcoffset, data))
    return NOTHING


class _Completed(Fact, total=False):
    order_id: Required[Id]
    total: Required[Sum]
    """What the customer paid."""
    discount: Sum | None
    tax: Sum | None
    shipping: Sum | None
    channel: Label | None
    store: Name | None
    coupons: Ids
    items: Lines


class _Cancelled(Fact, total=False):
    order_id: Required[Id]
    reason: Text | None


class _Refunded(Fact, total=False):
    order_id: Required[Id]
    amount: Refund | None
    """What the customer got back."""
    total: Refund | None
    """Another name for `amount`."""
    refund_id: Id | None
    items: Lines
    reason: Text | None


_BESIDES: tuple[Literal["discount", "tax", "shipping"], ...] = ("discount", "tax", "shipping")


def _whole(purchase: _Completed) -> _Completed:
    currency = purchase["total"]["currency"]
    faults = _unsettled(purchase)
    besides: dict[str, MoneyIn | None] = {
        name: purchase[name] for name in _BESIDES if name in purchase
    }
    if besides:
        faults += same_currency(besides, currency)
    if purchase.get("items"):
        faults += priced(purchase["items"], currency, "items")
    if faults:
        raise refuse(*faults)
    return purchase


def _refund(refund: _Refunded) -> _Refunded:
    """`total` becomes `amount`, so that consumers know one name."""
    faults = _unsettled(refund)
    money = refund.get("amount") or refund.get("total")
    if money is None:
        faults.append(fault("missing", "amount"))
    else:
        refund["amount"] = money
        faults += priced(refund.get("items", []), money["currency"], "items")
    if faults:
        raise refuse(*faults)
    return refund


def _cancel(cancelled: _Cancelled) -> _Cancelled:
    faults = _unsettled(cancelled)
    if faults:
        raise refuse(*faults)
    return cancelled


def _unsettled(data: Mapping[str, object]) -> list[InitErrorDetails]:
    """Only the resolver says what an order counts for."""
    return [fault("reserved_field", "settled")] if "settled" in data else []


PurchaseDoor = Annotated[_Completed, AfterValidator(_whole)]
RefundDoor = Annotated[_Refunded, AfterValidator(_refund)]
CancelDoor = Annotated[_Cancelled, AfterValidator(_cancel)]

_COMPLETED = {
    "order_id": "A-1001",
    "total": {"amount": "35.80", "currency": "CNY"},
    "discount": {"amount": "2.00", "currency": "CNY"},
    "channel": "store",
    "store": "7",
    "coupons": ["WELCOME"],
    "items": [
        {
            "product_id": "P9",
            "name": "Milk",
            "category": "Dairy",
            "quantity": 2,
            "unit_price": "12.90",
            "amount": "25.80",
        },
        {
            "product_id": "P31",
            "name": "Apples",
            "category": "Fruit",
            "quantity": 1.25,
            "unit_price": "8.00",
            "amount": "10.00",
        },
    ],
}

EVENTS = (
    EventType(
        name="purchase.completed",
        struct=PurchaseCompleted,
        door=PurchaseDoor,
        emitters=INTERACTION,
        example=_COMPLETED,
        description={
            "en": "A customer bought something; the same order again corrects it.",
            "zh": "客户完成了一次购买；同一订单再次上报视为更正。",
        },
    ),
    EventType(
        name="purchase.cancelled",
        struct=PurchaseCancelled,
        door=CancelDoor,
        emitters=INTERACTION,
        example={"order_id": "A-1001", "reason": "Ordered twice"},
        description={
            "en": "An order was cancelled and counts no more.",
            "zh": "订单被取消，不再计入购买。",
        },
    ),
    EventType(
        name="purchase.refunded",
        struct=PurchaseRefunded,
        door=RefundDoor,
        emitters=INTERACTION,
        example={
            "order_id": "A-1001",
            "refund_id": "R-17",
            "amount": {"amount": "10.00", "currency": "CNY"},
            "reason": "Bruised apples",
        },
        description={
            "en": "Money of an order went back to the customer.",
            "zh": "订单的部分或全部金额退还给了客户。",
        },
    ),
    EventType(
        name="purchase.corrected",
        struct=PurchaseCorrected,
        emitters=INTERACTION,
        example=_COMPLETED | {"total": {"amount": "30.80", "currency": "CNY"}},
        description={
            "en": "An order that was already known came again with other content.",
            "zh": "已有订单以新的内容再次上报，按新内容更正。",
        },
    ),
)
