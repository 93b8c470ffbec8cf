"""Lists: `?limit=`, `?cursor=`, `?count=`, `?sort=`, `?from=`, `?to=`, the shape of the answer."""

import base64
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
import orjson
from fastapi import Depends, Query

from shared.errors import BadRequest, FieldError, Unprocessable
from shared.http.times import Moment

T = TypeVar("T")

MOST = 500
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for. `cursor` is opaque until `decode_cursor`."""

    limit: int
    cursor: str | None
    count: bool

    def after(self, sort: str, shape: Any) -> tuple[Any, UUID] | None:
        """Where a sorted list begins: the last (sort value, id) of the page before; None at its start. `shape`: of the
        cursor, (sort, value, id). Raises BadRequest("invalid_cursor"): a cursor of another order is as bogus
        as one of another list."""
        if self.cursor is None:
            return None
        of, value, last = decode_cursor(self.cursor, shape)
        if of != sort:
            raise BadRequest("invalid_cursor")
        return value, last


async def page_request(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of one page.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=_LONGEST, description="`next_cursor` of the page before.")
    ] = None,
    count: Annotated[bool, Query(description="Also answer `total`.")] = False,
) -> PageRequest:
    """The page, as a dependency."""
    return PageRequest(limit, cursor, count)


Page = Annotated[PageRequest, Depends(page_request)]


def encode_cursor(values: Sequence[Any]) -> str:
    """Opaque text for the sort values of a page's last item: times, UUIDs, numbers, texts, null."""
    return base64.urlsafe_b64encode(orjson.dumps(list(values), default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, shape: type[T] = list) -> T:  # type: ignore[assignment]
    """What `encode_cursor` was given. Raises BadRequest("invalid_cursor").

    `shape` says what a query can be run with, such as `tuple[datetime, UUID]`: a cursor is the
    caller's text, and one of other types is as bogus as one that is no cursor at all.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if b"\\u0000" in raw:
            raise BadRequest("invalid_cursor")
        found = msgspec.json.decode(raw, type=shape)
        for value in found if isinstance(found, (list, tuple)) else ():
            if isinstance(value, datetime):
                _utc(value)
    except (ValueError, OverflowError, RecursionError):
        raise BadRequest("invalid_cursor") from None
    return found


def _utc(moment: datetime) -> datetime:
    """A moment that can be compared and stored. ValueError: in no zone; OverflowError: beyond the first or last day."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def cut_page(
    found: Sequence[T], limit: int, place: Callable[[T], Sequence[Any]]
) -> tuple[Sequence[T], str | None]:
    """The items of a page, and the cursor of the next one, from a query that asked for one more than the page
    holds. `place` gives an item's sort values."""
    if len(found) <= limit:
        return found, None
    shown = found[:limit]
    return shown, encode_cursor(place(shown[-1]))


def page_answer(
    items: Sequence[Any], next_cursor: str | None, total: int | None = None
) -> dict[str, Any]:
    """The shape of every list; `total` only where it was asked for."""
    page: dict[str, Any] = {"items": items, "next_cursor": next_cursor}
    if total is not None:
        page["total"] = total
    return page


def parse_sort(value: str, allowed: Collection[str]) -> tuple[str, bool]:
    """`field` or `-field` as (field, descending). Raises Unprocessable naming what is possible."""
    name = value.removeprefix("-")
    if name not in allowed:
        params = {"allowed": ", ".join(sorted(allowed))}
        error = FieldError("?sort", "not_allowed", params)
        raise Unprocessable("validation_failed", errors=[error])
    return name, name != value


def sorts(fields: Collection[str]) -> list[str]:
    """What `sort` may be: each field, and each in the other direction."""
    return [f"{sign}{field}" for field in fields for sign in ("", "-")]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`start` <= time < `end`, both with a UTC offset; None: open."""

    start: datetime | None
    end: datetime | None


async def time_range(
    start: Annotated[
        Moment | None, Query(alias="from", description="Not before this time.")
    ] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Before this time.")] = None,
) -> TimeRange:
    """The range, as a dependency. Raises Unprocessable for what lies beyond the calendar."""
    return TimeRange(_bound("?from", start), _bound("?to", end))


def _bound(pointer: str, moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else _utc(moment)
    except OverflowError:
        error = FieldError(pointer, "not_a_time")
        raise Unprocessable("validation_failed", errors=[error]) from None


Between = Annotated[TimeRange, Depends(time_range)]
