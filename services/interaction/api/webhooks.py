"""/v1/webhooks: where events are sent to, and what became of each."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from services.interaction.api import webhook_examples as examples
from services.interaction.settings import Settings
from services.interaction.webhooks import endpoints, reading, signing
from services.interaction.webhooks.addresses import LONGEST, RefusedError, read_url
from services.interaction.webhooks.endpoints import Endpoint
from services.interaction.webhooks.patterns import PATTERNS, is_pattern
from services.interaction.webhooks.trying import GIVEN_UP as GIVEN_UP_AFTER
from services.interaction.words import GIVEN_UP, SENT
from shared.access import require
from shared.commands import Done, Outcome, headers_of, transact
from shared.database import Connection, Row
from shared.errors import FieldError, NotFound, Unprocessable
from shared.http import openapi
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.etags import IfMatch, check_if_match
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import kernel_of
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.http.texts import Words
from shared.http.times import Moment
from shared.ids import new_id
from shared.loop.rows import ALWAYS
from shared.reading import read_manners
from shared.words import Language, say

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], dependencies=[Depends(require("admin"))]
)

MOST_TYPES = 100
_READS = [Depends(read_manners)]
_STRICT = ConfigDict(extra="forbid")

WebhookId = Annotated[UUID, Path(description="Id of a webhook.")]
DeliveryId = Annotated[UUID, Path(description="Id of a delivery: its `webhook-id`.")]
Url = Annotated[
    str,
    Words(LONGEST, 1),
    WithJsonSchema({"type": "string", "pattern": r"^\s*https?://\S+\s*$", "maxLength": LONGEST}),
]
Types = Annotated[
    list[Annotated[str, WithJsonSchema({"type": "string", "enum": PATTERNS})]],
    Field(
        min_length=1,
        max_length=MOST_TYPES,
        description="Event types: `purchase.completed`, all of a kind (`lifecycle.*`), or all (`*`).",
    ),
]
Description = Annotated[str, Words(1000)]


class WriteWebhook(BaseModel):
    """A webhook that is to be."""

    model_config = _STRICT

    url: Url
    types: Types
    description: Description = ""
    enabled: bool = True


class ChangeWebhook(BaseModel):
    """What is to be different; the rest stays."""

    model_config = _STRICT

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: bool | None = None


class Replay(BaseModel):
    """Which time is to be sent: when events were recorded."""

    model_config = _STRICT

    start: Annotated[Moment, Field(alias="from", description="Not before this time.")]
    end: Annotated[
        Moment | None, Field(alias="to", description="Before this time; now, where it is missing.")
    ] = None


def _judge(request: Request, url: str | None, types: list[str] | None) -> None:
    """Raises Unprocessable, a pointer to each mistake."""
    own: Settings = kernel_of(request).own  # type: ignore[assignment]
    errors = []
    if url is not None:
        try:
            read_url(url, private=own.webhooks_private)
        except RefusedError as refused:
            errors.append(FieldError("/url", refused.code))
    errors += [
        FieldError(f"/types/{place}", "unknown_event_pattern")
        for place, one in enumerate(types or ())
        if not is_pattern(one)
    ]
    if errors:
        raise Unprocessable("validation_failed", errors=errors)


def _endpoint(one: Endpoint, language: Language, now: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "types": one.types,
        "description": one.description,
        "enabled": one.enabled,
        "disabled": None
        if one.disabled_why is None
        else {
            "at": one.disabled_at,
            "code": one.disabled_why,
            "message": say(GIVEN_UP, one.disabled_why, language, days=GIVEN_UP_AFTER.days),
        },
        "failing_since": one.failing_since,
        "old_secret_until": signing.until(one.secrets, now),
        "created_at": one.created_at,
        "created_by": one.created_by,
        "updated_at": one.updated_at,
        "updated_by": one.updated_by,
    }


def _delivery(row: Row, language: Language) -> dict[str, Any]:
    last = None
    if row["why"] is not None:
        last = {
            "at": row["tried_at"],
            "code": row["why"],
            "status": row["answered"],
            "message": say(SENT, row["why"], language, status=row["answered"]),
        }
    waits = row["status"] == "pending" and row["next_at"] > ALWAYS
    return {
        "id": row["id"],
        "type": row["type"],
        "event_id": row["event_id"],
        "customer_id": row["customer_id"],
        "status": row["status"],
        "attempts": row["attempts"],
        "next_at": row["next_at"] if waits else None,
        "last": last,
        "created_at": row["created_at"],
        "done_at": row["done_at"],
    }


Apply = Callable[[Connection, datetime], Awaitable[str]]
"""Writes, under the lock of all that edits webhooks; answers the id of what it is about."""


async def _change(
    request: Request,
    apply: Apply,
    *,
    command: str,
    status: int = 200,
    key: str | None = None,
) -> Outcome:
    async def do(conn: Connection, now: datetime) -> Done:
        await endpoints.lock(conn)
        return Done(status, await apply(conn, now))

    digest = request_hash(request.url.path, await read_body(request)) if key else b""
    return await transact(request, do, command=command, key=key, digest=digest)


async def _shown(
    request: Request, outcome: Outcome, language: Language, *, secret: bool = False
) -> Response:
    """The webhook as it is now, after a command."""
    kernel, headers = kernel_of(request), headers_of(outcome)
    try:
        async with kernel.database.read() as conn:
            one = await endpoints.find(conn, UUID(outcome.subject))
    except NotFound:  # made once, deleted since, and the request sent again
        return answer({"id": outcome.subject}, status=outcome.status, headers=headers)
    content = _endpoint(one, language, kernel.clock())
    if secret:
        made = signing.secret_of(kernel.settings.inbound_secret, one.id, one.secrets[0]["nonce"])
        content["secret"] = signing.shown(made)
    headers["ETag"] = one.etag
    if outcome.status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/webhooks/{one.id}"
    return answer(content, status=outcome.status, headers=headers)


@router.post(
    "",
    status_code=201,
    responses=openapi.shown(
        examples.MADE,
        "The webhook, with its secret: it is shown this once.",
        status=201,
        links=openapi.links(
            {"webhook": "$response.body#/id"},
            writes=[
                *("get_webhook", "list_deliveries", "patch_webhook", "rotate_secret"),
                *("try_webhook", "replay_webhook", "delete_webhook"),
            ],
        ),
    ),
    openapi_extra=openapi.body(None, examples.TAKEN),
)
async def post_webhook(
    request: Request, body: WriteWebhook, language: Lang, key: IdempotencyKey = None
) -> Response:
    """Have events sent to an address from now on. Each is signed with the secret that is answered
    (standardwebhooks.com)."""
    _judge(request, body.url, body.types)
    kernel, by = kernel_of(request), request.state.caller.name

    async def apply(conn: Connection, now: datetime) -> str:
        one = Endpoint(
            id=UUID(new_id()),
            url=body.url,
            types=tuple(body.types),
            description=body.description,
            enabled=body.enabled,
            secrets=signing.first(),
            created_at=now,
            created_by=by,
            updated_at=now,
            updated_by=by,
            failing_since=None,
            disabled_at=None,
            disabled_why=None,
        )
        await endpoints.insert(conn, kernel, one)
        return str(one.id)

    outcome = await _change(request, apply, command="create_webhook", status=201, key=key)
    return await _shown(request, outcome, language, secret=True)


@router.get(
    "",
    dependencies=_READS,
    responses=openapi.shown(openapi.page_of(examples.ENDPOINT), "The webhooks."),
)
async def list_webhooks(request: Request, language: Lang, page: Page) -> Response:
    """All webhooks, in the order in which they were made."""
    kernel = kernel_of(request)
    after = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    async with kernel.database.read() as conn:
        found, total = await endpoints.list_endpoints(conn, after, page.limit + 1)
    shown, cursor = cut_page(found, page.limit, lambda last: (last.id,))
    items = [_endpoint(one, language, kernel.clock()) for one in shown]
    return answer(page_answer(items, cursor, total if page.count else None))


@router.get(
    "/{webhook}",
    dependencies=_READS,
    responses=openapi.shown(examples.ENDPOINT, "The webhook."),
)
async def get_webhook(request: Request, webhook: WebhookId, language: Lang) -> Response:
    """One webhook; `disabled` says why it was, where nobody asked for it."""
    kernel = kernel_of(request)
    async with kernel.database.read() as conn:
        one = await endpoints.find(conn, webhook)
    return answer(_endpoint(one, language, kernel.clock()), headers={"ETag": one.etag})


@router.patch(
    "/{webhook}",
    responses=openapi.shown(examples.ENDPOINT, "The webhook as it is now."),
    openapi_extra=openapi.body(None, {"types": ["purchase.completed", "lifecycle.*"]}),
)
async def patch_webhook(
    request: Request,
    webhook: WebhookId,
    body: ChangeWebhook,
    language: Lang,
    if_match: IfMatch = None,
) -> Response:
    """Change what is named, leave the rest. Enabled again, it goes on with what is due."""
    _judge(request, body.url, body.types)
    kernel, by = kernel_of(request), request.state.caller.name

    async def apply(conn: Connection, now: datetime) -> str:
        before = await endpoints.find(conn, webhook)
        check_if_match(if_match, before.etag)
        wanted = {name: value for name, value in body if value is not None}
        one = msgspec.structs.replace(before, **wanted | _types(wanted))
        if one == before:
            return str(webhook)
        if one.url != before.url:
            one = msgspec.structs.replace(one, failing_since=None)
        if one.enabled and not before.enabled:
            one = msgspec.structs.replace(
                one, failing_since=None, disabled_at=None, disabled_why=None
            )
        one = msgspec.structs.replace(one, updated_at=now, updated_by=by)
        await endpoints.update(conn, kernel, before, one)
        return str(webhook)

    outcome = await _change(request, apply, command="change_webhook")
    return await _shown(request, outcome, language)


def _types(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"types": tuple(wanted["types"])} if "types" in wanted else {}


@router.delete("/{webhook}", status_code=204, responses={204: {"description": "It is gone."}})
async def delete_webhook(
    request: Request, webhook: WebhookId, if_match: IfMatch = None
) -> Response:
    """Delete a webhook and its deliveries: nothing is sent to it any more."""

    async def apply(conn: Connection, now: datetime) -> str:
        check_if_match(if_match, (await endpoints.find(conn, webhook)).etag)
        await endpoints.delete(conn, webhook, now)
        return str(webhook)

    outcome = await _change(request, apply, command="delete_webhook", status=204)
    return Response(status_code=204, headers=headers_of(outcome))


@router.post(
    "/{webhook}/rotate",
    responses=openapi.shown(examples.ROTATED, "The webhook, with its new secret."),
)
async def rotate_secret(
    request: Request, webhook: WebhookId, language: Lang, key: IdempotencyKey = None
) -> Response:
    """A new secret, shown this once; the old one signs beside it for 24 hours."""
    kernel, by = kernel_of(request), request.state.caller.name

    async def apply(conn: Connection, now: datetime) -> str:
        before = await endpoints.find(conn, webhook)
        one = msgspec.structs.replace(
            before,
            secrets=signing.rotated(before.secrets, now),
            updated_at=now,
            updated_by=by,
        )
        await endpoints.update(conn, kernel, before, one)
        return str(webhook)

    outcome = await _change(request, apply, command="rotate_webhook_secret", key=key)
    return await _shown(request, outcome, language, secret=True)


async def _delivery_answer(
    request: Request, webhook: UUID, outcome: Outcome, language: Language
) -> Response:
    async with kernel_of(request).database.read() as conn:
        row = await reading.find(conn, webhook, UUID(outcome.subject))
    headers = headers_of(outcome)
    if outcome.status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/webhooks/{webhook}/deliveries/{row['id']}"
    return answer(_delivery(row, language), status=outcome.status, headers=headers)


@router.post(
    "/{webhook}/test",
    status_code=201,
    responses=openapi.shown(
        examples.TEST,
        "What is sent.",
        status=201,
        links=openapi.links(
            {"webhook": "$request.path.webhook", "delivery": "$response.body#/id"},
            writes=["get_delivery", "resend_delivery"],
        ),
    ),
)
async def try_webhook(
    request: Request, webhook: WebhookId, language: Lang, key: IdempotencyKey = None
) -> Response:
    """Send `webhook.test`, once, also to a webhook that is disabled; the delivery says what came of it."""

    async def apply(conn: Connection, _now: datetime) -> str:
        await endpoints.find(conn, webhook)
        return str(await reading.try_out(conn, webhook))

    outcome = await _change(request, apply, command="try_webhook", status=201, key=key)
    return await _delivery_answer(request, webhook, outcome, language)


@router.get(
    "/{webhook}/deliveries",
    dependencies=_READS,
    responses=openapi.shown(openapi.page_of(examples.DELIVERY), "The deliveries."),
)
async def list_deliveries(
    request: Request,
    webhook: WebhookId,
    language: Lang,
    page: Page,
    status: Annotated[
        Literal["pending", "sending", "delivered", "failed"] | None,
        Query(description="Only those that are so."),
    ] = None,
) -> Response:
    """What was sent, is to be sent or could not be, the newest first. `next_at` is null where it is not planned: done,
    under way, or due at once."""
    after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else None
    async with kernel_of(request).database.read() as conn:
        await endpoints.find(conn, webhook)
        rows = await reading.list_deliveries(conn, webhook, status, after, page.limit + 1)
        total = await reading.count_deliveries(conn, webhook, status) if page.count else None
    shown, cursor = cut_page(rows, page.limit, lambda row: (row["created_at"], row["id"]))
    return answer(page_answer([_delivery(row, language) for row in shown], cursor, total))


@router.get(
    "/{webhook}/deliveries/{delivery}",
    dependencies=_READS,
    responses=openapi.shown(examples.DELIVERY, "The delivery."),
)
async def get_delivery(
    request: Request, webhook: WebhookId, delivery: DeliveryId, language: Lang
) -> Response:
    """One delivery."""
    async with kernel_of(request).database.read() as conn:
        await endpoints.find(conn, webhook)
        row = await reading.find(conn, webhook, delivery)
    return answer(_delivery(row, language))


@router.post(
    "/{webhook}/deliveries/{delivery}/resend",
    responses=openapi.shown(examples.DELIVERY, "The delivery, due at once."),
)
async def resend_delivery(
    request: Request,
    webhook: WebhookId,
    delivery: DeliveryId,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Send once more, under the same `webhook-id`, whatever became of it. 409 where the webhook is disabled."""

    async def apply(conn: Connection, _now: datetime) -> str:
        await endpoints.find_enabled(conn, webhook)
        await reading.find(conn, webhook, delivery)
        await reading.resend(conn, delivery)
        return str(delivery)

    outcome = await _change(request, apply, command="resend_webhook", key=key)
    return await _delivery_answer(request, webhook, outcome, language)


@router.post(
    "/{webhook}/replay",
    responses=openapi.shown(examples.REPLAYED, "How many deliveries are due."),
    openapi_extra=openapi.body(None, examples.REPLAY),
)
async def replay_webhook(
    request: Request, webhook: WebhookId, body: Replay, key: IdempotencyKey = None
) -> Response:
    """Send everything that was recorded in a time and that the webhook wants, again where it was sent before, each
    under its own `webhook-id`. At most 10,000 events. 409 where the webhook is disabled."""

    async def apply(conn: Connection, now: datetime) -> str:
        end = body.end or now
        if not body.start < end <= now:
            raise Unprocessable("validation_failed", errors=[FieldError("/to", "not_before")])
        one = await endpoints.find_enabled(conn, webhook)
        return str(await reading.replay(conn, one, body.start, end))

    outcome = await _change(request, apply, command="replay_webhook", key=key)
    return answer({"deliveries": int(outcome.subject)}, headers=headers_of(outcome))
