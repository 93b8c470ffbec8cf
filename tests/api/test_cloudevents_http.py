"""CloudEvents over HTTP: structured, as a batch, in binary mode."""

import base64
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from services.interaction.cloudevents import of_http
from services.interaction.judging import Refused
from tests.api.sending import Sender, problem_of, unique
from tests.api.test_inbound import cloudevent
from tests.world import World

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


async def post(
    sender: Sender, body: Any, content_type: str, *, wait: bool = False, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    prefer = {"Prefer": "wait=20"} if wait else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await sender.client.post(
        "/v1/events",
        content=content,
        headers={"Content-Type": content_type} | prefer | sender.headers | named,
    )


def binary(event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers, as the specification has them."""
    attributes = {name: value for name, value in event.items() if name != "data"}
    return orjson.dumps(event["data"]), {
        f"ce-{name}": quote(str(value), safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        for name, value in attributes.items()
    }


def status_of(answer: httpx.Response) -> list[tuple[str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(item["status"], item.get("code")) for item in answer.json()["items"]]


async def entry_of(sender: Sender, answer: httpx.Response) -> dict[str, Any]:
    """What stands on the timeline of the only event's customer."""
    assert status_of(answer) == [("accepted", None)]
    customer = answer.json()["items"][0]["customer_id"]
    position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    assert (await sender.get(f"/v1/timelines/{customer}", position)).status_code == 200
    [entry] = await sender.timeline(customer, type="interaction.recorded")
    return entry


async def test_structured(sender: Sender):
    event = cloudevent()
    answer = await post(sender, event, f"{STRUCTURED}; charset=UTF-8", wait=True)
    entry = await entry_of(sender, answer)
    assert (entry["source"], entry["source_id"]) == ("/crm/outside", event["id"])
    assert status_of(await post(sender, event, STRUCTURED)) == [("duplicate", None)]
    assert status_of(await post(sender, [event], BATCH)) == [("duplicate", None)]


async def test_data_as_bytes(sender: Sender):
    event = cloudevent()
    packed = base64.b64encode(orjson.dumps(event.pop("data"))).decode()
    answer = await post(sender, event | {"data_base64": packed}, STRUCTURED, wait=True)
    assert (await entry_of(sender, answer))["data"] == {"kind": "call"}


async def test_the_customer_may_stand_in_data(sender: Sender):
    number = unique("M")
    event = cloudevent(customer=..., data={"kind": "call", "customer": {"member_no": number}})
    entry = await entry_of(sender, await post(sender, event, STRUCTURED, wait=True))
    assert entry["data"] == {"kind": "call"}


async def test_a_batch(sender: Sender):
    good, bad = cloudevent(), cloudevent(type="nope")
    answer = await post(sender, [good, bad, good, 5, cloudevent(specversion="0.3")], BATCH)
    assert status_of(answer) == [
        ("accepted", None),
        ("rejected", "unknown_type"),
        ("duplicate", None),
        ("rejected", "validation_failed"),
        ("rejected", "validation_failed"),
    ]
    assert [item["id"] for item in answer.json()["items"]][:3] == [
        good["id"],
        bad["id"],
        good["id"],
    ]
    assert status_of(await post(sender, [], BATCH)) == []


async def test_the_source_of_a_bound_key(here: World):
    key = await here.new_key("publish", source_prefixes=["/till"])
    sender = Sender(here, {"Authorization": f"Bearer {key}"})
    answer = await post(sender, [cloudevent(), cloudevent(source="/till/7")], BATCH)
    assert status_of(answer) == [("rejected", "source_not_allowed"), ("accepted", None)]


async def test_binary(sender: Sender):
    event = cloudevent(
        source="/门店/7 %", customer=f"member_no:{unique('李')} phone:+8613800138000"
    )
    body, headers = binary(event)
    answer = await post(sender, body, "application/json; charset=utf-8", wait=True, **headers)
    entry = await entry_of(sender, answer)
    assert (entry["source"], entry["source_id"]) == (event["source"], event["id"])
    assert entry["data"] == {"kind": "call"}
    same = event | {"datacontenttype": "application/json; charset=utf-8"}
    assert status_of(await post(sender, same, STRUCTURED)) == [("duplicate", None)]


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.shop+json"])
async def test_binary_is_any_json(sender: Sender, content_type):
    body, headers = binary(cloudevent())
    assert status_of(await post(sender, body, content_type, **headers)) == [("accepted", None)]


async def test_a_list_of_our_own_needs_no_headers(sender: Sender):
    """Other headers of the kind make no CloudEvent of it."""
    body = orjson.dumps([cloudevent(customer={"member_no": unique("M")})])
    assert status_of(await post(sender, body, "application/json", ce_x="1")) == [("accepted", None)]


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "expected"),
    [
        (b"[]", STRUCTURED, {}, (422, "validation_failed")),
        (b"{}", BATCH, {}, (422, "validation_failed")),
        (b"{}", STRUCTURED, {}, (422, "validation_failed")),
        (b"{", STRUCTURED, {}, (400, "invalid_json")),
        (cloudevent(type="nope"), STRUCTURED, {}, (422, "unknown_type")),
        (cloudevent(data_base64="?"), STRUCTURED, {}, (422, "validation_failed")),
        (cloudevent(data_base64=5), STRUCTURED, {}, (422, "validation_failed")),
        (cloudevent(data_base64="ew=="), STRUCTURED, {}, (422, "invalid_json")),
        (cloudevent(), "application/cloudevents+xml", {}, (415, "unsupported_media_type")),
        (b"<x/>", "application/xml", {"ce-id": "1"}, (415, "unsupported_media_type")),
        (b"{}", "application/vnd.shop+json", {}, (415, "unsupported_media_type")),
        (b"{", "application/json", {"ce-id": "1"}, (400, "invalid_json")),
        (b"{}", "application/json", {"ce-id": "1"}, (422, "validation_failed")),
        (b"{}", "application/json", {"ce-id": "%ff"}, (400, "invalid_text")),
        (b"{}", "application/json", {"ce-id": "a%00"}, (400, "invalid_text")),
    ],
)
async def test_refused(sender: Sender, body, content_type, headers, expected):
    answer = await post(sender, body, content_type, **headers)
    assert problem_of(answer) == expected


async def test_what_is_accepted_is_said(sender: Sender):
    problem = (await post(sender, b"", "text/plain")).json()
    for kind in ("application/json", STRUCTURED, BATCH):
        assert kind in problem["message"]


async def test_openapi_examples_work(sender: Sender):
    schema = (await sender.get("/openapi.json")).json()
    content = schema["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", STRUCTURED, BATCH}
    attributes = content[STRUCTURED]["examples"]["one"]["value"]
    headers = binary(attributes | {"id": unique(), "data": {}})[1]
    for content_type, described in content.items():
        for name, example in described["examples"].items():
            besides = headers if name == "data" else {}
            answer = await post(sender, example["value"], content_type, **besides)
            assert {status for status, _ in status_of(answer)} <= {"accepted", "duplicate"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"),
        (b'"quoted%20\\"text\\\\"', 'quoted "text\\'),
        (b" padded ", "padded"),
        (b"100%", "100%"),
        ("李".encode(), "李"),
        (b'"', '"'),
    ],
)
def test_header_values(value, text):
    assert of_http([(b"CE-Customer", value), (b"x", b"y")]) == {"customer": text}


def test_header_values_that_are_no_text():
    for value in (b"%ff", b"\xff", b"%00"):
        with pytest.raises(Refused) as caught:
            of_http([(b"ce-id", value)])
        assert caught.value.code == "invalid_text"
