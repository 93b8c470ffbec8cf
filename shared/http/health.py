"""/healthz (lives), /readyz (can serve; says what is missing) and /metrics, without a key.

They are for the machine's own address, never for the public origin.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared import metrics
from shared.http.answers import answer
from shared.logging import get_logger, reason

Readiness = Callable[[], Awaitable[Mapping[str, Any]]]
"""Says `{"ready": bool, "missing": [...], ...}`; may raise, which is an answer too."""

_SECONDS = 3.0

log = get_logger(__name__)


async def healthz(_request: Request) -> Response:
    """200 as long as the process answers at all."""
    return answer({"status": "ok"})


async def exposition(_request: Request) -> Response:
    """Prometheus' text."""
    return Response(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


async def ready_answer(readiness: Readiness | None) -> Response:
    """200 or 503 by `ready`, after 3 seconds at most."""
    if readiness is None:
        return answer({"ready": False, "missing": ["start"]}, status=503)
    try:
        found = await asyncio.wait_for(readiness(), _SECONDS)
    except Exception as exc:  # noqa: BLE001  (whatever keeps it from knowing, it is not ready)
        log.warning("readiness unknown", error=reason(exc))
        found = {"ready": False, "missing": ["readiness"]}
    return answer(found, status=200 if found.get("ready") else 503)


async def readyz(request: Request) -> Response:
    """What `app.state.readiness` says."""
    return await ready_answer(getattr(request.app.state, "readiness", None))


ROUTES = (
    Route("/healthz", healthz, include_in_schema=False),
    Route("/readyz", readyz, include_in_schema=False),
    Route("/metrics", exposition, include_in_schema=False),
)


def health_app(readiness: Readiness) -> Starlette:
    """All that a worker process answers over HTTP."""
    app = Starlette(routes=list(ROUTES))
    app.state.readiness = readiness
    return app
