"""`/v1/series`: uploaded series that explain demand."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.scoring import offer_queries as queries
from services.scoring.api.offer_examples import POINT, SERIES, UPLOAD
from services.scoring.api.reads import READS, database_of
from services.scoring.offer_queries import Series
from services.scoring.series import MOST_SERIES, UploadSeries, about, judged
from shared.access import Caller, require
from shared.commands import Done, headers_of, transact
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.http.answers import answer
from shared.http.bodies import read_body
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.openapi import body as body_of
from shared.http.openapi import page_of, shown
from shared.http.paging import Page, cut_page, decode_cursor, encode_cursor, page_answer

router = APIRouter(prefix="/v1/series", tags=["series"])

Name = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$",
        description="Name of a series: small letters, digits, `_`, `.`, `-`.",
        examples=["promotions"],
    ),
]
Marketing = Annotated[Caller, Depends(require("marketing"))]
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('series', 12))"


@router.get("", dependencies=READS, responses=shown(page_of(SERIES), "Series, by name."))
async def list_series(request: Request, page: Page) -> Response:
    """All uploaded series, without their points."""
    after = decode_cursor(page.cursor, tuple[str])[0] if page.cursor else None
    async with database_of(request).read() as conn:
        found = await queries.list_series(conn, after, page.limit + 1)
        total = await queries.count_series(conn) if page.count else None
    shown_, next_cursor = cut_page(found, page.limit, lambda last: (last.name,))
    return answer(page_answer([_head(one) for one in shown_], next_cursor, total))


@router.get(
    "/{name}",
    dependencies=READS,
    responses=shown({**SERIES, **page_of(POINT)}, "The series, and its points a page at a time."),
)
async def read_series(request: Request, name: Name, page: Page) -> Response:
    """One series with its points, by key and date."""
    after = max(decode_cursor(page.cursor, tuple[int])[0], 0) if page.cursor else 0
    async with database_of(request).read() as conn:
        one = await queries.find_series(conn, name)
    if one is None:
        raise NotFound("series_not_found")
    end = after + page.limit
    items = [{"key": key, "date": day, "value": value} for key, day, value in one.points[after:end]]
    next_cursor = encode_cursor([end]) if end < len(one.points) else None
    total = len(one.points) if page.count else None
    content = {**_head(one), **page_answer(items, next_cursor, total)}
    return answer(content, headers={"ETag": _tag(one)})


@router.put(
    "/{name}",
    responses=shown(SERIES, "The series as it is now; forecasts are made again.")
    | shown(SERIES, "A new series.", status=201),
    openapi_extra=body_of(None, UPLOAD),
)
async def put_series(
    request: Request,
    name: Name,
    body: UploadSeries,
    caller: Marketing,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Upload a series, or replace it with all its points: by day or by week, past and planned, for
    everything, for categories or for departments. Several values of a key in one week are averaged.
    Forecasts are made again with it at once."""
    points = judged(body)
    said = about(body, points)
    digest = request_hash(request.url.path, await read_body(request))

    async def do(conn: Connection, now: Any) -> Done:
        await conn.execute(_LOCK)
        before = await queries.find_series(conn, name)
        check_if_match(if_match, None if before is None else _tag(before))
        if before is None and await queries.count_series(conn) >= MOST_SERIES:
            raise Conflict("too_many_series", params={"limit": MOST_SERIES})
        await conn.execute(
            "INSERT INTO series VALUES ($1, 1 + coalesce((SELECT note ->> 'revision' FROM task"
            "  WHERE name = 'series')::bigint, 0), $2::jsonb, $3::jsonb, $4, $5)"
            " ON CONFLICT (name) DO UPDATE SET revision = excluded.revision,"
            " about = excluded.about, points = excluded.points,"
            " changed_at = excluded.changed_at, changed_by = excluded.changed_by",
            name,
            orjson.dumps(said).decode(),
            orjson.dumps(points).decode(),
            now,
            caller.name,
        )
        await _count(conn, now)
        return Done(201 if before is None else 200, name)

    outcome = await transact(request, do, command="put_series", key=key, digest=digest)
    headers = headers_of(outcome)
    async with database_of(request).read() as conn:
        one = await queries.find_series(conn, name)
    if one is None:  # uploaded once, deleted since, and the request sent again
        return answer({"name": name}, status=outcome.status, headers=headers)
    headers["ETag"] = _tag(one)
    return answer(_head(one), status=outcome.status, headers=headers)


@router.delete("/{name}", status_code=204, responses={204: {"description": "It is gone."}})
async def delete_series(
    request: Request,
    name: Name,
    caller: Marketing,  # noqa: ARG001  (who may)
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Delete a series; forecasts are made again without it."""

    async def do(conn: Connection, now: Any) -> Done:
        await conn.execute(_LOCK)
        before = await queries.find_series(conn, name)
        if before is None:
            raise NotFound("series_not_found")
        check_if_match(if_match, _tag(before))
        await conn.execute("DELETE FROM series WHERE name = $1", name)
        await _count(conn, now)
        return Done(204, name)

    digest = request_hash(request.url.path, b"")
    outcome = await transact(request, do, command="delete_series", key=key, digest=digest)
    return Response(status_code=204, headers=headers_of(outcome))


async def _count(conn: Connection, now: Any) -> None:
    """Revisions are counted over all series, so that a name that comes back has a new one."""
    await conn.execute(
        "INSERT INTO task VALUES ('series', $1, '{\"revision\": 1}') ON CONFLICT (name)"
        " DO UPDATE SET done_at = excluded.done_at, note = jsonb_build_object('revision',"
        "  (task.note ->> 'revision')::bigint + 1)",
        now,
    )


def _tag(one: Series) -> str:
    return etag_of([one.name, one.revision])


def _head(one: Series) -> dict[str, Any]:
    return {
        "name": one.name,
        "revision": one.revision,
        **one.about,
        "changed_at": one.changed_at,
        "changed_by": one.changed_by,
    }
