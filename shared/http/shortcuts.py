"""Straight ways to the few routes that are asked most.

FastAPI finds a route, its dependencies and their parameters anew for every request. A shortcut takes the plain form of
such a request, with nothing in its query, and calls the same functions in the same order; everything else goes through
FastAPI, which also describes the route. So a shortcut adds nothing that could be asked for, and there is nothing that
only a shortcut knows.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Problem
from shared.http.bodies import StrictRequest
from shared.http.problems import respond


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A route by method and template, and what answers it. The template ends with its only parameter, or has none."""

    method: str
    template: str
    answer: Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Way:
    """A shortcut and the route that it leads to."""

    shortcut: Shortcut
    route: BaseRoute
    parameter: str


class Shortcuts:
    """The innermost layer, in front of the router."""

    def __init__(self, app: ASGIApp, *, shortcuts: Sequence[Shortcut]) -> None:
        self._app = app
        self._shortcuts = shortcuts
        self._ways: dict[tuple[str, str], _Way] | None = None
        self._literal: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        way, value = found
        scope["route"] = way.route
        scope["path_params"] = {way.parameter: value} if way.parameter else {}
        try:
            response = await way.shortcut.answer(StrictRequest(scope, receive))
        except Problem as problem:
            if problem.status >= 500:
                raise  # whoever is around us writes it down
            response = respond(problem, scope)
        await response(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[_Way, str] | None:
        """The way and the value of its parameter."""
        if scope["type"] != "http" or scope.get("query_string") or scope.get("root_path"):
            return None
        if self._ways is None:
            self._learn(scope["app"].routes)
        assert self._ways is not None, "just learned"
        method, path = scope["method"], scope["path"]
        way = self._ways.get((method, path))
        if way is not None and not way.parameter:
            return way, ""
        head, _, value = path.rpartition("/")
        way = self._ways.get((method, head))
        if way is None or not way.parameter or not value or path in self._literal:
            return None
        return way, value

    def _learn(self, routes: Sequence[BaseRoute]) -> None:
        """Where the shortcuts lead, and which literal paths go before a parameter."""
        contexts = list(iter_route_contexts(routes))
        templates = [context.path_format or "" for context in contexts]
        self._literal = frozenset(one for one in templates if "{" not in one)
        self._ways = {}
        for shortcut in self._shortcuts:
            [route] = [
                context.original_route
                for context in contexts
                if context.path_format == shortcut.template
                and shortcut.method in (context.methods or ())
            ]
            head, brace, parameter = shortcut.template.partition("/{")
            self._ways[shortcut.method, head] = _Way(
                shortcut, route, parameter.rstrip("}") if brace else ""
            )
