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
        [("content-type", b"application/json"), ("ce_id", b"1"), ("ce_specversion", b"1.0")],
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
