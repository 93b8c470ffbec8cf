import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from deploy.local.origin.app import Origin
from deploy.local.origin.settings import OriginSettings
from deploy.local.ports import free_port
from shared.settings import KernelSettings


@contextlib.asynccontextmanager
async def serving(app) -> AsyncIterator[str]:
    """A real server around an ASGI application: streams are only streams over a socket."""
    port = free_port()
    config = uvicorn.Config(
        app, port=port, log_level="critical", ws="none", lifespan="off", proxy_headers=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    await task


class Upstream:
    """A service that answers what a test tells it to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict] = []
        self.answers: dict[str, object] = {}

    async def __call__(self, scope, receive, send) -> None:
        self.seen.append(scope)
        answer = self.answers.get(scope["path"], b"{}")
        if callable(answer):
            await answer(scope, receive, send)
            return
        body = answer if isinstance(answer, bytes) else httpx.Response(200, json=answer).content
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def upstream():
    return Upstream()


@pytest.fixture
async def upstream_url(upstream):
    async with serving(upstream) as url:
        yield url


@pytest.fixture
def settings(upstream_url, tmp_path: Path):
    (tmp_path / "key").write_text("the-key\n")
    return OriginSettings(
        interaction_url=upstream_url,
        profile_url=upstream_url,
        scoring_url=f"http://127.0.0.1:{free_port()}",  # away
        key_file=tmp_path / "key",
        processes_file=tmp_path / "processes.json",
    )


@pytest.fixture
async def origin(settings):
    made = Origin(settings, KernelSettings(language="zh"))
    async with serving(made) as url:
        yield url
    await made.close()


@pytest.fixture
async def client(origin):
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as made:
        yield made


@pytest.fixture
def unused_port():
    return free_port()
