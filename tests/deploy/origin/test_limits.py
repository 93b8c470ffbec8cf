"""What the origin does not wait for, and how much it hands on at once."""

import asyncio

import httpx
import pytest

from deploy.local.origin.app import Origin
from shared.settings import KernelSettings
from tests.deploy.origin.conftest import serving


@pytest.fixture
async def hasty(settings, upstream):
    """An origin with little patience, and two services behind it."""
    settings.body_seconds, settings.answer_seconds, settings.requests_at_once = 0.3, 2.0, 2
    async with serving(upstream) as another:
        settings.profile_url = another
        made = Origin(settings, KernelSettings(language="en"))
        async with serving(made) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
        await made.close()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def never(_scope, _receive, _send):
    await asyncio.Event().wait()


async def test_a_service_that_says_nothing(hasty, upstream):
    upstream.answers["/v1/timelines/x"] = never
    answer = await hasty.get("/v1/timelines/x")
    assert code_of(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_client_that_does_not_send_its_body(hasty):
    place = hasty.base_url
    reader, writer = await asyncio.open_connection(place.host, place.port)
    writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[")
    async with asyncio.timeout(20):
        text = (await reader.read()).decode()  # to the end: the connection is closed
    writer.close()
    assert text.startswith("HTTP/1.1 408 ")
    assert '"code":"body_late"' in text


async def test_so_many_at_once_to_one_service_and_no_fewer_to_the_others(hasty, upstream):
    upstream.answers["/v1/timelines/x"] = never
    waiting = [asyncio.create_task(hasty.get("/v1/timelines/x")) for _ in range(2)]
    async with asyncio.timeout(20):
        while len(upstream.seen) < 2:  # noqa: ASYNC110 - it has no event to offer
            await asyncio.sleep(0.01)
    answer = await hasty.get("/v1/event-types")
    assert code_of(answer) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert (await hasty.get("/v1/customers")).status_code == 200
    for task in waiting:
        assert code_of(await task) == (503, "unavailable")
    assert (await hasty.get("/v1/event-types")).status_code == 200
