"""Trying, saving, changing and deleting segments."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from services.campaign import queries
from services.campaign.api.answers import etag, preview_answer
from services.campaign.api.examples import DETAIL, PREVIEW, RULE, WRITTEN
from services.campaign.api.rule_shapes import rule_shape
from services.campaign.api.segments import SegmentId, detail
from services.campaign.projector.rules import MOST_BYTES, Fault, Faults, Rule, compile_rule
from services.campaign.publishing import Change, change
from services.campaign.queries import Segment
from services.campaign.trial import try_rule
from shared.access import require
from shared.commands import Outcome, headers_of
from shared.errors import FieldError, NotFound, Unprocessable
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.etags import IfMatch, check_if_match
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, links, shown
from shared.http.texts import Words
from shared.ids import new_id
from shared.reading import read_manners

router = APIRouter(
    prefix="/v1/segments", tags=["segments"], dependencies=[Depends(require("marketing"))]
)

Name = Annotated[str, Words(120, 1)]
Description = Annotated[str, Words(1000)]
Rule_ = Annotated[dict[str, Any], WithJsonSchema(rule_shape())]
_STRICT = ConfigDict(extra="forbid", strict=True)


class Preview(BaseModel):
    """A rule to be tried."""

    model_config = _STRICT

    rule: Rule_
    limit: Annotated[int, Field(ge=0, le=100, description="Most ids in `sample`.")] = 10


class WriteSegment(BaseModel):
    """A segment as it is to be."""

    model_config = _STRICT

    name: Name
    description: Description = ""
    rule: Rule_


class ChangeSegment(BaseModel):
    """What is to be different; the rest stays."""

    model_config = _STRICT

    name: Name | None = None
    description: Description | None = None
    rule: Rule_ | None = None


def judged(rule: dict[str, Any]) -> Rule:
    """A rule, compiled. Raises Unprocessable, a pointer to each mistake."""
    faults: tuple[Fault, ...] = ()
    if len(orjson.dumps(rule)) > MOST_BYTES:
        faults = (Fault("", "rule_too_large", limit=MOST_BYTES),)
    else:
        try:
            return compile_rule(rule)
        except Faults as found:
            faults = found.faults
    errors = [FieldError(f"/rule{one.pointer}", one.code, one.params) for one in faults]
    raise Unprocessable("validation_failed", errors=errors)


@router.post(
    "/preview",
    dependencies=[Depends(read_manners)],
    responses=shown(PREVIEW, "What the rule finds now."),
    openapi_extra=body_of(None, {"rule": RULE, "limit": 10}),
)
async def preview(request: Request, body: Preview) -> Response:
    """How many customers a rule finds, and some of them; nothing is saved. Of more than 50,000 customers a
    random sample is asked, and `exact` is false."""
    rule, kernel = judged(body.rule), kernel_of(request)
    trial = await try_rule(
        kernel.database,
        rule,
        timezone=kernel.settings.timezone,
        version=kernel.service.version,
        limit=body.limit,
    )
    return answer(preview_answer(trial))


@router.post(
    "",
    status_code=201,
    responses=shown(
        DETAIL,
        "The new segment; it is being filled.",
        status=201,
        links=links(
            {"segment": "$response.body#/id"},
            reads=["read_segment", "list_members", "list_history"],
            writes=["patch_segment", "delete_segment"],
        ),
    ),
    openapi_extra=body_of(None, WRITTEN),
)
async def create_segment(
    request: Request, body: WriteSegment, key: IdempotencyKey = None
) -> Response:
    """Save a segment. It is filled in the background, then its members follow events."""
    judged(body.rule)
    segment_id = UUID(new_id())

    async def apply(now: Change) -> UUID:
        await now.conn.execute(
            "INSERT INTO segment VALUES ($1, $2, $3, $4::jsonb, 1, $5, $6, $7, $6, $7)",
            segment_id,
            body.name,
            body.description,
            orjson.dumps(body.rule).decode(),
            now.policy_version,
            now.now,
            now.by,
        )
        return segment_id

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await change(
        request,
        apply,
        command="create_segment",
        subject=segment_id,
        status=201,
        key=key,
        digest=digest,
    )
    return await _answer(request, outcome)


async def _changed(
    request: Request, segment_id: UUID, wanted: ChangeSegment, if_match: str | None
) -> Response:
    if wanted.rule is not None:
        judged(wanted.rule)

    async def apply(now: Change) -> UUID | None:
        one = await queries.find_segment(now.conn, segment_id)
        check_if_match(if_match, etag(one))
        rule = one.rule if wanted.rule is None else wanted.rule
        name = one.name if wanted.name is None else wanted.name
        description = one.description if wanted.description is None else wanted.description
        if (one.name, one.description, one.rule) == (name, description, rule):
            return None
        await now.conn.execute(
            "UPDATE segment SET name = $2, description = $3, rule = $4::jsonb, version = $5,"
            " policy_version = $6, updated_at = $7, updated_by = $8 WHERE id = $1",
            segment_id,
            name,
            description,
            orjson.dumps(rule).decode(),
            one.version + (one.rule != rule),
            now.policy_version if one.rule != rule else one.policy_version,
            now.now,
            now.by,
        )
        # What people read beside the rule changes nobody's membership.
        return segment_id if (one.name, one.rule) != (name, rule) else None

    outcome = await change(request, apply, command="change_segment", subject=segment_id)
    return await _answer(request, outcome)


@router.put(
    "/{segment}",
    responses=shown(DETAIL, "The segment as it is now."),
    openapi_extra=body_of(None, WRITTEN),
)
async def put_segment(
    request: Request, segment: SegmentId, body: WriteSegment, if_match: IfMatch = None
) -> Response:
    """Replace a segment's name, description and rule."""
    wanted = ChangeSegment(name=body.name, description=body.description, rule=body.rule)
    return await _changed(request, segment, wanted, if_match)


