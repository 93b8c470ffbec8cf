"""Segment's HTTP API: who may, what is too much, what becomes of each message."""

import base64
import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from tests.api.sending import Sender, problem_of, unique
from tests.world import World

TYPES = ("identify", "track", "page", "screen", "group", "alias")


def message(type_: str = "track", **changes: Any) -> dict[str, Any]:
    """Of a new customer; a change to ... leaves the field out."""
    sent = {
        "type": type_,
        "messageId": unique("m"),
        "userId": unique("u"),
        "timestamp": "2026-11-20T04:03:11.000Z",
    } | changes
    if type_ == "track":
        sent.setdefault("event", "Signed Up")
    if type_ == "group":
        sent.setdefault("groupId", "g-1")
    if type_ == "alias":
        sent.setdefault("previousId", unique("a"))
    return {name: value for name, value in sent.items() if value is not ...}


def order(event: str, order_id: str, total: float, **changes: Any) -> dict[str, Any]:
    properties = {"order_id": order_id, "total": total, "currency": "USD"}
    return message(event=event, properties=properties, **changes)


async def post(
    sender: Sender,
    path: str,
    body: Any,
    *,
    wait: bool = False,
    authorization: str | None = "own",
    **params: Any,
) -> httpx.Response:
    """With the client's own key, with another Authorization, or None."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"Content-Type": "application/json"} | ({"Prefer": "wait=20"} if wait else {})
    request = sender.client.build_request(
        "POST", f"/v1/{path}", content=content, headers=headers, params=params
    )
    if authorization != "own":
        del request.headers["authorization"]
        if authorization is not None:
            request.headers["authorization"] = authorization
    return await sender.client.send(request)


def verdicts(answer: httpx.Response) -> list[tuple[str, str | None]]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    counted = [item["status"] for item in body["items"]]
    assert {s: counted.count(s) for s in ("accepted", "duplicate", "rejected")} == {
        s: body[s] for s in ("accepted", "duplicate", "rejected")
    }
    return [(item["status"], item.get("code")) for item in body["items"]]


async def settled(sender: Sender, *messages: dict[str, Any]) -> str:
    """The customer of the last message, once all of them are on their timeline."""
    answer = await post(sender, "batch", {"batch": messages}, wait=True)
    assert verdicts(answer) == [("accepted", None)] * len(messages), answer.text
    customer: str = answer.json()["items"][-1]["customer_id"]
    position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    assert (await sender.get(f"/v1/timelines/{customer}", position)).status_code == 200
    return customer


@pytest.mark.parametrize("type_", TYPES)
async def test_each_path_takes_its_type(sender: Sender, type_):
    sent = message(type_, type=...)
    answer = await post(sender, type_, sent)
    assert verdicts(answer) == [("accepted", None)]
    assert answer.json()["items"][0]["id"] == sent["messageId"]


async def test_a_batch_of_all_types(sender: Sender):
    user = unique("u")
    customer = await settled(sender, *(message(type_, userId=user) for type_ in TYPES))
    types = {entry["type"] for entry in await sender.timeline(customer)}
    assert {"customer.identified", "interaction.recorded", "customer.described"} <= types


async def test_a_bad_message_of_a_batch_is_rejected_by_itself(sender: Sender):
    sent = [
        message(),
        message(userId=...),
        order("Order Completed", "", 5),
        message(properties={"x": "x" * 40_000}),
        {"messageId": "?"},
        7,
        message(),
    ]
    answer = await post(sender, "batch", {"batch": sent})
    assert verdicts(answer) == [
        ("accepted", None),
        ("rejected", "no_customer"),
        ("rejected", "validation_failed"),
        ("rejected", "event_too_large"),
        ("rejected", "validation_failed"),
        ("rejected", "validation_failed"),
        ("accepted", None),
    ]
    items = answer.json()["items"]
    assert items[2]["errors"][0]["pointer"] == "/properties/order_id"
    assert [item["id"] for item in items] == [
        one.get("messageId") if isinstance(one, dict) else None for one in sent
    ]
    assert all(item["message"] for item in items if item["status"] == "rejected")


async def test_a_rejected_message_alone_is_answered_200(sender: Sender):
    assert verdicts(await post(sender, "track", message(event=...))) == [
        ("rejected", "validation_failed")
    ]


async def test_a_message_that_no_database_takes_does_not_spoil_its_batch(sender: Sender):
    bad, good = message(properties={"x": "NUL"}), message()
    body = orjson.dumps({"batch": [bad, good], "writeKey": "x"}).replace(b"NUL", b"\\u0000")
    answer = await post(sender, "batch", body)
    assert verdicts(answer) == [("rejected", "invalid_text"), ("accepted", None)]
    assert answer.json()["items"][0]["id"] == bad["messageId"]
    assert problem_of(await post(sender, "batch", b'{"batch": [], "context": "\\u0000"}')) == (
        400,
        "invalid_text",
    )


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("batch", b"{", (400, "invalid_json")),
        ("batch", b"[]", (422, "validation_failed")),
        ("batch", b"{}", (422, "validation_failed")),
        ("batch", b'{"batch": {}}', (422, "validation_failed")),
        ("track", b"[]", (422, "validation_failed")),
        ("track", b'{"event": "\\u0000"}', (400, "invalid_text")),
        ("batch", orjson.dumps({"batch": [1] * 2501}), (413, "too_many_events")),
        ("batch", orjson.dumps({"batch": ["x" * 512_000]}), (413, "too_large")),
        ("batch", b" " * (5 << 20), (413, "too_large")),
    ],
)
async def test_what_is_no_batch(sender: Sender, path, body, expected):
    assert problem_of(await post(sender, path, body)) == expected


async def test_2500_messages_and_gzip(sender: Sender):
    small = [{"type": "page", "messageId": unique(), "userId": "u"} for _ in range(2500)]
    body = gzip.compress(orjson.dumps({"batch": small}))
    answer = await sender.client.post(
        "/v1/batch",
        content=body,
        headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"},
    )
    assert verdicts(answer) == [("accepted", None)] * 2500


async def test_content_types(sender: Sender):
    headers = {"Content-Type": "application/xml"}
    answer = await sender.client.post("/v1/track", content=b"<x/>", headers=headers)
    assert problem_of(answer) == (415, "unsupported_media_type")


def basic(key: str) -> str:
    return f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"


async def test_keys(here: World, sender: Sender):
    key = await here.new_key("publish")
    sent = {"batch": [message()]}
    for authorization in (basic(key), f"Bearer {key}"):
        assert (await post(sender, "batch", sent, authorization=authorization)).status_code == 200
    keyed = sent | {"writeKey": key}
    assert (await post(sender, "batch", keyed, authorization=None)).status_code == 200
    one = message() | {"writeKey": key}
    assert verdicts(await post(sender, "track", one, authorization=None)) == [("accepted", None)]
    again = {"batch": [{n: v for n, v in one.items() if n != "writeKey"}]} | {"writeKey": key}
    answer = await post(sender, "batch", again, authorization=None)
    assert verdicts(answer)[0][0] in {"duplicate", "accepted"}
    # The header is what counts where both are there.
    answer = await post(sender, "batch", keyed, authorization=basic("tn_" + "0" * 32))
    assert problem_of(answer) == (401, "invalid_credentials")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "unauthorised"),
        (b"{", "unauthorised"),
        (b"[]", "unauthorised"),
        (b"", "unauthorised"),
        (b'{"writeKey": 5}', "unauthorised"),
        (b'{"writeKey": "tn_0123456789abcdef0123456789abcdef"}', "invalid_credentials"),
        (b'{"writeKey": "\\u00e9"}', "invalid_credentials"),
        (b'{"batch": [{"writeKey": "x"}]}', "unauthorised"),
        (b" " * (5 << 20), "unauthorised"),
    ],
)
async def test_no_key(sender: Sender, body, code):
    for path in ("batch", "track"):
        answer = await post(sender, path, body, authorization=None)
        assert problem_of(answer) == (401, code)


async def test_a_key_that_may_not_publish(here: World, sender: Sender):
    key = await here.new_key("read")
    for authorization, body in ((basic(key), {}), (None, {"writeKey": key})):
        answer = await post(sender, "track", body, authorization=authorization)
        assert problem_of(answer) == (403, "missing_scope")


async def test_the_source_keeps_to_the_keys_prefixes(here: World, sender: Sender):
    sources = []
    for prefixes in ([], ["shop/web-"]):
        key = await here.new_key("publish", source_prefixes=prefixes)
        user = unique("u")
        answer = await post(
            sender,
            "identify",
            message("identify", userId=user),
            authorization=basic(key),
            wait=True,
        )
        assert verdicts(answer) == [("accepted", None)]
        customer = answer.json()["items"][0]["customer_id"]
        position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
        await sender.get(f"/v1/timelines/{customer}", position)
        [entry] = await sender.timeline(customer, type="customer.identified")
        sources.append(entry["source"])
    assert not sources[0].startswith("shop/")
    assert sources[1].startswith("shop/web-k")


async def test_an_order_corrected_refunded_and_cancelled(sender: Sender):
    user, number = unique("u"), unique("o")
    who = {"userId": user}
    customer = await settled(
        sender,
        order("Order Completed", number, 27.5, **who),
        order("Order Updated", number, 30.1, **who, timestamp="2026-11-20T04:05:00Z"),
        order("Order Refunded", number, 10, **who, timestamp="2026-11-20T04:06:00Z"),
        order("Order Cancelled", number, 0, **who, timestamp="2026-11-20T04:07:00Z"),
    )
    entries = {entry["type"]: entry["data"] for entry in await sender.timeline(customer)}
    assert entries["purchase.completed"]["total"] == {"amount": "27.50", "currency": "USD"}
    assert entries["purchase.corrected"]["total"] == {"amount": "30.10", "currency": "USD"}
    assert entries["purchase.refunded"]["amount"] == {"amount": "10.00", "currency": "USD"}
    assert "purchase.cancelled" in entries


async def test_an_attempt_made_again_is_a_duplicate(sender: Sender):
    """Its `sentAt` is new, and so is the time that comes of it."""
    sent = message(timestamp="2026-11-20T04:03:11.000Z")
    first = await post(
        sender, "batch", {"batch": [sent], "sentAt": "2026-11-20T04:03:12Z"}, wait=True
    )
    assert verdicts(first) == [("accepted", None)]
    again = {"batch": [sent, sent], "sentAt": "2026-11-20T04:03:40Z", "writeKey": "other"}
    assert verdicts(await post(sender, "batch", again)) == [("duplicate", None)] * 2
    alone = {n: v for n, v in sent.items() if n != "type"} | {"sentAt": "2026-11-20T04:04:00Z"}
    assert verdicts(await post(sender, "track", alone)) == [("duplicate", None)]
    changed = sent | {"event": "Signed Out"}
    assert verdicts(await post(sender, "track", changed)) == [("rejected", "conflicting_duplicate")]


async def test_a_wrong_clock_is_corrected(sender: Sender):
    wrong = datetime.now(UTC) + timedelta(days=400)
    sent = message(timestamp=wrong.isoformat())
    body = {"batch": [sent], "sentAt": (wrong + timedelta(minutes=10)).isoformat()}
    before = datetime.now(UTC)
    answer = await post(sender, "batch", body, wait=True)
    after = datetime.now(UTC)
    customer = answer.json()["items"][0]["customer_id"]
    position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    await sender.get(f"/v1/timelines/{customer}", position)
    [entry] = await sender.timeline(customer, type="interaction.recorded")
    happened = datetime.fromisoformat(entry["time"])
    slack = timedelta(milliseconds=1)
    assert before - slack <= happened + timedelta(minutes=10) <= after + slack


async def test_a_backfill_is_taken_as_written(sender: Sender):
    sent = message(timestamp="2020-01-02T03:04:05.000Z", sentAt="2020-01-02T03:04:06.000Z")
    answer = await post(sender, "track", sent, history=unique("h"), wait=True)
    customer = answer.json()["items"][0]["customer_id"]
    position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    await sender.get(f"/v1/timelines/{customer}", position)
    [entry] = await sender.timeline(customer, type="interaction.recorded")
    assert entry["time"].startswith("2020-01-02T03:04:05")


async def test_the_context_of_a_batch_is_that_of_its_messages(sender: Sender):
    plain, own = message(), message(context={"timezone": "Asia/Tokyo"})
    batch = {"batch": [plain, own], "context": {"timezone": "America/New_York"}}
    answer = await post(sender, "batch", batch, wait=True)
    zones = []
    for item in answer.json()["items"]:
        position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
        await sender.get(f"/v1/timelines/{item['customer_id']}", position)
        [entry] = await sender.timeline(item["customer_id"], type="interaction.recorded")
        zones.append(entry["data"]["timezone"])
    assert zones == ["America/New_York", "Asia/Tokyo"]


async def test_anonymous_and_known_are_one(sender: Sender):
    visitor, user = unique("a"), unique("u")
    seen = message("page", userId=..., anonymousId=visitor)
    known = message("identify", userId=user, anonymousId=visitor, traits={"name": "李雷"})
    customer = await settled(sender, seen, known, message("page", userId=user))
    kinds = [entry["type"] for entry in await sender.timeline(customer)]
    assert kinds.count("interaction.recorded") == 2
    assert kinds.count("customer.described") == 1


async def test_openapi_examples_work(sender: Sender):
    schema = (await sender.get("/openapi.json")).json()
    for path in (*TYPES, "batch"):
        operation = schema["paths"][f"/v1/{path}"]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        answer = await post(sender, path, example)
        assert {status for status, _ in verdicts(answer)} <= {"accepted", "duplicate"}, answer.text
