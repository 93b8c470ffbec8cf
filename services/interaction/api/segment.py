"""Segment's HTTP tracking API, for its own clients: POST /v1/{identify,track,page,screen,group,alias,batch}.

Every message that can be read is answered 200 with its verdict, as Segment answers 200 whatever it drops: its
clients send again what is answered otherwise, or give up.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.interaction.api import requests
from services.interaction.api.events import answer_verdicts
from services.interaction.door import Door
from services.interaction.segment.messages import TYPES, Circumstances, translate
from services.interaction.sent import Sent, Unreadable, read_batch
from shared.access import Caller, require
from shared.errors import (
    FieldError,
    Problem,
    TooLarge,
    Unauthorised,
    Unprocessable,
    UnsupportedMediaType,
)
from shared.http import openapi
from shared.http.bodies import media_type, read_body
from shared.http.language import Lang
from shared.ids import new_id
from shared.kernel import Kernel

MAX_BATCH_BYTES = 500 * 1024
_KINDS = frozenset({"", "application/json", "text/plain"})
"""Browsers' clients write text/plain, which asks no permission of another origin."""
_permitted = require("publish")

router = APIRouter(tags=["segment"])


async def _body(request: Request) -> dict[str, Any]:
    """The body, an object; messages of a batch that cannot be read are `Unreadable`. Raises `Problem`."""
    if media_type(request) not in _KINDS:
        raise UnsupportedMediaType(
            "unsupported_media_type", params={"accepted": "application/json"}
        )
    body = await read_body(request)
    if len(body) > MAX_BATCH_BYTES:
        raise TooLarge("too_large", params={"limit": MAX_BATCH_BYTES})
    sent = read_batch(body, "batch", "messageId")
    if not isinstance(sent, dict):
        raise Unprocessable("validation_failed", errors=[FieldError("", "not_an_object")])
    return sent


async def _publisher(request: Request) -> Caller:
    """Whose key it is: that of the Authorization header, else the body's `writeKey`, which then stands for it."""
    if "authorization" in request.headers:
        return await _permitted(request)
    header = (b"authorization", f"Bearer {await _write_key(request)}".encode())
    return await _permitted(Request({**request.scope, "headers": [*request.headers.raw, header]}))


async def _write_key(request: Request) -> str:
    """Raises `Unauthorised`, whatever else may be wrong with the body: strangers are told no more."""
    try:
        key = (await _body(request)).get("writeKey")
    except Problem:
        key = None
    if not isinstance(key, str):
        raise Unauthorised
    return key


Body = Annotated[dict[str, Any], Depends(_body)]
Publisher = Annotated[Caller, Depends(_publisher)]
History = Annotated[
    str | None,
    Query(
        pattern=requests.HISTORY_NAME,
        description="Marks a backfill: nothing is announced until it is closed, and times are taken as written.",
    ),
]


async def _take(
    request: Request,
    language: Lang,
    caller: Caller,
    history: str | None,
    messages: list[Any],
    type_: str | None,
    batch: dict[str, Any],
) -> Response:
    kernel: Kernel = request.app.state.kernel
    received = kernel.clock()
    given = Circumstances(
        received=received,
        source=caller.own_source,
        currency=request.app.state.segment_currency,
        history=history is not None,
        new_id=new_id,
    )
    context = batch.get("context")
    beneath = context if isinstance(context, dict) else {}
    sent: list[Sent] = [
        one
        if isinstance(one, Unreadable)
        else translate(one, type_, beneath, batch.get("sentAt"), given)
        for one in messages
    ]
    door: Door = request.app.state.door
    verdicts = await door.take(sent, caller, history, received=received)
    return await answer_verdicts(request, verdicts, language, success=True)


_ORDER = {
    "order_id": "50314b8e9bcf000000000000",
    "total": 27.5,
    "shipping": 3,
    "tax": 2,
    "discount": 2.5,
    "coupon": "hasbros",
    "currency": "USD",
    "products": [{"product_id": "507f", "sku": "45790-32", "price": 19, "quantity": 1}],
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u-8812", "anonymousId": "9f1c2d", "traits": {"name": "李雷"}},
    "track": {"userId": "u-8812", "event": "Order Completed", "properties": _ORDER},
    "page": {
        "anonymousId": "9f1c2d",
        "name": "Home",
        "properties": {"url": "https://shop.example/"},
    },
    "screen": {"userId": "u-8812", "name": "Basket"},
    "group": {"userId": "u-8812", "groupId": "g-7", "traits": {"name": "Initech", "employees": 50}},
    "alias": {"userId": "u-8812", "previousId": "9f1c2d"},
}


def _stamped(type_: str) -> dict[str, Any]:
    stamps = {"messageId": f"m-{type_}", "timestamp": "2026-11-20T04:03:11.000Z"}
    return _EXAMPLES[type_] | stamps


_BATCH = {
    "batch": [{"type": type_} | _stamped(type_) for type_ in _EXAMPLES],
    "sentAt": "2026-11-20T04:03:12.000Z",
}
_ANSWER = {
    "success": True,
    "accepted": 1,
    "duplicate": 0,
    "rejected": 0,
    "items": [{"id": "m-track", "status": "accepted"}],
}
_RESPONSES = openapi.shown(_ANSWER, "What became of each.")


def _one(type_: str) -> Callable[..., Awaitable[Response]]:
    async def take(
        request: Request,
        language: Lang,
        caller: Publisher,
        body: Body,
        history: History = None,
    ) -> Response:
        return await _take(request, language, caller, history, [body], type_, {})

    take.__name__ = f"segment_{type_}"
    take.__doc__ = f"Take one `{type_}` message of Segment's; the answer says what became of it."
    return take


for _type in TYPES:
    router.post(
        f"/v1/{_type}",
        openapi_extra=openapi.body(requests.SEGMENT, _stamped(_type)),
        responses=_RESPONSES,
    )(_one(_type))


@router.post(
    "/v1/batch", openapi_extra=openapi.body(requests.SEGMENT_BATCH, _BATCH), responses=_RESPONSES
)
async def segment_batch(
    request: Request, language: Lang, caller: Publisher, body: Body, history: History = None
) -> Response:
    """Take messages of Segment's, at most 2,500 and 500 KB; the answer says what became of each."""
    messages = body.get("batch")
    if not isinstance(messages, list):
        code = "missing" if messages is None else "not_a_list"
        raise Unprocessable("validation_failed", errors=[FieldError("/batch", code)])
    return await _take(request, language, caller, history, messages, None, body)
