"""The log in Apache Kafka, through aiokafka: no transactions and no consumer groups.

An idempotent batch that expires has already advanced the producer's sequence number, so that the next one leaves
a hole or is refused for ever: hence one batch in flight per partition, and a new producer after any error. A sent
batch is otherwise retried without end: hence a limit of our own, after which the outcome is unknown. Whoever
appends starts again from what was acknowledged, and readers drop what they have seen.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, get_args

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    CorruptRecordException,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)

from shared.errors import Gap, Pause
from shared.ids import new_id
from shared.log import Entry, Genesis, Misconfigured, Record, Topic, check_sizes, topic_name
from shared.tables import ORIGINS

_logger = structlog.get_logger(__name__)

BATCH_BYTES = 900_000
APPEND_SECONDS = 15.0
READ_SECONDS = 20.0
FETCH_BYTES = 2 << 20
FETCH_WAIT_MS = 500
"""How long the broker holds a question to which there is nothing to say. Questions about idle partitions are most of
what an idle broker does, but a longer hold delays whoever seeks: the one that is out must come back first."""
MANY = 500
START_SECONDS = 10.0
CLOSE_SECONDS = 2.0
IDLE_SECONDS = 30.0
"""After so long a connection over which nobody asked anything is not asked again, but made anew. What lies in between
may have forgotten it, and would not say so: to find out takes as long as a question may."""
DAY_MS = 24 * 3600 * 1000
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())
_USUAL = {text.encode(): text for text in (*ORIGINS, CONTENT_TYPE)}
"""Values of headers that come again and again."""
_LOST = (
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    RecordTooLargeError,
    CorruptRecordException,
)

_AWAY = (KafkaError, TimeoutError, OSError, RuntimeError)
"""RuntimeError is what uvloop raises where one writes to a connection that is closed already, and asyncio does not."""

TOPICS: dict[Topic, dict[str, str]] = {
    "inbound": {"retention.ms": str(7 * DAY_MS)},
    "backfill": {"retention.ms": str(7 * DAY_MS)},
    "customers": {"retention.ms": "-1"},
}
GENESIS = "genesis"
"""A topic of one partition and one record, `log.created`: it goes wherever the other topics are mirrored to."""
COMMON = {
    "cleanup.policy": "delete",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
}


class KafkaLog:
    """See `shared.log.Log`."""

    def __init__(
        self, servers: str, *, namespace: str, partitions: int, replication: int, client: str
    ) -> None:
        self._servers = servers
        self._namespace = namespace
        self._names: dict[Topic, str] = {
            topic: topic_name(namespace, topic) for topic in get_args(Topic)
        }
        self._genesis = topic_name(namespace, GENESIS)
        self._partitions = partitions
        self._replication = replication
        self._client = client
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._appending: defaultdict[tuple[Topic, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._readers: dict[tuple[Topic, int], _Reader] = {}
        self._lookers = {
            topic: _Looker(servers, name, partitions, client) for topic, name in self._names.items()
        }
        self._ends: _Reader | None = None
        self._places: dict[str, _Places] = {}
        self._asker: AIOKafkaAdminClient | None = None
        self._asking = asyncio.Lock()

    async def append(self, topic: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        check_sizes(entries)
        parts: defaultdict[int, list[Entry]] = defaultdict(list)
        for partition, entry in entries:
            parts[partition].append(entry)
        producer = await self._started()
        sends = [
            self._append(producer, topic, partition, part) for partition, part in parts.items()
        ]
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                for outcome in await asyncio.gather(*sends, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        raise outcome
        except _AWAY as error:
            await self._discard(producer)
            raise Pause("log_append") from error

    async def _append(
        self, producer: AIOKafkaProducer, topic: Topic, partition: int, entries: Sequence[Entry]
    ) -> None:
        async with self._appending[topic, partition]:
            start = 0
            while start < len(entries):
                batch = producer.create_batch()
                count = _fill(batch, entries, start)
                future = await producer.send_batch(batch, self._names[topic], partition=partition)
                await future
                start += count

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers,
                    client_id=self._client,
                    acks="all",
                    enable_idempotence=True,
                    compression_type="lz4",
                    max_batch_size=BATCH_BYTES,
                    max_request_size=2 * BATCH_BYTES,
                    request_timeout_ms=10_000,
                )
                await _start(producer)
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        await _end(producer.stop())

    async def read(
        self, topic: Topic, partition: int, offset: int, *, events: int, size: int, wait: float
    ) -> list[Record]:
        if events == 1:
            return await self._lookers[topic].read(partition, offset, wait=wait)
        reader = self._readers.get((topic, partition))
        if reader is None:
            reader = _Reader(self._servers, self._names[topic], partition, self._client)
            self._readers[topic, partition] = reader
        return await reader.read(offset, events=events, size=size, wait=wait)

    async def ends(self, topic: Topic) -> dict[int, int]:
        if self._ends is None:
            self._ends = _Reader(self._servers, self._names[topic], 0, self._client)
        return await self._ends.ends(self._names[topic], self._partitions)

    async def note(self, reader: str, topic: Topic, offsets: Mapping[int, int]) -> None:
        """Commit them for a consumer group without members, so that all tools show its lag."""
        places = self._places.get(reader)
        if places is None:
            group = topic_name(self._namespace, reader)
            places = _Places(self._servers, group, self._client)
            self._places[reader] = places
        name = self._names[topic]
        await places.commit({TopicPartition(name, n): at for n, at in offsets.items()})

    async def noted(self, topic: Topic, readers: Iterable[str]) -> dict[str, dict[int, int]]:
        name = self._names[topic]
        found: dict[str, dict[int, int]] = {}
        async with self._asking:
            try:
                async with asyncio.timeout(START_SECONDS):
                    if self._asker is None:
                        self._asker = AIOKafkaAdminClient(
                            bootstrap_servers=self._servers, client_id=self._client
                        )
                        await self._asker.start()
                    for reader in readers:
                        found[reader] = await self._committed(self._asker, reader, name)
            except _AWAY as error:
                await self._stop_asking()
                raise Pause("log") from error
        return {reader: places for reader, places in found.items() if places}

    async def _committed(
        self, admin: AIOKafkaAdminClient, reader: str, name: str
    ) -> dict[int, int]:
        try:
            committed = await admin.list_consumer_group_offsets(topic_name(self._namespace, reader))
        except GroupCoordinatorNotAvailableError:
            return {}  # so it is until a first group has committed anything
        return {
            place.partition: at.offset for place, at in committed.items() if place.topic == name
        }

    async def _stop_asking(self) -> None:
        asker, self._asker = self._asker, None
        if asker is not None:
            await _end(asker.close())

    async def check(self) -> None:
        """Create what is missing; refuse what is wrong. A topic that a client's question had created would
        forget after seven days, and a wrong number of partitions would split customers in two."""
        async with self._admin() as admin:
            names = await admin.list_topics()
            wanted = {self._names[topic]: (own, self._partitions) for topic, own in TOPICS.items()}
            wanted[self._genesis] = (TOPICS["customers"], 1)
            for name, (own, partitions) in wanted.items():
                if name not in names:
                    await self._create(admin, name, own, partitions)
            for name, (own, partitions) in wanted.items():
                await self._verify(admin, name, COMMON | own, partitions)
        if not await self._origin():
            await self._make_genesis()

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, client_id=self._client)
        try:
            async with asyncio.timeout(START_SECONDS):
                await admin.start()
            yield admin
        except _AWAY as error:
            raise Pause("log") from error
        finally:
            await _end(admin.close())

    async def genesis(self) -> Genesis:
        """The first record counts: two processes that start a log together may both have written one."""
        found = await self._origin()
        if not found:
            raise Pause("log")  # nobody has checked it yet
        told = orjson.loads(found[0].value)
        return Genesis(told["uuid"], told["partitions"])

    async def _origin(self) -> list[Record]:
        reader = _Reader(self._servers, self._genesis, 0, self._client)
        try:
            if not (await reader.ends(self._genesis, 1))[0]:
                return []
            return await reader.read(0, events=1, size=1, wait=READ_SECONDS)
        finally:
            await reader.close()

    async def _make_genesis(self) -> None:
        told = {"type": "log.created", "uuid": new_id(), "partitions": self._partitions}
        producer = await self._started()
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                batch = producer.create_batch()
                _fill(batch, [Entry(key="", value=orjson.dumps(told))], 0)
                await (await producer.send_batch(batch, self._genesis, partition=0))
        except _AWAY as error:
            await self._discard(producer)
            raise Pause("log_append") from error

    async def _create(
        self, admin: AIOKafkaAdminClient, name: str, own: dict[str, str], partitions: int
    ) -> None:
        made = NewTopic(name, partitions, self._replication, topic_configs=COMMON | own)
        answer = await admin.create_topics([made])
        for error in answer.topic_errors:
            kind = for_code(error[1])
            if error[1] and kind is not TopicAlreadyExistsError:
                raise Misconfigured(f"topic {error[0]} cannot be made: {kind.__name__}")

    async def _verify(
        self, admin: AIOKafkaAdminClient, name: str, wanted: dict[str, str], count: int
    ) -> None:
        partitions = await self._described(admin, name)
        if len(partitions) != count:
            raise Misconfigured(f"topic {name} has {len(partitions)} partitions, not {count}")
        for partition in partitions:
            if len(partition["replicas"]) < self._replication:
                raise Misconfigured(f"topic {name} has fewer than {self._replication} replicas")
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        answer = await admin.describe_configs([resource])
        found = {entry[0]: entry[1] for entry in answer[0].resources[0][4]}
        for key, value in wanted.items():
            if found.get(key) != value:
                raise Misconfigured(f"topic {name} has {key}={found.get(key)}, it must be {value}")

    async def _described(self, admin: AIOKafkaAdminClient, name: str) -> list[dict[str, Any]]:
        """The partitions of a topic; one just made is known a moment later."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                described = (await admin.describe_topics([name]))[0]
                partitions: list[dict[str, Any]] = described["partitions"]
                if partitions and all(one["leader"] >= 0 for one in partitions):
                    return partitions
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        readers: list[_Reader | _Looker] = [*self._readers.values(), *self._lookers.values()]
        if self._ends:
            readers.append(self._ends)
        closing = [one.close() for one in readers] + [one.close() for one in self._places.values()]
        await asyncio.gather(*closing, self._stop_asking(), return_exceptions=True)
        if self._producer is not None:
            await self._discard(self._producer)


