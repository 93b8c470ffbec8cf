"""The contract of the log: the same tests for both adapters."""

import asyncio
import contextlib
import uuid

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared import migrations
from shared.errors import Gap, Pause
from shared.log import MAX_RECORD_BYTES, Entry, Misconfigured, open_log
from shared.log import kafka as kafka_log
from shared.log.batching import Batching

PARTITIONS = 3


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
async def make(request):
    """A function that opens the same fresh log again and again."""
    opened = []
    namespace = f"c{uuid.uuid4().hex[:8]}"
    if request.param == "kafka":
        url = f"kafka://{request.getfixturevalue('kafka').bootstrap}"
    else:
        url = await _fresh(request.getfixturevalue("postgres"))

    def open_one(partitions=PARTITIONS):
        log = open_log(
            url, namespace=namespace, partitions=partitions, replication=1, client="test"
        )
        opened.append(log)
        return log

    yield open_one
    for log in opened:
        await log.close()


async def _fresh(postgres):
    name = f"log{uuid.uuid4().hex[:10]}"
    postgres.create_database(name)
    await migrations.upgrade("log", postgres.url(name))
    return postgres.url(name)


@pytest.fixture
async def log(make):
    made = make()
    await made.check()
    return made


def entries(partition, count, start=0, size=10):
    return [
        (
            partition,
            Entry(key=f"k{n}", value=b"x" * size + str(n).encode(), origin="profile", sequence=n),
        )
        for n in range(start + 1, start + count + 1)
    ]


async def read_all(log, partition, offset=0):
    end, found = (await log.ends("customers"))[partition], []
    while offset < end:
        records = await log.read("customers", partition, offset, events=7, size=1 << 20, wait=30)
        assert records, f"nothing at {offset}, though the partition ends at {end}"
        found += records
        offset = records[-1].offset + 1
    return found


async def read_some(log, partition, offset, events):
    return await log.read("customers", partition, offset, events=events, size=1 << 20, wait=2)


async def test_what_was_appended_is_read_in_order_with_offsets_from_zero(log):
    await log.append("customers", entries(1, 20))
    records = await read_all(log, 1)
    assert [record.offset for record in records] == list(range(20))
    assert [record.sequence for record in records] == list(range(1, 21))
    assert {record.origin for record in records} == {"profile"}
    assert records[3].value == b"x" * 10 + b"4"
    assert records[3].key == "k4"
    assert records == sorted(records, key=lambda record: record.recorded_at)


async def test_partitions_and_topics_are_apart(log):
    await log.append("customers", [*entries(0, 2), *entries(2, 3)])
    assert await log.ends("customers") == {0: 2, 1: 0, 2: 3}
    assert await log.ends("inbound") == {0: 0, 1: 0, 2: 0}
    assert await read_all(log, 1) == []


async def test_a_signature_and_no_origin_survive(log):
    await log.append("inbound", [(0, Entry(key="k", value=b"{}", signature=b"\x00\xff"))])
    [record] = await log.read("inbound", 0, 0, events=10, size=1000, wait=2)
    assert (record.signature, record.origin, record.sequence) == (b"\x00\xff", None, None)


@pytest.mark.parametrize("events", [1, 10])
async def test_reading_waits_for_what_comes(log, events):
    reading = asyncio.create_task(log.read("customers", 0, 0, events=events, size=1000, wait=10))
    await asyncio.sleep(0.3)
    assert not reading.done()
    await log.append("customers", entries(0, 1))
    assert len(await asyncio.wait_for(reading, 5)) == 1


async def test_reading_in_vain_ends(log):
    assert await log.read("customers", 0, 0, events=10, size=1000, wait=0.1) == []


async def test_a_batch_is_bounded_by_events_and_about_by_bytes(log):
    await log.append("customers", entries(0, 50, size=1000))
    assert len(await log.read("customers", 0, 0, events=10, size=1 << 20, wait=2)) == 10
    some = await log.read("customers", 0, 10, events=50, size=1, wait=2)
    assert 1 <= len(some) <= 40
    assert some[0].offset == 10


async def test_one_reader_may_go_back(log):
    await log.append("customers", entries(0, 5))
    first = await log.read("customers", 0, 0, events=10, size=1000, wait=2)
    again = await log.read("customers", 0, 2, events=10, size=1000, wait=2)
    assert again == first[2:]