@router.patch(
    "/{segment}",
    responses=shown(DETAIL, "The segment as it is now."),
    openapi_extra=body_of(None, {"name": "Silent big spenders"}),
)
async def patch_segment(
    request: Request, segment: SegmentId, body: ChangeSegment, if_match: IfMatch = None
) -> Response:
    """Change what is named, leave the rest."""
    return await _changed(request, segment, body, if_match)


@router.delete("/{segment}", status_code=204, responses={204: {"description": "It is gone."}})
async def delete_segment(
    request: Request, segment: SegmentId, if_match: IfMatch = None
) -> Response:
    """Delete a segment. Who belonged to it leaves; its history stays."""

    async def apply(now: Change) -> UUID:
        one = await queries.find_segment(now.conn, segment)
        check_if_match(if_match, etag(one))
        await now.conn.execute("DELETE FROM segment WHERE id = $1", segment)
        return segment

    outcome = await change(request, apply, command="delete_segment", subject=segment, status=204)
    return Response(status_code=204, headers=headers_of(outcome))


async def _answer(request: Request, outcome: Outcome) -> Response:
    """The segment as it is now; 202 where not every partition knows of it yet."""
    kernel, headers = kernel_of(request), headers_of(outcome)
    async with kernel.database.snapshot() as conn:
        one = await _find(conn, UUID(outcome.subject))
        if one is None:  # made once, deleted since, and the request sent again
            return answer({"id": outcome.subject}, status=outcome.status, headers=headers)
        content = await detail(conn, kernel, one)
    headers["ETag"] = etag(one)
    if outcome.status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/segments/{one.id}"
    return answer(content, status=outcome.status if outcome.folded else 202, headers=headers)


async def _find(conn: Any, segment_id: UUID) -> Segment | None:
    try:
        return await queries.find_segment(conn, segment_id)
    except NotFound:
        return None
