"""`/v1/erasures`: forgetting a person, and the receipt that says what has become of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.profile.api.examples import ERASURE
from services.profile.erasing import keeping, keys, reading
from services.profile.erasing.reading import STATUSES, Erasure
from services.profile.merging import keeping as merges
from services.profile.merging.groups import MOST_PARTS, Group
from services.profile.words import ERASURES
from shared.access import Caller, require
from shared.commands import Done, headers_of, transact
from shared.database import Connection
from shared.errors import FieldError, NotFound, Unprocessable, is_passing
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.http.texts import OneOf, Words
from shared.identity import find_customer
from shared.kernel import Kernel
from shared.reading import read_manners
from shared.words import Language, say

router = APIRouter(tags=["erasures"])

_logger = structlog.get_logger(__name__)

Admin = Annotated[Caller, Depends(require("admin"))]
READS = [Depends(require("admin")), Depends(read_manners)]
ErasureId = Annotated[UUID, Path(description="Id of an erasure.", examples=[ERASURE["id"]])]
Reference = Annotated[
    str,
    Words(400, 1),
    Field(description="UUID, customer number (C2026000123) or `type:value` of an identifier."),
]


class EraseCustomer(BaseModel):
    """Whom to forget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer: Reference
    parts: Annotated[
        list[Reference] | None,
        Field(
            min_length=1,
            max_length=MOST_PARTS,
            description="Of a customer who consists of several that were merged, those to be erased.",
        ),
    ] = None


def erasure_answer(one: Erasure, language: Language) -> dict[str, Any]:
    """An erasure as it is answered."""
    return {
        "id": one.id,
        "customer_id": one.customer_id,
        "number": one.number,
        "status": one.status,
        "label": say(ERASURES, one.status, language),
        "requested_at": one.requested_at,
        "requested_by": one.requested_by,
        "done_at": one.done_at,
        "parts": [
            {
                "customer_id": part.customer_id,
                "erased_at": one.requested_at,
                "key_destroyed_at": part.key_destroyed_at,
                "services": part.services,
            }
            for part in one.parts
        ],
        "latest": one.latest,
    }


@router.post(
    "/v1/erasures",
    status_code=201,
    responses=shown(ERASURE, "Nothing identifies them any more.", status=201),
    openapi_extra=body_of(None, {"customer": "member_no:M44"}),
)
async def erase_customer(
    request: Request,
    body: EraseCustomer,
    caller: Admin,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Forget a person, for ever: their record, identifiers, consents, tags by hand and whatever was written about them
    can be read nowhere any more, nor found by. What they bought stays, under the same id, without a name. There is no
    way back. A customer who consists of several that were merged is erased part by part: 409 `parts_required` says
    which there are. The answer is the receipt; it is `done` once all services have forgotten them."""
    kernel = kernel_of(request)

    async def do(conn: Connection, now: datetime) -> Done:
        await merges.lock(conn)
        customer = await find_customer(conn, body.customer)
        await merges.check_exist(conn, [customer])
        group = (await merges.groups_of(conn, [customer]))[customer]
        named = None if body.parts is None else await _named(conn, body.parts, group)
        await keeping.lock_customers(conn, group.parts)
        erased = await merges.erased_parts(conn, group.parts)
        parts = keeping.chosen(group, named, erased)
        return Done(201, *await keeping.erase(conn, kernel, group, parts, caller.name, now))

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await transact(request, do, command="erase", key=key, digest=digest)
    erasure = UUID(outcome.subject)
    await _destroy_keys(kernel, erasure)
    async with kernel.database.snapshot() as conn:
        found = await reading.find_erasure(conn, erasure, seconds=kernel.settings.keyring_seconds)
    headers = headers_of(outcome) | {"Location": f"/v1/erasures/{erasure}"}
    status = outcome.status if outcome.folded else 202
    return answer(erasure_answer(found, language), status=status, headers=headers)


async def _named(conn: Connection, references: Sequence[str], group: Group) -> list[UUID]:
    """The parts that a caller names, each once. Raises Unprocessable for whoever is none of the customer's."""
    found: list[UUID] = []
    errors = []
    for place, reference in enumerate(references):
        try:
            part = await find_customer(conn, reference)
        except NotFound:
            part = None
        if part is None or part not in group.parts:
            errors.append(FieldError(f"/parts/{place}", "not_a_part"))
        elif part not in found:
            found.append(part)
    if errors:
        raise Unprocessable("validation_failed", errors=errors)
    return found


async def _destroy_keys(kernel: Kernel, erasure: UUID) -> None:
    """Never raises: it is decided, and the worker tries again."""
    try:
        await keys.destroy(kernel, erasure)
    except Exception as error:
        _logger.warning("keys_not_destroyed", exc_info=None if is_passing(error) else error)


@router.get(
    "/v1/erasures", dependencies=READS, responses=shown(page_of(ERASURE), "Erasures, newest first.")
)
async def list_erasures(
    request: Request,
    page: Page,
    language: Lang,
    status: Annotated[
        Annotated[str, OneOf(STATUSES)] | None, Query(description="Of this status.")
    ] = None,
) -> Response:
    """Whom somebody asked to forget, and how far that is; newest first."""
    kernel = kernel_of(request)
    after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else None
    seconds = kernel.settings.keyring_seconds
    async with kernel.database.snapshot() as conn:
        found = await reading.list_erasures(
            conn, status, after=after, limit=page.limit + 1, seconds=seconds
        )
        total = await reading.count_erasures(conn, status, seconds=seconds) if page.count else None
    items, cursor = cut_page(found, page.limit, lambda last: (last.requested_at, last.id))
    return answer(page_answer([erasure_answer(one, language) for one in items], cursor, total))


@router.get("/v1/erasures/{erasure}", dependencies=READS, responses=shown(ERASURE, "The receipt."))
async def read_erasure(request: Request, erasure: ErasureId, language: Lang) -> Response:
    """The receipt of one erasure: when each service had forgotten each part, when the keys were destroyed; `latest`
    is until when something that nobody can assign to a person any more is kept at most."""
    kernel = kernel_of(request)
    async with kernel.database.snapshot() as conn:
        found = await reading.find_erasure(conn, erasure, seconds=kernel.settings.keyring_seconds)
    return answer(erasure_answer(found, language))
