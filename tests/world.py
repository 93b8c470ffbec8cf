"""A whole installation for one test: fresh databases, the services' APIs in process, their workers as tasks."""

import asyncio
import contextlib
import importlib
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from deploy.local.databases import database_variables
from deploy.local.postgres import PostgresServer
from shared import migrations
from shared.access import keys
from shared.as_of import Histories
from shared.kernel import Kernel, open_kernel
from shared.loop.worker import Worker
from shared.readiness import worker_readiness
from shared.settings import KernelSettings

SERVICES = ("interaction", "profile", "scoring", "campaign")
"""What runs unless a test asks for others."""
_templates: dict[int, dict[str, str]] = {}
_made: list[tuple[PostgresServer, str]] = []
"""Databases of worlds that are not gone yet, in the order of their making."""


async def _template(postgres: PostgresServer) -> dict[str, str]:
    """Databases with today's schema, made once for each server and copied from then on."""
    made = _templates.get(id(postgres))
    if made is None:
        made = {}
        for name in migrations.NAMES:
            made[name] = f"template_{name}"
            postgres.create_database(made[name])
            await migrations.upgrade(name, postgres.url(made[name]))
        _templates[id(postgres)] = made
    return made


async def fresh_databases(postgres: PostgresServer) -> dict[str, str]:
    """Addresses of new databases by name."""
    templates = await _template(postgres)
    urls = {}
    conn = await asyncpg.connect(postgres.url("postgres"))
    try:
        for name, template in templates.items():
            database = f"w{uuid.uuid4().hex[:12]}_{name}"
            await conn.execute(
                f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY FILE_COPY'
            )
            _made.append((postgres, database))
            urls[name] = postgres.url(database)
    finally:
        await conn.close()
    await _named_anew(urls["keyring"])
    return urls


async def _named_anew(keyring: str) -> None:
    """A keyring is known by its uuid, and a copy of the template would be the same one."""
    conn = await asyncpg.connect(keyring)
    try:
        await conn.execute("UPDATE meta SET value = gen_random_uuid()::text WHERE name = 'uuid'")
    finally:
        await conn.close()


@contextlib.contextmanager
def databases_dropped() -> Iterator[None]:
    """What `fresh_databases` makes within is gone afterwards: hundreds of worlds, 50 MB each, would fill a disk."""
    before = len(_made)
    yield
    for server, database in _made[before:]:
        if server.running():
            server.drop_database(database)
    del _made[before:]


@dataclass
class World:
    """What a test talks to."""

    urls: dict[str, str]
    settings: KernelSettings
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    key: str = ""

    def client(self, service: str) -> httpx.AsyncClient:
        return self.clients[service]

    async def post_events(self, events: Any, **params: Any) -> httpx.Response:
        return await self.clients["interaction"].post("/v1/events", json=events, params=params)

    async def new_key(self, *scopes: str, source_prefixes: Sequence[str] = ()) -> str:
        return await new_key(self.urls["access"], scopes, source_prefixes)

    async def settled(self, seconds: float = 20.0) -> None:
        """Wait until every worker has caught up, and knows what time it is where anybody tells it."""
        checks = [worker_readiness(self.kernels[name], self.workers[name]) for name in self.workers]
        until = asyncio.get_running_loop().time() + seconds
        quiet = 0
        while quiet < 2:
            answers = [await check() for check in checks]
            caught_up = all(answer.get("caught_up") for answer in answers)
            quiet = quiet + 1 if caught_up and await self._timed() else 0
            assert asyncio.get_running_loop().time() < until, answers
            await asyncio.sleep(0.02)

    async def _timed(self) -> bool:
        if "interaction" not in self.workers:
            return True
        for kernel in self.kernels.values():
            async with kernel.database.read() as conn:
                if await conn.fetchval(
                    "SELECT count(*) FROM checkpoint WHERE topic = 'customers' AND clock IS NULL"
                ):
                    return False
        return True


async def new_key(url: str, scopes: Sequence[str], source_prefixes: Sequence[str] = ()) -> str:
    """A key registered in the access database at `url`."""
    raw = keys.new_key()
    conn = await asyncpg.connect(url)
    try:
        name = f"k{uuid.uuid4().hex[:8]}"
        await keys.register(conn, raw, name=name, scopes=scopes, source_prefixes=source_prefixes)
    finally:
        await conn.close()
    return raw


def environment(urls: dict[str, str]) -> dict[str, str]:
    return database_variables(urls) | {"INBOUND_SECRET": os.environ["INBOUND_SECRET"]}


@asynccontextmanager
async def world(
    postgres: PostgresServer,
    *,
    services: Sequence[str] = SERVICES,
    workers: bool = True,
    log_url: str | None = None,
    **overrides: Any,
) -> AsyncIterator[World]:
    """An installation that runs while the block does."""
    urls = await fresh_databases(postgres)
    settings = KernelSettings(
        event_log_url=log_url or urls["log"],
        access_url=urls["access"],
        keyring_url=urls["keyring"],
        namespace=f"n{secrets.token_hex(4)}" if log_url else "",
        language="en",
        lease_seconds=5,
        inbound_secret=os.environ["INBOUND_SECRET"],
        **overrides,
    )
    here = World(urls, settings)
    here.key = await new_key(urls["access"], ["admin"])
    async with AsyncExitStack() as stack:
        for name in services:
            await _add_api(stack, here, name)
            if workers:
                await add_worker(stack, here, name)
        yield here


async def _add_api(stack: AsyncExitStack, here: World, name: str) -> None:
    module = importlib.import_module(f"services.{name}.app")
    own = importlib.import_module(f"services.{name}.settings").Settings(
        database_url=here.urls[name]
    )
    app = module.build(own, here.settings)
    await stack.enter_async_context(app.router.lifespan_context(app))
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url=f"http://{name}",
        headers={"Authorization": f"Bearer {here.key}"},
        timeout=30,
    )
    here.clients[name] = await stack.enter_async_context(client)
    if "interaction" in here.clients:
        app.state.histories = Histories(app.state.kernel, here.clients["interaction"])


async def add_worker(stack: AsyncExitStack, here: World, name: str) -> Worker:
    own = importlib.import_module(f"services.{name}.settings").Settings(
        database_url=here.urls[name]
    )
    service = importlib.import_module(f"services.{name}.service").SERVICE
    kernel = open_kernel(service, "worker", here.settings, own)
    inbound = None
    if name == "interaction":
        inbound = importlib.import_module("services.interaction.worker").resolving(kernel)
    worker = Worker(kernel, inbound=inbound)
    task = asyncio.create_task(worker.run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await kernel.close()

    stack.push_async_callback(stop)
    here.kernels[name], here.workers[name] = kernel, worker
    return worker
