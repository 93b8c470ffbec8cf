"""The same event again: dropped for ever, known by its source, its id and its content."""

import asyncio

import httpx

from services.interaction import arrivals
from shared.log import Entry
from tests.api.sending import Sender, contact, problem_of, purchase, unique
from tests.world import World

CONFLICT = ("rejected", "conflicting_duplicate")
DUPLICATE = ("duplicate", None)
ACCEPTED = ("accepted", None)


async def ids_on(sender: Sender, customer: str) -> list[str]:
    """The publishers' ids on a timeline, as often as they stand there."""
    found = await sender.timeline(customer)
    return sorted(item["source_id"] for item in found if item["source"] != "tenure/interaction")


async def test_within_one_request(sender: Sender):
    event = purchase()
    other = event | {"time": "2026-11-20T12:03:12+08:00"}
    assert await sender.verdicts([event, event, other, event]) == [
        ACCEPTED,
        DUPLICATE,
        CONFLICT,
        DUPLICATE,
    ]
    [customer] = await sender.accepted(event)
    assert await ids_on(sender, customer) == [event["id"]]


async def test_across_requests(sender: Sender):
    event = purchase()
    [customer] = await sender.accepted(event)
    answer = await sender.post(event)
    assert answer.json()["items"] == [{"id": event["id"], "status": "duplicate"}]
    assert await sender.accepted(event) == [customer]
    assert await ids_on(sender, customer) == [event["id"]]


async def test_a_whole_request_sent_again(sender: Sender):
    member = {"member_no": unique("M")}
    events = [contact(member) for _ in range(20)]
    first = await sender.accepted(*events)
    again = await sender.post(events, wait=5)
    assert (again.json()["accepted"], again.json()["duplicate"]) == (0, 20)
    assert [item["customer_id"] for item in again.json()["items"]] == first
    assert await ids_on(sender, first[0]) == sorted(event["id"] for event in events)


async def test_what_is_set_anew_on_every_attempt_and_the_order_of_fields_make_no_difference(
    sender: Sender,
):
    event = contact({"member_no": unique("M")})
    await sender.accepted(event | {"sentAt": "2026-11-20T12:03:12Z"})
    again = dict(reversed(event.items())) | {"sentAt": "2026-11-20T12:03:13Z", "received_at": 1}
    assert await sender.verdicts([again]) == [DUPLICATE]


async def test_without_a_time_it_is_still_the_same_event(sender: Sender):
    event = purchase(time=...)
    await sender.accepted(event)
    assert await sender.verdicts([event]) == [DUPLICATE]


async def test_another_source_is_another_event(sender: Sender):
    event = contact({"member_no": unique("M")})
    customers = await sender.accepted(event, event | {"source": "crm-2"})
    assert await ids_on(sender, customers[0]) == [event["id"]] * 2


async def test_other_content_is_refused_at_the_door(sender: Sender):
    event = purchase()
    [customer] = await sender.accepted(event)
    other = event | {"customer": {"member_no": unique("M")}}
    answer = await sender.post(other)
    assert problem_of(answer) == (422, "conflicting_duplicate")
    assert await sender.verdicts([other, event]) == [CONFLICT, DUPLICATE]
    answer = await sender.post([other, event], wait=5)
    items = answer.json()["items"]
    assert [item["customer_id"] for item in items] == [None, customer]
    assert "code" not in items[1]
    assert "errors" not in items[1]


async def test_twenty_clients_send_the_same_fifty_events(here: World, sender: Sender):
    member = {"member_no": unique("M")}
    events = [contact(member) for _ in range(50)]
    answers = await asyncio.gather(*(sender.post(events) for _ in range(20)))
    for answer in answers:
        body = answer.json()
        assert (body["accepted"] + body["duplicate"], body["rejected"]) == (50, 0), answer.text
    customers = await sender.accepted(*events)
    assert len(set(customers)) == 1
    await here.settled()
    assert await ids_on(sender, customers[0]) == sorted(event["id"] for event in events)


