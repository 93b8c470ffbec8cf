"""GET /v1/quarantine/{service}: what could not be used, why, and its bytes; applied again or let go by a person."""

import base64
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from shared.access import Caller, require
from shared.commands import Done, headers_of, transact
from shared.database import Connection, Row
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.openapi import page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, page_answer
from shared.kernel import Kernel
from shared.reading import read_manners
from shared.replaying import ask, entry_of, let_go, tried

_COLUMNS = (
    "id, kind, reason, stage, detail, status, topic, partition, log_offset, origin, origin_sequence,"
    " event_type, event_id, source, received_at, resolved_at, resolved_by, value"
)
_ENTRY = {
    "id": "01934b5c-7a00-7000-8000-000000000001",
    "kind": "quarantined",
    "reason": "validation_failed",
    "stage": "judge",
    "detail": {"errors": [{"pointer": "/data/total", "code": "missing"}]},
    "status": "open",
    "received_at": "2026-11-20T04:03:11Z",
    "resolved_at": None,
    "resolved_by": None,
    "from": {"topic": "inbound", "partition": 3, "offset": 17},
    "event": {"type": "purchase.completed", "id": "x-1", "source": "till-9"},
}
_RESOLVED = {"resolved_at": "2026-11-20T05:00:00Z", "resolved_by": "wang.fang"}
_TRIED = {**_ENTRY, **_RESOLVED, "status": "applied"}
_LET_GO = {**_ENTRY, **_RESOLVED, "status": "discarded"}


def quarantine_router(service: str) -> APIRouter:
    """The same routes in every service, under its own name."""
    router = APIRouter(tags=["quarantine"])
    path = f"/v1/quarantine/{service}"
    reads = [Depends(require("ops")), Depends(read_manners)]

    @router.get(
        path,
        dependencies=reads,
        responses=shown(page_of(_ENTRY), "The entries."),
    )
    async def list_entries(
        request: Request,
        page: Page,
        status: Annotated[str, Query(pattern="^(open|applied|discarded|all)$")] = "open",
        reason: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Entries, newest first; `status` is open unless asked otherwise."""
        after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else (None, None)
        kernel: Kernel = request.app.state.kernel
        where = "($1 = 'all' OR status = $1) AND ($2::text IS NULL OR reason = $2)"
        async with kernel.database.read() as conn:
            rows = await conn.fetch(
                f"SELECT {_COLUMNS} FROM quarantine WHERE {where}"
                " AND ($3::timestamptz IS NULL OR (received_at, id) < ($3, $4))"
                " ORDER BY received_at DESC, id DESC LIMIT $5",
                status,
                reason,
                *after,
                page.limit + 1,
            )
            total = None
            if page.count:
                total = (
                    await conn.fetch(
                        f"SELECT count(*) FROM quarantine WHERE {where}", status, reason
                    )
                )[0][0]
        shown, cursor = cut_page(rows, page.limit, lambda row: (row["received_at"], row["id"]))
        return answer(page_answer([_entry(row) for row in shown], cursor, total))

    @router.get(
        path + "/{entry_id}",
        dependencies=reads,
        responses=shown({**_ENTRY, "text": "{}"}, "The entry with its bytes."),
    )
    async def get_entry(request: Request, entry_id: UUID) -> Response:
        """One entry with its original bytes, as text where they are UTF-8, else in base64."""
        row = await entry_of(request.app.state.kernel, entry_id)
        return answer(_entry(row) | _bytes(row["value"]))

    @router.post(path + "/{entry_id}/replay", responses=shown(_TRIED, "The entry as it is now."))
    async def replay_entry(
        request: Request,
        entry_id: UUID,
        caller: Annotated[Caller, Depends(require("ops"))],
        key: IdempotencyKey = None,
    ) -> Response:
        """Try again: a parked event is applied as the late fact that it is by now; a quarantined one goes to the
        door once more, as it is."""
        kernel: Kernel = request.app.state.kernel

        async def asking(conn: Connection) -> None:
            await ask(conn, entry_id, caller.name)

        headers = await _once(request, key, entry_id, asking, command="replay_entry")
        return answer(_entry(await tried(kernel, entry_id)), headers=headers)

    @router.post(path + "/{entry_id}/discard", responses=shown(_LET_GO, "The entry as it is now."))
    async def discard_entry(
        request: Request,
        entry_id: UUID,
        caller: Annotated[Caller, Depends(require("ops"))],
        key: IdempotencyKey = None,
    ) -> Response:
        """Let it go: it is not tried again. Its bytes stay."""
        kernel: Kernel = request.app.state.kernel

        async def discarding(conn: Connection) -> None:
            await let_go(conn, entry_id, caller.name)

        headers = await _once(request, key, entry_id, discarding, command="discard_entry")
        return answer(_entry(await entry_of(kernel, entry_id)), headers=headers)

    return router


async def _once(
    request: Request,
    key: str | None,
    entry_id: UUID,
    change: Callable[[Connection], Awaitable[None]],
    *,
    command: str,
) -> dict[str, str]:
    """Change an entry, unless the same request did it before; answer the headers that say so."""

    async def do(conn: Connection, _now: datetime) -> Done:
        await change(conn)
        return Done(200, str(entry_id))

    digest = request_hash(request.url.path, await read_body(request))
    return headers_of(await transact(request, do, command=command, key=key, digest=digest))


def _entry(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "reason": row["reason"],
        "stage": row["stage"],
        "detail": row["detail"],
        "status": row["status"],
        "received_at": row["received_at"],
        "resolved_at": row["resolved_at"],
        "resolved_by": row["resolved_by"],
        "from": {"topic": row["topic"], "partition": row["partition"], "offset": row["log_offset"]},
        "event": {"type": row["event_type"], "id": row["event_id"], "source": row["source"]},
    }


def _bytes(value: bytes) -> dict[str, str]:
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
