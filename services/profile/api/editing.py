"""Changing a customer: create, edit, give and take tags. Decided under the customer's lock."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.profile import queries
from services.profile.api.answers import customer_answer, etag, tag_answer, tags_answer
from services.profile.api.examples import CUSTOMER, MANUAL_TAG, TAG
from services.profile.api.identities import Identities
from services.profile.commands import AddTag, Command, CreateCustomer, EditCustomer, RemoveTag
from services.profile.decider import decide
from services.profile.projection import PROFILE
from services.profile.projector import Profile, derive, edited_last
from services.profile.queries import Found
from shared.access import Caller, require
from shared.commands import Decision, Outcome, execute, headers_of, wait_until_folded
from shared.errors import Conflict, NotFound
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.etags import IfMatch, check_if_match
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import Customer, kernel_of, links, shown
from shared.http.openapi import body as body_of
from shared.language import CustomerEdited, TagAdded, TagRemoved

router = APIRouter(tags=["customers"])

Sales = Annotated[Caller, Depends(require("sales"))]

NUMBER_SECONDS = 1.5
"""How long creating a customer waits for the number, which is given when the record is folded."""
_STEP_SECONDS = 0.05

_TYPES = {CustomerEdited: "customer.edited", TagAdded: "tag.added", TagRemoved: "tag.removed"}
_CREATE = {
    "name": "李雷",
    "kind": "person",
    "owner": "chen.li",
    "identifiers": {"phone": "+8613800138000"},
    "attributes": {"region": "Shanghai", "source": "referral"},
}


def _deciding(
    command: Command, caller: Caller, if_match: str | None = None
) -> Callable[[Any], Sequence[Decision]]:
    """What is decided once the state is known and locked."""

    def on(state: Profile) -> list[Decision]:
        view = derive(state, None, {})
        check_if_match(if_match, etag(view))
        derived = frozenset(tag.tag for tag in view.derived)
        events = decide(command, state, by=caller.name, derived=derived)
        return [Decision(_TYPES[type(event)], event) for event in events]

    return on


async def _known(request: Request, customer: str) -> UUID:
    """The customer's id, the survivor's where it was absorbed. Raises NotFound."""
    async with kernel_of(request).database.read() as conn:
        return (await queries.find(conn, customer)).customer_id


async def _find(request: Request, customer_id: UUID | str) -> Found | None:
    """The customer as folded; None where not even that is so yet. Never fails for want of a row."""
    try:
        async with kernel_of(request).database.read() as conn:
            return await queries.find(conn, str(customer_id))
    except NotFound:
        return None


async def _answer_customer(
    request: Request, outcome: Outcome, language: Lang, *positions: str
) -> Response:
    """The customer as it is now; 202 where the change is safe but not folded yet."""
    found = await _find(request, outcome.subject)
    headers = headers_of(outcome, *positions)
    if found is None:
        return answer({"id": outcome.subject}, status=202, headers=headers)
    status = outcome.status if outcome.folded else 202
    headers["ETag"] = etag(found.view)
    return answer(customer_answer(found, language), status=status, headers=headers)


@router.post(
    "/v1/customers",
    status_code=201,
    responses={
        **shown(
            CUSTOMER,
            "The new customer.",
            status=201,
            links=links(
                {"customer": "$response.body#/id"},
                reads=["read_customer", "read_path"],
                writes=["edit_customer", "add_tag"],
            ),
        ),
        **shown(CUSTOMER, "The identifiers were a customer's already, whose record is changed."),
    },
    openapi_extra=body_of(None, _CREATE),
)
async def create_customer(
    request: Request,
    body: CreateCustomer,
    caller: Sales,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Make a record by hand; it gets a customer number."""
    digest = request_hash(request.url.path, await read_body(request))
    minted = await _identities(request).mint(body.identifiers)
    known = await _find(request, minted.customer_id)
    outcome = await execute(
        request,
        PROFILE,
        minted.customer_id,
        _deciding(body, caller),
        said_last=edited_last,
        command="create_customer",
        status=200 if known else 201,
        key=key,
        digest=digest,
        must_exist=False,
    )
    if outcome.folded and minted.position:
        await wait_until_folded(request, minted.position)
    await _until_numbered(request, outcome.subject)
    response = await _answer_customer(request, outcome, language, minted.position)
    response.headers["Location"] = f"/v1/customers/{outcome.subject}"
    return response


