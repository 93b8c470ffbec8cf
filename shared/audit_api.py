"""GET /v1/audit/{service}: who changed what, newest first."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from shared.access import require
from shared.database import Row
from shared.http.answers import answer
from shared.http.openapi import shown
from shared.http.paging import Between, Page, cut_page, decode_cursor, page_answer
from shared.kernel import Kernel
from shared.reading import read_manners

_COLUMNS = "id, at, caller_id, caller, method, route, path, subject, status, request_id, key_hash, position"
_WHERE = (
    "($1::text IS NULL OR caller = $1 OR caller_id::text = $1)"
    " AND ($2::text IS NULL OR subject = $2)"
    " AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)"
)
_EXAMPLE = {
    "items": [
        {
            "id": "01934b5c-7a00-7000-8000-000000000002",
            "at": "2026-11-20T04:03:11Z",
            "caller": {"id": "5f0c9c51-8f3e-4f6b-9c55-0d4c2c1b7f10", "name": "wang.fang"},
            "method": "DELETE",
            "route": "/v1/customers/{customer}/tags/{tag}",
            "path": {
                "customer": "01934b5c-7a00-7000-8000-000000000001",
                "tag": "need:quality-first",
            },
            "subject": "01934b5c-7a00-7000-8000-000000000001",
            "status": 200,
            "request_id": "7a3b54d0-8a39-4c7f-9d0e-6c1f5a0e9b11",
            "idempotency_key_sha256": None,
            "position": "profile.3.17",
        }
    ],
    "next_cursor": None,
}


def audit_router(service: str) -> APIRouter:
    """The same route in every service, under its own name."""
    router = APIRouter(tags=["audit"])

    @router.get(
        f"/v1/audit/{service}",
        dependencies=[Depends(require("admin")), Depends(read_manners)],
        responses=shown(_EXAMPLE, "The changes."),
    )
    async def list_changes(
        request: Request,
        page: Page,
        between: Between,
        caller: Annotated[
            str | None, Query(max_length=300, description="Name or id of a caller.")
        ] = None,
        subject: Annotated[
            str | None, Query(max_length=100, description="Id of what was changed.")
        ] = None,
    ) -> Response:
        """Changes that this service made for somebody, newest first."""
        after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else (None, None)
        kernel: Kernel = request.app.state.kernel
        asked = (caller, subject, between.start, between.end)
        async with kernel.database.read() as conn:
            rows = await conn.fetch(
                f"SELECT {_COLUMNS} FROM audit WHERE {_WHERE}"
                " AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6))"
                " ORDER BY at DESC, id DESC LIMIT $7",
                *asked,
                *after,
                page.limit + 1,
            )
            total = None
            if page.count:
                total = await conn.fetchval(f"SELECT count(*) FROM audit WHERE {_WHERE}", *asked)
        shown, cursor = cut_page(rows, page.limit, lambda row: (row["at"], row["id"]))
        return answer(page_answer([_item(row) for row in shown], cursor, total))

    return router


def _item(row: Row) -> dict[str, Any]:
    key_hash = row["key_hash"]
    return {
        "id": row["id"],
        "at": row["at"],
        "caller": {"id": row["caller_id"], "name": row["caller"]},
        "method": row["method"],
        "route": row["route"],
        "path": row["path"],
        "subject": row["subject"],
        "status": row["status"],
        "request_id": row["request_id"],
        "idempotency_key_sha256": None if key_hash is None else key_hash.hex(),
        "position": row["position"],
    }
