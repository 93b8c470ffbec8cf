"""Two of the layers around every route, as plain ASGI.

`Edge` (outermost) names the request, counts it, times it and writes one line about it: the route's
template, never the path, which may name a customer. `Guard` (inside of CORS, so that its answers
pass through it) turns whatever nobody caught into a problem document.
"""

import random
import time
from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from prometheus_client import Counter, Histogram
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics
from shared.errors import BadRequest, InternalError, NotFound, Problem
from shared.http.answers import answer
from shared.http.headers import header
from shared.http.problems import problem_of, respond
from shared.logging import REQUEST_ID, get_logger, reason

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_SERVER_ERROR = 500
_VERSION_4 = 0x4 << 76 | 0b10 << 62
_FREE_BITS = ~(0xF << 76 | 0b11 << 62)

log = get_logger(__name__)


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-Id where it is a UUID; anything else might say something."""
    given = header(scope, b"x-request-id")
    try:
        return str(UUID(given)) if given else _new_id()
    except ValueError:
        return _new_id()


def _new_id() -> str:
    """A UUID of version 4. It names a request and keeps nothing secret, so the system is not asked for each."""
    text = f"{random.getrandbits(128) & _FREE_BITS | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Edge:
    """`template` gives the route's template once the request has been routed."""

    def __init__(self, app: ASGIApp, *, service: str, template: Callable[[Scope], str]) -> None:
        self._app = app
        self._service = service
        self._template = template
        self._in_flight = 0
        metrics.http_in_flight.labels(service).set_function(lambda: self._in_flight)
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = _SERVER_ERROR

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", request_id.encode())
                own = (*state.get("answer_headers", ()), *state.get("limit_headers", ()))
                message["headers"] = [*message.get("headers", ()), named, *own]
            await send(message)

        begun = time.perf_counter()
        self._in_flight += 1
        token = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, sender)
        finally:
            REQUEST_ID.reset(token)
            self._in_flight -= 1
            self._record(scope, status, time.perf_counter() - begun, request_id)

    def _record(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = self._template(scope)
        requests, times = self._metrics(method, route, status)
        requests.inc()
        times.observe(seconds)
        if route in _QUIET:
            return
        caller = scope["state"].get("caller")
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id,
            key=str(caller.id) if caller is not None else None,
        )

    def _metrics(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Looking them up by their labels costs more than counting does."""
        found = self._counted.get((method, route, status))
        if found is None:
            found = (
                metrics.http_requests.labels(self._service, method, route, status),
                metrics.http_seconds.labels(self._service, method, route),
            )
            self._counted[method, route, status] = found
        return found


def _refuse_nul(scope: Scope) -> Problem | None:
    """PostgreSQL's text has no NUL, and no address of ours contains one."""
    if "\0" in scope["path"]:
        return NotFound()
    if b"%00" in scope.get("query_string", b""):
        return BadRequest("invalid_text", "The query contains the character U+0000.")
    return None


def _report(exc: Exception, problem: Problem) -> None:
    if problem.code == "unavailable":
        log.warning("unavailable", error=reason(exc))
    elif isinstance(problem, InternalError) or problem.code == "invalid_value":
        log.error("failed", exc_info=exc)


class Guard:
    """Nothing that a route raises reaches the server, or the caller, as it is.

    What a command has committed stands: when looking at it fails afterwards, the answer is 202 with its position,
    where the command has left its subject and headers in `state.committed`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refuse_nul(scope)
        if refusal is not None:
            await respond(refusal, scope)(scope, receive, send)
            return
        started = False

        async def sender(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sender)
        except Exception as exc:
            refused = _refused(exc, scope)
            if started:
                raise  # half an answer is out: the server cuts the connection
        else:
            return
        # With nothing at hand any more that has the exception: its traceback has this frame and those below it, with
        # the body and all that was made of it, and would keep all of that until the collector comes by.
        await refused(scope, receive, send)


def _refused(exc: Exception, scope: Scope) -> Response:
    """What is answered instead."""
    problem = problem_of(exc)
    _report(exc, problem)
    committed = scope.get("state", {}).get("committed")
    if committed is not None:
        subject, headers = committed
        return answer({"id": subject}, status=HTTPStatus.ACCEPTED, headers=headers)
    return respond(problem, scope)
