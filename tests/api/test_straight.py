"""The straight way to `POST /v1/events` answers what FastAPI's way to it answers.

A query, even one that says nothing, is what makes a request take the long way."""

import gzip

import httpx
import orjson
import pytest

from tests.api.sending import Sender

_JSON = {"Content-Type": "application/json"}
_CLOUD = {"Content-Type": "application/cloudevents+json"}


def event(id_: str = "straight-1", **besides) -> dict:
    data = {"kind": "call"}
    customer = {"member_no": "M-straight"}
    return {
        "id": id_,
        "type": "interaction.recorded",
        "customer": customer,
        "data": data,
        **besides,
    }


def dumped(value: object) -> bytes:
    return orjson.dumps(value)


CASES = [
    ("one", dumped(event()), _JSON),
    ("a list", dumped([event(), event("straight-2")]), _JSON),
    ("none", b"[]", _JSON),
    ("twice", dumped([event("straight-3"), event("straight-3")]), _JSON),
    ("a conflict", dumped([event("straight-4"), event("straight-4", data={"kind": "sms"})]), _JSON),
    ("good and bad", dumped([event("straight-5"), event(data={}), 5, {}]), _JSON),
    ("one bad", dumped(event(data={"kind": "dream"})), _JSON),
    ("in Chinese", dumped(event(type="dream")), _JSON | {"Accept-Language": "zh"}),
    ("too far ahead", dumped(event(time="2999-01-01T00:00:00Z")), _JSON),
    ("too large", dumped(event(data={"kind": "call", "more": "x" * 140_000})), _JSON),
    ("too many", dumped([1] * 2501), _JSON),
    ("nobody", dumped(event(customer={})), _JSON),
    ("an unknown customer", dumped([event(customer={"id": "0" * 32})]), _JSON),
    ("a NUL", b'[{"id": "\\u0000"}]', _JSON),
    ("no JSON", b"{", _JSON),
    ("nothing", b"", _JSON),
    ("no type", dumped(event()), {}),
    ("another type", dumped(event()), {"Content-Type": "text/plain"}),
    ("gzip", gzip.compress(dumped(event("straight-6"))), _JSON | {"Content-Encoding": "gzip"}),
    ("no gzip", b"gzip", _JSON | {"Content-Encoding": "gzip"}),
    ("another encoding", b"x", _JSON | {"Content-Encoding": "br"}),
    ("a CloudEvent", dumped(event("straight-7", specversion="1.0", source="/s")), _CLOUD),
    ("a wrong CloudEvent", dumped(event("straight-8")), _CLOUD),
    ("in binary mode", b"{}", _JSON | {"ce-id": "straight-9", "ce-type": "interaction.recorded"}),
    ("a wrong key", dumped(event()), _JSON | {"Authorization": "Bearer tn_nobody-has-this-key"}),
    ("a named request", dumped(event()), _JSON | {"X-Request-Id": "0" * 31 + "1"}),
]


def told(answered: httpx.Response) -> tuple:
    """What an answer says, without what names this one request."""
    body = answered.json()
    body.pop("instance", None)
    names = ("content-type", "content-language", "vary", "preference-applied", "retry-after")
    headers = {name: answered.headers.get(name) for name in names}
    return answered.status_code, headers, body


@pytest.mark.parametrize(("body", "headers"), [case[1:] for case in CASES], ids=lambda _: "")
async def test_it_answers_as_the_long_way_does(sender: Sender, body, headers):
    client = sender.here.client("interaction")

    async def ask(path: str) -> httpx.Response:
        return await client.post(path, content=body, headers=headers)

    await ask(
        "/v1/events"
    )  # what is accepted is resolved or not the second time: so is it the third
    await sender.here.settled()
    straight, long = await ask("/v1/events"), await ask("/v1/events?nothing=")
    assert told(straight) == told(long)
    if "X-Request-Id" in headers:
        assert straight.headers["x-request-id"] == long.headers["x-request-id"]
