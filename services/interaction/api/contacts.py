"""Contacts that people record by hand, and may take back: a call, a visit, a meeting, what is to be done next."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import ColumnElement, func, select, tuple_
from starlette.responses import Response

from services.interaction.api import requests
from services.interaction.arrivals import Arrival
from services.interaction.erasing import refuse_erased, undisturbed
from services.interaction.queries import heads_of
from services.interaction.recording import Prepared, event_of, read_object, record
from services.interaction.tables import contact
from shared.access import Caller, require
from shared.commands import Done, Outcome, headers_of, transact
from shared.database import Connection, Row, fetch
from shared.errors import Conflict, NotFound
from shared.grouping import parts_of
from shared.http import openapi
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer
from shared.http.shapes import nullable
from shared.http.texts import Words
from shared.http.times import Moment
from shared.http.validation import validated
from shared.identity import find_customer
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.language import InteractionRetracted
from shared.language.interaction import Kind
from shared.own_events import own_event
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
    "retracted_at": None,
    "retracted_by": None,
    "retract_reason": None,
}
_REASON = "Recorded for the wrong customer."
_RETRACTED = {
    **_CONTACT,
    "retracted_at": "2026-11-20T07:30:00Z",
    "retracted_by": "crm",
    "retract_reason": _REASON,
}


class NextStep(BaseModel):
    """What is to be done, and until when."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, Words(500, 1)]
    due_at: Moment | None = None


_NEXT_STEP: TypeAdapter[NextStep | None] = TypeAdapter(NextStep | None)
_TAKEN = requests.command(
    "Contact",
    "interaction.recorded",
    {"customer": requests.CUSTOMER},
    optional={
        "at": nullable(requests.AT),
        "next_step": nullable(TypeAdapter(NextStep).json_schema()),
    },
    left_out=frozenset(),
)


class Retraction(BaseModel):
    """Why a contact is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Words(2000, 1)] | None = None


Heads = Mapping[UUID, UUID]
"""Under whose id customers are known who are one with others."""


def _shape(row: Row, heads: Heads) -> dict[str, Any]:
    return {
        "id": row["id"],
        "customer_id": heads.get(row["customer_id"], row["customer_id"]),
        "at": row["at"],
        "next_step": None,
        **orjson.loads(row["data"]),
        "recorded_at": row["recorded_at"],
        "recorded_by": row["recorded_by"],
        "retracted_at": row["retracted_at"],
        "retracted_by": row["retracted_by"],
        "retract_reason": row["retract_reason"],
    }


@router.post(
    "/v1/interactions",
    status_code=201,
    openapi_extra=openapi.body(_TAKEN, _BODY),
    responses=openapi.shown(
        _CONTACT,
        "The contact.",
        status=201,
        links=openapi.links(
            {"interaction_id": "$response.body#/id"},
            reads=["get_interaction"],
            writes=["retract_interaction"],
        ),
    ),
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
            source=caller.own_source,
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
                " recorded_at, recorded_by, data, utcoffset)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
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
                arrival.utcoffset,
            )
            return arrival.id

        return keep

    outcome = await record(request, prepare, command="interaction", key=key)
    return await _answer(request, outcome, Location=f"/v1/interactions/{outcome.subject}")


@router.post(
    "/v1/interactions/{interaction_id}/retract",
    openapi_extra=openapi.body(None, {"reason": _REASON}),
    responses=openapi.shown(_RETRACTED, "The contact, taken back."),
)
async def retract_interaction(
    request: Request,
    interaction_id: UUID,
    caller: Staff,
    body: Annotated[Retraction | None, Body()] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Take a contact back: it stays readable, and counts no more, as if nobody had recorded it. The body may be left
    out. 409 when it has been taken back already."""
    kernel: Kernel = request.app.state.kernel
    reason = body.reason if body else None

    async def take_back(conn: Connection, now: datetime) -> Done:
        await undisturbed(conn)
        row = await conn.fetchrow(
            "SELECT * FROM contact WHERE id = $1 FOR UPDATE",
            interaction_id,
        )
        if row is None:
            raise NotFound("interaction_not_found")
        await refuse_erased(conn, row["customer_id"])
        if row["retracted_at"] is not None:
            raise Conflict("interaction_retracted")
        await conn.execute(
            "UPDATE contact SET retracted_at = $2, retracted_by = $3, retract_reason = $4 WHERE id = $1",
            interaction_id,
            now,
            caller.name,
            reason,
        )
        customer = str(row["customer_id"])
        retracted = InteractionRetracted(
            interaction_id=str(interaction_id),
            at=row["at"],
            utcoffset=row["utcoffset"],
            kind=row["kind"],
            channel=row["channel"],
            direction=orjson.loads(row["data"]).get("direction"),
            by=caller.name,
            reason=reason,
        )
        entry = own_event(
            kernel.service.name, "interaction.retracted", retracted, now, subject=customer
        )
        partition = partition_of(customer, kernel.settings.partitions)
        return Done(200, str(interaction_id), [(partition, entry)])

    digest = request_hash(request.url.path, await read_body(request))
    outcome = await transact(
        request, take_back, command="retract_interaction", key=key, digest=digest
    )
    return await _answer(request, outcome)