async def _start(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await client.start()
    except _AWAY as error:
        await _end(client.stop())
        raise Pause("log") from error
    except BaseException:
        _begin_to_end(client.stop())
        raise


_closing: set[asyncio.Task[None]] = set()
"""Nobody else holds these tasks."""


async def _end(closing: Coroutine[Any, Any, None]) -> None:
    """Close a client, whatever state it is in, and without waiting long.

    In a task of its own: while it closes, aiokafka takes every cancellation for one of those that it asked for itself.
    Whoever was cancelled meanwhile would go on for ever, and whoever was not could be told so.
    """
    await asyncio.wait({_begin_to_end(closing)}, timeout=CLOSE_SECONDS)


def _begin_to_end(closing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(_closed(closing))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    return task


async def _closed(closing: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(Exception):  # it is of no use any more
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing


async def _consumer(servers: str, client: str, fetch_bytes: int) -> AIOKafkaConsumer:
    """One that reads where it is told to. `fetch_bytes`: the most of a partition at once; one batch comes whole."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        client_id=client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=fetch_bytes,
        request_timeout_ms=15_000,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    await _start(consumer)
    return consumer


def _fill(batch: Any, entries: Sequence[Entry], start: int) -> int:
    """Put entries into the batch until it is full; answer how many went in."""
    count = 0
    for entry in entries[start:]:
        headers: list[tuple[str, bytes]] = [_CONTENT_TYPE]
        if entry.origin is not None:
            headers += [
                ("origin", entry.origin.encode()),
                ("sequence", str(entry.sequence).encode()),
            ]
        if entry.signature is not None:
            headers.append(("signature", entry.signature))
        if (
            batch.append(key=entry.key.encode(), value=entry.value, timestamp=None, headers=headers)
            is None
        ):
            break
        count += 1
    if not count:
        raise ValueError("an event is larger than a batch may be")
    return count


def _has_ended(consumer: AIOKafkaConsumer) -> bool:
    """Whether what fetches in the background, or learns who leads, has ended: at an error that aiokafka does not
    expect it does so for good, and whoever waits for records of a consumer without a group is never told."""
    fetching, learning = consumer._fetcher.error_future, consumer._client._sync_task  # noqa: SLF001
    return fetching.done() or learning is None or learning.done()


class _Asked:
    """A consumer that is made when it is asked for the first time, and anew where it is of no use any more."""

    def __init__(self, servers: str, client: str, fetch_bytes: int) -> None:
        self._servers = servers
        self._client = client
        self._fetch_bytes = fetch_bytes
        self._consumer: AIOKafkaConsumer | None = None
        self._used = 0.0
        """When it was asked last (of `time.monotonic`)."""
        self._lock = asyncio.Lock()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is not None and not self._is_of_use(self._consumer):
            await self.close()
        if self._consumer is None:
            consumer = await _consumer(self._servers, self._client, self._fetch_bytes)
            self._begin(consumer)
            self._consumer = consumer
        self._used = time.monotonic()
        return self._consumer

    def _is_of_use(self, consumer: AIOKafkaConsumer) -> bool:
        if _has_ended(consumer):
            _logger.warning("reader_ended", partitions=sorted(map(str, consumer.assignment())))
            return False
        return time.monotonic() - self._used < IDLE_SECONDS

    def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Say which partitions it reads."""
        raise NotImplementedError

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _end(consumer.stop())


class _Reader(_Asked):
    """One partition's consumer. It seeks when it is asked for another offset than the one it stands at."""

    def __init__(self, servers: str, name: str, partition: int, client: str) -> None:
        super().__init__(servers, client, FETCH_BYTES)
        self._partition = TopicPartition(name, partition)
        self._at = -1

    async def read(self, offset: int, *, events: int, size: int, wait: float) -> list[Record]:
        async with self._lock:
            try:
                consumer = await self._started()
                if self._at != offset:
                    consumer.seek(self._partition, offset)
                    self._at = offset
                return await self._fetch(consumer, events, size, wait)
            except _LOST as error:
                await self.close()
                raise Gap(f"{self._partition} cannot be read from {offset}: {error!r}") from error
            except _AWAY as error:
                await self.close()
                raise Pause("log") from error
            except BaseException:
                self._at = -1
                raise

    async def _fetch(
        self, consumer: AIOKafkaConsumer, events: int, size: int, wait: float
    ) -> list[Record]:
        """Gather what has been fetched already, up to the bounds; wait only for the first record."""
        records: list[Record] = []
        total = 0
        timeout = int(wait * 1000)
        while len(records) < events and total < size:
            async with asyncio.timeout(READ_SECONDS + wait):
                answer = await consumer.getmany(
                    self._partition,
                    timeout_ms=timeout,
                    max_records=min(MANY, events - len(records)),
                )
            found = answer.get(self._partition, [])
            if not found:
                break
            for message in found:
                records.append(_record(message))
                total += len(message.value or b"")
            self._at = found[-1].offset + 1
            # Behind, a moment fills the batch; caught up, who waits for more only makes these late.
            timeout = 5 if len(records) >= MANY else 0
        return records

    def _begin(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._partition])
        self._at = -1

    async def ends(self, name: str, partitions: int) -> dict[int, int]:
        async with self._lock:
            try:
                consumer = await self._started()
                async with asyncio.timeout(READ_SECONDS):
                    found = await consumer.end_offsets(
                        [TopicPartition(name, n) for n in range(partitions)]
                    )
            except _AWAY as error:
                await self.close()
                raise Pause("log") from error
            except BaseException:
                # Whoever gave up may have waited at a connection that is dead and will not say so; the next one, who is
                # as impatient, would wait there again.
                await self.close()
                raise
            return {partition.partition: end for partition, end in found.items()}


class _Looker(_Asked):
    """Single records of any partition of a topic, for who looks at one and goes: no more is fetched than the batch
    in which it lies, where a reader would be sent megabytes of what follows, and nothing when nobody asks."""

    def __init__(self, servers: str, name: str, partitions: int, client: str) -> None:
        super().__init__(servers, client, 1)
        self._partitions = [TopicPartition(name, n) for n in range(partitions)]

    async def read(self, partition: int, offset: int, *, wait: float) -> list[Record]:
        """The first record from the offset on; none where it has not come within `wait` seconds."""
        wanted = self._partitions[partition]
        async with self._lock:
            try:
                consumer = await self._started()
                consumer.seek(wanted, offset)
                consumer.resume(wanted)
                async with asyncio.timeout(READ_SECONDS + wait):
                    answer = await consumer.getmany(
                        wanted, timeout_ms=int(wait * 1000), max_records=1
                    )
                consumer.pause(wanted)
            except _LOST as error:
                await self.close()
                raise Gap(f"{wanted} cannot be read from {offset}: {error!r}") from error
            except _AWAY as error:
                await self.close()
                raise Pause("log") from error
            except BaseException:
                await self.close()  # whoever gave up has left it at work
                raise
            return [_record(message) for message in answer.get(wanted, [])]

    def _begin(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._partitions)
        consumer.pause(*self._partitions)
        for one in self._partitions:
            consumer.seek(one, 0)  # so that it looks for no place of its own


class _Places:
    """The committed offsets of one group, through a consumer that never reads."""

    def __init__(self, servers: str, group: str, client: str) -> None:
        self._servers = servers
        self._group = group
        self._client = client
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def commit(self, places: Mapping[TopicPartition, int]) -> None:
        async with self._lock:
            try:
                if self._consumer is None:
                    self._consumer = await self._started()
                new = places.keys() - self._consumer.assignment()
                if new:
                    self._consumer.assign([*self._consumer.assignment(), *new])
                    self._consumer.pause(*self._consumer.assignment())
                async with asyncio.timeout(START_SECONDS):
                    await self._consumer.commit(dict(places))
            except _AWAY as error:
                await self.close()
                raise Pause("log") from error

    async def _started(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=self._client,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        await _start(consumer)
        return consumer

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _end(consumer.stop())


def _record(message: Any) -> Record:
    origin = sequence = signature = content_type = None
    attributes: dict[str, bytes] = {}
    for name, value in message.headers or ():
        if name == "origin":
            origin = value
        elif name == "sequence":
            sequence = value
        elif name == "content-type":
            content_type = value
        elif name == "signature":
            signature = value
        elif name.startswith("ce_"):
            attributes[name] = value or b""
    return Record(
        message.partition,
        message.offset,
        _moment(message.timestamp),
        _text(message.key or b""),
        message.value or b"",
        (_USUAL.get(origin) or _text(origin)) if origin else None,
        int(sequence) if sequence and sequence.isdigit() else None,
        signature,
        (_USUAL.get(content_type) or _text(content_type)) if content_type else None,
        attributes or None,
    )


@lru_cache(maxsize=16)
def _moment(milliseconds: int) -> datetime:
    """All records of a batch carry the time of the log when it took the batch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode(errors="replace")
