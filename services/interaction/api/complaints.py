"""Complaints as cases: opened, given to somebody, answered, escalated, resolved, reopened, with their history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, select, tuple_
from starlette.responses import Response

from services.interaction.api import requests
from services.interaction.arrivals import CUSTOMER_ID, Arrival
from services.interaction.cases import (
    COMPLAINT,
    STATUSES,
    TRANSITIONS,
    Case,
    Step,
    case_of,
)
from services.interaction.erasing import refuse_erased
from services.interaction.filing import case_in, locked_case, read_case
from services.interaction.queries import heads_of
from services.interaction.recording import Prepared, event_of, read_object, record
from services.interaction.tables import complaint
from shared.access import Caller, require
from shared.commands import Outcome, headers_of
from shared.database import Connection, Row, fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.grouping import parts_of
from shared.http import openapi
from shared.http.answers import answer
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.idempotency import IdempotencyKey
from shared.http.language import Lang
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer
from shared.http.shapes import nullable
from shared.http.texts import OneOf, Words
from shared.identity import find_customer
from shared.ids import new_id
from shared.kernel import Kernel
from shared.moments import micros, said_after
from shared.reading import read_manners
from shared.words import Language, label

router = APIRouter(tags=["complaints"])

Staff = Annotated[Caller, Depends(require("service", "sales"))]
_reads = [Depends(require("read")), Depends(read_manners)]

_OPEN = {
    "customer": "member_no:M42",
    "category": "quality",
    "severity": "high",
    "description": "The milk was sour two days before its date.",
    "order_id": "A-1001",
    "product_ids": ["P9"],
}
_CASE = {
    "id": "8a6f0c1e-2a54-5f0e-9d43-5d3f4f0f7a11",
    "complaint_id": "K-204",
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "status": "answered",
    "label": "已答复",
    "category": "quality",
    "severity": "high",
    "description": "The milk was sour two days before its date.",
    "order_id": "A-1001",
    "product_ids": ["P9"],
    "assigned_to": "liu.yang",
    "opened_at": "2026-11-20T04:03:11Z",
    "updated_at": "2026-11-20T06:10:00Z",
    "possible": ["answer", "assign", "escalate", "resolve"],
    "history": [
        {
            "event_id": "01934b5c-7a00-7000-8000-000000000001",
            "step": "opened",
            "at": "2026-11-20T04:03:11Z",
            "by": "crm",
            "note": "The milk was sour two days before its date.",
            "to": None,
            "source": "crm",
        },
        {
            "event_id": "01934b5c-7a00-7000-8000-000000000002",
            "step": "answered",
            "at": "2026-11-20T06:10:00Z",
            "by": "liu.yang",
            "note": "Called back and apologised.",
            "to": None,
            "source": "crm",
        },
    ],
}


_OPENED = requests.command(
    "Complaint",
    "complaint.opened",
    {"customer": requests.CUSTOMER},
    optional={"at": nullable(requests.AT), "complaint_id": requests.SOURCE},
    left_out=frozenset({"complaint_id"}),
)
_ANSWERED = openapi.shown(_CASE, "The case.")
_ABOUT_IT = {"case_id": "$response.body#/id"}
_STEPS = ("assign_complaint", "answer_complaint", "escalate_complaint", "resolve_complaint")


Heads = Mapping[UUID, UUID]
"""Under whose id customers are known who are one with others."""


def _shape(row: Row, heads: Heads, language: Language) -> dict[str, Any]:
    """A case as it is answered; its history oldest first."""
    case = case_in(row)
    about = case.opening
    return {
        "id": row["id"],
        "complaint_id": case.steps[0].complaint_id,
        "customer_id": heads.get(row["customer_id"], row["customer_id"]),
        "status": case.status,
        "label": label("complaint", case.status, language),
        "category": row["category"],
        "severity": row["severity"],
        "description": about.note or None if about else None,
        "order_id": about.order_id or None if about else None,
        "product_ids": about.product_ids if about else (),
        "assigned_to": row["assigned_to"],
        "opened_at": row["opened_at"],
        "updated_at": case.steps[-1].at,
        "possible": [name for name, froms in sorted(TRANSITIONS.items()) if case.status in froms],
        "history": [_step(step) for step in case.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "event_id": step.event_id,
        "step": step.what,
        "at": step.at,
        "by": step.by or None,
        "note": step.note or None,
        "to": step.to or None,
        "source": step.source,
    }


def _etag(case: Case) -> str:
    return etag_of([step.event_id for step in case.steps])


async def _row(request: Request, case_id: UUID) -> tuple[Row, Heads]:
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        row = await read_case(conn, case_id)
        if row is None:
            raise NotFound("complaint_not_found")
        return row, await heads_of(conn, [row])


async def _answer(request: Request, outcome: Outcome, language: Language) -> Response:
    row, heads = await _row(request, UUID(outcome.subject))
    headers = {"ETag": _etag(case_in(row)), **headers_of(outcome)}
    if outcome.status == 201:
        headers["Location"] = f"/v1/complaints/{outcome.subject}"
    status = outcome.status if outcome.folded else 202
    return answer(_shape(row, heads, language), status=status, headers=headers)


@router.post(
    "/v1/complaints",
    status_code=201,
    openapi_extra=openapi.body(_OPENED, _OPEN),
    responses=openapi.shown(
        _CASE,
        "The case.",
        status=201,
        links=openapi.links(_ABOUT_IT, reads=["get_complaint"], writes=_STEPS),
    ),
)
async def open_complaint(
    request: Request, caller: Staff, language: Lang, key: IdempotencyKey = None
) -> Response:
    """Open a case: the event's fields with `customer` and `at` (now where it is missing). `complaint_id` may be left
    out; one that the customer has already is a conflict."""
    body = await read_object(request)

    async def prepare(_conn: Connection) -> Prepared:
        fields = dict(body)
        fields.setdefault("complaint_id", new_id())
        arrival = event_of(
            request,
            "complaint.opened",
            source=caller.own_source,
            customer=fields.pop("customer", None),
            at=fields.pop("at", None),
            data=fields,
        )
        data = orjson.dumps({**orjson.loads(bytes(arrival.data)), "by": caller.name})
        return Prepared(msgspec.structs.replace(arrival, data=msgspec.Raw(data)), keep)

    async def keep(conn: Connection, customer_id: UUID, arrival: Arrival) -> str:
        complaint_id = orjson.loads(bytes(arrival.data))["complaint_id"]
        case_id = case_of(customer_id, complaint_id)
        row = await read_case(conn, case_id)
        assert row is not None, "the resolver has just kept it"
        if sum(step.what == "opened" for step in case_in(row).steps) > 1:
            raise Conflict("complaint_exists")
        return str(case_id)

    outcome = await record(request, prepare, command="open_complaint", key=key)
    return await _answer(request, outcome, language)


Who = Annotated[str, Words(256, 1)]
Note = Annotated[str, Words(20_000)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Who | None = None
    """Who of the company's people does it; the key's name where it is missing."""


class Assign(_Command):
    """Give the case to somebody."""

    to: Who
    note: Note = ""


class Noted(_Command):
    """Take a step, with a note about it."""

    note: Note = ""


class Resolve(_Command):
    """Settle the case: how, as its `resolution` or in a `note`."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["resolution"]}, {"required": ["note"]}]}
    )

    resolution: Annotated[str, Words(20_000, 1)] | None = None
    note: Annotated[str, Words(20_000, 1)] | None = None


