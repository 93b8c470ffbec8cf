"""Routes that read their bodies strictly, and what they look like from outside."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from shared.errors import UnsupportedMediaType
from shared.http.bodies import StrictRequest, media_type

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _refuse_other_types(request: Request) -> None:
    """A body that FastAPI is to parse is JSON; without a body, what is missing says more."""
    kind = media_type(request)
    has_body = request.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in request.headers
    )
    if has_body and kind != "application/json" and not kind.endswith("+json"):
        accepted = {"accepted": "application/json"}
        raise UnsupportedMediaType("unsupported_media_type", params=accepted)


class StrictRoute(APIRoute):
    """FastAPI's route; bodies are bounded, unpacked and parsed as `shared.http.bodies` says."""

    def get_route_handler(self) -> _Handler:
        inner = super().get_route_handler()
        reads_json = self.body_field is not None

        async def handler(request: Request) -> Response:
            if reads_json:
                _refuse_other_types(request)
            return await inner(StrictRequest(request.scope, request.receive))

        return handler


def make_strict(routers: Iterable[APIRouter]) -> None:
    """Turn every plain route into a strict one, so that no author has to think of it."""
    for router in routers:
        for context in iter_route_contexts(router.routes):
            route = context.original_route
            if type(route) is APIRoute:
                route.__class__ = StrictRoute


class Templates:
    """From routed requests to route templates, and from paths to the methods that they take."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._names: dict[int, str] = {}
        self._methods: list[tuple[Any, str, frozenset[str]]] = []
        for context in iter_route_contexts(routes):
            route = context.original_route
            # Of Starlette's own routes, FastAPI's router leaves only the endpoint in the scope.
            key = route if isinstance(route, APIRoute) else context.endpoint
            self._names[id(key)] = context.path_format or ""
            template, methods = context.path_format or "", frozenset(context.methods or ())
            self._methods.append((context.path_regex, template, methods))

    def of(self, scope: Scope) -> str:
        """Such as `/v1/customers/{customer}`; `unmatched` where no route was found."""
        routed = scope.get("route") or scope.get("endpoint")
        return self._names.get(id(routed), "unmatched")

    def allow(self, path: str) -> str:
        """The value of Allow for a path: the methods of its template, the most literal one that fits."""
        fits = [(name, methods) for regex, name, methods in self._methods if regex.match(path)]
        best = min((name for name, _ in fits), key=lambda name: name.count("{"), default="")
        return ", ".join(sorted({one for name, methods in fits if name == best for one in methods}))
