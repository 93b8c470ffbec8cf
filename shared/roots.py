"""What the composition roots of all services have in common: an API process, a worker process."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from shared import logging
from shared.access.tokens import token_rules
from shared.as_of import Histories
from shared.audit import Auditing
from shared.audit_api import audit_router
from shared.genesis import Belonging, refuse
from shared.http.app import create_app
from shared.http.health import health_app
from shared.http.serving import run, serve, stop_on_signals
from shared.http.shortcuts import Shortcut, Shortcuts
from shared.kernel import Kernel, open_kernel
from shared.loop.worker import MakeHandler, Worker
from shared.positions import Progress
from shared.readiness import api_readiness, measure, worker_readiness
from shared.reading import Freshness
from shared.service import Service
from shared.settings import KernelSettings, ServiceSettings

Extra = Callable[[Kernel], dict[str, Any]]
"""What a service keeps in `app.state` besides what all have."""


def build_app(
    service: Service,
    own: ServiceSettings,
    routers: Sequence[APIRouter],
    *,
    title: str,
    extra: Extra | None = None,
    settings: KernelSettings | None = None,
    shortcuts: Sequence[Shortcut] = (),
) -> FastAPI:
    """The API of a service. Its things are made when it starts and let go of when it ends."""
    kernel_settings = settings or KernelSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        kernel = open_kernel(service, "api", kernel_settings, own)
        await kernel.access.open()
        app.state.kernel = kernel
        app.state.progress = Progress(service.name, kernel.database, service.version)
        app.state.freshness = Freshness(kernel)
        app.state.readiness = api_readiness(kernel)
        app.state.histories = Histories.of(kernel)
        for name, value in (extra(kernel) if extra else {}).items():
            setattr(app.state, name, value)
        gc.collect()
        gc.freeze()  # what is there now stays: nobody needs to look through it again and again
        gc.set_threshold(50_000, 20, 50)
        try:
            yield
        finally:
            await app.state.histories.close()
            await kernel.close()

    app = create_app(
        service=service.name,
        title=title,
        routers=[*routers, audit_router(service.name)],
        lifespan=lifespan,
        settings=kernel_settings,
    )
    app.add_middleware(Auditing)
    app.user_middleware.append(
        Middleware(Belonging)
    )  # further in than others: its refusals are answered
    if shortcuts:
        app.user_middleware.append(Middleware(Shortcuts, shortcuts=shortcuts))
    return app


def _complete(settings: KernelSettings) -> KernelSettings:
    """An empty secret is one that everybody knows."""
    if not settings.inbound_secret:
        raise SystemExit(
            "INBOUND_SECRET is not set: give every process of an installation the same random value"
        )
    if not settings.keyring_url:
        raise SystemExit(
            "KEYRING_URL is not set: name the database of the keys that personal data is encrypted with"
        )
    try:
        token_rules(settings)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    return settings


def run_api(app: FastAPI, service: Service, own: ServiceSettings) -> None:
    """Serve until SIGTERM."""
    settings = _complete(KernelSettings())
    logging.configure(service=service.name, process="api", level=settings.log_level)
    run(_serve(app, service, own, settings))


async def _serve(
    app: FastAPI, service: Service, own: ServiceSettings, settings: KernelSettings
) -> None:
    kernel = open_kernel(service, "api", settings, own)
    try:
        await refuse(kernel)
    finally:
        await kernel.close()
    await serve(app, own.host, own.port)


def run_worker(
    service: Service,
    own: ServiceSettings,
    *,
    inbound: Callable[[Kernel], MakeHandler] | None = None,
) -> None:
    """Work until SIGTERM; an error that no waiting mends ends the process with a sentence."""
    settings = _complete(KernelSettings())
    logging.configure(service=service.name, process="worker", level=settings.log_level)
    run(_work(service, own, settings, inbound))


async def _work(
    service: Service,
    own: ServiceSettings,
    settings: KernelSettings,
    inbound: Callable[[Kernel], MakeHandler] | None,
) -> None:
    kernel = open_kernel(service, "worker", settings, own)
    worker = Worker(kernel, inbound=inbound(kernel) if inbound else None)
    stop = stop_on_signals()
    readiness = worker_readiness(kernel, worker)
    health = asyncio.create_task(serve(health_app(readiness), own.host, own.worker_port, stop=stop))
    measuring = asyncio.create_task(measure(readiness))
    working = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({health, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        working.cancel()
        outcomes = await asyncio.gather(working, health, return_exceptions=True)
        stopping.cancel()
        measuring.cancel()
        with contextlib.suppress(Exception):
            await kernel.close()
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise SystemExit(_sentence(outcome)) from outcome


def _sentence(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _sentence(error.exceptions[0])
    return f"{type(error).__name__}: {error}"
