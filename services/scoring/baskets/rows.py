"""From events to the rows of `basket` and `grievance`. Pure."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from shared.codec import Event
from shared.database import uuid_of
from shared.language import (
    ComplaintOpened,
    Contribution,
    Item,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseRefunded,
    effect,
)
from shared.moments import micros

LONGEST = 120
"""Characters kept of a product's id, its name, a category."""
LARGEST = 1e6
"""Units that a line may count for: more is a meter's reading, not a number of things."""
MOST_LINES = 500
"""Lines kept of one order."""
MOST_PRODUCTS = 50
"""Products kept of one complaint."""


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One line of an order. `amount` in the order's currency, not in minor units."""

    product: str | None
    category: str | None
    quantity: float
    amount: float | None = None
    name: str | None = None
    department: str | None = None


class Basket(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one event says of an order."""

    version: str | None
    """Which version of the order this is about; None where it only lets one go."""
    refund: str | None
    """The lines came back with this refund; None: they were bought, and the version counts."""
    order_id: str
    """The publisher's."""
    time: int
    """When it was bought, or came back: microseconds since 1970 UTC."""
    utcoffset: int
    """Minutes."""
    currency: str | None
    lines: tuple[Line, ...] = ()

    @property
    def day(self) -> int:
        """Ordinal of the local date."""
        return local_day(self.time, self.utcoffset)


_Raw = tuple[str | None, str | None, float | None, str | None, str | None, Any]


class _Kept(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A basket as it is written: its lines as they came. They are made tidy by whoever reads them, since
    each is written once by the loop, which must not wait, and read at leisure."""

    version: str | None
    refund: str | None
    order_id: str
    time: int
    utcoffset: int
    currency: str | None
    lines: Sequence[_Raw]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


def basket_in(body: bytes) -> Basket:
    """A basket from the bytes that are kept of it."""
    kept = _decode(body)
    return Basket(
        kept.version,
        kept.refund,
        kept.order_id,
        kept.time,
        kept.utcoffset,
        kept.currency,
        tuple(map(_line, kept.lines)),
    )


_EPOCH = 719_163
_MINUTE = 60_000_000


def local_day(time: int, utcoffset: int) -> int:
    """Ordinal of the local date of a moment."""
    return (time + utcoffset * _MINUTE) // (24 * 60 * _MINUTE) + _EPOCH


def row(event: Event, _value: bytes) -> tuple[Any, ...] | None:
    """The values of `COLUMNS`; None where no order came, went or gave something back."""
    data = event.data
    match data:
        case PurchaseCompleted():  # a correction is one, too
            return _row(event, data.order_id, data.items, data.total.currency, None)
        case PurchaseCancelled():
            return _row(event, data.order_id, (), None, None)
        case PurchaseRefunded():
            currency = data.amount.currency if data.amount is not None else None
            refund = data.refund_id or event.id
            return _row(event, data.order_id, data.items or (), currency, refund)
        case _:
            return None


COLUMNS = ("event_id", "customer_id", "day", "gone", "body")


def _row(
    event: Event, order_id: str, items: Sequence[Item], currency: str | None, refund: str | None
) -> tuple[Any, ...] | None:
    settled = effect(event)
    before, after = _counting(settled.before), _counting(settled.after)
    if before is None and after is None:
        return None
    same = before is not None and after is not None and before.event_id == after.event_id
    if same and (refund is None or not items or settled.before == settled.after):
        return None  # an older version came late, or money went back and nothing else
    bought = after if not same else None
    made = _Kept(
        version=after.event_id if after is not None else None,
        refund=refund if same else None,
        order_id=order_id[:LONGEST],
        time=micros(bought.time if bought is not None else event.time),
        utcoffset=bought.utcoffset if bought is not None else event.utcoffset,
        currency=currency,
        lines=[
            (one.product_id, one.category, one.quantity, one.amount, one.name, one.department)
            for one in items[:MOST_LINES]
        ]
        if after is not None
        else (),
    )
    gone = before.event_id if before is not None and not same else None
    day = max([_day(part) for part in (before, after) if part is not None])
    return (uuid_of(event.id), uuid_of(event.subject), day, gone, _encode(made))


def _counting(part: Contribution | None) -> Contribution | None:
    """None also of a refund whose order is not known: it is no order."""
    return part if part is not None and part.orders else None


def _day(part: Contribution) -> int:
    return local_day(micros(part.time), part.utcoffset)


def _line(raw: _Raw) -> Line:
    product, category, quantity, amount, name, department = raw
    counted = quantity is not None and 0.0 <= quantity <= LARGEST
    return Line(
        product=_cut(product),
        category=_cut(category),
        quantity=quantity if counted and quantity is not None else 1.0,
        amount=_number(amount),
        name=_cut(name),
        department=_cut(department) if isinstance(department, str) else None,
    )


def _number(amount: str | None) -> float | None:
    """To learn prices from, not to add up money."""
    try:
        return float(amount) if amount is not None else None
    except ValueError:
        return None


def _cut(text: str | None) -> str | None:
    """No blank and no endless names: what is longer than `LONGEST` would be one item with its like."""
    return text.strip()[:LONGEST] or None if text else None


GRIEVANCE_COLUMNS = ("customer_id", "complaint_id", "at", "event_id", "order_id", "products")


def grievance_row(event: Event, _value: bytes) -> tuple[Any, ...] | None:
    """What a complaint is about, where it says so; None for every other event."""
    data = event.data
    if not isinstance(data, ComplaintOpened) or not (data.product_ids or data.order_id):
        return None
    products = [one for one in map(_cut, data.product_ids[:MOST_PRODUCTS]) if one]
    order_id = data.order_id[:LONGEST] if data.order_id else None
    return (UUID(event.subject), data.complaint_id, event.time, event.id, order_id, products)