async def _answer(request: Request, outcome: Outcome, **headers: str) -> Response:
    """The contact as it is now, after a command."""
    shown = _shape(*await _row(request, UUID(outcome.subject)))
    status = outcome.status if outcome.folded else 202
    return answer(shown, status=status, headers=headers | headers_of(outcome))


async def _row(request: Request, contact_id: UUID) -> tuple[Row, Heads]:
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        rows = await fetch(conn, select(contact).where(contact.c.id == contact_id))
        if not rows:
            raise NotFound("interaction_not_found")
        return rows[0], await heads_of(conn, rows)


@router.get(
    "/v1/interactions",
    dependencies=_reads,
    responses=openapi.shown(openapi.page_of(_CONTACT), "The contacts."),
)
async def list_interactions(
    request: Request,
    page: Page,
    between: Between,
    customer: Annotated[
        str | None, Query(max_length=400, description="UUID, number or `type:value`.")
    ] = None,
    kind: Annotated[Kind | None, Query(examples=["call"])] = None,
    handled_by: Annotated[str | None, Query(max_length=256)] = None,
    due_before: Annotated[
        Moment | None, Query(description="Only with a next step due before this time.")
    ] = None,
    retracted: Annotated[
        Literal["false", "true", "all"],
        Query(description="`false`: those that stand; `true`: those taken back; `all`: both."),
    ] = "false",
) -> Response:
    """Contacts that people recorded and that stand, newest first. What publishers sent stands on the customers'
    timelines."""
    named = ((contact.c.kind, kind), (contact.c.handled_by, handled_by))
    where: list[ColumnElement[bool]] = [column == value for column, value in named if value]
    if retracted != "all":
        stands = contact.c.retracted_at.is_(None)
        where.append(stands if retracted == "false" else ~stands)
    if due_before:
        where.append(contact.c.due_at < due_before)
    if between.start:
        where.append(contact.c.at >= between.start)
    if between.end:
        where.append(contact.c.at < between.end)
    kernel: Kernel = request.app.state.kernel
    async with kernel.database.read() as conn:
        if customer:
            parts = await parts_of(conn, await find_customer(conn, customer))
            where.append(contact.c.customer_id.in_(parts))
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
        heads = await heads_of(conn, rows)
    shown, cursor = cut_page(rows, page.limit, lambda row: (row["at"], row["id"]))
    return answer(page_answer([_shape(row, heads) for row in shown], cursor, total))


@router.get(
    "/v1/interactions/{interaction_id}",
    dependencies=_reads,
    responses=openapi.shown(_CONTACT, "The contact."),
)
async def get_interaction(request: Request, interaction_id: UUID) -> Response:
    """One contact that somebody recorded, also where it was taken back."""
    return answer(_shape(*await _row(request, interaction_id)))
