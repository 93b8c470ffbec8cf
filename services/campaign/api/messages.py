"""`/v1/messages`: asking for a message to a customer, seeing what became of it, taking it back, sending it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.campaign.api.examples import MESSAGE, SEND_MESSAGE
from services.campaign.api.reads import READS
from services.campaign.messaging import keeping, reading
from services.campaign.messaging.content import Content
from services.campaign.messaging.deciding import SENT, STATUSES
from services.campaign.messaging.keeping import Wanted
from services.campaign.messaging.writing import PLACEHOLDERS, is_one_line, unknown_placeholders
from services.campaign.words import MESSAGES, WHY_NOT
from shared.access import require
from shared.commands import Outcome, headers_of
from shared.database import Row
from shared.errors import FieldError, NotFound, Unprocessable
from shared.grouping import parts_of
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, links, page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.http.texts import OneOf, Words
from shared.http.times import Moment
from shared.identity import find_customer
from shared.kernel import Kernel
from shared.words import Language, say

router = APIRouter(prefix="/v1/messages", tags=["messages"])

WRITES = [Depends(require("marketing"))]
MOST_DAYS = 30
"""How far ahead a message may be asked for."""

MessageId = Annotated[UUID, Path(description="Id of a message.", examples=[MESSAGE["id"]])]
_STRICT = ConfigDict(extra="forbid", strict=True)
_ABOUT_IT = {"message": "$response.body#/id"}


class SendMessage(BaseModel):
    """A message to one customer."""

    model_config = _STRICT

    customer: Annotated[
        str,
        Words(400, 1),
        Field(description="UUID, customer number (C2026000123) or `type:value` of an identifier."),
    ]
    channel: Annotated[Literal["email"], Field(description="How it goes.")]
    purpose: Annotated[
        Literal["marketing", "service"],
        Field(
            description="`marketing` needs a consent, waits in quiet hours and is capped; `service` does not."
        ),
    ]
    topic: Annotated[
        Annotated[str, Words(64)] | None,
        Field(description="What it is about, as consents name it."),
    ] = None
    subject: Annotated[str, Words(200, 1)]
    text: Annotated[
        str,
        Words(20_000, 1),
        Field(
            description=f"Plain text. It and the subject may name {', '.join(PLACEHOLDERS)}: `{{{{name|customer}}}}` is"
            " the name, or `customer` where none is known."
        ),
    ]
    send_at: Annotated[
        Moment | None,
        Field(
            strict=False,
            description=f"Not before this time, at most {MOST_DAYS} days ahead; null: at once.",
        ),
    ] = None


class SendAgain(BaseModel):
    """Whether a message that may have arrived is to be sent again."""

    model_config = _STRICT

    confirm: Annotated[
        bool, Field(description="Needed of a message that is `uncertain`: it may arrive twice.")
    ] = False


async def message_answer(kernel: Kernel, row: Row, language: Language) -> dict[str, Any]:
    """A message as it is answered; without its text and address where whose they were was erased."""
    content = await reading.content_of(kernel, row)
    reason, code = row["reason"], row["code"]
    return {
        "id": row["id"],
        "customer_id": row["head"],
        "channel": row["channel"],
        "purpose": row["purpose"],
        "topic": row["topic"],
        "status": row["status"],
        "label": say(MESSAGES, row["status"], language),
        "reason": reason,
        "explanation": say(WHY_NOT, reason, language, code=code or "-") if reason else None,
        "subject": content.subject if content else None,
        "text": content.text if content else None,
        "to": await reading.address_of(kernel, row),
        "created_at": row["created_at"],
        "created_by": row["created_by"],
        "send_at": row["send_at"],
        "due_at": row["due_at"],
        "attempts": row["attempts"],
        "sent_at": row["done_at"] if row["status"] == SENT else None,
        "done_at": row["done_at"],
        "wanted_by": row["wanted_by"],
    }


@router.post(
    "",
    status_code=201,
    dependencies=WRITES,
    responses=shown(
        MESSAGE,
        "The message; it is sent as soon as it is due.",
        status=201,
        links=links(_ABOUT_IT, reads=["read_message"], writes=["cancel_message"]),
    ),
    openapi_extra=body_of(None, SEND_MESSAGE),
)
async def create_message(
    request: Request, body: SendMessage, language: Lang, key: IdempotencyKey = None
) -> Response:
    """Have a message sent, at most once. Whether it may be is decided when it is due: by then a consent may be gone, a
    complaint open, or nobody's address known; `reason` and `explanation` say so. Marketing in quiet hours waits."""
    _judge(body, kernel_of(request).clock())
    wanted = Wanted(
        customer=body.customer,
        channel=body.channel,
        purpose=body.purpose,
        topic=body.topic or None,
        content=Content(body.subject, body.text),
        send_at=body.send_at,
    )
    digest = request_hash(request.url.path, await read_body(request))
    outcome = await keeping.create(request, wanted, key=key, digest=digest)
    return await _answer(request, outcome, language)