async def test_a_look_at_one_record_moves_no_reader(log):
    async def look(partition, offset, wait=2):
        found = await log.read("customers", partition, offset, events=1, size=1, wait=wait)
        return [record.sequence for record in found]

    await log.append("customers", entries(0, 5) + entries(1, 2))
    assert [one.sequence for one in await read_some(log, 0, 0, 2)] == [1, 2]
    assert await look(0, 4) == [5]
    assert await look(1, 1) == [2]
    assert await look(0, 1) == [2]
    assert await look(0, 5, wait=0.1) == []
    assert await look(2, 0, wait=0.1) == []
    assert [one.sequence for one in await read_some(log, 0, 2, 2)] == [3, 4]
    await log.append("customers", entries(0, 1, start=5))
    assert await look(0, 5) == [6]
    assert await asyncio.gather(look(0, 0), look(1, 0), look(0, 2)) == [[1], [1], [3]]


async def test_who_gives_up_looking_spoils_nothing(log):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await log.read("customers", 0, 0, events=1, size=1, wait=10)
    await log.append("customers", entries(0, 1))
    assert len(await log.read("customers", 0, 0, events=1, size=1, wait=5)) == 1


async def test_concurrent_appends_leave_no_hole_and_mix_no_batch(make, log):
    other = make()
    batches = [
        (log if n % 2 else other).append("customers", entries(0, 10, start=100 * n))
        for n in range(12)
    ]
    await asyncio.gather(*batches)
    records = await read_all(log, 0)
    assert [record.offset for record in records] == list(range(120))
    by_batch = {}
    for record in records:
        by_batch.setdefault(record.sequence // 100, []).append(record.sequence)
    assert all(numbers == sorted(numbers) for numbers in by_batch.values())


async def test_what_could_not_be_sent_is_refused(log):
    with pytest.raises(ValueError, match="cannot be sent"):
        await log.append("customers", [(0, Entry(key="k", value=b"x" * (MAX_RECORD_BYTES + 1)))])
    await log.append("customers", [(0, Entry(key="k", value=b"x" * MAX_RECORD_BYTES))])
    assert await log.ends("customers") == {0: 1, 1: 0, 2: 0}


async def test_another_number_of_partitions_is_refused(make, log):
    with pytest.raises(Misconfigured, match="partitions"):
        await make(partitions=PARTITIONS + 1).check()
    await make().check()


async def test_batching_keeps_the_order_and_answers_each(log):
    batching = Batching(log, "customers")
    await asyncio.gather(*(batching.append(entries(0, 3, start=3 * n)) for n in range(30)))
    assert [record.sequence for record in await read_all(log, 0)] == list(range(1, 91))


@pytest.mark.kafka
async def test_reading_beyond_what_kafka_has_is_fatal_and_no_jump_to_the_end(kafka):
    namespace = f"c{uuid.uuid4().hex[:8]}"
    log = open_log(
        f"kafka://{kafka.bootstrap}",
        namespace=namespace,
        partitions=1,
        replication=1,
        client="test",
    )
    await log.check()
    await log.append("customers", entries(0, 3))
    for events in (1, 10):
        with pytest.raises(Gap):
            await log.read("customers", 0, 10, events=events, size=1000, wait=2)
        assert await log.read("customers", 0, 2, events=events, size=1000, wait=2)
    await log.close()


def _alone(kafka):
    """A fresh log of one partition."""
    namespace = f"x{uuid.uuid4().hex[:8]}"
    url = f"kafka://{kafka.bootstrap}"
    return open_log(url, namespace=namespace, partitions=1, replication=1, client="test")


@pytest.mark.kafka
async def test_a_reader_whose_connection_was_closed_under_it_reads_on(kafka, monkeypatch):
    """uvloop raises what aiokafka does not expect, and ends fetching for good without a word."""
    log = _alone(kafka)

    def closed(*_args, **_kwargs):
        raise RuntimeError("the handler is closed")

    try:
        await log.check()
        await log.append("customers", entries(0, 3))
        assert len(await read_all(log, 0)) == 3
        consumer = log._readers["customers", 0]._consumer
        for connection in consumer._client._conns.values():
            monkeypatch.setattr(connection, "send", closed)
        async with asyncio.timeout(30):
            await asyncio.wait([consumer._fetcher.error_future])
        await log.append("customers", entries(0, 2, start=3))
        found = await log.read("customers", 0, 3, events=10, size=1 << 20, wait=30)
        assert [record.sequence for record in found] == [4, 5]
    finally:
        await log.close()


@pytest.mark.kafka
async def test_who_gave_up_at_a_dead_connection_leaves_it_to_nobody(kafka, monkeypatch):
    """Half open, it takes what is sent and says nothing; who asks whether the log is there does not wait for long."""
    log = _alone(kafka)

    async def silence(*_args, **_kwargs):
        await asyncio.sleep(3600)

    try:
        await log.check()
        assert await log.ends("customers") == {0: 0}
        for connection in log._ends._consumer._client._conns.values():
            monkeypatch.setattr(connection, "send", silence)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await log.ends("customers")
        async with asyncio.timeout(30):
            assert await log.ends("customers") == {0: 0}
    finally:
        await log.close()


@pytest.mark.kafka
@pytest.mark.parametrize("how", ["read", "look", "end"])
async def test_a_connection_that_nobody_used_for_long_is_not_trusted(kafka, monkeypatch, how):
    """It may be half open by now. Whoever takes a partition again, or looks at one record, would wait for that."""
    monkeypatch.setattr(kafka_log, "IDLE_SECONDS", 1.0)
    log = _alone(kafka)

    async def ask() -> None:
        if how == "end":
            assert await log.ends("customers") == {0: 3}
        else:
            events = 1 if how == "look" else 10
            assert await log.read("customers", 0, 2, events=events, size=1000, wait=5)

    async def silence(*_args, **_kwargs):
        await asyncio.sleep(3600)

    try:
        await log.check()
        await log.append("customers", entries(0, 3))
        await ask()
        asked = log._ends if how == "end" else log._lookers["customers"]
        asked = log._readers["customers", 0] if how == "read" else asked
        for connection in asked._consumer._client._conns.values():
            monkeypatch.setattr(connection, "send", silence)
        await asyncio.sleep(1.5)
        async with asyncio.timeout(10):
            await ask()
    finally:
        await log.close()


async def test_a_client_that_is_stopped_at_once_ends_nobody_else():
    async def stop() -> None:
        # as aiokafka does: it waits for a task that it cancels before that has begun
        task = asyncio.create_task(asyncio.sleep(3600))
        task.cancel()
        await task

    await asyncio.wait_for(kafka_log._end(stop()), 5)


async def test_a_client_that_cannot_be_stopped_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(kafka_log, "CLOSE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def stop() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await ended.wait()

    await asyncio.wait_for(kafka_log._end(stop()), 5)
    ended.set()


@pytest.mark.kafka
@pytest.mark.parametrize("turns", range(6))
async def test_who_is_cancelled_while_a_client_is_stopped_is_cancelled(kafka, turns):
    consumer = await kafka_log._consumer(kafka.bootstrap, "test", 1000)
    consumer.assign([TopicPartition("nothing", 0)])
    consumer.seek(TopicPartition("nothing", 0), 0)
    await asyncio.sleep(0.05)

    async def stop() -> None:
        await kafka_log._end(consumer.stop())
        await asyncio.sleep(3600)

    stopping = asyncio.create_task(stop())
    for _ in range(turns):
        await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping}, timeout=5)
    heard = stopping.done()
    stopping.cancel()
    assert heard


