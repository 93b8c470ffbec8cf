"""POST /v1/events: the door of everything that happens."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.interaction import cloudevents
from services.interaction.api import requests
from services.interaction.door import Door, Verdict
from services.interaction.judging import Refused
from services.interaction.queries import positions_of
from services.interaction.sent import CloudEvent, Sent, Unreadable, read_events, read_sent
from services.interaction.words import ERRORS
from shared.access import Caller, require
from shared.commands import Done, headers_of, transact
from shared.database import Connection
from shared.errors import (
    BadRequest,
    FieldError,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from shared.http.answers import answer
from shared.http.bodies import media_type, read_body
from shared.http.headers import header
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang, language_of_scope
from shared.http.openapi import shown
from shared.http.shortcuts import Shortcut
from shared.kernel import Kernel
from shared.language import EVENT_TYPES
from shared.positions import render
from shared.words import MESSAGES, Language, say

MOST_WAIT = 10.0
"""Seconds; with the time for the log, well within those in which every request is answered."""
WORDS = {**MESSAGES, **ERRORS}

router = APIRouter(tags=["events"])

_PREFER = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII | re.IGNORECASE)
_EVENT_EXAMPLE = {
    "id": "pos-7-000123",
    "source": "store-7/pos",
    "type": "purchase.completed",
    "time": "2026-11-20T12:03:11+08:00",
    "customer": {"member_no": "M42", "phone": "+8613800138000"},
    "data": EVENT_TYPES["purchase.completed"].example,
}
_ANSWER_EXAMPLE = {
    "accepted": 1,
    "duplicate": 0,
    "rejected": 0,
    "items": [{"id": "pos-7-000123", "status": "accepted"}],
}
_CLOUDEVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": "crm-000123",
    "source": "/crm",
    "type": "purchase.completed",
    "time": "2026-11-20T12:03:11+08:00",
    "customer": "member_no:M42 phone:+8613800138000",
    "data": EVENT_TYPES["purchase.completed"].example,
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": requests.EVENTS,
                "examples": {
                    "one": {"summary": "One event", "value": _EVENT_EXAMPLE},
                    "several": {"summary": "A list", "value": [_EVENT_EXAMPLE]},
                },
            },
            cloudevents.STRUCTURED: {
                "schema": requests.CLOUD_EVENT,
                "examples": {"one": {"summary": "A CloudEvent", "value": _CLOUDEVENT_EXAMPLE}},
            },
            cloudevents.BATCH: {
                "schema": requests.BATCH,
                "examples": {
                    "several": {"summary": "A batch", "value": [_CLOUDEVENT_EXAMPLE]},
                },
            },
        },
    },
}
_publisher = require("publish")
_BINARY = frozenset({b"ce-specversion", b"ce-id", b"ce-source", b"ce-type"})
_ACCEPTED = f"application/json, {cloudevents.STRUCTURED}, {cloudevents.BATCH}"


@router.post(
    "/v1/events",
    openapi_extra=_BODY,
    responses=shown(_ANSWER_EXAMPLE, "What became of each."),
)
async def post_events(
    request: Request,
    language: Lang,
    caller: Annotated[Caller, Depends(_publisher)],
    history: Annotated[
        str | None,
        Query(
            pattern=requests.HISTORY_NAME,
            description="Marks a backfill: nothing is announced until it is closed.",
        ),
    ] = None,
) -> Response:
    """Take one event or a list, and answer a verdict for each once the log has acknowledged those accepted.

    In our own spelling or as CloudEvents: structured, as a batch, or in binary mode (the data as the body, the
    attributes in headers `ce-*`). A bare object that is rejected: 422. `Prefer: wait=2` answers when the events
    have been resolved: each item then has its `customer_id`, and the answer its `Tenure-Position`.
    """
    events, listed = await _events(request)
    door: Door = request.app.state.door
    verdicts = await door.take(events, caller, history)
    if not listed and verdicts[0].status == "rejected":
        raise _refusal(verdicts[0])
    return await answer_verdicts(request, verdicts, language)


async def _post_straight(request: Request) -> Response:
    language = language_of_scope(request.scope)
    return await post_events(request, language, await _publisher(request))


SHORTCUT = Shortcut("POST", "/v1/events", _post_straight)


async def _events(request: Request) -> tuple[Sequence[Sent], bool]:
    """What the request carries, and whether it is a list. Raises `Problem`."""
    kind = media_type(request)
    if kind in {cloudevents.STRUCTURED, cloudevents.BATCH}:
        sent, listed = read_events(await read_body(request))
        if listed is not (kind == cloudevents.BATCH):
            code = "not_an_object" if listed else "not_a_list"
            raise Unprocessable("validation_failed", errors=[FieldError("", code)])
        return [one if isinstance(one, Unreadable) else CloudEvent(one) for one in sent], listed
    raw = request.scope["headers"]
    if (not kind or cloudevents.is_json(kind)) and any(n.lower() in _BINARY for n, _ in raw):
        try:
            content_type = header(request.scope, b"content-type") or ""
            event = cloudevents.structured(
                cloudevents.of_http(raw), content_type, await read_body(request)
            )
        except Refused as refused:
            raise BadRequest(refused.code, params=refused.params) from refused
        return [CloudEvent(event)], False
    if kind != "application/json":
        raise UnsupportedMediaType("unsupported_media_type", params={"accepted": _ACCEPTED})
    return read_sent(await read_body(request))


async def answer_verdicts(
    request: Request, verdicts: Sequence[Verdict], language: Language, **besides: Any
) -> Response:
    """200 with a verdict for each event, once they are resolved where the request prefers to wait."""
    door: Door = request.app.state.door
    wait = _wait(header(request.scope, b"prefer"))
    headers = {}
    if wait is not None:
        headers["Preference-Applied"] = f"wait={int(wait)}"
        if await door.resolved(verdicts, wait):
            kernel: Kernel = request.app.state.kernel
            customers = [v.customer_id for v in verdicts if v.customer_id is not None]
            positions = await positions_of(kernel, customers)
            if positions:
                headers["Tenure-Position"] = render(positions)
    items = [_item(verdict, language, wait is not None) for verdict in verdicts]
    counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
    for verdict in verdicts:
        counts[verdict.status] += 1
    return answer({**besides, **counts, "items": items}, headers=headers)


def _wait(prefer: str | None) -> float | None:
    match = _PREFER.search(prefer) if prefer else None
    return min(float(match[1]), MOST_WAIT) if match else None


def _refusal(verdict: Verdict) -> Unprocessable | TooLarge:
    assert verdict.code is not None, "a rejected event has a code"
    kind = TooLarge if verdict.code == "event_too_large" else Unprocessable
    return kind(verdict.code, errors=verdict.errors, params=verdict.params)


def _item(verdict: Verdict, language: Language, waited: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"id": verdict.id, "status": verdict.status}
    if verdict.code is not None:
        item["code"] = verdict.code
        item["message"] = say(WORDS, verdict.code, language, **verdict.params)
    if verdict.errors:
        item["errors"] = [_error(error, language) for error in verdict.errors]
    if waited:
        item["customer_id"] = str(verdict.customer_id) if verdict.customer_id else None
    return item


def _error(error: FieldError, language: Language) -> dict[str, str]:
    message = say(WORDS, error.code, language, **error.params)
    return {"pointer": error.pointer, "code": error.code, "message": message}


@router.post(
    "/v1/history/{history}/close",
    status_code=202,
    responses=shown(
        {"history": "shop-2025", "status": "closing"}, "It is being closed.", status=202
    ),
)
async def close_history(
    request: Request,
    history: Annotated[
        str,
        Path(
            examples=["shop-2025"],
            json_schema_extra={"pattern": requests.HISTORY_NAME},
        ),
    ],
    _caller: Annotated[Caller, Depends(require("publish"))],
    key: IdempotencyKey = None,
) -> Response:
    """End a backfill: when everything accepted before has been folded, each customer it touched announces once
    what is so. Closing again changes nothing."""
    if re.fullmatch(requests.HISTORY_NAME, history) is None:
        raise BadRequest("invalid_history")
    door: Door = request.app.state.door

    async def do(_conn: Connection, _now: datetime) -> Done:
        await door.close_history(history)
        return Done(202, history)

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await transact(request, do, command="close_history", key=key, digest=digest)
    said = {"history": history, "status": "closing"}
    return answer(said, status=202, headers=headers_of(outcome))
