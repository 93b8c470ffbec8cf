"""Purchases, refunds and cancellations as commands: decided at once, answered with the order as it is now."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.interaction.api import requests
from services.interaction.arrivals import CUSTOMER_ID, Arrival
from services.interaction.orders import Order, order_in, order_key
from services.interaction.recording import (
    Prepared,
    event_of,
    read_object,
    record,
    source_of,
)
from shared.access import Caller, require
from shared.commands import Outcome, headers_of
from shared.database import Connection, ReadConnection
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.http import openapi
from shared.http.answers import answer
from shared.http.idempotency import IdempotencyKey
from shared.http.shapes import nullable
from shared.kernel import Kernel
from shared.language.money import major
from shared.reading import read_manners

router = APIRouter(tags=["purchases"])

Publisher = Annotated[Caller, Depends(require("publish"))]
OrderId = Annotated[
    str,
    Path(max_length=256, description="The publisher's order id.", examples=["A-1001"]),
]

_BOUGHT = {
    "customer": {"member_no": "M42"},
    "at": "2026-11-20T12:03:11+08:00",
    "order_id": "A-1001",
    "total": {"amount": "35.80", "currency": "CNY"},
    "channel": "store",
    "items": [{"product_id": "P9", "category": "Dairy", "quantity": 2, "amount": "25.80"}],
}
_REFUND = {
    "order_id": "A-1001",
    "amount": {"amount": "10.00", "currency": "CNY"},
    "refund_id": "R-7",
    "reason": "sour milk",
}
_CANCELLED = {"reason": "ordered twice"}
_ORDER = {
    "order_id": "A-1001",
    "source": "store-7/pos",
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "status": "completed",
    "bought_at": "2026-11-20T04:03:11Z",
    "total": {"amount": "35.80", "currency": "CNY"},
    "refunds": [
        {
            "refund_id": "R-7",
            "at": "2026-11-21T02:00:00Z",
            "amount": {"amount": "10.00", "currency": "CNY"},
        }
    ],
    "net": [{"amount": "25.80", "currency": "CNY"}],
}


_BESIDE = {"at": nullable(requests.AT), "source": nullable(requests.SOURCE)}
_PURCHASE = requests.command(
    "Purchase",
    "purchase.completed",
    {"customer": requests.CUSTOMER},
    optional=_BESIDE,
    left_out=frozenset(),
)
_REFUNDED = requests.command(
    "Refund",
    "purchase.refunded",
    {},
    optional={"customer": nullable(requests.CUSTOMER), **_BESIDE},
    left_out=frozenset(),
    any_of=("amount", "total"),
)
_CANCEL = requests.command(
    "Cancel",
    "purchase.cancelled",
    {},
    optional={
        "order_id": {**requests.SOURCE, "description": "That of the path, where it is said again."},
        "customer": nullable(requests.CUSTOMER),
        **_BESIDE,
    },
    left_out=frozenset({"order_id"}),
)


async def _order(
    conn: Connection | ReadConnection, source: str, order_id: str, *, lock: str = ""
) -> Order:
    """An order as it stands; the empty one where nobody spoke of it."""
    data = orjson.dumps({"order_id": order_id})
    rows = await conn.fetch(
        f"SELECT state FROM orders WHERE key = $1 {lock}", order_key(source, data)
    )
    return order_in(rows[0]["state"]) if rows else Order()


def _shape(source: str, order_id: str, order: Order) -> dict[str, Any]:
    """An order as it is answered. Money with the decimals of its currency, times in UTC."""
    bought = order.current
    status = "cancelled" if order.cancelled else "completed" if bought else "unknown"
    total = None
    if bought is not None:
        [(currency, amount)] = bought.spend.items()
        total = _money(amount, currency)
    net = order.told.spend if order.told else {}
    return {
        "order_id": order_id,
        "source": source,
        "customer_id": order.customer,
        "status": status,
        "bought_at": bought.time if bought else None,
        "total": total,
        "refunds": [
            {"refund_id": name, "at": line.time, "amount": _money(line.amount, line.currency)}
            for name, line in sorted(order.refunds.items(), key=lambda one: one[1].time)
        ],
        "net": [_money(amount, currency) for currency, amount in sorted(net.items())],
    }


def _money(amount: int, currency: str) -> dict[str, str]:
    return {"amount": major(amount, currency), "currency": currency}


async def _answer(request: Request, outcome: Outcome) -> Response:
    source, order_id = orjson.loads(outcome.subject)
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        order = await _order(conn, source, order_id)
    status = outcome.status if outcome.folded else 202
    return answer(_shape(source, order_id, order), status=status, headers=headers_of(outcome))


async def _subject(_conn: Connection, _customer: Any, arrival: Arrival) -> str:
    order_id = orjson.loads(bytes(arrival.data))["order_id"]
    return orjson.dumps([arrival.source, order_id]).decode()


@router.post(
    "/v1/purchases",
    status_code=201,
    openapi_extra=openapi.body(_PURCHASE, _BOUGHT),
    responses={
        **openapi.shown(
            _ORDER,
            "The order.",
            status=201,
            links=openapi.links(
                {"order": "$response.body#/order_id", "source": "$response.body#/source"},
                reads=["get_purchase"],
            )
            | openapi.links({"order": "$response.body#/order_id"}, writes=["cancel_purchase"])
            | openapi.links({"customer": "$response.body#/customer_id"}, reads=["get_timeline"]),
        ),
        **openapi.shown(_ORDER, "The order, corrected."),
    },
)
async def post_purchase(
    request: Request, caller: Publisher, key: IdempotencyKey = None
) -> Response:
    """Record a purchase: the event's `data` with `customer`, `at` (now where it is missing) and `source` (the key's
    name where it is missing) beside it. The same order again corrects it."""
    body = await read_object(request)

    async def prepare(conn: Connection) -> Prepared:
        fields = dict(body)
        source = source_of(caller, fields)
        arrival = event_of(
            request,
            "purchase.completed",
            source=source,
            customer=fields.pop("customer", None),
            at=fields.pop("at", None),
            data=fields,
        )
        known = await _order(conn, source, fields["order_id"], lock="FOR UPDATE")
        return Prepared(arrival, _subject, 200 if known.current else 201)

    return await _answer(request, await record(request, prepare, command="purchase", key=key))


@router.post(
    "/v1/refunds",
    status_code=201,
    openapi_extra=openapi.body(_REFUNDED, _REFUND),
    responses=openapi.shown(_ORDER, "The order, less what went back.", status=201),
)
async def post_refund(request: Request, caller: Publisher, key: IdempotencyKey = None) -> Response:
    """Record a refund. `customer` may be left out where the order is known: it is whose order it is."""
    body = await read_object(request)

    async def prepare(conn: Connection) -> Prepared:
        fields = dict(body)
        source = source_of(caller, fields)
        customer = fields.pop("customer", None)
        if customer is None and isinstance(fields.get("order_id"), str):
            known = await _order(conn, source, fields["order_id"], lock="FOR UPDATE")
            customer = {CUSTOMER_ID: known.customer} if known.customer else None
        arrival = event_of(
            request,
            "purchase.refunded",
            source=source,
            customer=customer,
            at=fields.pop("at", None),
            data=fields,
        )
        return Prepared(arrival, _subject)

    return await _answer(request, await record(request, prepare, command="refund", key=key))


@router.post(
    "/v1/purchases/{order:path}/cancel",
    openapi_extra=openapi.body(_CANCEL, _CANCELLED, required=False),
    responses=openapi.shown(_ORDER, "The order, which counts for nothing now."),
)
async def cancel_purchase(
    request: Request, order: OrderId, caller: Publisher, key: IdempotencyKey = None
) -> Response:
    """Cancel an order. The body may be left out, or say `source` (the key's name where it is missing), `reason`, `at`,
    `customer` (whose order it is, where it is missing).

    404 for an order that nobody sent, 409 for one that is cancelled already.
    """
    body = await read_object(request) if await request.body() else {}

    async def prepare(conn: Connection) -> Prepared:
        fields = dict(body)
        source = source_of(caller, fields)
        if fields.pop("order_id", order) != order:
            error = FieldError("/order_id", "not_allowed", {"allowed": order})
            raise Unprocessable("validation_failed", errors=[error])
        known = await _order(conn, source, order, lock="FOR UPDATE")
        if known.current is None:
            raise NotFound("order_not_found")
        if known.cancelled:
            raise Conflict("order_cancelled")
        arrival = event_of(
            request,
            "purchase.cancelled",
            source=source,
            customer=fields.pop("customer", None) or {CUSTOMER_ID: known.customer},
            at=fields.pop("at", None),
            data={"order_id": order, **fields},
        )
        return Prepared(arrival, _subject, 200)

    return await _answer(request, await record(request, prepare, command="cancel", key=key))


@router.get(
    "/v1/purchases/{order:path}",
    dependencies=[Depends(read_manners)],
    responses=openapi.shown(_ORDER, "The order as it is now."),
)
async def get_purchase(
    request: Request,
    order: OrderId,
    caller: Annotated[Caller, Depends(require("read", "publish"))],
    source: Annotated[
        str | None, Query(max_length=256, description="Whose order; the key's name by default.")
    ] = None,
) -> Response:
    """One order, whichever way its events came."""
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        found = await _order(conn, source or caller.name, order)
    if found == Order():
        raise NotFound("order_not_found")
    return answer(_shape(source or caller.name, order, found))