@pytest.mark.parametrize("url", ["kafka://127.0.0.1:9", "postgresql://nobody@127.0.0.1:9/log"])
async def test_a_log_that_is_away_is_a_pause(url):
    log = open_log(url, namespace="", partitions=1, replication=1, client="test")
    with pytest.raises(Pause):
        await log.check()
    await log.close()


async def test_services_tell_each_other_how_far_they_are(make, log):
    other = make()
    assert await log.noted("customers", ["profile", "campaign"]) == {}
    for places in ({0: 3, 2: 7}, {0: 5}):
        await log.note("profile", "customers", places)
    await log.note("profile", "inbound", {1: 9})
    await other.note("scoring", "customers", {1: 1})
    told = await other.noted("customers", ["profile", "scoring", "campaign"])
    assert told == {"profile": {0: 5, 2: 7}, "scoring": {1: 1}}


@pytest.mark.kafka
async def test_tools_of_kafka_see_how_far_a_service_has_come(kafka):
    namespace = f"c{uuid.uuid4().hex[:8]}"
    log = open_log(
        f"kafka://{kafka.bootstrap}",
        namespace=namespace,
        partitions=PARTITIONS,
        replication=1,
        client="test",
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await log.check()
        for places in ({0: 3, 2: 7}, {0: 5}):
            await log.note("profile", "customers", places)
        found = await admin.list_consumer_group_offsets(f"{namespace}.profile")
        told = {(place.topic, place.partition): at.offset for place, at in found.items()}
        assert told == {(f"{namespace}.customers", 0): 5, (f"{namespace}.customers", 2): 7}
    finally:
        await admin.close()
        await log.close()
