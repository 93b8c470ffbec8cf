"""Records on Kafka's `inbound` as strangers' producers write them: without our headers, or with wild ones."""

from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.api.sending import Sender
from tests.api.test_inbound import cloudevent, quarantine
from tests.world import World, world

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
async def there(postgres, kafka) -> AsyncIterator[World]:
    url = f"kafka://{kafka.bootstrap}"
    async with world(postgres, services=["interaction"], log_url=url, partitions=1) as made:
        await made.settled()
        yield made


@pytest.fixture(scope="module")
async def producer(kafka) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await made.start()
    yield made
    await made.stop()


async def produce(there: World, producer: AIOKafkaProducer, event, headers, key=None) -> None:
    topic = f"{there.settings.namespace}.inbound"
    value = event if event is None else orjson.dumps(event)
    await producer.send_and_wait(topic, value, key=key, headers=headers)
    await there.settled()


GOOD = [
    [],
    [("content-type", b"application/cloudevents+json")],
    [("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")],
    [("content-type", None)],
    [("traceparent", b"\xff\x00"), ("", b"")],
    [("signature", b"forged")],
    [("signature", b"")],
    [("origin", b"interaction"), ("sequence", b"1")],
    [("origin", b"till"), ("sequence", b"9" * 30)],
    [("sequence", "\u00b2".encode())],
    [("origin", None), ("sequence", None)],
]


@pytest.mark.parametrize("headers", GOOD)
async def test_headers_that_do_not_matter(there: World, producer, headers):
    event = cloudevent()
    await produce(there, producer, event, headers, key=b"\xff\x00")
    [entry] = await Sender(there).timeline(event["customer"], type="interaction.recorded")
    assert entry["source_id"] == event["id"]


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", b"application/json")],
        [("content-type", b"text/plain"), ("ce_id", b"1"), ("ce_specversion", b"1.0")],
        [("content-type", b"application/avro")],
        [("content-type", b"\xff\xfe")],
    ],
)
async def test_other_contents_are_quarantined(there: World, producer, headers):
    event = cloudevent()
    await produce(there, producer, event, headers)
    entry = (await quarantine(Sender(there)))[orjson.dumps(event)]
    assert entry["reason"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "headers",
    [
        [("origin", b"a\x00b"), ("sequence", b"1")],
        [("origin", b"profile"), ("sequence", b"9" * 30)],
        [("origin", b"a\x00b"), ("sequence", b"-1")],
    ],
)
async def test_wild_headers_of_a_bad_event_block_nothing(there: World, producer, headers):
    bad, good = cloudevent(type="nope"), cloudevent()
    await produce(there, producer, bad, headers)
    await produce(there, producer, good, [])
    assert (await quarantine(Sender(there)))[orjson.dumps(bad)]["reason"] == "unknown_type"
    assert await Sender(there).timeline(good["customer"])


def binary(event, **changes: bytes | None) -> list[tuple[str, bytes | None]]:
    """The headers of an event in binary mode; its data is the record's value."""
    attributes = {f"ce_{n}": v.encode() for n, v in event.items() if n != "data"}
    return list((attributes | changes).items())


@pytest.mark.parametrize(
    "content_type",
    [[], [("content-type", b"application/json; charset=utf-8")], [("content-type", None)]],
)
async def test_binary_mode(there: World, producer, content_type):
    event = cloudevent(source="/门店")
    headers = binary(event) + content_type
    await produce(there, producer, event["data"], headers, key=b"k")
    await produce(there, producer, event["data"], headers)
    [entry] = await Sender(there).timeline(event["customer"], type="interaction.recorded")
    assert (entry["source"], entry["source_id"]) == ("/门店", event["id"])
    assert entry["data"] == {"kind": "call"}


async def test_binary_mode_is_not_looked_for_in_structured_mode(there: World, producer):
    event = cloudevent()
    headers = [("content-type", b"application/cloudevents+json"), ("ce_id", b"other")]
    await produce(there, producer, event, headers)
    [entry] = await Sender(there).timeline(event["customer"], type="interaction.recorded")
    assert entry["source_id"] == event["id"]


async def test_a_bad_one_in_binary_mode_can_be_replayed_as_it_came(there: World, producer):
    """It is kept as the structured event that it is: a value without its headers would say nothing."""
    event = cloudevent(customer="C2999000001")
    await produce(there, producer, event["data"], binary(event))
    kept = (await quarantine(Sender(there)))[orjson.dumps(event)]
    assert (kept["reason"], kept["event"]["id"]) == ("customer_not_found", event["id"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ce_id": b"\xff"}, "invalid_text"),
        ({"ce_id": None}, "validation_failed"),
        ({"ce_type": b"nope"}, "unknown_type"),
    ],
)
async def test_bad_attributes_block_nothing(there: World, producer, changes, reason):
    bad, good = cloudevent(), cloudevent()
    await produce(there, producer, bad["data"], binary(bad, **changes))
    await produce(there, producer, good, [])
    listed = await Sender(there).get("/v1/quarantine/interaction", limit=1)
    assert listed.json()["items"][0]["reason"] == reason
    assert await Sender(there).timeline(good["customer"])


async def test_a_tombstone_is_quarantined(there: World, producer):
    await produce(there, producer, None, [], key=b"k")
    assert (await quarantine(Sender(there)))[b""]["reason"] == "invalid_json"


async def test_an_origin_that_is_no_text_blocks_nothing(postgres, kafka, producer):
    url = f"kafka://{kafka.bootstrap}"
    async with world(postgres, services=["interaction"], log_url=url, partitions=1) as made:
        await made.settled()
        event = cloudevent()
        topic = f"{made.settings.namespace}.inbound"
        for headers in ([("origin", b"\xff\xfe")], []):
            await producer.send_and_wait(topic, orjson.dumps(event), headers=headers)
        await made.settled(3)
        assert await Sender(made).timeline(event["customer"])
