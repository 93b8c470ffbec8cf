"""Interaction behind a real HTTP server, for clients that are nobody's but their makers'."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.serving import serve
from tests.api.sending import Sender
from tests.clients.node import node_folder
from tests.world import World, world


@dataclass
class Server:
    """Where the service listens. `losing`: so many requests are taken, but their senders get 503."""

    app: ASGIApp
    url: str = ""
    losing: int = 0
    statuses: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("the application has begun already")
        lost, self.losing = self.losing > 0, max(0, self.losing - 1)

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            if not lost:
                await send(message)

        await self.app(scope, receive, sender)
        if lost:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="package")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction"]) as made:
        yield made


@pytest.fixture
def sender(here: World) -> Sender:
    return Sender(here)


@pytest.fixture
async def server(here: World) -> AsyncIterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(here.client("interaction")._transport.app, f"http://127.0.0.1:{port}")
    stop = asyncio.Event()
    task = asyncio.create_task(serve(made, "127.0.0.1", port, stop=stop))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            break
    yield made
    stop.set()
    await task


@pytest.fixture
async def key(here: World) -> str:
    return await here.new_key("publish")


@pytest.fixture(scope="session")
def node() -> Path:
    """A folder with Segment's client for Node, kept between runs."""
    return node_folder()
