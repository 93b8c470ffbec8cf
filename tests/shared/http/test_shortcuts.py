"""A shortcut answers as the route does that it leads to, and only what is asked plainly."""

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from starlette.middleware import Middleware
from starlette.responses import Response

from shared.access import require
from shared.errors import NotFound, Unavailable
from shared.http.answers import answer
from shared.http.app import create_app
from shared.http.shortcuts import Shortcut, Shortcuts
from shared.settings import KernelSettings
from tests.shared.http.conftest import ADMIN, READER, KeyBook, client_of

_reader = require("read")
_KEY = {"Authorization": f"Bearer {READER}"}


class Ways:
    """Which way requests went."""

    def __init__(self) -> None:
        self.straight = 0


@pytest.fixture
def ways():
    return Ways()


@pytest.fixture
async def client(ways):
    router = APIRouter(prefix="/v1/things", dependencies=[Depends(_reader)])

    @router.get("/list")
    async def listed() -> Response:
        return answer({"list": True})

    @router.get("/{thing}")
    async def read(request: Request, thing: str) -> Response:
        if thing == "none":
            raise NotFound("customer_not_found")
        if thing == "away":
            raise Unavailable
        return answer({"thing": thing})

    @router.post("")
    async def make(request: Request) -> Response:
        return answer({"made": (await request.body()).decode()})

    async def straight(request: Request) -> Response:
        ways.straight += 1
        await _reader(request)
        return await read(request, request.path_params["thing"])

    async def straight_make(request: Request) -> Response:
        ways.straight += 1
        await _reader(request)
        return await make(request)

    app = create_app(
        service="test",
        title="Test",
        routers=[router],
        lifespan=None,
        settings=KernelSettings(language="en"),
    )
    app.state.kernel = type("Kernel", (), {"access": KeyBook()})
    short = [
        Shortcut("GET", "/v1/things/{thing}", straight),
        Shortcut("POST", "/v1/things", straight_make),
    ]
    app.user_middleware.append(Middleware(Shortcuts, shortcuts=short))
    async with client_of(app) as client:
        yield client


def told(answered: httpx.Response) -> tuple:
    """What an answer says, without what names this one request."""
    headers = {k: v for k, v in answered.headers.items() if k != "x-request-id"}
    try:
        body = answered.json()
        body.pop("instance", None)
    except ValueError:
        body = answered.content
    headers.pop("content-length", None)
    return answered.status_code, headers, body


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1/things/one", _KEY),
        ("GET", "/v1/things/caf%C3%A9", _KEY),
        ("GET", "/v1/things/none", _KEY),
        ("GET", "/v1/things/none", _KEY | {"Accept-Language": "zh"}),
        ("GET", "/v1/things/away", _KEY),
        ("GET", "/v1/things/one", {}),
        ("GET", "/v1/things/one", {"Authorization": "Bearer tn_nobody-has-this-key"}),
        ("POST", "/v1/things", _KEY),
        ("POST", "/v1/things", {"Authorization": f"Bearer {ADMIN}"}),
    ],
)
async def test_it_answers_as_the_route_does(client, ways, method, path, headers):
    body = b"{}" if method == "POST" else None
    short = await client.request(method, path, headers=headers, content=body)
    assert ways.straight == 1
    long = await client.request(method, f"{path}?unknown=1", headers=headers, content=body)
    assert ways.straight == 1
    assert told(short) == told(long)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/things/list"),
        ("GET", "/v1/things/"),
        ("GET", "/v1/things"),
        ("GET", "/v1/things/one/two"),
        ("POST", "/v1/things/one"),
        ("DELETE", "/v1/things/one"),
        ("HEAD", "/v1/things/one"),
        ("POST", "/v1/things/"),
    ],
)
async def test_other_paths_and_methods_are_the_routers(client, ways, method, path):
    await client.request(method, path, headers=_KEY)
    assert ways.straight == 0


async def test_the_log_names_the_template(client, logs):
    await client.get("/v1/things/one", headers=_KEY)
    assert [entry["route"] for entry in logs] == ["/v1/things/{thing}"]
