"""What could not be used: listed, looked at with its bytes, tried again, let go."""

import asyncio
import base64
from datetime import datetime
from typing import Any

import httpx
import orjson
import pytest

from services.interaction import resolver
from shared import log
from shared.log import Entry
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.api.test_inbound import cloudevent, numbered, produce, quarantine
from tests.world import World

PATH = "/v1/quarantine/interaction"


async def put_aside(here: World, sender: Sender, value: Any) -> dict[str, Any]:
    """The entry of a record that is produced now."""
    await produce(here, value)
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return (await quarantine(sender))[raw]


async def act(sender: Sender, entry: dict[str, Any], action: str, **headers: str) -> httpx.Response:
    return await sender.client.post(f"{PATH}/{entry['id']}/{action}", headers=headers)


async def look(sender: Sender, entry: dict[str, Any]) -> dict[str, Any]:
    answer = await sender.get(f"{PATH}/{entry['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_entry_tells_what_it_was_why_and_where_from(here: World, sender: Sender):
    event = cloudevent(type="nope")
    entry = await put_aside(here, sender, event)
    assert entry["kind"] == "quarantined"
    assert (entry["reason"], entry["stage"], entry["status"]) == ("unknown_type", "judge", "open")
    assert entry["event"] == {"type": "nope", "id": event["id"], "source": "/crm/outside"}
    assert entry["from"]["topic"] == "inbound"
    assert entry["from"]["offset"] >= 0
    recorded_at = entry["detail"].pop("recorded_at")
    assert datetime.fromisoformat(recorded_at) <= datetime.fromisoformat(entry["received_at"])
    assert entry["detail"] == {"errors": [{"pointer": "/type", "code": "unknown_type"}]}
    assert entry["text"].encode() == orjson.dumps(event)
    assert (entry["resolved_at"], entry["resolved_by"]) == (None, None)


async def test_bytes_that_are_no_text_are_shown_in_base64(here: World, sender: Sender):
    raw = b"\xff\x00" + unique().encode()
    entry = await put_aside(here, sender, raw)
    assert base64.b64decode(entry["base64"]) == raw
    assert entry["event"] == {"type": None, "id": None, "source": None}


async def test_the_list_has_pages_and_filters(here: World, sender: Sender):
    marked = [cloudevent(type="nope") for _ in range(5)]
    await produce(here, *marked)
    first = (await sender.get(PATH, limit=2, count=True, reason="unknown_type")).json()
    assert first["total"] >= 5
    found, page = list(first["items"]), first
    while page["next_cursor"]:
        page = (
            await sender.get(PATH, limit=2, reason="unknown_type", cursor=page["next_cursor"])
        ).json()
        found += page["items"]
    assert len(found) == first["total"]
    assert len({entry["id"] for entry in found}) == len(found)
    times = [entry["received_at"] for entry in found]
    assert times == sorted(times, reverse=True)
    assert {entry["reason"] for entry in found} == {"unknown_type"}
    assert {event["id"] for event in marked} <= {entry["event"]["id"] for entry in found}
    assert "text" not in found[0]
    assert (await sender.get(PATH, reason="no such reason")).json()["items"] == []


async def test_let_go(here: World, sender: Sender):
    entry = await put_aside(here, sender, cloudevent(customer=...))
    answer = await act(sender, entry, "discard")
    assert (answer.status_code, answer.json()["status"]) == (200, "discarded")
    shown = await look(sender, entry)
    assert shown["resolved_at"]
    assert shown["resolved_by"].startswith("k")
    assert shown["text"] == entry["text"], "its bytes stay"
    for status, there in (("open", False), ("discarded", True), ("all", True), ("applied", False)):
        listed = (await sender.get(PATH, status=status, limit=500)).json()["items"]
        assert (entry["id"] in {one["id"] for one in listed}) is there
    for action in ("discard", "replay"):
        for language in ("zh", "en"):
            again = await act(sender, entry, action, **{"Accept-Language": language})
            assert problem_of(again) == (409, "wrong_state")


@pytest.mark.parametrize(("action", "after"), [("discard", "discarded"), ("replay", "open")])
async def test_the_same_key_acts_once(here: World, sender: Sender, action: str, after: str):
    entry, key = await put_aside(here, sender, cloudevent(type="nope")), unique("k")
    said = []
    for _ in range(2):
        answer = await act(sender, entry, action, **{"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["status"]) == (200, after)
        said.append(answer.headers.get("idempotent-replay"))
    assert said == [None, "true"]
    other = await put_aside(here, sender, cloudevent(type="nope"))
    answer = await act(sender, other, action, **{"Idempotency-Key": key})
    assert answer.headers.get("idempotent-replay") is None, "a key is of one path"


async def test_tried_again_it_stays_while_nothing_has_changed(here: World, sender: Sender):
    entry = await put_aside(here, sender, cloudevent(type="nope"))
    answer = await act(sender, entry, "replay")
    assert (answer.status_code, answer.json()["status"]) == (200, "open")
    assert (await look(sender, entry))["text"] == entry["text"]
    answer = await act(sender, entry, "discard")
    assert answer.json()["status"] == "discarded"


async def test_tried_again_it_is_applied_once_the_cause_is_gone(here: World, sender: Sender):
    [customer] = await sender.accepted(purchase())
    number = f"C2027{int(unique()[2:10], 16) % 10**9:09d}"
    event = cloudevent(customer=number)
    entry = await put_aside(here, sender, event)
    assert entry["reason"] == "customer_not_found"
    await numbered(here, customer, number)
    answers = await asyncio.gather(*(act(sender, entry, "replay") for _ in range(5)))
    assert {(a.status_code, a.json()["status"]) for a in answers} <= {(200, "applied"), (409, 409)}
    await here.settled()
    [found] = await sender.timeline(number, type="interaction.recorded")
    assert (found["source_id"], found["utc_offset_minutes"]) == (event["id"], 480)
    assert (await look(sender, entry))["status"] == "applied"
    again = await act(sender, entry, "replay")
    assert problem_of(again) == (409, "wrong_state")
    await produce(here, event)
    assert len(await sender.timeline(number, type="interaction.recorded")) == 1, "a repeat by now"


async def test_what_our_own_door_took_is_applied_as_it_was_taken(
    here: World, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """A fault of ours, mended later: offset, import and content are those that the door judged."""
    event = contact({"member_no": unique("M")}, time="2026-11-20T12:03:11-03:30")
    history, spoiled = unique("import"), resolver.resolve

    def faulty(customers, *args):
        if any(event["customer"]["member_no"] in c.values() for c in customers):
            raise RuntimeError("a fault of ours")
        return spoiled(customers, *args)

    with monkeypatch.context() as patch:
        patch.setattr(resolver, "resolve", faulty)
        assert (await sender.post(event, history=history)).json()["accepted"] == 1
        await here.settled()
    [entry] = [e for e in (await quarantine(sender)).values() if e["event"]["id"] == event["id"]]
    assert (entry["reason"], entry["stage"]) == ("not_applicable", "resolve")
    assert (await act(sender, entry, "replay")).json()["status"] == "applied"
    await here.settled()
    [found] = await sender.timeline(
        f"member_no:{event['customer']['member_no']}", type="interaction.recorded"
    )
    assert (found["time"], found["utc_offset_minutes"]) == ("2026-11-20T15:33:11Z", -210)
    assert (found["source"], found["source_id"]) == (event["source"], event["id"])
    assert await sender.verdicts([event]) == [("duplicate", None)]


async def test_a_forged_arrival_is_judged_like_any_other_when_it_is_tried_again(
    here: World, sender: Sender
):
    """Who wrote it is what we noted, not what it looks like."""
    id_ = unique("forged")
    value = orjson.dumps(
        {
            "specversion": "1.0",
            "id": id_,
            "source": "tenure/interaction",
            "type": "interaction.recorded",
            "time": "2999-01-01T00:00:00Z",
            "utcoffset": 0,
            "receivedtime": "2026-11-20T00:00:00Z",
            "contenthash": "00" * 16,
            "customer": {"member_no": id_},
            "data": {"kind": "call"},
        }
    )
    entry = await put_aside(here, sender, value)
    assert entry["reason"] == "time_out_of_range"
    assert (await act(sender, entry, "replay")).json()["status"] == "open"


def basket(order: str, letter: str) -> dict[str, Any]:
    """Nearly as large as one event may be, by categories that all are different."""
    lines = [{"category": f"{letter}{n:04d}".ljust(58, letter)} for n in range(1500)]
    total = {"amount": "1.00", "currency": "CNY"}
    return {"order_id": order, "total": total, "items": lines}


async def test_a_correction_of_the_largest_order_can_be_sent_on(here: World, sender: Sender):
    """With what the order counted for before and counts for now beside it."""
    order, member = unique("O"), {"member_no": unique("M")}
    first = purchase(customer=member, data=basket(order, "a"))
    again = purchase(customer=member, data=basket(order, "b"), time="2026-11-21T12:00:00Z")
    [customer] = await sender.accepted(first)
    assert await sender.accepted(again) == [customer]
    await here.settled()
    [entry] = await sender.timeline(customer, type="purchase.corrected")
    settled = entry["data"]["settled"]
    assert [len(settled[side]["categories"]) for side in ("before", "after")] == [1500, 1500]


async def test_what_is_too_large_to_be_sent_on_fails_alone(
    here: World, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """Its partition goes on, also when it is tried again."""
    monkeypatch.setattr(log, "MAX_RECORD_BYTES", 256 * 1024)
    order, member = unique("O"), {"member_no": unique("M")}
    first = purchase(customer=member, data=basket(order, "a"))
    again = purchase(customer=member, data=basket(order, "b"), time="2026-11-21T12:00:00Z")
    [customer] = await sender.accepted(first)
    assert (await sender.post(again)).json()["accepted"] == 1
    await here.settled()
    [entry] = [e for e in (await quarantine(sender)).values() if e["event"]["id"] == again["id"]]
    assert entry["reason"] == "not_applicable"
    assert (await act(sender, entry, "replay")).json()["status"] == "open"
    assert await sender.accepted(contact(member)) == [customer]
    await here.settled()


async def test_an_entry_that_is_not_there(sender: Sender):
    for language in ("zh", "en"):
        headers = {"Accept-Language": language}
        missing = {"id": "01934b5c-7a00-7000-8000-000000000001"}
        answers = [
            await sender.get(f"{PATH}/{missing['id']}", headers),
            await act(sender, missing, "replay", **headers),
            await act(sender, missing, "discard", **headers),
        ]
        for answer in answers:
            assert problem_of(answer) == (404, "quarantine_entry_not_found")
    assert problem_of(await sender.get(f"{PATH}/not-a-uuid")) == (404, "not_found")


async def test_garbage_in_every_partition_keeps_nobody_waiting(here: World, sender: Sender):
    member = {"member_no": unique("M")}
    log = here.kernels["interaction"].log
    garbage = [(n % 8, Entry(key="", value=b"garbage %d" % n)) for n in range(400)]
    await log.append("inbound", garbage)
    events = [contact(member) for _ in range(20)]
    customers = await sender.accepted(*events)
    assert len(await sender.timeline(customers[0], type="interaction.recorded")) == 20
