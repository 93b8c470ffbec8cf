"""Shops that never were, as events on a log of their own: customers who come at their own pace and leave."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from services.scoring.train.facts import Facts, Gathering
from shared import codec
from shared.ids import partition_of
from shared.language import ClockTicked, Data
from shared.log import Entry, Log
from tests.strategies import bought, make_event

BEGAN = datetime(2025, 1, 6, 4, 0, tzinfo=UTC)
DAYS = 330
NOW = BEGAN + timedelta(days=DAYS, hours=13)


def customer_id(number: int) -> str:
    return str(UUID(int=(0x0190_0000_0000_7000_8000 << 48) + number))


def purchases(
    customers: int, *, days: int = DAYS, leave: float = 0.05, seed: int = 1
) -> Iterator[tuple[int, float, int]]:
    """(customer, day since BEGAN, minor units)."""
    random = np.random.default_rng(seed)
    for number in range(customers):
        pace, level = 18.0 * random.lognormal(0.0, 0.7), 3000 * random.lognormal(0.0, 0.6)
        day = random.uniform(0, days * 0.7)
        while day < days:
            yield number, day, round(level * random.lognormal(0.0, 0.4))
            if random.random() < leave:
                break
            day += random.exponential(pace) + 0.5


def facts_of(customers: int, **how: object) -> Facts:
    """A shop without a log."""
    gathering = Gathering()
    for number, (who, day, amount) in enumerate(purchases(customers, **how)):  # type: ignore[arg-type]
        gathering.take(
            make_event(
                bought(amount, order_id=f"A-{number}"),
                number=number + 1,
                time=BEGAN + timedelta(days=day),
                subject=customer_id(who),
            )
        )
    gathering.take(make_event(ClockTicked(at=NOW), subject="", number=10**6))
    return gathering.facts()


def record(
    data: Data, kind: str, number: int, time: datetime, subject: str, partitions: int, sequence: int
) -> tuple[int, Entry]:
    """One event as interaction would have sent it."""
    event_id = str(UUID(int=(0x0191_0000_0000_7000_8000 << 48) + number))
    value = codec.encode(
        id=event_id,
        type=kind,
        subject=subject,
        time=time,
        receivedtime=time,
        source="till",
        sourceid=event_id,
        data=data,
        utcoffset=480,
    )
    entry = Entry(key=subject, value=value, origin="interaction", sequence=sequence)
    return (partition_of(subject, partitions) if subject else -1), entry


async def put_shop(log: Log, customers: int, partitions: int, **how: object) -> int:
    """Put a shop on a log, and the time; answer how many purchases it has."""
    numbers, entries = [0] * partitions, []
    rows = sorted(purchases(customers, **how), key=lambda row: row[1])  # type: ignore[arg-type]
    for number, (who, day, amount) in enumerate(rows):
        subject = customer_id(who)
        partition = partition_of(subject, partitions)
        numbers[partition] += 1
        data, time = bought(amount, order_id=f"A-{number}"), BEGAN + timedelta(days=day)
        kind = "purchase.completed"
        entries.append(record(data, kind, number, time, subject, partitions, numbers[partition]))
    for partition in range(partitions):
        number = 10**6 + partition
        tick = record(
            ClockTicked(at=NOW), "clock.ticked", number, NOW, "", partitions, numbers[partition] + 1
        )
        entries.append((partition, tick[1]))
    await log.append("customers", entries)
    return len(rows)
