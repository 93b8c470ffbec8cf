"""The origin as one ASGI application."""

import asyncio
import time
import uuid
from typing import Any

import httpx
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.local.origin import pages
from deploy.local.origin.openapi import merge
from deploy.local.origin.proxy import Proxy
from deploy.local.origin.routing import owner
from deploy.local.origin.settings import OriginSettings
from deploy.local.origin.status import Status
from shared.errors import MethodNotAllowed, NotFound, Problem, Unavailable
from shared.http.answers import answer
from shared.http.language import preferred
from shared.http.problems import MEDIA_TYPE, document
from shared.settings import KernelSettings
from shared.words import MESSAGES, Language

_DOCUMENT_SECONDS = 10.0


class Origin:
    """Own paths first, then the services' by longest prefix, else 404."""

    def __init__(self, settings: OriginSettings, kernel: KernelSettings) -> None:
        self._services = settings.services
        self._default: Language = kernel.language
        self._proxy = Proxy(settings)
        self._status = Status(settings)
        self._client = httpx.AsyncClient(timeout=5, trust_env=False)
        self._documents: dict[str, dict[str, Any]] = {}
        self._documents_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        language = self._language(scope)
        try:
            await self._answer(scope, receive, send, language)
        except Problem as problem:
            await _told(problem, language)(scope, receive, send)

    async def close(self) -> None:
        await asyncio.gather(self._proxy.close(), self._status.close(), self._client.aclose())

    async def _answer(self, scope: Scope, receive: Receive, send: Send, language: Language) -> None:
        service = owner(scope["path"])
        if service is not None:
            base = self._services.get(service)
            if base is None:
                raise Unavailable(detail=f"This installation has no {service} service.")
            await self._proxy.forward(base, scope, receive, send)
            return
        response = await self._own(scope["path"], language)
        if response is None:
            raise NotFound
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed("GET, HEAD")
        await response(scope, receive, send)

    async def _own(self, path: str, language: Language) -> Response | None:
        page = pages.PAGES.get(path)
        if page is not None:
            return page(language)
        if path == "/openapi.json":
            return await self._openapi()
        if path == "/status.json":
            return _fresh(await self._status.everything(language))
        if path == "/readyz":
            ready = await self._status.readiness()
            return _fresh(ready, status=200 if ready["ready"] else 503)
        return pages.asset(path)

    async def _openapi(self) -> Response:
        """The services' documents, merged; of a service that is away, the last one it gave."""
        if time.monotonic() - self._documents_at > _DOCUMENT_SECONDS or not self._documents:
            fetched = await asyncio.gather(*map(self._document, self._services.items()))
            self._documents |= {name: found for name, found in fetched if found}
            complete = self._documents.keys() == self._services.keys()
            self._documents_at = time.monotonic() if complete else 0.0
        return answer(merge({name: self._documents[name] for name in sorted(self._documents)}))

    async def _document(self, service: tuple[str, str]) -> tuple[str, dict[str, Any]]:
        name, base = service
        try:
            response = await self._client.get(f"{base}/openapi.json")
            response.raise_for_status()
            found = response.json()
        except (httpx.HTTPError, ValueError):
            found = {}
        return name, found if isinstance(found, dict) else {}

    def _language(self, scope: Scope) -> Language:
        header = Headers(scope=scope).get("accept-language")
        return preferred(header, self._default) if header else self._default

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _told(problem: Problem, language: Language) -> Response:
    content = document(problem, language, MESSAGES, f"urn:uuid:{uuid.uuid4()}")
    response = answer(content, status=problem.status, headers=problem.headers)
    response.headers["Content-Type"] = MEDIA_TYPE
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language"
    return response


def _fresh(content: dict[str, Any], status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return answer(content, status=status, headers=headers)
