"""A mail server and a receiver of webhooks on the loopback, which can be told to misbehave. Both write down whatever
they are handed, before they answer anything."""

import asyncio
import contextlib
import email
import email.policy
import re
import time
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, Envelope, Session

WELL, DROP, BUSY, REFUSE, SLOW, BROKEN = "well", "drop", "busy", "refuse", "slow", "broken"
OF_MAIL = (DROP, BUSY, REFUSE, SLOW)
OF_WEBHOOKS = (DROP, BROKEN, SLOW)
MAIL_SECONDS = 3.0
WEBHOOK_SECONDS = 3.0
"""How long we are given for one, and by how much the slow one is slower."""
SLOWER_SECONDS = 2.0
CAP = 2
"""Marketing to one customer."""
SETTINGS = {
    "CAMPAIGN_MAIL_FROM": "Tenure <tenure@example.com>",
    "CAMPAIGN_MAIL_SECONDS": str(MAIL_SECONDS),
    "CAMPAIGN_MARKETING_CAP": str(CAP),
    "CAMPAIGN_QUIET_HOURS": "",
    "INTERACTION_WEBHOOKS_PRIVATE": "true",
    "INTERACTION_WEBHOOKS_SECONDS": str(WEBHOOK_SECONDS),
}
ANSWERS = {WELL: "250 OK", BUSY: "451 later", REFUSE: "550 no", SLOW: "250 OK at last"}
STATUSES = {WELL: 200, BROKEN: 500, SLOW: 200}
MARK = "mark "
"""In the text of each message this stands before what no other one has."""

_MARK = re.compile(rf"{MARK}([0-9a-f]{{32}})")


@dataclass
class Taken:
    """One message that was handed to the mail server, whole. Times are the harness' own, in seconds."""

    id: str
    """Ours, from its Message-ID."""
    to: str
    mark: str
    at: float
    code: int | None = None
    """What was answered; None: nothing, so that nobody can know."""


@dataclass
class Received:
    """One request to the receiver of webhooks."""

    headers: dict[str, str]
    body: bytes
    at: float
    status: int | None = None
    """What was answered, if anything."""


@dataclass
class _Server:
    """`mood`: how everything is answered from now on."""

    mood: str = WELL
    port: int = 0
    _server: asyncio.Server | None = None

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _waits(self, mood: str, seconds: float) -> None:
        if mood == SLOW:
            await asyncio.sleep(seconds + SLOWER_SECONDS)


class _Quiet(SMTP):
    """One that does not look up its own name."""

    def __init__(self, handler: "MailServer") -> None:
        super().__init__(handler, hostname="chaos", loop=asyncio.get_running_loop())


@dataclass
class MailServer(_Server):
    """SMTP, without a word of encryption."""

    taken: list[Taken] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Quiet(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called once the text is there, whole."""
        mood = self.mood
        one = _taken(envelope, time.monotonic())
        self.taken.append(one)
        if mood == DROP:
            server.transport.abort()
            await asyncio.sleep(3600)  # ends with the connection
        await self._waits(mood, MAIL_SECONDS)
        one.code = int(ANSWERS[mood][:3])
        return ANSWERS[mood]


def _taken(envelope: Envelope, at: float) -> Taken:
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    found = _MARK.search(mail.get_content())
    id_ = mail["Message-ID"].strip("<>").partition("@")[0]
    return Taken(id_, envelope.rcpt_tos[0], found[1] if found else "", at)


@dataclass
class Receiver(_Server):
    """HTTP, one request a connection."""

    received: list[Received] = field(default_factory=list)
    secret: str = ""
    """With which everything is to be signed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:]
        named = (line.partition(":") for line in head if line)
        headers = {name.lower(): value.strip() for name, _, value in named}
        body = await reader.readexactly(int(headers["content-length"]))
        mood = self.mood
        one = Received(headers, body, time.monotonic())
        self.received.append(one)
        if mood == DROP:
            return
        await self._waits(mood, WEBHOOK_SECONDS)
        one.status = STATUSES[mood]
        answer = f"HTTP/1.1 {one.status} told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(answer.encode())
        writer.write_eof()
        await reader.read()  # until the other side has read it
