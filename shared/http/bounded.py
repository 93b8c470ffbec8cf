"""What a process takes on at once, and how long a request may take. Beyond that it says so, and when to come again.

Two things would grow without end under too much load: requests at work, and the bytes of their bodies. Two would
never end: a client that does not send its body, and a server behind us that is frozen and says neither yes nor no.
"""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics
from shared.deadlines import NEVER, Deadlines
from shared.errors import BodyLate, Problem, Unavailable
from shared.settings import KernelSettings

UNBOUNDED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Who watches the process must see it, the more so when it has too much to do."""

_HAVE_BODIES = frozenset({b"content-length", b"transfer-encoding"})


class Bounded:
    """The layer around the routes that counts and times. Raises `Unavailable` and `BodyLate`.

    Whoever keeps bytes of a body in memory says so with `scope["state"]["hold"](size)`; they count until the request
    is answered."""

    def __init__(self, app: ASGIApp, *, service: str, settings: KernelSettings) -> None:
        self._app = app
        self._service = service
        self._most_requests = settings.requests_at_once
        self._most_bytes = settings.body_bytes_at_once
        self._body_seconds = settings.body_seconds
        self._answer_seconds = settings.answer_seconds
        self._requests = 0
        self._bytes = 0
        self._deadlines = Deadlines()
        metrics.http_body_bytes.labels(service).set_function(lambda: self._bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNBOUNDED:
            await self._app(scope, receive, send)
            return
        if self._requests >= self._most_requests:
            raise self._refusal("requests", Unavailable("overloaded"))
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            # The only body there is always finds room: it has a limit of its own.
            if self._bytes > held and self._bytes + size > self._most_bytes:
                raise self._refusal("bytes", Unavailable("overloaded"))
            held += size
            self._bytes += size

        scope.setdefault("state", {})["hold"] = hold
        self._requests += 1
        try:
            await self._in_time(scope, receive, send)
        finally:
            self._requests -= 1
            self._bytes -= held

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut short what has not begun to answer in time: counted from the arrival of the body's end."""
        waits_for_client = False

        async def receiver() -> Message:
            nonlocal waits_for_client
            waits_for_client = True
            message = await receive()
            waits_for_client = False
            if message["type"] == "http.request" and not message.get("more_body", False):
                deadline.due = time.monotonic() + self._answer_seconds
            return message

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                deadline.due = NEVER
            await send(message)

        has_body = any(name in _HAVE_BODIES for name, _ in scope["headers"])
        deadline = self._deadlines.within(self._body_seconds if has_body else self._answer_seconds)
        try:
            with deadline:
                await self._app(scope, receiver, sender)
        except TimeoutError:
            if not deadline.expired:
                raise  # something within gave up by itself
            if waits_for_client:
                raise self._refusal("body", BodyLate()) from None
            raise self._refusal("answer", Unavailable()) from None

    def _refusal(self, reason: str, problem: Problem) -> Problem:
        metrics.http_refused.labels(self._service, reason).inc()
        return problem
