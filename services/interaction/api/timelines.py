"""GET /v1/timelines/{customer}: everything that happened, newest first unless asked otherwise."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.interaction.queries import events_of, is_known
from services.interaction.showing import shown
from services.interaction.words import summary
from shared.access import require
from shared.database import Row
from shared.erasing import erased_among
from shared.errors import NotFound
from shared.grouping import parts_of
from shared.http import openapi
from shared.http.answers import answer
from shared.http.language import Lang
from shared.http.openapi import Customer
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer, parse_sort
from shared.identity import find_customer
from shared.kernel import Kernel
from shared.reading import read_manners
from shared.words import Language

router = APIRouter(
    tags=["timeline"], dependencies=[Depends(require("read")), Depends(read_manners)]
)

_EXAMPLE = {
    "items": [
        {
            "id": "01934b5c-7a00-7000-8000-000000000001",
            "type": "purchase.completed",
            "time": "2026-11-20T04:03:11Z",
            "recorded_time": "2026-11-20T04:03:12Z",
            "utc_offset_minutes": 480,
            "source": "store-7/pos",
            "source_id": "pos-7-000123",
            "summary": "Bought for 35.80 CNY (order A-1001)",
            "retracted_at": None,
            "data": {"order_id": "A-1001", "total": {"amount": "35.80", "currency": "CNY"}},
        }
    ],
    "next_cursor": None,
    "erased": False,
}


@router.get(
    "/v1/timelines/{customer}",
    responses=openapi.shown(_EXAMPLE, "What happened."),
)
async def get_timeline(
    request: Request,
    customer: Customer,
    language: Lang,
    page: Page,
    between: Between,
    types: Annotated[
        list[str] | None, Query(alias="type", description="Only these event types.")
    ] = None,
    channels: Annotated[
        list[str] | None, Query(alias="channel", description="Only these channels.")
    ] = None,
    sort: Annotated[
        Literal["time", "-time"], Query(description="`-time`: newest first.")
    ] = "-time",
) -> Response:
    """Every canonical event of a customer (UUID, number or `type:value`) and of all who are one with them, newest
    first. `retracted_at` says when a contact that somebody had recorded was taken back: it counts no more. Of who was
    erased it is what is left: `erased` says so."""
    _, newest_first = parse_sort(sort, ("time",))
    kernel: Kernel = request.app.state.kernel
    after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else None
    async with kernel.database.read() as conn:
        parts = await parts_of(conn, await find_customer(conn, customer))
        rows, total = await events_of(
            conn,
            parts,
            page,
            after,
            between,
            types or [],
            channels or [],
            newest_first=newest_first,
        )
        if not rows and not await is_known(conn, parts[0]):
            raise NotFound("customer_not_found")
        erased = await erased_among(conn, parts)
    page_rows, cursor = cut_page(rows, page.limit, lambda row: (row["time"], row["event_id"]))
    values = await shown(kernel.keyring, page_rows, erased)
    items = [_entry(row, value, language) for row, value in zip(page_rows, values, strict=True)]
    whole = {"erased": len(erased) == len(parts)}
    return answer(page_answer(items, cursor, total) | whole)


def _entry(row: Row, value: bytes, language: Language) -> dict[str, Any]:
    event = orjson.loads(value)
    data = event["data"]
    return {
        "id": event["id"],
        "type": event["type"],
        "time": row["time"],
        "recorded_time": row["recorded_at"],
        "source": event["source"],
        "source_id": event["sourceid"],
        "utc_offset_minutes": event["utcoffset"],
        "summary": summary(event["type"], data, language),
        "retracted_at": row["retracted_at"],
        "data": data,
    }