async def test_twenty_clients_send_the_same_order_in_other_words(here: World, sender: Sender):
    """Each its own event about one order: it counts once, for whoever has it in the end."""
    order = unique("O")
    total = {"amount": "10.00", "currency": "CNY"}
    events = [
        purchase(
            data={"order_id": order, "total": total}, time=f"2026-11-20T12:{minute:02d}:00+08:00"
        )
        for minute in range(20)
    ]
    await asyncio.gather(*(sender.post(event) for event in events))
    customers = await sender.accepted(*events)
    await here.settled()
    net = {}
    for customer in customers:
        entries = [e for e in await sender.timeline(customer) if e["type"].startswith("purchase.")]
        net[customer] = 0
        for entry in entries:
            settled = entry["data"].get("settled", {"after": {"orders": 1}})
            net[customer] += settled.get("after", {}).get("orders", 0)
            net[customer] -= settled.get("before", {}).get("orders", 0)
    assert net == dict.fromkeys(customers[:-1], 0) | {customers[-1]: 1}


async def test_new_identifiers_of_one_person_arrive_in_opposite_pairs(here: World, sender: Sender):
    """Whatever partitions meet where: no event is lost, every identifier has one customer."""
    names = [unique("n") for _ in range(12)]
    types = ("member_no", "user_id", "cookie", "external_id")
    events = [
        contact({types[n % 4]: names[n], types[(n + 1) % 4]: names[(n + 1) % 12]})
        for n in range(12)
    ]
    answers = await asyncio.gather(*(sender.post([event], wait=20) for event in events))
    customers = {answer.json()["items"][0]["customer_id"] for answer in answers}
    assert None not in customers
    await here.settled()
    told: dict[tuple[str, str], str] = {}
    ids = []
    for customer in customers:
        for entry in await sender.timeline(customer):
            if entry["type"] == "identifiers.added":
                for pair in entry["data"]["identifiers"].items():
                    assert told.setdefault(pair, customer) == customer
        ids += await ids_on(sender, customer)
    assert sorted(ids) == sorted(event["id"] for event in events)
    assert {value for _, value in told} == set(names)


async def append_as_the_door(here: World, *events: dict) -> None:
    """What two doors could have let in at the same time, neither knowing of the other's."""
    door = here.client("interaction")._transport.app.state.door
    kernel = here.kernels["interaction"]
    entries = []
    for event in events:
        arrival = door._judge.event(
            event, default_source="k", history=None, received=kernel.clock()
        )
        entries.append(door._entry(arrival))
    await kernel.log.append("inbound", entries)


async def quarantined(sender: Sender, **params: str) -> list[dict]:
    answer: httpx.Response = await sender.get("/v1/quarantine/interaction", limit=500, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_a_conflict_that_is_found_later_is_quarantined(here: World, sender: Sender):
    event = contact({"member_no": unique("M")})
    other = event | {"data": {"kind": "visit"}}
    await append_as_the_door(here, event, other, event)
    await here.settled()
    [entry] = [
        e
        for e in await quarantined(sender, reason="conflicting_duplicate")
        if e["event"]["id"] == event["id"]
    ]
    assert entry["stage"] == "resolve"
    [customer] = await sender.accepted(event)
    [kept] = [e for e in await sender.timeline(customer) if e["source"] == "crm"]
    assert kept["data"] == {"kind": "call"}


async def test_a_repeat_of_the_logs_own_is_dropped(here: World, sender: Sender):
    """The same record twice on `inbound`, in one batch and in the next."""
    event = contact({"member_no": unique("M")})
    await append_as_the_door(here, event, event)
    await here.settled()
    await append_as_the_door(here, event)
    await here.settled()
    [customer] = await sender.accepted(event)
    assert await ids_on(sender, customer) == [event["id"]]
    assert not [e for e in await quarantined(sender) if e["event"]["id"] == event["id"]]


async def test_a_signature_of_somebody_else_is_worth_nothing(here: World, sender: Sender):
    """An arrival as our door writes it, with a repeat's hash, but not signed by us."""
    member = unique("M")
    value = b'{"specversion":"1.0","id":"%s","type":"history.closed","data":{}}' % member.encode()
    kernel = here.kernels["interaction"]
    forged = Entry(key="", value=value, signature=arrivals.sign(value, b"another secret"))
    await kernel.log.append("inbound", [(0, forged)])
    await here.settled()
    [entry] = [e for e in await quarantined(sender) if e["event"]["id"] == member]
    assert entry["reason"] == "validation_failed"
