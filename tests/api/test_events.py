"""POST /v1/events: a verdict for each event, in the order sent."""

import gzip

import orjson
import pytest

from services.interaction.door import Door
from tests.api.sending import Sender, contact, problem_of, purchase, unique


async def test_a_good_event_is_accepted_and_stands_on_the_timeline(sender: Sender):
    event = purchase()
    answer = await sender.post(event)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "accepted": 1,
            "duplicate": 0,
            "rejected": 0,
            "items": [{"id": event["id"], "status": "accepted"}],
        },
    )
    [customer] = await sender.accepted(event)
    added, bought = await sender.timeline(customer)
    assert added["type"] == "identifiers.added"
    assert added["data"] == {"identifiers": event["customer"]}
    assert added["source"] == "tenure/interaction"
    assert bought["type"] == "purchase.completed"
    assert bought["data"] == event["data"]
    assert (bought["source"], bought["source_id"]) == ("shop", event["id"])
    assert (bought["time"], bought["utc_offset_minutes"]) == ("2026-11-20T04:03:11Z", 480)
    assert bought["recorded_time"].endswith("Z")
    assert bought["summary"] == f"Bought for 35.80 CNY (order {event['data']['order_id']})"


async def test_a_list_is_answered_in_its_order(sender: Sender):
    good, other = purchase(), purchase()
    events = [
        good,
        purchase("bad-1", type="nope"),
        good,
        purchase("bad-2", customer={"cookie": "null"}),
        other,
        {"no": "id"},
        purchase("bad-3", time="2999-01-01T00:00:00Z"),
        5,
    ]
    answer = await sender.post(events)
    body = answer.json()
    assert (body["accepted"], body["duplicate"], body["rejected"]) == (2, 1, 5)
    assert [(item["id"], item["status"], item.get("code")) for item in body["items"]] == [
        (good["id"], "accepted", None),
        ("bad-1", "rejected", "unknown_type"),
        (good["id"], "duplicate", None),
        ("bad-2", "rejected", "no_customer"),
        (other["id"], "accepted", None),
        (None, "rejected", "validation_failed"),
        ("bad-3", "rejected", "time_out_of_range"),
        (None, "rejected", "validation_failed"),
    ]
    for item in body["items"]:
        if item["status"] == "rejected":
            assert item["errors"][0]["pointer"] in {"/type", "/customer", "/id", "/time", ""}
            for text in (item["message"], item["errors"][0]["message"]):
                assert text
                assert "{" not in text
        else:
            assert set(item) == {"id", "status"}


async def test_all_that_is_wrong_with_an_event_is_told_with_pointers(sender: Sender):
    data = {
        "order_id": "",
        "total": {"amount": "1.234", "currency": "CNY"},
        "items": [{"quantity": -1}],
    }
    answer = await sender.post([purchase(data=data)])
    [item] = answer.json()["items"]
    assert {(error["pointer"], error["code"]) for error in item["errors"]} == {
        ("/data/order_id", "too_short"),
        ("/data/total/amount", "too_many_decimals"),
        ("/data/items/0/quantity", "too_small"),
    }


async def test_a_bare_object_that_is_rejected_is_422_and_a_list_of_one_is_200(sender: Sender):
    bad = purchase(type="nope")
    answer = await sender.post(bad)
    assert problem_of(answer) == (422, "unknown_type")
    assert answer.json()["errors"][0]["pointer"] == "/type"
    assert "nope" in answer.json()["message"]
    assert await sender.verdicts([bad]) == [("rejected", "unknown_type")]


async def test_an_empty_list_is_nothing(sender: Sender):
    answer = await sender.post([])
    assert answer.json() == {"accepted": 0, "duplicate": 0, "rejected": 0, "items": []}


async def test_a_packed_body_and_one_with_parameters(sender: Sender):
    event = purchase()
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip"}
    answer = await sender.client.post(
        "/v1/events", content=gzip.compress(orjson.dumps([event])), headers=headers
    )
    assert answer.json()["accepted"] == 1


async def test_what_cannot_be_read_of_a_list_harms_nothing_else(sender: Sender):
    good, nul = purchase(), unique("nul")
    body = b'[%s,{"id":"%s","a":"\\u0000"},{"a":1180591620717411303424},{"a":"\\ud800"}]' % (
        orjson.dumps(good),
        nul.encode(),
    )
    answer = await sender.client.post(
        "/v1/events", content=body, headers={"Content-Type": "application/json"}
    )
    assert [(item["id"], item["status"], item.get("code")) for item in answer.json()["items"]] == [
        (good["id"], "accepted", None),
        (nul, "rejected", "invalid_text"),
        (None, "rejected", "number_out_of_range"),
        (None, "rejected", "invalid_text"),
    ]


