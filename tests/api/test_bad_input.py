"""Whatever is sent, over a real socket: its own status and code as a problem document in the caller's language, never
an error of ours, and a good event passes afterwards."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.http.serving import listen, serve
from tests.api.bad_input import BODIES, JUDGED, READS, Bad
from tests.api.sending import Sender, problem_of, purchase
from tests.world import World

TABLE = [*BODIES, *JUDGED, *READS]


@pytest.fixture(scope="module")
async def http(here: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of interaction behind its real server."""
    app = here.client("interaction")._transport.app
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]

    async def running(scope, receive, send):
        assert scope["type"] == "http", "its lifespan has begun already"
        await app(scope, receive, send)

    stop = asyncio.Event()
    server = asyncio.create_task(serve(running, "127.0.0.1", port, stop=stop))
    headers = {"Authorization": f"Bearer {here.key}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30
    ) as client:
        async with asyncio.timeout(10):
            while True:
                try:
                    await client.get("/healthz")
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                else:
                    break
        yield client
    stop.set()
    await server


@pytest.fixture(scope="module", autouse=True)
async def somebody(here: World) -> None:
    """Whose timeline the bogus reads ask for."""
    await Sender(here).accepted(purchase(customer={"cookie": "bad-input"}))


async def send(http: httpx.AsyncClient, bad: Bad, language: str) -> httpx.Response:
    headers = bad.headers | {"Accept-Language": language}
    request = http.build_request(bad.method, bad.path, content=bad.body, headers=headers)
    if headers.get("Authorization") == "":
        del request.headers["authorization"]
    return await http.send(request)


def test_every_case_has_a_name_of_its_own():
    names = Counter(bad.name for bad in TABLE)
    assert {name for name, count in names.items() if count > 1} <= {
        bad.name for bad in READS if bad.name.startswith("cursor")
    }


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
async def test_it_is_refused_for_what_it_is(http: httpx.AsyncClient, sender: Sender, bad: Bad):
    documents = {}
    for language in ("zh", "en"):
        answer = await send(http, bad, language)
        assert problem_of(answer) == (bad.status, bad.code)
        assert answer.headers["content-language"] == language
        documents[language] = answer.json()
        fields = {(error["pointer"], error["code"]) for error in documents[language]["errors"]}
        assert bad.fields <= fields
    assert documents["zh"]["message"] != documents["en"]["message"]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in documents["zh"]["message"])
    assert documents["zh"]["detail"] == documents["en"]["detail"], "for developers, in English"
    good = await http.post("/v1/events", json=purchase())
    assert good.json()["accepted"] == 1


async def test_all_of_it_at_once_and_good_events_between(here: World, http: httpx.AsyncClient):
    good = [purchase() for _ in TABLE]
    answers = await asyncio.gather(
        *(send(http, bad, "en") for bad in TABLE if len(bad.body or b"") < 1_000_000),
        *(http.post("/v1/events", json=event) for event in good),
    )
    assert {answer.status_code // 100 for answer in answers} == {2, 4}
    assert len(set(await Sender(here).accepted(*good))) == len(good)


async def test_in_a_list_a_bad_event_harms_no_other(sender: Sender):
    bodies = [bad for bad in JUDGED if bad.status == 422 and bad.path == "/v1/events"]
    good = [purchase() for _ in bodies]
    mixed = b",".join(
        part
        for bad, event in zip(bodies, good, strict=True)
        for part in (bad.body, httpx.Request("POST", "http://x", json=event).content)
    )
    answer = await sender.client.post(
        "/v1/events", content=b"[" + mixed + b"]", headers={"Content-Type": "application/json"}
    )
    items = answer.json()["items"]
    assert [item["status"] for item in items] == ["rejected", "accepted"] * len(good)
    assert [item["code"] for item in items[::2]] == [bad.code for bad in bodies]
    assert len(set(await sender.accepted(*good))) == len(good)


async def test_nothing_bad_left_a_trace(here: World, sender: Sender):
    """Refused at the door, it is neither on the log nor in the quarantine."""
    await here.settled()
    listed = (await sender.get("/v1/quarantine/interaction", limit=500)).json()["items"]
    assert "bad" not in {entry["event"]["id"] for entry in listed}
