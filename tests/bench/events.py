"""What is measured with: records of `customers` as interaction's relay would have written them.

Of ten events six are purchases of three lines, settled as the resolver settles them, three are contacts and one is the
answer to a survey; a tick of the clock stands before them in every partition and once more behind every so many. All of
it follows from the seed: two runs measure the same bytes.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
import numpy as np

from shared import codec
from shared.ids import partition_of
from shared.language import ClockTicked
from shared.language.purchase import Contribution, Settled
from shared.log import Entry, Log

PARTITIONS = 2
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = timedelta(days=1)
"""From the first event to the last."""
TICK_EVENTS = 20_000
APPEND_EVENTS = 5_000
ZIPF = 1.1
_MINTED_FROM = datetime(2025, 3, 1, tzinfo=UTC)
_CATEGORIES = ("Dairy", "Fruit", "Bakery", "Frozen", "Household", "Drinks", "Meat", "Pets")
_CHANNELS = ("store", "web", "app")
_KINDS = ("page_view", "call", "email", "chat")
_encode = msgspec.json.Encoder().encode

Keys = Literal["uniform", "zipf"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Which events: `events` of them, of so many customers, drawn uniformly or by Zipf's law (exponent 1.1)."""

    events: int
    customers: int
    keys: Keys = "uniform"
    seed: int = 1


def customer_ids(count: int, seed: int = 1) -> list[str]:
    """UUIDv7s in the order of their making, spread over a year before the first event."""
    draw = random.Random(seed)
    first = int(_MINTED_FROM.timestamp() * 1000)
    step = 365 * 86_400_000 / count
    return [_uuid7(first + int(n * step), draw.getrandbits(74)) for n in range(count)]


def _uuid7(milliseconds: int, randomness: int) -> str:
    high = (milliseconds << 16) | 0x7000 | (randomness >> 62)
    low = (0b10 << 62) | (randomness & ((1 << 62) - 1))
    return str(UUID(int=(high << 64) | low))


def drawn(stream: Stream) -> np.ndarray:
    """Which customer each event is about, as an index into `customer_ids`. The customers of whom there is most are
    spread over all ids: when somebody came says nothing about how much they buy."""
    generator = np.random.default_rng(stream.seed)
    if stream.keys == "uniform":
        return generator.integers(0, stream.customers, stream.events)
    weights = np.arange(1, stream.customers + 1, dtype=np.float64) ** -ZIPF
    reached = np.cumsum(weights) / weights.sum()
    ranks = np.searchsorted(reached, generator.random(stream.events))
    return generator.permutation(stream.customers)[np.minimum(ranks, stream.customers - 1)]


def entries(stream: Stream) -> Iterator[tuple[int, Entry]]:
    """(partition, entry) in the order of time, numbered as interaction numbers them."""
    ids = customer_ids(stream.customers, stream.seed)
    draw = random.Random(stream.seed)
    sequences = [0] * PARTITIONS
    step = SPAN / stream.events

    def numbered(partition: int, key: str, value: bytes) -> tuple[int, Entry]:
        sequences[partition] += 1
        return partition, Entry(key, value, origin="interaction", sequence=sequences[partition])

    for number, index in enumerate(drawn(stream)):
        at = FIRST + step * number
        if number % TICK_EVENTS == 0:
            for partition in range(PARTITIONS):
                yield numbered(partition, "", _event(draw, "clock.ticked", "", at, ClockTicked(at)))
        customer = ids[index]
        partition = partition_of(customer, PARTITIONS)
        yield numbered(partition, customer, _about(draw, customer, at, number))


def _about(draw: random.Random, customer: str, at: datetime, number: int) -> bytes:
    kind = number % 10
    if kind < 6:
        id_ = _uuid7(int(at.timestamp() * 1000), draw.getrandbits(74))
        return _event(
            draw, "purchase.completed", customer, at, _bought(draw, id_, at, number), id_=id_
        )
    if kind < 9:
        data: dict[str, Any] = {
            "kind": draw.choice(_KINDS),
            "channel": draw.choice(_CHANNELS),
            "direction": "inbound",
            "outcome": "done",
            "product_ids": [f"P{draw.randrange(5000)}"],
        }
        return _event(draw, "interaction.recorded", customer, at, data)
    answer = {"survey_id": f"s-{draw.randrange(20)}", "kind": "nps", "score": draw.randrange(11)}
    return _event(draw, "survey.answered", customer, at, answer)


def _bought(draw: random.Random, id_: str, at: datetime, number: int) -> dict[str, Any]:
    lines = [
        {
            "product_id": f"P{draw.randrange(5000)}",
            "name": "Something to eat",
            "category": draw.choice(_CATEGORIES),
            "quantity": 1,
            "unit_price": "10.00",
            "amount": "10.00",
        }
        for _ in range(3)
    ]
    channel, store = draw.choice(_CHANNELS), str(draw.randrange(40))
    categories: dict[str, int] = {}
    for line in lines:
        categories[line["category"]] = categories.get(line["category"], 0) + 1
    cents = 1000 + draw.randrange(9000)
    after = Contribution(
        event_id=id_,
        time=at,
        utcoffset=480,
        orders=1,
        spend={"CNY": cents},
        discount={},
        promoted=False,
        categories=categories,
        channel=channel,
        store=store,
    )
    return {
        "order_id": f"A-{number}",
        "total": {"amount": f"{cents // 100}.{cents % 100:02}", "currency": "CNY"},
        "channel": channel,
        "store": store,
        "items": lines,
        "settled": Settled(after=after),
    }


def _event(
    draw: random.Random, type_: str, subject: str, at: datetime, data: Any, *, id_: str = ""
) -> bytes:
    made = id_ or _uuid7(int(at.timestamp() * 1000), draw.getrandbits(74))
    return codec.encode(
        id=made,
        type=type_,
        subject=subject,
        time=at,
        receivedtime=at,
        utcoffset=480,
        source="https://shop.example/pos",
        sourceid=f"s-{made[-12:]}",
        data=_encode(data),
    )


async def preload(log: Log, stream: Stream) -> list[int]:
    """Put the stream onto `customers`; answer how many records each partition got."""
    counts = [0] * PARTITIONS
    waiting: list[tuple[int, Entry]] = []
    for partition, entry in entries(stream):
        counts[partition] += 1
        waiting.append((partition, entry))
        if len(waiting) == APPEND_EVENTS:
            await log.append("customers", waiting)
            waiting = []
    if waiting:
        await log.append("customers", waiting)
    return counts


def share(counts: Sequence[int], events: int) -> list[int]:
    """How many records of each partition make up the first `events` of them, as evenly as they lie."""
    total = sum(counts)
    return [min(count, round(count * events / total)) for count in counts]
