"""A small application with our manners, and a client that talks to it without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Annotated
from uuid import UUID

import asyncpg
import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.access import Caller, require
from shared.errors import Conflict, FieldError, Unavailable, Unprocessable
from shared.http import edge
from shared.http.answers import answer
from shared.http.app import create_app
from shared.http.bodies import parse_json, read_body
from shared.http.etags import IfMatch, check_if_match, etag_of
from shared.http.idempotency import IdempotencyKey, request_hash
from shared.http.language import Lang
from shared.http.paging import Between, Page, decode_cursor, page_answer, parse_sort
from shared.settings import KernelSettings

READER = "tn_reader-key-of-the-tests"
ADMIN = "tn_admin-key-of-the-tests"


class KeyBook:
    """Access without a database."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.callers = {
            READER: Caller(UUID(int=1), "reader", frozenset({"read"})),
            ADMIN: Caller(UUID(int=2), "admin", frozenset({"admin"})),
        }

    async def caller_of(self, raw: str) -> Caller | None:
        self.asked += 1
        if self.away:
            raise Unavailable
        return self.callers.get(raw)


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    product: str
    quantity: int = Field(ge=0)


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: str = Field(min_length=1, max_length=10)
    at: AwareDatetime | None = None
    lines: list[Line] = Field(default=[], max_length=3)


plain = APIRouter()
orders = APIRouter(prefix="/v1/orders", tags=["orders"])


@orders.get("/{number}")
async def read_order(number: str, language: Lang) -> dict[str, str]:
    return {"number": number, "language": language}


@orders.put("/{number}")
async def change_order(number: str, order: Order, if_match: IfMatch = None) -> dict[str, str]:
    check_if_match(if_match, etag_of({"number": number}))
    return {"number": order.number}


@orders.post("")
async def create_order(order: Order, request: Request, key: IdempotencyKey):
    digest = request_hash(request.url.path, await read_body(request))
    return answer({"number": order.number, "key": key, "hash": digest.hex()}, status=201)


@orders.get("")
async def list_orders(page: Page, between: Between, sort: str = "at") -> dict:
    after = decode_cursor(page.cursor, tuple[datetime, UUID]) if page.cursor else None
    sorting = parse_sort(sort, {"at", "number"})
    items = [{"after": after, "sort": sorting, "limit": page.limit, "from": between.start}]
    return page_answer(items, None, 7 if page.count else None)


@plain.post("/v1/echo")
async def echo(request: Request):
    body = await read_body(request)
    assert await read_body(request) == body
    return answer({"length": len(body), "value": parse_json(body)})


@plain.get("/v1/uuids/{id}")
async def by_uuid(id: UUID) -> str:  # noqa: A002
    return str(id)


FAILURES = {
    "bug": lambda: KeyError("alice@example.com"),
    "away": lambda: ConnectionRefusedError(111, "refused"),
    "pool": TimeoutError,
    "slow": lambda: asyncpg.QueryCanceledError("statement timeout"),
    "value": lambda: asyncpg.NumericValueOutOfRangeError("out of range"),
    "constraint": lambda: asyncpg.UniqueViolationError("twice"),
    "conflict": lambda: Conflict("wrong_state", params={"state": "discarded"}),
    "rule": lambda: Unprocessable(
        "validation_failed", errors=[FieldError("/rule/all/0", "not_allowed", {"allowed": "a, b"})]
    ),
    "full": asyncio.QueueFull,
    "teapot": lambda: HTTPException(418, "alice@example.com"),
    "large": lambda: HTTPException(413),
    "internal": lambda: HTTPException(500),
    "own": lambda: Conflict("plan_closed", params={"plan": "P1"}),
}


@plain.get("/v1/failures/{kind}")
async def fail(kind: str) -> None:
    failure = FAILURES[kind]()
    raise failure


@plain.get("/v1/halves")
async def half() -> StreamingResponse:
    async def content():
        yield b"half"
        raise KeyError("alice@example.com")

    return StreamingResponse(content())


@plain.get("/v1/secrets")
async def secrets(caller: Annotated[Caller, Depends(require("read"))]) -> dict[str, str]:
    return {"caller": caller.name}


@plain.get("/v1/sales", dependencies=[Depends(require("sales", "service"))])
async def sales(caller: Annotated[Caller, Depends(require("sales", "service"))]) -> dict[str, str]:
    return {"caller": caller.name}


WORDS = {"plan_closed": {"en": "Plan {plan} is closed.", "zh": "计划 {plan} 已关闭。"}}


def build(**settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = create_app(
        service="test",
        title="Test",
        routers=[plain, orders],
        lifespan=lifespan,
        settings=KernelSettings(**{"language": "zh", **settings}),
        words=WORDS,
    )
    app.state.kernel = SimpleNamespace(access=KeyBook())
    return app


def client_of(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture(autouse=True)
def logs(monkeypatch):
    """What the edge logs, as dicts, whatever level the tests as a whole log at."""
    capture = structlog.testing.LogCapture()
    everything = structlog.make_filtering_bound_logger(0)
    log = structlog.wrap_logger(None, processors=[capture], wrapper_class=everything)
    monkeypatch.setattr(edge, "log", log)
    return capture.entries


@pytest.fixture
def app():
    return build()


@pytest.fixture
async def client(app):
    async with client_of(app) as client:
        yield client
