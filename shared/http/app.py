"""The composition root of an API process: routers in, an application with our manners out.

What a service adds in its lifespan: `app.state.kernel` (its `access` answers for keys) and
`app.state.readiness`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import InternalError, MethodNotAllowed, Problem
from shared.http.answers import Json
from shared.http.bounded import Bounded
from shared.http.edge import Edge, Guard
from shared.http.health import ROUTES
from shared.http.limits import Limits
from shared.http.openapi import install
from shared.http.problems import problem_of, respond
from shared.http.routes import Templates, make_strict
from shared.settings import KernelSettings
from shared.words import MESSAGES, Words

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any] | None]]

_EXPOSED = (
    "ETag",
    "Location",
    "Content-Location",
    "Retry-After",
    "Idempotent-Replay",
    "Tenure-Position",
    "Tenure-Freshness",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-Request-Id",
)
_VERSION = "1"


async def _answer_problem(request: Request, exc: Exception) -> Response:
    problem = problem_of(exc)
    if isinstance(problem, InternalError):
        raise exc  # the guard writes it down
    if isinstance(problem, MethodNotAllowed):
        templates: Templates = request.app.state.templates
        problem = MethodNotAllowed(templates.allow(request.scope["path"]))
    return respond(problem, request.scope)


def _add_layers(app: FastAPI, service: str, settings: KernelSettings, templates: Templates) -> None:
    """The last one added is the outermost."""
    app.add_middleware(Bounded, service=service, settings=settings)
    app.add_middleware(Guard)
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
            max_age=600,
        )
    app.add_middleware(Edge, service=service, template=templates.of)


def _operation_id(route: APIRoute) -> str:
    return route.name


def create_app(
    *,
    service: str,
    title: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    settings: KernelSettings,
    words: Words | None = None,
) -> FastAPI:
    """An application of `service`. `words`: messages of its own error codes."""
    make_strict(routers)
    app = FastAPI(
        title=title,
        version=_VERSION,
        lifespan=cast("Any", lifespan),
        docs_url=None,  # the origin has one page for all services
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=Json,
        generate_unique_id_function=_operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in routers:
        app.include_router(router)
    app.router.routes.extend(ROUTES)
    templates = Templates(app.routes)
    app.state.service = service
    app.state.language = settings.language
    app.state.words = {**MESSAGES, **(words or {})}
    app.state.templates = templates
    app.state.limits = Limits(settings)
    for kind in (Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer_problem)
    _add_layers(app, service, settings, templates)
    install(app)
    return app
