"""Streams a request to a service and its answer back; neither is ever held as a whole."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import httpx
from starlette.types import Message, Receive, Scope, Send

from deploy.local.origin.settings import OriginSettings
from shared.errors import BodyLate, Unavailable

_CONNECT_SECONDS = 2.0
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=5)
_HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip
_ADDED_HERE = frozenset({b"date", b"server"})  # our own server writes them
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})

Headers = list[tuple[bytes, bytes]]


class _Gone(Exception):  # noqa: N818 - the client is
    """The client closed its connection."""


class Proxy:
    """Connections to all services, so many to each: one that is frozen takes nothing from the others."""

    def __init__(self, settings: OriginSettings) -> None:
        self._most = settings.requests_at_once
        self._body_seconds = settings.body_seconds
        self._timeout = httpx.Timeout(settings.answer_seconds, connect=_CONNECT_SECONDS)
        self._at_work: Counter[str] = Counter()
        # Without the environment: a proxy for the outside must not see what is inside.
        self._client = httpx.AsyncClient(timeout=self._timeout, limits=_LIMITS, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def forward(self, base: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unavailable when the service did not answer, or has too much to answer already, and BodyLate; once
        it has begun to answer, what breaks its answer also breaks ours, so that nobody takes half of one for the
        whole."""
        if self._at_work[base] >= self._most:
            raise Unavailable("overloaded")
        self._at_work[base] += 1
        try:
            await self._forward(base, scope, receive, send)
        finally:
            self._at_work[base] -= 1

    async def _forward(self, base: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, self._body_seconds)
        request = _request(base, scope, body, self._timeout)
        exchange = asyncio.create_task(self._exchange(request, send))
        gone = asyncio.create_task(body.client_gone())
        try:
            await asyncio.wait({exchange, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not exchange.done():
                exchange.cancel()
        with contextlib.suppress(_Gone, asyncio.CancelledError):
            await exchange

    async def _exchange(self, request: httpx.Request, send: Send) -> None:
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            raise Unavailable(
                detail=f"The service did not answer ({type(error).__name__})."
            ) from None
        try:
            headers = _without(response.headers.raw, _ADDED_HERE)
            await send({
                "type": "http.response.start", "status": response.status_code, "headers": headers,
            })  # fmt: skip
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


class _Body:
    """The request's body as it arrives, and after it the news that the client has gone."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + seconds
        self._read = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise _Gone
            more = message.get("more_body", False)
            if not more:
                self._read.set()
            if message.get("body"):
                yield message["body"]

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            raise BodyLate from None

    def none(self) -> None:
        """There is no body to wait for."""
        self._read.set()

    async def client_gone(self) -> None:
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _request(base: str, scope: Scope, body: _Body, timeout: httpx.Timeout) -> httpx.Request:
    """Built by hand: a client's own defaults (Accept-Encoding and the like) are nobody's wish."""
    headers: Headers = _without(scope["headers"], _FORWARDED)
    names = {name for name, _ in scope["headers"]}
    has_body = names & {b"content-length", b"transfer-encoding"}
    if not has_body:
        body.none()
    client = scope.get("client") or ("", 0)
    host = next((value for name, value in headers if name == b"host"), b"")
    headers += [
        (b"x-forwarded-for", client[0].encode()),
        (b"x-forwarded-proto", scope["scheme"].encode()),
        (b"x-forwarded-host", host),
    ]
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    return httpx.Request(
        scope["method"],
        base,
        headers=headers,
        content=body.chunks() if has_body else None,
        extensions={"target": target, "timeout": timeout.as_dict()},
    )


def _without(headers: Headers, dropped: frozenset[bytes]) -> Headers:
    """The headers that concern both ends, not only this hop."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.split(b",")
    }
    gone = _HOP_BY_HOP | dropped | named
    return [(name, value) for name, value in headers if name.lower() not in gone]
