"""A real HTTP server that takes webhooks, and answers as a test wants it to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return orjson.loads(self.body)

    def verified(self, secret: str) -> dict[str, Any]:
        """As a receiver does it. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Reply:
    """What comes back."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long that takes."""
    how: str = "whole"
    """Or `nothing`: the connection breaks; `half`: in the middle of the headers; `endless`: a body without an end."""


Judge = Callable[[Got], Reply]


@dataclass
class Receiver:
    """What came, and what is answered."""

    port: int = 0
    judge: Judge = lambda _: Reply()
    got: list[Got] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    """Requests at once."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def about(self, **data: Any) -> list[Got]:
        """Those whose event has these fields."""
        return [one for one in self.got if data.items() <= one.json["data"]["data"].items()]

    async def has(self, count: int) -> None:
        """Wait until so many came."""
        while len(self.got) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await self._take(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.busy -= 1
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        method, path, _ = head[0].split(" ")
        assert method == "POST"
        got = Got(path, headers, body)
        self.got.append(got)
        reply = self.judge(got)
        await asyncio.sleep(reply.seconds)
        lines = [f"HTTP/1.1 {reply.status} x", *(f"{k}: {v}" for k, v in reply.headers.items())]
        match reply.how:
            case "whole":
                lines += ["content-length: 0", "", ""]
            case "half":
                pass
            case "endless":
                lines += ["transfer-encoding: chunked", "", ""]
            case _:
                return
        writer.write("\r\n".join(lines).encode())
        while reply.how == "endless":
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        await writer.drain()


@asynccontextmanager
async def receiving(
    judge: Judge | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    made = Receiver()
    if judge is not None:
        made.judge = judge
    server = await asyncio.start_server(made.take, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def in_turn(*statuses: int, **reply: Any) -> Judge:
    """One after the other; the last for ever."""
    left = list(statuses)
    return lambda _: Reply(left.pop(0) if len(left) > 1 else left[0], **reply)


Waiting = Callable[[], Awaitable[Any]]
