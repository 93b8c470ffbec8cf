"""The dependency that lets a request pass: `Depends(require("read"))`."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import Request

from shared.access.caller import SCOPES, Caller
from shared.errors import Forbidden, Unauthorised

_Dependency = Callable[[Request], Awaitable[Caller]]


class KeyBook(Protocol):
    """What is needed of Access."""

    async def caller_of(self, raw: str) -> Caller | None: ...


def raw_key(header: str) -> str:
    """The key in an Authorization header: Bearer, or Basic with the key as user name."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(value.strip(), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise Unauthorised("invalid_credentials") from None
        return text.partition(":")[0]
    raise Unauthorised


async def _identify(request: Request) -> Caller:
    """The caller of a request, asked once however many dependencies want to know."""
    found: Caller | None = getattr(request.state, "caller", None)
    if found is None:
        header = request.headers.get("authorization")
        if header is None:
            raise Unauthorised
        book: KeyBook = request.app.state.kernel.access
        found = await book.caller_of(raw_key(header))
        if found is None:
            raise Unauthorised("invalid_credentials")
        request.state.caller = found
    return found


def require(*any_of: str) -> _Dependency:
    """A dependency that answers the Caller, who has one of the scopes; else 401 or 403."""
    unknown = set(any_of) - set(SCOPES)
    if unknown or not any_of:
        raise ValueError(f"no such scope: {', '.join(sorted(unknown)) or 'none given'}")

    async def permitted(request: Request) -> Caller:
        caller = await _identify(request)
        if not caller.has(*any_of):
            raise Forbidden("missing_scope", params={"scopes": " / ".join(any_of)})
        return caller

    return permitted
