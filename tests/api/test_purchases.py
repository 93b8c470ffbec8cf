"""Purchases, refunds and cancellations as commands: the same orders as those of published events."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.sending import Sender, problem_of, purchase, unique

YUAN = {"amount": "30.00", "currency": "CNY"}


async def command(
    sender: Sender, path: str, body: Any, key: str | None = None, **headers: str
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    return await sender.client.post(
        path, json=body, headers=sender.headers | more | headers, timeout=30
    )


def bought(order: str, member: str, **fields: Any) -> dict[str, Any]:
    return {"customer": {"member_no": member}, "order_id": order, "total": YUAN, **fields}


async def test_a_purchase_is_answered_with_its_order_and_stands_on_the_timeline(sender: Sender):
    order, member = unique("O"), unique("M")
    sent = bought(order, member, at="2026-11-20T12:00:00+08:00", source="till-3", channel="store")
    made = await command(sender, "/v1/purchases", sent)
    assert made.status_code == 201, made.text
    shape = made.json()
    customer = shape.pop("customer_id")
    assert shape == {
        "order_id": order,
        "source": "till-3",
        "status": "completed",
        "bought_at": "2026-11-20T04:00:00Z",
        "total": YUAN,
        "refunds": [],
        "net": [YUAN],
    }
    wait = {"Tenure-Wait-For": made.headers["tenure-position"]}
    timeline = (await sender.get(f"/v1/timelines/member_no:{member}", wait)).json()["items"]
    told = {entry["type"]: entry for entry in timeline}
    assert told.keys() == {"purchase.completed", "identifiers.added"}
    assert told["purchase.completed"]["source"] == "till-3"
    assert told["purchase.completed"]["data"]["channel"] == "store"
    read = await sender.get(f"/v1/purchases/{order}", source="till-3")
    assert read.json() == {**shape, "customer_id": customer}


async def test_the_same_order_again_corrects_it(sender: Sender):
    order, member = unique("O"), unique("M")
    await command(sender, "/v1/purchases", bought(order, member))
    less = {"amount": "21.00", "currency": "CNY"}
    again = await command(sender, "/v1/purchases", bought(order, member, total=less))
    assert (again.status_code, again.json()["net"]) == (200, [less])


async def test_it_is_the_same_order_as_that_of_a_published_event(here, sender: Sender):
    order = unique("O")
    event = purchase(data={"order_id": order, "total": YUAN}, source="shop")
    [customer] = await sender.accepted(event)
    refund = {"order_id": order, "source": "shop", "amount": {"amount": "5.00", "currency": "CNY"}}
    body = (await command(sender, "/v1/refunds", refund)).json()
    assert body["customer_id"] == customer
    assert body["net"] == [{"amount": "25.00", "currency": "CNY"}]
    assert [one["amount"]["amount"] for one in body["refunds"]] == ["5.00"]
    gone = await command(sender, f"/v1/purchases/{order}/cancel", {"source": "shop"})
    assert gone.status_code == 200, gone.text
    assert (gone.json()["status"], gone.json()["net"]) == ("cancelled", [])
    types = [entry["type"] for entry in await sender.timeline(customer, sort="time")]
    assert types[-2:] == ["purchase.refunded", "purchase.cancelled"]


async def test_the_same_key_does_it_once(sender: Sender):
    order, member, key = unique("O"), unique("M"), unique("k")
    sent = bought(order, member)
    answers = await asyncio.gather(*(command(sender, "/v1/purchases", sent, key) for _ in range(8)))
    assert {one.status_code for one in answers} == {201}
    assert sum(one.headers.get("idempotent-replay") == "true" for one in answers) == 7
    assert len({one.text for one in answers}) == 1
    timeline = await sender.timeline(f"member_no:{member}")
    assert [entry["type"] for entry in timeline].count("purchase.completed") == 1
    other = await command(sender, "/v1/purchases", bought(order, member, channel="web"), key)
    assert problem_of(other) == (422, "idempotency_key_reused")


async def test_twenty_at_once_are_one_order(sender: Sender):
    """Without a key each is a version of the order; the order counts once."""
    order, member = unique("O"), unique("M")
    answers = await asyncio.gather(
        *(command(sender, "/v1/purchases", bought(order, member)) for _ in range(20))
    )
    assert {one.status_code for one in answers} <= {200, 201}
    assert (await sender.get(f"/v1/purchases/{order}", source=await _name(sender))).json()[
        "net"
    ] == [YUAN]


async def _name(sender: Sender) -> str:
    order = unique("O")
    made = await command(sender, "/v1/purchases", bought(order, unique("M")))
    return made.json()["source"]


async def test_a_refund_of_an_unknown_order_needs_a_customer(sender: Sender):
    refund = {"order_id": unique("O"), "amount": YUAN}
    assert problem_of(await command(sender, "/v1/refunds", refund)) == (422, "no_customer")
    member = {"member_no": unique("M")}
    made = await command(sender, "/v1/refunds", refund | {"customer": member})
    assert made.status_code == 201
    assert made.json()["status"] == "unknown"
    assert made.json()["net"] == [{"amount": "-30.00", "currency": "CNY"}]


async def test_what_cannot_be_cancelled(sender: Sender):
    order = unique("O")
    path = f"/v1/purchases/{order}/cancel"
    assert problem_of(await command(sender, path, {})) == (404, "order_not_found")
    await command(sender, "/v1/purchases", bought(order, unique("M")))
    other = await command(sender, path, {"order_id": "another"})
    assert problem_of(other) == (422, "validation_failed")
    assert [error["pointer"] for error in other.json()["errors"]] == ["/order_id"]
    assert (await sender.client.post(path, headers=sender.headers)).status_code == 200
    assert problem_of(await command(sender, path, {})) == (409, "order_cancelled")
    assert problem_of(await sender.get(f"/v1/purchases/{unique('O')}")) == (404, "order_not_found")


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"total": None}, 422, "validation_failed", "/total"),
        (
            {"total": {"amount": "1.555", "currency": "CNY"}},
            422,
            "validation_failed",
            "/total/amount",
        ),
        ({"customer": None}, 422, "no_customer", "/customer"),
        ({"customer": "C2026999999"}, 404, "customer_not_found", None),
        ({"at": "yesterday"}, 422, "validation_failed", "/at"),
        ({"at": "2999-01-01T00:00:00Z"}, 422, "time_out_of_range", "/at"),
        ({"colour": "red"}, 422, "validation_failed", "/colour"),
        ({"time": "2026-11-20T12:00:00Z"}, 422, "validation_failed", "/time"),
        ({"settled": {}}, 422, "validation_failed", "/settled"),
        ({"source": 7}, 422, "validation_failed", "/source"),
        ({"order_id": "x" * 300}, 422, "validation_failed", "/order_id"),
    ],
)
async def test_bad_fields_are_named(sender: Sender, change, status, code, pointer):
    body = bought(unique("O"), unique("M")) | change
    answer = await command(sender, "/v1/purchases", body)
    assert problem_of(answer) == (status, code)
    if pointer:
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_who_may_and_under_which_source(here, sender: Sender):
    body = bought(unique("O"), unique("M"))
    reader = {"Authorization": f"Bearer {await here.new_key('read')}"}
    assert problem_of(await command(sender, "/v1/purchases", body, **reader)) == (
        403,
        "missing_scope",
    )
    till = await here.new_key("publish", source_prefixes=["till-"])
    bound = {"Authorization": f"Bearer {till}"}
    refused = await command(sender, "/v1/purchases", body | {"source": "web"}, **bound)
    assert problem_of(refused) == (422, "source_not_allowed")
    taken = await command(sender, "/v1/purchases", body | {"source": "till-9"}, **bound)
    assert taken.status_code == 201


async def test_bodies_that_are_none(sender: Sender):
    headers = sender.headers | {"Content-Type": "text/plain"}
    plain = await sender.client.post("/v1/purchases", content=b"{}", headers=headers)
    assert problem_of(plain) == (415, "unsupported_media_type")
    for body in ([], "x", 1):
        assert problem_of(await command(sender, "/v1/purchases", body))[0] in {400, 422}


async def test_an_order_is_cancelled_in_the_words_of_the_event(sender: Sender):
    """Its `data` with `customer` beside it, as the event has them."""
    order, member = unique("O"), unique("M")
    await command(sender, "/v1/purchases", bought(order, member))
    body = {"order_id": order, "customer": {"member_no": member}, "reason": "twice"}
    gone = await command(sender, f"/v1/purchases/{order}/cancel", body)
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled"), gone.text


async def test_a_pointer_to_an_unknown_field_is_escaped(sender: Sender):
    body = bought(unique("O"), unique("M")) | {"a/b~c": 1}
    answer = await command(sender, "/v1/purchases", body)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/a~1b~0c"]