@router.post(
    "/{message}/cancel",
    dependencies=WRITES,
    responses=shown(MESSAGE, "The message, taken back."),
)
async def cancel_message(
    request: Request, message: MessageId, language: Lang, key: IdempotencyKey = None
) -> Response:
    """Take a message back while it waits: it is not sent. Afterwards: 409 `wrong_state`."""
    digest = request_hash(request.url.path, await read_body(request))
    outcome = await keeping.cancel(request, message, key=key, digest=digest)
    return await _answer(request, outcome, language)


@router.post(
    "/{message}/resend",
    dependencies=WRITES,
    responses=shown(MESSAGE, "The message, to be sent once more."),
    openapi_extra=body_of(None, {"confirm": True}),
)
async def resend_message(
    request: Request,
    message: MessageId,
    language: Lang,
    body: SendAgain | None = None,
    key: IdempotencyKey = None,
) -> Response:
    """Try a message again that is `failed` or, where that is confirmed, `uncertain`: a person decides that, nobody
    else. It keeps its id, also in the mail itself; all rules are asked again."""
    digest = request_hash(request.url.path, await read_body(request))
    confirm = body is not None and body.confirm
    outcome = await keeping.resend(request, message, confirm=confirm, key=key, digest=digest)
    return await _answer(request, outcome, language)


@router.get("", dependencies=READS, responses=shown(page_of(MESSAGE), "Messages."))
async def list_messages(
    request: Request,
    page: Page,
    language: Lang,
    customer: Annotated[
        str | None, Query(description="Only to this customer.", examples=["member_no:M42"])
    ] = None,
    status: Annotated[
        Annotated[str, OneOf(STATUSES)] | None, Query(description="Only those that stand so.")
    ] = None,
) -> Response:
    """Messages, newest first."""
    kernel = kernel_of(request)
    before = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    async with kernel.database.read() as conn:
        parts = await parts_of(conn, await find_customer(conn, customer)) if customer else None
        found = await reading.list_messages(
            conn, parts, status, before=before, limit=page.limit + 1
        )
        total = await reading.count_messages(conn, parts, status) if page.count else None
    rows, next_cursor = cut_page(found, page.limit, lambda last: (last["id"],))
    items = [await message_answer(kernel, row, language) for row in rows]
    return answer(page_answer(items, next_cursor, total))


@router.get("/{message}", dependencies=READS, responses=shown(MESSAGE, "One message."))
async def read_message(request: Request, message: MessageId, language: Lang) -> Response:
    """One message, and what became of it."""
    return answer(await _shape(request, message, language))


def _judge(body: SendMessage, now: datetime) -> None:
    """What no schema can say. Raises Unprocessable."""
    errors: list[FieldError] = []
    if not is_one_line(body.subject):
        errors.append(FieldError("/subject", "not_one_line"))
    for pointer, text in (("/subject", body.subject), ("/text", body.text)):
        errors += _placeholder_errors(pointer, list(unknown_placeholders(text)))
    if body.send_at is not None and body.send_at > now + timedelta(days=MOST_DAYS):
        errors.append(FieldError("/send_at", "too_far_ahead", {"days": MOST_DAYS}))
    if errors:
        raise Unprocessable("validation_failed", errors=errors)


def _placeholder_errors(pointer: str, names: Sequence[str]) -> list[FieldError]:
    allowed = ", ".join(PLACEHOLDERS)
    return [
        FieldError(pointer, "unknown_placeholder", {"name": name, "allowed": allowed})
        for name in names[:1]
    ]


async def _shape(request: Request, message_id: UUID, language: Language) -> dict[str, Any]:
    kernel = kernel_of(request)
    async with kernel.database.read() as conn:
        row = await reading.find_message(conn, message_id)
    return await message_answer(kernel, row, language)


async def _answer(request: Request, outcome: Outcome, language: Language) -> Response:
    """The message as it is now."""
    headers = headers_of(outcome) | {"Location": f"/v1/messages/{outcome.subject}"}
    try:
        content = await _shape(request, UUID(outcome.subject), language)
    except NotFound:  # asked for once, let go of since, and the request sent again
        content = {"id": outcome.subject}
    return answer(content, status=outcome.status if outcome.folded else 202, headers=headers)
