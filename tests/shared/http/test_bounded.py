"""What a process takes on at once, and how long a request may take."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse

from shared.http.app import create_app
from shared.http.bodies import read_body
from shared.metrics import registry
from shared.settings import KernelSettings
from tests.shared.http.conftest import client_of

MIB = 1 << 20


class Gate:
    """A route that answers when it is opened."""

    def __init__(self, **settings) -> None:
        self.inside = 0
        self.opened = asyncio.Event()
        router = APIRouter()

        @router.post("/v1/gate")
        async def gate(request: Request) -> int:
            size = len(await read_body(request))
            self.inside += 1
            await self.opened.wait()
            return size

        @router.get("/v1/failures")
        async def fail() -> None:
            raise KeyError

        @router.post("/v1/commands")
        async def command(request: Request, fails: bool) -> None:
            request.state.committed = ("c-1", {"Tenure-Position": "profile.1.7"})
            if fails:
                raise TimeoutError
            await self.opened.wait()

        @router.get("/v1/slow-streams")
        async def stream() -> StreamingResponse:
            async def content() -> AsyncIterator[bytes]:
                yield b"one "
                await self.opened.wait()
                yield b"two"

            return StreamingResponse(content())

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            yield

        self.app = create_app(
            service="gate",
            title="Gate",
            routers=[router],
            lifespan=lifespan,
            settings=KernelSettings(cors_origins="https://crm.example", **settings),
        )

    async def holds(self, number: int) -> None:
        async with asyncio.timeout(20):
            while self.inside < number:  # noqa: ASYNC110 - several wait for several
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def requests(gate: Gate, *bodies: bytes):
    """They are all waiting inside while the block runs, and are answered afterwards."""
    async with client_of(gate.app) as client:
        tasks = []
        for number, body in enumerate(bodies, 1):
            tasks.append(asyncio.create_task(client.post("/v1/gate", content=body)))
            await gate.holds(number)
        try:
            yield client
        finally:
            gate.opened.set()
        answers = await asyncio.gather(*tasks)
    assert [answer.json() for answer in answers] == [len(body) for body in bodies]


def refused(reason: str) -> float:
    labels = {"service": "gate", "reason": reason}
    return registry.get_sample_value("tenure_http_refused_total", labels) or 0.0


def is_overloaded(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["code"] == "overloaded"


async def test_more_than_may_be_at_work_are_told_to_come_again():
    gate, before = Gate(requests_at_once=2), refused("requests")
    async with requests(gate, b"one", b"two") as client:
        answer = await client.post("/v1/gate", headers={"Origin": "https://crm.example"})
        is_overloaded(answer)
        assert answer.headers["access-control-allow-origin"] == "https://crm.example"
        assert refused("requests") == before + 1
        for path in ("/healthz", "/metrics"):
            assert (await client.get(path)).status_code == 200
    async with client_of(gate.app) as client:
        assert (await client.post("/v1/gate", content=b"x")).json() == 1


async def test_whatever_ends_a_request_its_place_is_free_again():
    gate = Gate(requests_at_once=1)
    async with client_of(gate.app) as client:
        for _ in range(3):
            assert (await client.get("/v1/failures")).status_code == 500
            assert (await client.get("/nowhere")).status_code == 404
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post("/v1/gate")  # a caller that goes
        gate.opened.set()
        assert (await client.post("/v1/gate")).status_code == 200


@pytest.mark.parametrize("packed", [False, True])
async def test_more_bytes_than_may_be_held_at_once(packed):
    gate, before = Gate(body_bytes_at_once=MIB), refused("bytes")
    body = b" " * 200_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    async with requests(gate, b"x" * 900_000) as client:
        content = gzip.compress(body) if packed else body
        is_overloaded(await client.post("/v1/gate", content=content, headers=headers))
        assert refused("bytes") == before + 1
        held = registry.get_sample_value("tenure_http_body_bytes", {"service": "gate"})
        assert held == 900_000
    async with requests(gate, body):
        pass
    assert registry.get_sample_value("tenure_http_body_bytes", {"service": "gate"}) == 0


async def test_small_bodies_find_room_beside_a_large_one():
    async with requests(Gate(body_bytes_at_once=MIB), b"x" * 900_000, b"y" * 100_000, b""):
        pass


async def test_a_body_larger_than_the_bound_passes_when_it_is_alone():
    async with requests(Gate(body_bytes_at_once=MIB), b"x" * (3 * MIB)):
        pass


async def test_a_body_that_does_not_come_is_not_waited_for():
    gate, before = Gate(body_seconds=0.2), refused("body")

    async def never_ends() -> AsyncIterator[bytes]:
        yield b"a beginning"
        await asyncio.Event().wait()

    async with client_of(gate.app) as client:
        answer = await client.post("/v1/gate", content=never_ends())
    assert answer.status_code == 408
    assert answer.json()["code"] == "body_late"
    assert answer.headers["connection"] == "close"
    assert refused("body") == before + 1
    assert gate.inside == 0


async def test_an_answer_that_does_not_come_is_not_waited_for():
    gate, before = Gate(answer_seconds=0.2), refused("answer")
    async with client_of(gate.app) as client:
        answer = await client.post("/v1/gate", content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert refused("answer") == before + 1
        gate.opened.set()
        assert (await client.post("/v1/gate", content=b"x")).status_code == 200


async def test_the_time_for_an_answer_begins_with_the_end_of_the_body():
    gate = Gate(body_seconds=60, answer_seconds=1)
    gate.opened.set()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(1.2)
        yield b"y"

    async with client_of(gate.app) as client:
        assert (await client.post("/v1/gate", content=slow())).json() == 2


async def test_an_answer_that_has_begun_is_not_cut():
    gate = Gate(answer_seconds=0.3)
    asyncio.get_running_loop().call_later(0.6, gate.opened.set)
    async with client_of(gate.app) as client:
        assert (await client.get("/v1/slow-streams")).text == "one two"


@pytest.mark.parametrize("fails", ["true", "false"])
async def test_after_the_commit_it_is_202_whatever_goes_wrong(fails):
    """The database goes away before what was done could be read again, or says nothing any more."""
    async with client_of(Gate(answer_seconds=0.2, body_seconds=0.2).app) as client:
        answer = await client.post("/v1/commands", params={"fails": fails})
    assert (answer.status_code, answer.json()) == (202, {"id": "c-1"})
    assert answer.headers["Tenure-Position"] == "profile.1.7"


def test_the_limits_as_they_are_documented():
    """The inner ones end first, so that the answer says what they know; docs/operating.md has them all."""
    from deploy.local.origin.settings import OriginSettings
    from services.interaction import door
    from services.interaction.api import events
    from shared import database

    settings, origin = KernelSettings(), OriginSettings()
    statement = database.READ_SECONDS + database.SERVER_SECONDS
    assert database.ACQUIRE_SECONDS + statement < settings.answer_seconds
    assert settings.answer_seconds > door.APPEND_SECONDS + events.MOST_WAIT
    assert settings.answer_seconds < origin.answer_seconds
    assert settings.body_seconds == origin.body_seconds
