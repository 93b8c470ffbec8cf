"""Nothing of a request is kept once it is answered, whatever the answer: not even until the garbage collector comes by,
which it seldom does."""

import gc
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from shared.errors import Unavailable
from tests.world import World

FILLING = "x" * 10_000
EVENT = {
    "id": "let-go",
    "type": "purchase.completed",
    "source": "let-go",
    "customer": {"member_no": "LetGo"},
    "data": {"order_id": "1", "total": {"amount": "1.00", "currency": "CNY"}, "note": FILLING},
}

CONTACT = {"customer": "C2026999999999", "kind": "call", "channel": "phone", "content": FILLING}


@pytest.fixture
def nothing_collected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> list[Request]:
    return [one for one in gc.get_objects() if isinstance(one, Request)]


async def answered(client: httpx.AsyncClient, path: str, body: Any) -> int:
    return (await client.post(path, json=body)).status_code


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/events", [EVENT], 200),
        ("/v1/events", {"much": FILLING}, 422),
        ("/v1/events", [EVENT, {"much": FILLING}, EVENT | {"customer": {}}], 200),
        ("/v1/events", [EVENT, {"id": "\0", "data": FILLING}], 200),
        ("/v1/track", {"much": FILLING}, 200),
        ("/v1/interactions", {"content": FILLING}, 422),
        ("/v1/interactions", CONTACT, 404),
        ("/v1/nothing", {"much": FILLING}, 404),
    ],
)
async def test_of_a_request_nothing_is_kept(here: World, nothing_collected, path, body, status):
    assert await answered(here.client("interaction"), path, body) == status
    assert kept() == []


@pytest.mark.parametrize(("error", "status"), [(Unavailable, 503), (KeyError, 500)])
async def test_of_what_fails_nothing_is_kept(
    here: World, nothing_collected, monkeypatch, error, status
):
    async def fail(*_arguments: Any) -> None:
        raise error("overloaded")

    client = here.client("interaction")
    monkeypatch.setattr(client._transport.app.state.door, "_append", fail)  # type: ignore[attr-defined]
    assert await answered(client, "/v1/events", [EVENT]) == status
    assert kept() == []
