"""Contacts that people record by hand: a call, a visit, a meeting, and what is to be done next."""

from datetime import datetime
from typing import Annotated, Any, get_args
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, TypeAdapter
from sqlalchemy import ColumnElement, func, select, tuple_
from starlette.responses import Response

from services.interaction.arrivals import Arrival
from services.interaction.recording import Prepared, event_of, read_object, record
from services.interaction.tables import contact
from shared.access import Caller, require
from shared.commands import headers_of
from shared.database import Connection, Row, fetch
from shared.errors import FieldError, NotFound, Unprocessable
from shared.http.answers import answer
from shared.http.idempotency import IdempotencyKey
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer
from shared.http.validation import validated
from shared.identity import find_customer
from shared.kernel import Kernel
from shared.language.interaction import Kind
from shared.reading import read_manners

router = APIRouter(tags=["interactions"])

Staff = Annotated[Caller, Depends(require("service", "sales"))]
_reads = [Depends(require("read")), Depends(read_manners)]

_FIELDS = {
    "kind": "call",
    "channel": "phone",
    "direction": "outbound",
    "subject": "Delivery of the new fridge",
    "content": "Asked whether Thursday suits; it does.",
    "outcome": "appointment",
    "handled_by": "chen.li",
    "duration_s": 240,
    "next_step": {"action": "Confirm the time window", "due_at": "2026-11-25T01:00:00Z"},
}
_BODY = {"customer": "member_no:M42", "at": "2026-11-20T14:03:11+08:00", **_FIELDS}
_CONTACT = {
    "id": "01934b5c-7a00-7000-8000-000000000001",
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "at": "2026-11-20T06:03:11Z",
    **_FIELDS,
    "recorded_at": "2026-11-20T06:05:00Z",
    "recorded_by": "crm",
}


class NextStep(BaseModel):
    """What is to be done, and until when."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    due_at: AwareDatetime | None = None


_NEXT_STEP: TypeAdapter[NextStep | None] = TypeAdapter(NextStep | None)


def _shape(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "customer_id": row["customer_id"],
        "at": row["at"],
        "next_step": None,
        **orjson.loads(row["data"]),
        "recorded_at": row["recorded_at"],
        "recorded_by": row["recorded_by"],
    }


@router.post(
    "/v1/interactions",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["customer", "kind"]},
                    "example": _BODY,
                }
            },
        }
    },
    responses={201: {"content": {"application/json": {"example": _CONTACT}}}},
)
async def post_interaction(request: Request, caller: Staff, key: IdempotencyKey = None) -> Response:
    """Record a contact: the event's fields with `customer`, `at` (now where it is missing) and `next_step`."""
    kernel: Kernel = request.app.state.kernel
    body = await read_object(request)

    async def prepare(_conn: Connection) -> Prepared:
        fields = dict(body)
        step = validated(_NEXT_STEP, fields.pop("next_step", None), prefix="/next_step")
        customer, at = fields.pop("customer", None), fields.pop("at", None)
        data = fields | ({"next_step": step.model_dump(mode="json")} if step else {})
        arrival = event_of(
            request,
            "interaction.recorded",
            source=caller.name,
            customer=customer,
            at=at,
            data=data,
            besides=frozenset({"next_step"}),
        )
        return Prepared(arrival, keeping(step))

    def keeping(step: NextStep | None) -> Any:
        async def keep(conn: Connection, customer_id: UUID, arrival: Arrival) -> str:
            said = orjson.loads(bytes(arrival.data))
            await conn.execute(
                "INSERT INTO contact (id, customer_id, at, kind, channel, handled_by, due_at,"
                " recorded_at, recorded_by, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                UUID(arrival.id),
                customer_id,
                arrival.time,
                said["kind"],
                said.get("channel"),
                said.get("handled_by") or caller.name,
                step.due_at if step else None,
                kernel.clock(),
                caller.name,
                bytes(arrival.data),
            )
            return arrival.id

        return keep

    outcome = await record(request, prepare, command="interaction", key=key)
    shown = _shape(await _row(request, UUID(outcome.subject)))
    headers = {"Location": f"/v1/interactions/{outcome.subject}", **headers_of(outcome)}
    return answer(shown, status=outcome.status if outcome.folded else 202, headers=headers)


async def _row(request: Request, contact_id: UUID) -> Row:
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        rows = await fetch(conn, select(contact).where(contact.c.id == contact_id))
    if not rows:
        raise NotFound("interaction_not_found")
    return rows[0]


@router.get(
    "/v1/interactions",
    dependencies=_reads,
    responses={
        200: {
            "content": {"application/json": {"example": {"items": [_CONTACT], "next_cursor": None}}}
        }
    },
)
async def list_interactions(
    request: Request,
    page: Page,
    between: Between,
    customer: Annotated[
        str | None, Query(max_length=400, description="UUID, number or `type:value`.")
    ] = None,
    kind: Annotated[str | None, Query(examples=["call"])] = None,
    handled_by: Annotated[str | None, Query(max_length=256)] = None,
    due_before: Annotated[
        AwareDatetime | None, Query(description="Only with a next step due before this time.")
    ] = None,
) -> Response:
    """Contacts that people recorded, newest first. What publishers sent stands on the customers' timelines."""
    if kind is not None and kind not in get_args(Kind):
        params = {"allowed": ", ".join(get_args(Kind))}
        raise Unprocessable(
            "validation_failed", errors=[FieldError("?kind", "not_allowed", params)]
        )
    where: list[ColumnElement[bool]] = []
    if kind:
        where.append(contact.c.kind == kind)
    if handled_by:
        where.append(contact.c.handled_by == handled_by)
    if due_before:
        where.append(contact.c.due_at < due_before)
    if between.start:
        where.append(contact.c.at >= between.start)
    if between.end:
        where.append(contact.c.at < between.end)
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        if customer:
            where.append(contact.c.customer_id == await find_customer(conn, customer))
        total = None
        if page.count:
            counted = select(func.count()).select_from(contact).where(*where)
            total = (await fetch(conn, counted))[0][0]
        if page.cursor:
            after = decode_cursor(page.cursor, tuple[datetime, UUID])
            where.append(tuple_(contact.c.at, contact.c.id) < tuple_(*after))
        statement = (
            select(contact)
            .where(*where)
            .order_by(contact.c.at.desc(), contact.c.id.desc())
            .limit(page.limit + 1)
        )
        rows = await fetch(conn, statement)
    shown, cursor = cut_page(rows, page.limit, lambda row: (row["at"], row["id"]))
    return answer(page_answer([_shape(row) for row in shown], cursor, total))


@router.get(
    "/v1/interactions/{interaction_id}",
    dependencies=_reads,
    responses={200: {"content": {"application/json": {"example": _CONTACT}}}},
)
async def get_interaction(request: Request, interaction_id: UUID) -> Response:
    """One contact that somebody recorded."""
    return answer(_shape(await _row(request, interaction_id)))
