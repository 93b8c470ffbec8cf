"""CloudEvents' own Python SDK, over HTTP and Kafka, in structured and in binary mode."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.api.sending import Sender, unique
from tests.clients.conftest import Server
from tests.world import World, world

AT = datetime(2026, 11, 20, 12, 3, 11, tzinfo=timezone(timedelta(hours=8)))


def event(**changes: Any) -> CloudEvent:
    attributes = {
        "id": unique("ce"),
        "type": "interaction.recorded",
        "source": "/门店/7",
        "time": AT,
        "customer": f"member_no:{unique('M')}",
        "partitionkey": "k-1",
    }
    return CloudEvent(attributes | changes, {"kind": "call", "content": "好"})


async def check(sender: Sender, sent: CloudEvent) -> None:
    [entry] = await sender.timeline(sent.get_extension("customer"), type="interaction.recorded")
    assert (entry["source"], entry["source_id"]) == (sent.get_source(), sent.get_id())
    assert datetime.fromisoformat(entry["time"]) == AT
    assert entry["data"] == {"kind": "call", "content": "好"}


@pytest.mark.parametrize("changes", [{}, {"datacontenttype": "application/json"}])
@pytest.mark.parametrize("write", [http.to_structured, http.to_binary])
async def test_http(here: World, server: Server, sender: Sender, key: str, write, changes):
    sent = event(**changes)
    message = write(sent, JSONFormat())
    headers = message.headers | {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.url) as client:
        answers = [
            await client.post("/v1/events", content=message.body, headers=headers) for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    await here.settled()
    await check(sender, sent)


@pytest.fixture(scope="module")
async def there(postgres, kafka) -> AsyncIterator[World]:
    url = f"kafka://{kafka.bootstrap}"
    async with world(postgres, services=["interaction"], log_url=url, partitions=1) as made:
        await made.settled()
        yield made


@pytest.mark.kafka
@pytest.mark.parametrize("changes", [{}, {"datacontenttype": "application/json"}])
@pytest.mark.parametrize("write", [kafka.to_structured, kafka.to_binary])
async def test_kafka(there: World, request, write, changes):
    sent = event(**changes)
    message = write(sent, JSONFormat())
    broker = request.getfixturevalue("kafka").bootstrap
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        await producer.send_and_wait(
            f"{there.settings.namespace}.inbound",
            message.value,
            key=str(message.key).encode(),
            headers=list(message.headers.items()),
        )
    finally:
        await producer.stop()
    await there.settled()
    await check(Sender(there), sent)