class Stepping:
    """What every step of a case is asked with."""

    def __init__(
        self,
        request: Request,
        caller: Staff,
        language: Lang,
        key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> None:
        self._request = request
        self._caller = caller
        self._language = language
        self._key = key
        self._if_match = if_match

    async def take(self, case_id: UUID, name: str, what: str, said: _Command | None) -> Response:
        """Take it, if the case's status allows it, and answer the case. Decided under the case's lock."""

        async def prepare(conn: Connection) -> Prepared:
            found = await locked_case(conn, case_id)
            if found is None:
                raise NotFound("complaint_not_found")
            customer_id, case = found
            await refuse_erased(conn, customer_id)
            check_if_match(self._if_match, _etag(case))
            if case.status not in TRANSITIONS[name]:
                allowed = ", ".join(sorted(TRANSITIONS[name]))
                params = {"status": case.status, "allowed": allowed}
                raise Conflict("wrong_transition", params=params)
            event = self._event(customer_id, case, what, said or Noted())
            return Prepared(event, kept, 200)

        async def kept(_conn: Connection, _customer_id: UUID, _arrival: Arrival) -> str:
            return str(case_id)

        command = f"{name}_complaint"
        outcome = await record(self._request, prepare, command=command, key=self._key)
        return await _answer(self._request, outcome, self._language)

    def _event(self, customer_id: UUID, case: Case, what: str, said: _Command) -> Arrival:
        kernel: Kernel = self._request.app.state.kernel
        now = kernel.clock()
        data = {name: value for name, value in said.model_dump().items() if value}
        complaint_id = case.steps[0].complaint_id
        data = {"by": self._caller.name, **data, "complaint_id": complaint_id}
        return Arrival(
            id=new_id(),
            source=self._caller.own_source,
            type=f"{COMPLAINT}{what}",
            time=said_after(micros(case.steps[-1].at), now),  # a step that counts comes last
            utcoffset=0,
            receivedtime=now,
            contenthash="",
            customer={CUSTOMER_ID: str(customer_id)},
            data=msgspec.Raw(orjson.dumps(data)),
        )


Asked = Annotated[Stepping, Depends()]
Said = Annotated[Noted | None, Body()]
"""The body may be left out."""


@router.post(
    "/v1/complaints/{case_id}/assign",
    responses=_ANSWERED,
    openapi_extra=openapi.body(None, {"to": "liu.yang"}),
)
async def assign_complaint(case_id: UUID, step: Asked, body: Assign) -> Response:
    """Give the case to somebody. 409 once it is resolved."""
    return await step.take(case_id, "assign", "assigned", body)


@router.post(
    "/v1/complaints/{case_id}/answer",
    responses=_ANSWERED,
    openapi_extra=openapi.body(None, {"note": "Called back and apologised."}),
)
async def answer_complaint(case_id: UUID, step: Asked, body: Said = None) -> Response:
    """Note that the customer was answered. 409 once it is resolved."""
    return await step.take(case_id, "answer", "answered", body)


@router.post(
    "/v1/complaints/{case_id}/escalate",
    responses=_ANSWERED,
    openapi_extra=openapi.body(None, {"note": "Third case with this batch."}),
)
async def escalate_complaint(case_id: UUID, step: Asked, body: Said = None) -> Response:
    """Hand the case to somebody who can do more. 409 where it was, or is resolved."""
    return await step.take(case_id, "escalate", "escalated", body)


@router.post(
    "/v1/complaints/{case_id}/resolve",
    responses=openapi.shown(
        _CASE, "The case.", links=openapi.links(_ABOUT_IT, writes=["reopen_complaint"])
    ),
    openapi_extra=openapi.body(None, {"resolution": "Refunded and a voucher sent."}),
)
async def resolve_complaint(case_id: UUID, step: Asked, body: Resolve) -> Response:
    """Settle the case, with how. 409 where it is settled already."""
    if body.resolution is None and body.note is None:
        raise Unprocessable("validation_failed", errors=[FieldError("/resolution", "missing")])
    return await step.take(case_id, "resolve", "resolved", body)


@router.post(
    "/v1/complaints/{case_id}/reopen",
    responses=_ANSWERED,
    openapi_extra=openapi.body(None, {"note": "The voucher did not work."}),
)
async def reopen_complaint(case_id: UUID, step: Asked, body: Said = None) -> Response:
    """Open the case again. 409 unless it is resolved."""
    return await step.take(case_id, "reopen", "reopened", body)


@router.get(
    "/v1/complaints",
    dependencies=_reads,
    responses=openapi.shown(openapi.page_of(_CASE), "The cases."),
)
async def list_complaints(
    request: Request,
    language: Lang,
    page: Page,
    between: Between,
    status: Annotated[
        list[Annotated[str, OneOf(STATUSES)]] | None,
        Query(description="Of any of these statuses."),
    ] = None,
    customer: Annotated[
        str | None, Query(max_length=400, description="UUID, number or `type:value`.")
    ] = None,
    severity: Annotated[str | None, Query(max_length=64)] = None,
    category: Annotated[str | None, Query(max_length=64)] = None,
    assigned_to: Annotated[str | None, Query(max_length=256)] = None,
) -> Response:
    """Cases, the latest opened first; `from` and `to` bound when they were opened."""
    table = complaint.c
    where: list[ColumnElement[bool]] = []
    if status:
        where.append(table.status.in_(status))
    named = (
        (table.severity, severity),
        (table.category, category),
        (table.assigned_to, assigned_to),
    )
    where += [column == value for column, value in named if value]
    if between.start:
        where.append(table.opened_at >= between.start)
    if between.end:
        where.append(table.opened_at < between.end)
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        if customer:
            parts = await parts_of(conn, await find_customer(conn, customer))
            where.append(table.customer_id.in_(parts))
        total = None
        if page.count:
            counted = select(func.count()).select_from(complaint).where(*where)
            total = (await fetch(conn, counted))[0][0]
        if page.cursor:
            after = decode_cursor(page.cursor, tuple[datetime, UUID])
            where.append(tuple_(table.opened_at, table.id) < tuple_(*after))
        statement = (
            select(complaint)
            .where(*where)
            .order_by(table.opened_at.desc(), table.id.desc())
            .limit(page.limit + 1)
        )
        rows = await fetch(conn, statement)
        heads = await heads_of(conn, rows)
    shown, cursor = cut_page(rows, page.limit, lambda row: (row["opened_at"], row["id"]))
    items = [_shape(row, heads, language) for row in shown]
    return answer(page_answer(items, cursor, total))


@router.get("/v1/complaints/{case_id}", dependencies=_reads, responses=_ANSWERED)
async def get_complaint(request: Request, case_id: UUID, language: Lang) -> Response:
    """One case with its history, and what may be done with it now."""
    row, heads = await _row(request, case_id)
    return answer(_shape(row, heads, language), headers={"ETag": _etag(case_in(row))})
