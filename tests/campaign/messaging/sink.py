"""A mail server for tests: real SMTP on the loopback, that answers, or breaks off, as a test wants it to."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

DROP, SILENCE = "drop", "silence"
"""Answers that are none: the connection is cut; nothing comes."""
Answer = Callable[[Envelope], str | None]


@dataclass
class Sink:
    """What came in, and how each step is answered: a reply such as `550 no`, `drop`, `silence`; None: all is well."""

    taken: list[Envelope] = field(default_factory=list)
    """Messages whose text came in whole, also those that were then not taken."""
    accepted: list[Envelope] = field(default_factory=list)
    on_mail: Answer = lambda _: None
    on_rcpt: Answer = lambda _: None
    on_data: Answer = lambda _: None
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def mails(self, to: str | None = None) -> list[EmailMessage]:
        """What was accepted, as its reader has it."""
        return [
            email.message_from_bytes(one.content, policy=email.policy.default)
            for one in self.accepted
            if to is None or one.rcpt_tos == [to]
        ]

    async def handle_MAIL(self, server, session, envelope, address, options) -> str:  # noqa: N802
        answer = await _told(server, self.on_mail(envelope))
        if answer is None:
            envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        answer = await _told(server, self.on_rcpt(envelope))
        if answer is not None:
            envelope.rcpt_tos.pop()
        return answer or "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        answer = await _told(server, self.on_data(envelope))
        if answer is None:
            self.accepted.append(envelope)
        return answer or "250 OK"


async def _told(server: Any, answer: str | None) -> str | None:
    if answer == DROP:
        server.transport.abort()
        await asyncio.sleep(3600)
    if answer == SILENCE:
        await asyncio.sleep(3600)
    return answer


class _Quiet(SMTP):
    """One that does not look up its own name, and counts who comes."""

    def __init__(self, sink: Sink, **options: Any) -> None:
        super().__init__(sink, hostname="sink", loop=asyncio.get_running_loop(), **options)
        sink.connections += 1


@asynccontextmanager
async def sink(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Sink]:
    """A server that runs while the block does. `tls`: from the first byte; for STARTTLS give `tls_context`."""
    made = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Quiet(made, **options), "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


@asynccontextmanager
async def scripted(talk: Callable[..., Any]) -> AsyncIterator[int]:
    """A server that says what `talk(reader, writer)` says; the block gets its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def only(user: str, password: str) -> Any:
    """An authenticator that knows one user."""

    def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
        known = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=known, handled=False)

    return authenticate
