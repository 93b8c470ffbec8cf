"""CloudEvents that others produce straight to `inbound`, over both logs: the good ones are resolved, each bad one is
quarantined with its reason, and none stands in another's way."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared import codec
from shared.ids import new_id, partition_of
from shared.language import CustomerNumbered
from shared.log import Entry
from tests.api.sending import Sender, purchase, unique
from tests.world import World, world


@pytest.fixture(
    scope="module", params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)]
)
async def there(request, here: World) -> AsyncIterator[World]:
    """An installation over each of the two logs."""
    if request.param == "postgresql":
        yield here
        return
    url = f"kafka://{request.getfixturevalue('kafka').bootstrap}"
    postgres = request.getfixturevalue("postgres")
    async with world(postgres, services=["interaction"], log_url=url, partitions=4) as made:
        yield made


@pytest.fixture
def sender(there: World) -> Sender:
    return Sender(there)


def cloudevent(id_: str | None = None, **changes: Any) -> dict[str, Any]:
    """A contact of a new customer; a change to ... leaves the field out."""
    id_ = id_ or unique("ce")
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": "/crm/outside",
        "type": "interaction.recorded",
        "time": "2026-11-20T12:03:11+08:00",
        "customer": f"member_no:M-{id_}",
        "data": {"kind": "call"},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


async def produce(there: World, *values: Any, partition: int | None = None) -> None:
    """Unkeyed and unsigned, round the partitions, as a stranger does it."""
    partitions = there.settings.partitions
    entries = [
        (
            partition if partition is not None else n % partitions,
            Entry(key="", value=value if isinstance(value, bytes) else orjson.dumps(value)),
        )
        for n, value in enumerate(values)
    ]
    await there.kernels["interaction"].log.append("inbound", entries)
    await there.settled()


async def quarantine(sender: Sender) -> dict[bytes, dict[str, Any]]:
    """All open entries by their original bytes."""
    listed = (await sender.get("/v1/quarantine/interaction", limit=500)).json()["items"]
    found = {}
    for item in listed:
        entry = (await sender.get(f"/v1/quarantine/interaction/{item['id']}")).json()
        value = entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"])
        found[value] = entry
    return found


async def test_a_good_one_is_resolved(there: World, sender: Sender):
    event = cloudevent(data={"kind": "visit", "channel": "store", "colour": "red"})
    await produce(there, event)
    name = event["customer"]
    [entry] = await sender.timeline(name, type="interaction.recorded")
    assert (entry["source"], entry["source_id"]) == ("/crm/outside", event["id"])
    assert (entry["time"], entry["utc_offset_minutes"]) == ("2026-11-20T04:03:11Z", 480)
    assert entry["data"] == event["data"]


async def test_ways_to_name_the_customer(there: World, sender: Sender):
    member, cookie = unique("M"), unique("c")
    events = [
        cloudevent(customer=f"member_no:{member} cookie:{cookie}"),
        cloudevent(customer=f"cookie:{cookie}"),
        cloudevent(customer=..., data={"kind": "chat", "customer": {"member_no": member}}),
        cloudevent(customer=..., data={"kind": "chat", "customer": f"member_no:{member}"}),
        cloudevent(customer={"member_no": member}),
    ]
    for event in events:
        await produce(there, event)
    entries = await sender.timeline(f"cookie:{cookie}", type="interaction.recorded")
    assert {entry["source_id"] for entry in entries} == {event["id"] for event in events}
    assert all("customer" not in entry["data"] for entry in entries)


async def test_our_own_id_and_number_name_a_customer_too(there: World, sender: Sender):
    [customer] = await sender.accepted(purchase())
    number = f"C2026{uuid4().int % 10**9:09d}"
    await numbered(there, customer, number)
    good = [
        cloudevent(customer=customer),
        cloudevent(customer=number),
        cloudevent(customer=number.lower()),
    ]
    nobody = [cloudevent(customer=new_id()), cloudevent(customer="C1999000001")]
    await produce(there, *good, *nobody)
    entries = await sender.timeline(number, type="interaction.recorded")
    assert {entry["source_id"] for entry in entries} == {event["id"] for event in good}
    aside = await quarantine(sender)
    for event in nobody:
        assert aside[orjson.dumps(event)]["reason"] == "customer_not_found"
    assert (
        await sender.verdicts([purchase(customer=number), purchase(customer={"number": number})])
        == [("accepted", None)] * 2
    )


_numbered: dict[tuple[int, int], int] = {}


async def numbered(there: World, customer: str, number: str) -> None:
    """What profile would say."""
    now = datetime.now(UTC)
    partition = partition_of(customer, there.settings.partitions)
    place = (id(there), partition)
    _numbered[place] = _numbered.get(place, 0) + 1
    value = codec.encode(
        id=new_id(),
        type="customer.numbered",
        subject=customer,
        time=now,
        receivedtime=now,
        source="tenure/profile",
        sourceid=new_id(),
        data=CustomerNumbered(number=number),
    )
    entry = Entry(key=customer, value=value, origin="profile", sequence=_numbered[place])
    await there.kernels["interaction"].log.append("customers", [(partition, entry)])
    await there.settled()


def bad_ones() -> list[tuple[bytes, str]]:
    """(bytes, reason)."""
    bare = unique("bare").encode()
    events = [
        (cloudevent(specversion="0.3"), "validation_failed"),
        (cloudevent(specversion=...), "validation_failed"),
        (cloudevent(source=...), "validation_failed"),
        (cloudevent(source=7), "validation_failed"),
        (cloudevent(type=...), "validation_failed"),
        (cloudevent(type=["a"]), "validation_failed"),
        (cloudevent(time=1763611391), "validation_failed"),
        (cloudevent(time="2999-01-01T00:00:00Z"), "time_out_of_range"),
        (cloudevent(time="0001-01-01T00:00:00+14:00"), "time_out_of_range"),
        (cloudevent(type="nope"), "unknown_type"),
        (cloudevent(type="history.closed", data={"history": "x"}), "unknown_type"),
        (cloudevent(type="clock.ticked", data={"at": "2999-01-01T00:00:00Z"}), "unknown_type"),
        (cloudevent(customer=...), "no_customer"),
        (cloudevent(customer=None, data=None), "no_customer"),
        (cloudevent(customer="cookie:null"), "no_customer"),
        (cloudevent(customer={"shoe_size": "42"}), "validation_failed"),
        (cloudevent(customer="id:" * 1300), "validation_failed"),
        (cloudevent(data="<kind>call</kind>"), "validation_failed"),
        (cloudevent(data={"kind": "telepathy"}), "validation_failed"),
        (cloudevent(data={"kind": "call", "content": "a\0b"}), "invalid_text"),
        (cloudevent(data={"kind": "call", "content": "x" * 200_000}), "event_too_large"),
        (cloudevent(type="purchase.completed", data={}), "validation_failed"),
    ]
    others = [
        (bare, "invalid_json"),
        (b"{" + bare, "invalid_json"),
        (b"[1, 2, %d]" % int(bare[5:], 16), "validation_failed"),
        (b'"%s"' % bare, "validation_failed"),
        (b"\x00\x01\x02" + bare, "invalid_json"),
        (b"\xff\xfe\x80" + bare, "invalid_text"),
        (b"\x1f\x8b\x08\x00" + bare, "invalid_text"),
        (b'{"id": "%s", "a": "\\ud800"}' % bare, "invalid_text"),
        (b'{"id": "%s", "a": 1180591620717411303424}' % bare, "number_out_of_range"),
        (b'{"id": "%s", "amount": NaN}' % bare, "invalid_json"),
        (b'{"id": "%s", "a": %s}' % (bare, b"[" * 100 + b"]" * 100), "too_deep"),
    ]
    return [(orjson.dumps(event), reason) for event, reason in events] + others


async def test_bad_ones_are_quarantined_each_with_its_reason_and_others_go_on(
    there: World, sender: Sender
):
    bad = bad_ones()
    good = [cloudevent() for _ in range(len(bad) + 1)]
    mixed: list[Any] = [good[0]]
    for (value, _), event in zip(bad, good[1:], strict=True):
        mixed += [value, event]
    await produce(there, *mixed)
    await produce(there, *[value for value, _ in bad_ones()], partition=0)
    for event in good:
        [entry] = await sender.timeline(event["customer"], type="interaction.recorded")
        assert entry["source_id"] == event["id"]
    aside = await quarantine(sender)
    for value, reason in bad:
        entry = aside[value]
        assert entry["reason"] == reason, value[:200]
        assert (entry["kind"], entry["status"], entry["stage"]) == ("quarantined", "open", "judge")
        assert entry["from"]["topic"] == "inbound"
        assert entry["received_at"].endswith("Z")
        if reason == "validation_failed":
            assert entry["detail"]["errors"][0]["pointer"] is not None
            assert entry["detail"]["errors"][0]["code"]


async def test_an_empty_record_is_quarantined(there: World, sender: Sender):
    await produce(there, b"")
    assert (await quarantine(sender))[b""]["reason"] == "invalid_json"


async def test_a_repeat_is_dropped_and_other_content_quarantined(there: World, sender: Sender):
    event = cloudevent()
    other = event | {"data": {"kind": "visit"}}
    await produce(there, event, event | {"sentat": "2026-11-20T12:03:12Z"}, partition=1)
    await produce(there, event, partition=2)
    await produce(there, other, partition=1)
    [entry] = await sender.timeline(event["customer"], type="interaction.recorded")
    assert entry["data"] == {"kind": "call"}
    aside = await quarantine(sender)
    assert aside[orjson.dumps(other)]["reason"] == "conflicting_duplicate"
    assert orjson.dumps(event) not in aside


async def test_the_door_knows_what_came_past_it(there: World, sender: Sender):
    event = cloudevent()
    await produce(there, event)
    other = {name: event[name] for name in ("id", "source", "type", "customer")}
    assert await sender.verdicts([other | {"data": {"kind": "visit"}}]) == [
        ("rejected", "conflicting_duplicate")
    ]
