"""The dependency that lets a request pass: `Depends(require("read"))`."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastapi import Request
from starlette.types import Scope

from shared.access.caller import SCOPES, Caller
from shared.errors import Forbidden, Unauthorised
from shared.http.headers import header

_Dependency = Callable[[Request], Awaitable[Caller]]


class Limiter(Protocol):
    """What is needed of Limits."""

    def pass_address(self, scope: Scope, credentials: str) -> None: ...

    def pass_caller(self, caller: Caller) -> list[tuple[bytes, bytes]]: ...

    def right(self, credentials: str) -> None: ...

    def wrong(self, scope: Scope, credentials: str) -> None: ...


class KeyBook(Protocol):
    """What is needed of Access."""

    async def caller_of(self, raw: str) -> Caller | None: ...


def raw_key(given: str) -> str:
    """The key in an Authorization header: Bearer, or Basic with the key as user name."""
    scheme, _, value = given.strip().partition(" ")
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
    state: dict[str, Any] = request.scope.setdefault("state", {})
    found: Caller | None = state.get("caller")
    if found is None:
        given = header(request.scope, b"authorization")
        if given is None:
            raise Unauthorised
        limits: Limiter = request.app.state.limits
        found = await _asked(request, raw_key(given), limits)
        state["caller"] = found
        state["limit_headers"] = limits.pass_caller(found)
    return found


async def _asked(request: Request, raw: str, limits: Limiter) -> Caller:
    """Whose key or token it is. A wrong one is held against the address that it came from; one that has expired is
    wrong, but no guess."""
    limits.pass_address(request.scope, raw)
    book: KeyBook = request.app.state.kernel.access
    try:
        found = await book.caller_of(raw)
    except Unauthorised as problem:
        if problem.code != "token_expired":
            limits.wrong(request.scope, raw)
        raise
    if found is None:
        limits.wrong(request.scope, raw)
        raise Unauthorised("invalid_credentials")
    limits.right(raw)
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