async def test_words_follow_the_caller(sender: Sender):
    messages = set()
    for language in ("zh", "en", "fr"):
        sender.headers = {"Accept-Language": language}
        answer = await sender.post([purchase(customer=...)])
        [item] = answer.json()["items"]
        messages.add((item["message"], item["errors"][0]["message"]))
    assert messages == {
        ("事件没有指明有效的客户。", "必填。"),
        ("The event names no usable customer.", "This is required."),
    }


async def test_a_request_of_2500_events(sender: Sender):
    member = {"member_no": unique("M")}
    events = [contact(member) for _ in range(2500)]
    answer = await sender.post(events)
    assert answer.json()["accepted"] == 2500


async def test_identifiers_name_the_same_customer_however_they_are_written(sender: Sender):
    number = f"138{unique()[-8:].translate(str.maketrans('abcdef', '123456'))}"
    first, second, third = await sender.accepted(
        contact({"phone": number}),
        contact({"phone": f"+86 {number[:3]} {number[3:7]} {number[7:]}"}),
        contact(f"phone:{number} email:{number}@Example.com"),
    )
    assert first == second == third
    assert await sender.accepted(contact({"email": f"{number}@example.COM"})) == [first]


async def test_two_known_customers_in_one_event_are_linked_with_evidence(sender: Sender):
    member, user = unique("M"), unique("u")
    strong, weak = await sender.accepted(contact({"member_no": member}), contact({"user_id": user}))
    assert strong != weak
    both = {"user_id": user, "member_no": member}
    assert await sender.accepted(contact(both)) == [strong]
    linked = [e for e in await sender.timeline(strong) if e["type"] == "identifiers.linked"]
    named = {"member_no": strong, "user_id": weak}
    assert [entry["data"] for entry in linked] == [
        {"parts": [strong, weak], "evidence": both, "named": named, "anonymous": []}
    ]
    assert len(await sender.timeline(weak)) == 2, "its own, and no more"


async def test_a_customer_may_be_named_by_our_own_id(sender: Sender):
    [customer] = await sender.accepted(purchase())
    assert await sender.accepted(contact(customer), contact({"id": customer})) == [customer] * 2
    assert (
        await sender.verdicts(
            [contact("01934b5c-7a00-7000-8000-000000000001"), contact("C1999000001")]
        )
        == [("rejected", "customer_not_found")] * 2
    )


async def test_a_repeat_of_what_was_rejected_is_rejected_too(sender: Sender):
    event = contact("01934b5c-7a00-7000-8000-000000000001")
    assert await sender.verdicts([event, event]) == [("rejected", "customer_not_found")] * 2


async def test_the_same_order_again_corrects_it(sender: Sender):
    order = {"order_id": unique("O")}
    first = purchase(data=order | {"total": {"amount": "10.00", "currency": "CNY"}})
    again = first | {
        "id": unique("p"),
        "data": order | {"total": {"amount": "8.00", "currency": "CNY"}},
    }
    [customer] = await sender.accepted(first)
    await sender.accepted(again)
    corrected, *_ = await sender.timeline(customer, type="purchase.corrected")
    assert corrected["source_id"] == again["id"]
    settled = corrected["data"]["settled"]
    assert settled["before"]["spend"] == {"CNY": 1000}
    assert settled["after"]["spend"] == {"CNY": 800}


async def test_another_customer_takes_an_order_over(here, sender: Sender):
    data = {"order_id": unique("O"), "total": {"amount": "10.00", "currency": "CNY"}}
    [loser] = await sender.accepted(purchase(data=data, time="2026-11-19T10:00:00Z"))
    [winner] = await sender.accepted(purchase(data=data, time="2026-11-19T11:00:00Z"))
    await here.settled()
    [lost] = await sender.timeline(loser, type="purchase.corrected")
    [taken] = await sender.timeline(winner, type="purchase.corrected")
    assert lost["data"]["settled"]["before"] == taken["data"]["settled"]["after"] | {
        "event_id": lost["data"]["settled"]["before"]["event_id"],
        "time": "2026-11-19T10:00:00Z",
    }
    assert "after" not in lost["data"]["settled"]
    assert lost["source"] == "tenure/interaction"


async def test_more_than_may_be_in_flight_is_503(here, sender: Sender, monkeypatch):
    door: Door = sender.client._transport.app.state.door
    monkeypatch.setattr(door, "_bytes", door._most_bytes)
    answer = await sender.post(purchase())
    assert problem_of(answer) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_request_larger_than_the_bound_passes_when_it_is_alone(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sender.client._transport.app.state.door, "_most_bytes", 10)
    assert (await sender.post(purchase())).json()["accepted"] == 1
