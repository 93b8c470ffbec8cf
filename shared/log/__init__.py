"""The log is the truth: three topics, each the same fixed number of partitions, each partition an order.

`inbound` is the public door: untrusted, not yet resolved to a customer, kept for seven days. `backfill` is its
slow lane: what our own door took as history, so that live events never wait behind it. `customers` is the
canonical stream: valid, resolved, keyed by customer, kept for ever. Two adapters keep the same contract: Apache
Kafka for real work, PostgreSQL for one machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

Topic = Literal["inbound", "backfill", "customers"]

MAX_RECORD_BYTES = 512 * 1024
"""What may be appended at the most. Below any broker's limit, so that a relay never meets a refusal; above the
largest event that the door takes with what its order counted for before and after, each no larger than it."""


class Entry(Struct, frozen=True, gc=False):
    """What is to be appended. `origin` and `sequence` number the events of one service in one partition;
    `signature` proves that our own ingest has validated the value."""

    key: str
    value: bytes
    origin: str | None = None
    sequence: int | None = None
    signature: bytes | None = None
    personal: bool = False
    """Whether it holds personal data in the clear: no outbox takes it before it is sealed."""


class Record(Struct, frozen=True, gc=False):
    """What was appended. `offset` counts from 0; `recorded_at` is the log's own time (UTC)."""

    partition: int
    offset: int
    recorded_at: datetime
    key: str
    value: bytes
    origin: str | None
    sequence: int | None
    signature: bytes | None
    content_type: str | None = None
    attributes: Mapping[str, bytes] | None = None
    """Headers `ce_*`, where there are any: a CloudEvent in binary mode."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """`log.created`: what a log was made as. It never changes, and no two logs have the same `uuid`."""

    uuid: str
    partitions: int


class Log(Protocol):
    """Raises `Pause` (or what `errors.is_pause` knows) where the log is away; after a failed append the
    outcome is unknown, and the caller starts again from what it knows to be acknowledged."""

    async def append(self, topic: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        """Append (partition, entry) pairs, those of a partition in their order; return when the log has
        acknowledged all of them."""

    async def read(
        self, topic: Topic, partition: int, offset: int, *, events: int, size: int, wait: float
    ) -> list[Record]:
        """At most `events` records and about `size` bytes from `offset` on; an empty list after `wait` seconds. For one
        record nothing more is fetched, and whoever reads on elsewhere is not disturbed."""

    async def ends(self, topic: Topic) -> dict[int, int]:
        """The offset that the next record of each partition will have."""

    async def note(self, reader: str, topic: Topic, offsets: Mapping[int, int]) -> None:
        """Tell others, and the log's own tools, how far a service has come in each partition. A service's own
        place stands in its checkpoint, never here."""

    async def noted(self, topic: Topic, readers: Iterable[str]) -> dict[str, dict[int, int]]:
        """What these services told last; those that never did are left out."""

    async def check(self) -> None:
        """Refuse a log that is not as it must be: `Misconfigured`."""

    async def genesis(self) -> Genesis:
        """What this log was made as. Call `check` first: a log that was never asked before gets its own then."""

    async def close(self) -> None: ...


class Misconfigured(Exception):  # noqa: N818 - it names what is wrong
    """The log is not as it must be: a wrong number of partitions, a retention that would forget the truth."""


def check_sizes(entries: Iterable[tuple[int, Entry]]) -> None:
    """Raise ValueError for what a log might refuse: nothing of it may ever reach an outbox."""
    for _, entry in entries:
        if len(entry.value) > MAX_RECORD_BYTES:
            raise ValueError(f"an event of {len(entry.value)} bytes cannot be sent")


def topic_name(namespace: str, topic: str) -> str:
    """`customers`, or `acme.customers` where a namespace is set."""
    return f"{namespace}.{topic}" if namespace else topic


def open_log(url: str, *, namespace: str, partitions: int, replication: int, client: str) -> Log:
    """The adapter that the address names."""
    if url.startswith("kafka://"):
        from shared.log.kafka import KafkaLog

        return KafkaLog(
            url.removeprefix("kafka://"),
            namespace=namespace,
            partitions=partitions,
            replication=replication,
            client=client,
        )
    if url.startswith(("postgresql://", "postgres://")):
        from shared.log.postgres import PostgresLog

        return PostgresLog(url, partitions=partitions, client=client)
    raise Misconfigured("EVENT_LOG_URL must start with kafka:// or postgresql://")
