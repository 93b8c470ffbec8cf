"""Reading bodies: bounded before and after unpacking, the same way on every route."""

import zlib
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from shared.errors import BadRequest, TooLarge, UnsupportedMediaType
from shared.http.headers import header
from shared.http.json_text import parse_json

__all__ = ["LIMIT", "StrictRequest", "media_type", "parse_json", "read_body"]

LIMIT = 4 << 20
"""Bytes of one body, packed and unpacked."""

# Gzip may be many streams in a row; each costs its set-up however little it holds.
_MEMBERS = 64


def _too_large() -> TooLarge:
    return TooLarge("too_large", params={"limit": LIMIT})


def _corrupt(detail: str) -> BadRequest:
    return BadRequest("invalid_encoding", detail, params={"encoding": "gzip"})


class _Gunzip:
    """Unpacks chunk by chunk, never more than LIMIT: a bomb costs no more than an honest body."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._members = 1
        self._begun = False
        self._room = LIMIT

    def feed(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        while data:
            if self._stream.eof:
                self._next_member()
            parts.append(self._unpack(data))
            data = self._stream.unused_data
        return b"".join(parts)

    def _unpack(self, data: bytes) -> bytes:
        self._begun = True
        try:
            part = self._stream.decompress(data, self._room + 1)
        except zlib.error as exc:
            raise _corrupt(str(exc)) from None
        self._room -= len(part)
        if self._room < 0:
            raise _too_large()
        return part

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS:
            raise _corrupt(f"more than {_MEMBERS} gzip members")
        self._stream = zlib.decompressobj(wbits=31)

    def finish(self) -> None:
        if self._begun and not self._stream.eof:
            raise _corrupt("the data ends too early")


def _encoding(scope: Scope) -> str:
    encoding = (header(scope, b"content-encoding") or "").strip().lower()
    if encoding in {"", "identity"}:
        return ""
    if encoding in {"gzip", "x-gzip"}:
        return "gzip"
    raise UnsupportedMediaType("unsupported_encoding")


async def _read(request: Request) -> bytes:
    gunzip = _Gunzip() if _encoding(request.scope) else None
    declared = header(request.scope, b"content-length") or ""
    if declared.isdecimal() and (len(declared) > 15 or int(declared) > LIMIT):
        raise _too_large()
    hold: Callable[[int], None] | None = request.scope.get("state", {}).get("hold")
    parts: list[bytes] = []
    received, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("incomplete_body")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        if received > LIMIT:
            raise _too_large()
        part = gunzip.feed(chunk) if gunzip else chunk
        if hold is not None:
            hold(len(part))
        parts.append(part)
    if gunzip:
        gunzip.finish()
    return parts[0] if len(parts) == 1 else b"".join(parts)


class StrictRequest(Request):
    """A request whose body is read as this module says, also where FastAPI reads it."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await _read(self)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


async def read_body(request: Request) -> bytes:
    """The whole body, unpacked; the same bytes when asked again.

    Raises TooLarge (4 MiB, packed or unpacked), UnsupportedMediaType (an encoding other than gzip),
    BadRequest (corrupt gzip, connection lost) and Unavailable (too many bodies at once).
    """
    if isinstance(request, StrictRequest):
        return await request.body()
    found: bytes | None = getattr(request.state, "body", None)
    if found is None:
        found = request.state.body = await _read(request)
    return found


def media_type(request: Request) -> str:
    """The content type without its parameters, in lower case; "" where none is given."""
    return (header(request.scope, b"content-type") or "").partition(";")[0].strip().lower()