def _identities(request: Request) -> Identities:
    identities: Identities = request.app.state.identities
    return identities


async def _until_numbered(request: Request, customer_id: str) -> None:
    """The number is a decision of its own, right behind: wait a moment, then answer without it."""
    for _ in range(round(NUMBER_SECONDS / _STEP_SECONDS)):
        found = await _find(request, customer_id)
        if found is not None and found.view.number is not None:
            return
        await asyncio.sleep(_STEP_SECONDS)


@router.patch(
    "/v1/customers/{customer}",
    responses=shown(CUSTOMER, "The customer as it is now."),
    openapi_extra=body_of(None, {"owner": "wang.fang", "attributes": {"region": "Hangzhou"}}),
)
async def edit_customer(
    request: Request,
    customer: Customer,
    body: EditCustomer,
    caller: Sales,
    language: Lang,
    if_match: IfMatch = None,
) -> Response:
    """Change what is named; null clears a field. `If-Match` guards against a change in between."""
    async with kernel_of(request).database.read() as conn:
        found = await queries.find(conn, customer)
    position = ""
    if body.identifiers:
        check_if_match(if_match, etag(found.view))  # before anything is given away
        if found.view.erased:
            raise Conflict("customer_erased")
        position = (await _identities(request).mint(body.identifiers, found.customer_id)).position
    outcome = await execute(
        request,
        PROFILE,
        found.customer_id,
        _deciding(body, caller, if_match),
        said_last=edited_last,
        command="edit_customer",
    )
    await wait_until_folded(request, position)
    return await _answer_customer(request, outcome, language, position)


@router.post(
    "/v1/customers/{customer}/tags",
    status_code=201,
    responses=shown(
        {**MANUAL_TAG, "customer_id": CUSTOMER["id"], "tags": [MANUAL_TAG, TAG]},
        "The tag, and all.",
        status=201,
    ),
    openapi_extra=body_of(None, {"tag": "need:quality-first", "reason": "电话中说明"}),
)
async def add_tag(
    request: Request,
    customer: Customer,
    body: AddTag,
    caller: Sales,
    language: Lang,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Give a tag by hand, with who (the caller) and why."""
    digest = request_hash(request.url.path, await read_body(request))
    outcome = await execute(
        request,
        PROFILE,
        await _known(request, customer),
        _deciding(body, caller, if_match),
        said_last=edited_last,
        command="add_tag",
        status=201,
        key=key,
        digest=digest,
    )
    return await _answer_tags(request, outcome, language, body.tag)


@router.delete(
    "/v1/customers/{customer}/tags/{tag:path}",
    responses=shown({"customer_id": CUSTOMER["id"], "tags": [TAG]}, "The tags that are left."),
)
async def remove_tag(
    request: Request,
    customer: Customer,
    tag: Annotated[str, Path(max_length=100, examples=["need:quality-first"])],
    caller: Sales,
    language: Lang,
    reason: Annotated[str, Query(max_length=2000, description="Why.")] = "",
    if_match: IfMatch = None,
) -> Response:
    """Take away a tag that somebody gave. A derived tag goes when facts no longer support it."""
    outcome = await execute(
        request,
        PROFILE,
        await _known(request, customer),
        _deciding(RemoveTag(tag=tag, reason=reason), caller, if_match),
        said_last=edited_last,
        command="remove_tag",
    )
    return await _answer_tags(request, outcome, language)


async def _answer_tags(
    request: Request, outcome: Outcome, language: Lang, tag: str | None = None
) -> Response:
    found = await _find(request, outcome.subject)
    headers = headers_of(outcome)
    content: dict[str, Any] = {"customer_id": outcome.subject}
    if found is not None:
        headers["ETag"] = etag(found.view)
        held = [one for one in found.view.tags if one.tag == tag]
        content |= tag_answer(held[0], found.told, language) if held else {}
        content["tags"] = tags_answer(found.view, found.told, language)
    return answer(content, status=outcome.status if outcome.folded else 202, headers=headers)
