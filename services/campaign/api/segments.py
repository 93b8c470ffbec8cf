"""`/v1/segments`: reading segments, their members and their history."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.campaign import queries
from services.campaign.api.answers import (
    condition_answer,
    etag,
    fields_answer,
    member_answer,
    move_answer,
    progress_answer,
    segment_answer,
)
from services.campaign.api.examples import DETAIL, FIELDS, MEMBER, MOVE, SEGMENT, WHY
from services.campaign.api.reads import READS
from services.campaign.projection import AUDIENCE
from services.campaign.projector import forget
from services.campaign.projector.explain import explain
from services.campaign.projector.rules import compile_rule
from services.campaign.projector.subject import Subject
from services.campaign.words import NOTES
from shared.as_of import AsOf, OnBasis, as_it_was
from shared.database import ReadConnection
from shared.erasing import erased_among
from shared.grouping import parts_of
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import Customer, kernel_of, page_of, shown
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer
from shared.identity import find_customer
from shared.kernel import Kernel
from shared.words import say

router = APIRouter(prefix="/v1/segments", tags=["segments"], dependencies=READS)

SegmentId = Annotated[UUID, Path(description="Id of a segment.", examples=[SEGMENT["id"]])]


@router.get("/fields", responses=shown(FIELDS, "Everything that a rule may name."))
async def list_fields() -> Response:
    """Every field with its type, operators, meaning and values; the types that `count` knows."""
    return answer(fields_answer())


@router.get("", responses=shown(page_of(SEGMENT), "Saved segments."))
async def list_segments(request: Request, page: Page) -> Response:
    """Saved segments, in the order in which they were made."""
    after = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    async with kernel_of(request).database.read() as conn:
        found = await queries.list_segments(conn, after=after, limit=page.limit + 1)
        total = await queries.count_segments(conn) if page.count else None
    items, next_cursor = cut_page(found, page.limit, lambda last: (last.id,))
    return answer(page_answer([segment_answer(one) for one in items], next_cursor, total))


async def detail(conn: ReadConnection, kernel: Kernel, one: queries.Segment) -> dict[str, Any]:
    """A segment with how many belong to it, and how far it is filled."""
    return {
        **segment_answer(one),
        "members": await queries.count_members(conn, one.id),
        "progress": progress_answer(await queries.progress(conn, one, kernel.settings.partitions)),
    }


@router.get("/{segment}", responses=shown(DETAIL, "One segment."))
async def read_segment(request: Request, segment: SegmentId) -> Response:
    """One segment, how many belong to it, and whether everybody has been judged by its rule."""
    kernel = kernel_of(request)
    async with kernel.database.snapshot() as conn:
        one = await queries.find_segment(conn, segment)
        content = await detail(conn, kernel, one)
    return answer(content, headers={"ETag": etag(one)})


@router.get("/{segment}/members", responses=shown(page_of(MEMBER), "Who belongs to it."))
async def list_members(
    request: Request,
    segment: SegmentId,
    page: Page,
    as_of: AsOf = None,
    basis: OnBasis = "business",
) -> Response:
    """Customers of a segment, by id; with `as_of` those who belonged to it then, as its history has it, without
    those who were erased since."""
    after = decode_cursor(page.cursor, tuple[UUID])[0] if page.cursor else None
    async with kernel_of(request).database.read() as conn:
        await queries.find_segment(conn, segment)
        if as_of is None:
            found = await queries.list_members(conn, segment, after=after, limit=page.limit + 1)
            total = await queries.count_members(conn, segment) if page.count else None
        else:
            then = queries.members_then(segment, as_of, recorded=basis == "recorded")
            found = await queries.list_members_then(conn, then, after=after, limit=page.limit + 1)
            total = await queries.count_members_then(conn, then) if page.count else None
    items, next_cursor = cut_page(found, page.limit, lambda last: (last[0],))
    return answer(page_answer([member_answer(*one) for one in items], next_cursor, total))


@router.get("/{segment}/members/{customer}", responses=shown(WHY, "Why in, or why not."))
async def why(
    request: Request,
    segment: SegmentId,
    customer: Customer,
    language: Lang,
    as_of: AsOf = None,
    basis: OnBasis = "business",
) -> Response:
    """Every condition of the rule with its verdict and what is known of the customer. With `as_of` what today's rule
    says of the customer as they were then. Who was erased belongs to none, then and now: `note` says so."""
    kernel = kernel_of(request)
    async with kernel.database.snapshot() as conn:
        one = await queries.find_segment(conn, segment)
        if as_of is None:
            asked = await queries.find_asked(conn, customer, kernel.service.version)
    if as_of is not None:
        then = await as_it_was(request, AUDIENCE, customer, as_of, basis)
        async with kernel.database.read() as conn:
            gone = await erased_among(conn, then.parts)
        state = forget(then.state) if len(gone) == len(then.parts) else then.state
        asked = queries.Asked(then.head, state, then.clock, then.told)
    erased = asked.state.erased
    rule = compile_rule(one.rule)
    subject = Subject(asked.state, asked.clock, kernel.settings.timezone)
    findings = explain(rule, subject)
    return answer(
        {
            "customer_id": asked.customer_id,
            "segment_id": one.id,
            "member": rule.test(subject) and not erased,
            "since": None if erased else queries.since(asked.told, one.id),
            "erased": erased,
            "note": say(NOTES, "erased", language) if erased else None,
            "as_of": subject.time(),
            "version": one.version,
            "conditions": [condition_answer(finding, language) for finding in findings],
        }
    )


@router.get("/{segment}/history", responses=shown(page_of(MOVE), "Who came and went."))
async def list_history(
    request: Request,
    segment: SegmentId,
    page: Page,
    between: Between,
    language: Lang,
    customer: Annotated[
        str | None, Query(description="Only this customer.", examples=["member_no:1"])
    ] = None,
) -> Response:
    """Who entered and left, newest first, and what moved them. Also of a segment that is gone."""
    after = decode_cursor(page.cursor, tuple[queries.Moment, UUID]) if page.cursor else None
    async with kernel_of(request).database.read() as conn:
        if not await queries.has_history(conn, segment):
            await queries.find_segment(conn, segment)
        parts = await parts_of(conn, await find_customer(conn, customer)) if customer else None
        within = (between.start, between.end)
        found = await queries.list_moves(
            conn, segment, parts, within, after=after, limit=page.limit + 1
        )
        total = None
        if page.count:
            total = await queries.count_moves(conn, segment, parts, within)
    items, next_cursor = cut_page(found, page.limit, lambda last: (last.at, last.event_id))
    return answer(page_answer([move_answer(one, language) for one in items], next_cursor, total))
