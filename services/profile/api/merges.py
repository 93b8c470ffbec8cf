"""`/v1/merges`: which customers are one, who said so and why; joining customers, and splitting them again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from services.profile.api.examples import MERGE, MERGED, SPLIT
from services.profile.merging import keeping, reading
from services.profile.merging.groups import MOST_PARTS
from services.profile.merging.keeping import STATUSES, Decider
from services.profile.merging.reading import Merge
from services.profile.words import MERGES, merge_reason
from shared.access import Caller, require
from shared.commands import Done, Outcome, headers_of, transact
from shared.database import Connection, ReadConnection
from shared.errors import Conflict, NotFound
from shared.grouping import parts_of
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.openapi import body as body_of
from shared.http.openapi import kernel_of, page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.http.texts import OneOf, Words
from shared.identity import find_customer
from shared.reading import read_manners
from shared.words import Language, say

router = APIRouter(tags=["merges"])

READS = [Depends(require("read")), Depends(read_manners)]
Admin = Annotated[Caller, Depends(require("admin"))]
MergeId = Annotated[UUID, Path(description="Id of a merge or a proposal.", examples=[MERGE["id"]])]
Reference = Annotated[str, Words(400, 1)]
Parts = Annotated[
    list[Reference],
    Field(
        min_length=2,
        max_length=MOST_PARTS,
        description="Customers, each by UUID, number or `type:value` of an identifier.",
    ),
]


class MergeCustomers(BaseModel):
    """Make customers one: those that are named, or those of a proposal."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"oneOf": [{"required": ["parts"]}, {"required": ["proposal"]}]},
    )

    parts: Parts | None = None
    proposal: Annotated[UUID | None, Field(description="Id of a proposal to accept.")] = None
    reason: Annotated[str, Words(2000)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> "MergeCustomers":
        if (self.parts is None) == (self.proposal is None):
            raise PydanticCustomError("missing", "either parts or proposal")
        return self


def merge_answer(one: Merge, language: Language) -> dict[str, Any]:
    """A merge as it is answered."""
    group = one.group
    return {
        "id": one.id,
        "status": one.status,
        "label": say(MERGES, one.status, language),
        "head": group.head if group else None,
        "parts": group.parts if group else one.joins,
        "joins": one.joins,
        "reason": merge_reason(one.reason, language),
        "created_at": one.created_at,
        "created_by": one.created_by,
        "decided_at": one.decided_at,
        "decided_by": one.decided_by,
        "decision": None if one.decision is None else merge_reason(one.decision, language),
        "evidence": [
            {
                "type": spoken.type,
                "value": spoken.value,
                "customer_id": spoken.customer_id,
                "event_id": spoken.event_id,
                "seen_at": spoken.at,
            }
            for spoken in one.evidence
        ],
    }


@router.get(
    "/v1/merges", dependencies=READS, responses=shown(page_of(MERGE), "Merges and proposals.")
)
async def list_merges(
    request: Request,
    page: Page,
    language: Lang,
    status: Annotated[
        list[Annotated[str, OneOf(STATUSES)]] | None,
        Query(description="Of any of these statuses.", examples=[["proposed", "merged"]]),
    ] = None,
    customer: Annotated[
        str | None,
        Query(
            max_length=400,
            description="About this customer, or one that is merged with them.",
            examples=["member_no:M42"],
        ),
    ] = None,
) -> Response:
    """Merges and proposals, newest first, each with the identifiers that speak for it."""
    after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else None
    async with kernel_of(request).database.snapshot() as conn:
        about = None
        if customer:
            about = await parts_of(conn, await find_customer(conn, customer))
        conditions = reading.where(status or (), about)
        found = await reading.list_merges(conn, conditions, after=after, limit=page.limit + 1)
        total = await reading.count_merges(conn, conditions) if page.count else None
    items, cursor = cut_page(found, page.limit, lambda last: (last.created_at, last.id))
    return answer(page_answer([merge_answer(one, language) for one in items], cursor, total))


@router.get(
    "/v1/merges/{merge}", dependencies=READS, responses=shown(MERGE, "The merge, or proposal.")
)
async def read_merge(request: Request, merge: MergeId, language: Lang) -> Response:
    """One merge or proposal, with the identifiers that speak for it."""
    async with kernel_of(request).database.snapshot() as conn:
        return answer(merge_answer(await reading.find_merge(conn, merge), language))


async def named(conn: Connection | ReadConnection, references: Sequence[str]) -> list[UUID]:
    """The customers that a caller names, each once. Raises NotFound, Conflict("customer_erased")."""
    found = [await find_customer(conn, reference) for reference in references]
    await keeping.check_exist(conn, found)
    return list(dict.fromkeys(await _left(conn, found)))


async def _left(conn: Connection | ReadConnection, parts: Sequence[UUID]) -> list[UUID]:
    """The same customers by parts that were not erased. Raises Conflict("customer_erased") where one has none."""
    erased = await keeping.erased_parts(conn, parts)
    if not erased:
        return list(parts)
    groups = await keeping.groups_of(conn, erased)
    left = [groups[part].head if part in erased else part for part in parts]
    if await keeping.erased_parts(conn, left):
        raise Conflict("customer_erased")
    return left


@router.post(
    "/v1/merges",
    status_code=201,
    responses=shown(MERGED, "They are one customer now.", status=201),
    openapi_extra=body_of(
        None, {"parts": ["member_no:M42", "member_no:M43"], "reason": "同一位客户，电话中确认"}
    ),
)
async def merge_customers(
    request: Request,
    body: MergeCustomers,
    caller: Admin,
    language: Lang,
    key: IdempotencyKey = None,
) -> Response:
    """Make customers one. `id` is the merge's, by which it is undone; `parts` are all parts of the customer now,
    `head` the one under whose id and number they are known. A merge of exactly the customers of an open proposal
    accepts that."""
    kernel = kernel_of(request)

    async def do(conn: Connection, now: datetime) -> Done:
        await keeping.lock(conn)
        decider = Decider(caller.name, now, body.reason)
        if body.proposal is not None:
            merge_id = body.proposal
            parts = await _proposed(conn, merge_id)
        else:
            parts = await named(conn, body.parts or ())
        groups = await keeping.groups_of(conn, parts)
        keeping.check_joins(parts, groups)
        if body.proposal is None:
            asked = await keeping.matching_proposal(conn, parts, groups)
            merge_id = asked or await keeping.propose(conn, parts, decider, judged=0)
        entries = await keeping.decide(conn, kernel, merge_id, "merged", decider, parts=parts)
        settled = Decider(caller.name, now, "settled")
        await keeping.withdraw_settled(conn, groups, settled, beside=merge_id)
        return Done(201, str(merge_id), entries)

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await transact(request, do, command="merge", key=key, digest=digest)
    response = await _answer(request, outcome, language)
    response.headers["Location"] = f"/v1/merges/{outcome.subject}"
    return response


async def _proposed(conn: Connection, merge_id: UUID) -> list[UUID]:
    """Whom a proposal asks about. Raises NotFound, Conflict."""
    row = await conn.fetchrow("SELECT status, parts FROM merge WHERE id = $1", merge_id)
    if row is None:
        raise NotFound("merge_not_found")
    if row["status"] == "merged":
        raise Conflict("already_merged")
    if row["status"] != "proposed":
        raise Conflict("merge_not_open", params={"status": row["status"]})
    return await _left(conn, row["parts"])


@router.delete("/v1/merges/{merge}", responses=shown(SPLIT, "The merge, undone."))
async def undo_merge(
    request: Request,
    merge: MergeId,
    caller: Admin,
    language: Lang,
    reason: Annotated[str, Query(max_length=2000, description="Why.")] = "",
    key: IdempotencyKey = None,
) -> Response:
    """Undo a merge: its customers are as if it had never been, with all that came in between. A proposal is
    dismissed. What else has been merged stays so. 409 where it is neither in force nor proposed."""
    kernel = kernel_of(request)

    async def do(conn: Connection, now: datetime) -> Done:
        await keeping.lock(conn)
        status = await conn.fetchval("SELECT status FROM merge WHERE id = $1", merge)
        if status is None:
            raise NotFound("merge_not_found")
        if status not in ("merged", "proposed"):
            raise Conflict("merge_not_open", params={"status": status})
        decider = Decider(caller.name, now, reason)
        undone: keeping.Status = "split" if status == "merged" else "dismissed"
        return Done(200, str(merge), await keeping.decide(conn, kernel, merge, undone, decider))

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await transact(request, do, command="undo_merge", key=key, digest=digest)
    return await _answer(request, outcome, language)


async def _answer(request: Request, outcome: Outcome, language: Language) -> Response:
    """The merge as it is now; 202 where it is safe but not folded yet."""
    async with kernel_of(request).database.snapshot() as conn:
        found = await reading.find_merge(conn, UUID(outcome.subject))
    status = outcome.status if outcome.folded else 202
    return answer(merge_answer(found, language), status=status, headers=headers_of(outcome))
