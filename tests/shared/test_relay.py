"""The relay sends an outbox in the order of its numbers. What fails is sent again: the log may hold repeats, but
first occurrences are complete and in order."""

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from shared import relay as relay_module
from shared.errors import Pause
from shared.log import Entry, Record
from shared.loop import relaying
from shared.loop.relaying import Relaying
from shared.outbox import OUTBOX
from shared.relay import Relay
from shared.wake import Hint
from tests.shared.loop.bench import Bench, eventually, open_bench
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import DAY0


@pytest.fixture
async def bench(postgres):
    async with open_bench(postgres) as made:
        await made.leases(partitions=3).prepare()
        yield made


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(relay_module, "BATCH_EVENTS", 7)


async def put(bench: Bench, first: int, last: int, partition: int = 0) -> None:
    """Events `first` to `last` of the outbox; each value says its number."""
    entries = [(partition, Entry(f"k{n}", str(n).encode())) for n in range(first, last + 1)]
    async with bench.database.transaction() as conn:
        assert await OUTBOX.append(conn, entries, DAY0) == list(range(first, last + 1))


def relay(bench: Bench, log: MemoryLog, partition: int = 0) -> Relay:
    return Relay("campaign", bench.database, log, partition)


async def drain(one: Relay) -> None:
    """Send until there is nothing left, as the loop does: after an error, again."""
    while True:
        try:
            if not await one.send():
                return
        except Pause:
            await asyncio.sleep(0)


async def acked(bench: Bench, partition: int = 0) -> int:
    return await bench.value("SELECT acked_sequence FROM relay WHERE partition = $1", partition)


def complete_and_in_order(records: list[Record], last: int) -> None:
    first: dict[int, Record] = {}
    for record in records:
        assert record.sequence is not None
        first.setdefault(record.sequence, record)
        assert record.value == str(record.sequence).encode(), "a number always means the same event"
        assert record.key == f"k{record.sequence}"
        assert record.origin == "campaign"
    assert list(first) == list(range(1, last + 1))


async def test_everything_is_sent_once_and_in_order(bench: Bench):
    log = MemoryLog()
    await put(bench, 1, 20)
    sender = relay(bench, log)
    assert await sender.send()
    assert await acked(bench) == 7
    await drain(sender)
    complete_and_in_order(log.all(), 20)
    assert len(log.all()) == 20
    assert await acked(bench) == 20
    assert not await sender.send()
    await put(bench, 21, 23)
    await drain(sender)
    complete_and_in_order(log.all(), 23)


async def test_a_batch_is_bounded_by_bytes(bench: Bench, monkeypatch):
    monkeypatch.setattr(relay_module, "BATCH_BYTES", 3)
    log = MemoryLog()
    await put(bench, 1, 9)
    assert await relay(bench, log).send()
    assert len(log.all()) == 3


class Unreliable(MemoryLog):
    """Fails now and then, before or after some part of a batch has been written."""

    def __init__(self, seed: Any, *, often: float = 0.3) -> None:
        super().__init__(part=3)
        self._random = Random(seed)
        self._often = often
        self.failed = 0

    async def at(self, point, entries):
        await asyncio.sleep(self._random.random() / 2000)
        if self._random.random() < self._often:
            self.failed += 1
            raise Pause(f"{point} the append")


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_failure_it_goes_back_to_what_was_acknowledged(bench: Bench, seed: int):
    log = Unreliable(seed)
    await put(bench, 1, 40)
    sender = relay(bench, log)
    draining = asyncio.create_task(drain(sender))
    for first in range(41, 80, 8):
        await put(bench, first, first + 7)
    await draining
    await drain(sender)
    assert log.failed > 3
    complete_and_in_order(log.all(), 80)
    assert await acked(bench) == 80


@pytest.mark.parametrize("seed", range(4))
async def test_two_relays_at_once(bench: Bench, seed: int):
    """One was frozen, and does not know that it was replaced."""
    log = Unreliable(f"two {seed}", often=0.15)
    await put(bench, 1, 30)
    draining = [asyncio.create_task(drain(relay(bench, log))) for _ in range(2)]
    await put(bench, 31, 60)
    await asyncio.gather(*draining)
    await drain(relay(bench, log))
    complete_and_in_order(log.all(), 60)
    assert await acked(bench) == 60


class Gated(MemoryLog):
    """Stands still at one point until it may go on."""

    def __init__(self, point: str) -> None:
        super().__init__()
        self._point = point
        self.there = asyncio.Event()
        self.go_on = asyncio.Event()

    async def at(self, point, entries):
        if point == self._point and not self.there.is_set():
            self.there.set()
            await self.go_on.wait()


@pytest.mark.parametrize("point", ["before", "after"])
async def test_killed_between_the_append_and_its_acknowledgement(bench: Bench, point: str):
    log = Gated(point)
    await put(bench, 1, 10)
    sending = asyncio.create_task(relay(bench, log).send())
    await log.there.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await acked(bench) == 0
    await drain(relay(bench, log))
    complete_and_in_order(log.all(), 10)
    assert len(log.all()) == (17 if point == "after" else 10)
    assert await acked(bench) == 10


async def test_what_was_acknowledged_never_goes_back(bench: Bench):
    log = Gated("after")
    await put(bench, 1, 20)
    frozen = asyncio.create_task(relay(bench, log).send())
    await log.there.wait()
    await drain(relay(bench, log))
    assert await acked(bench) == 20
    log.go_on.set()
    assert await frozen
    assert await acked(bench) == 20
    complete_and_in_order(log.all(), 20)


async def test_a_failing_append_acknowledges_nothing(bench: Bench):
    log = Unreliable(0, often=1)
    await put(bench, 1, 3)
    with pytest.raises(Pause):
        await relay(bench, log).send()
    assert await acked(bench) == 0


@asynccontextmanager
async def all_partitions(bench: Bench, log: MemoryLog, owned: list[int]):
    hint = Hint(bench.database, "outbox")
    task = asyncio.create_task(Relaying("campaign", bench.database, log, hint, lambda: owned).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await hint.close()


class OneAway(MemoryLog):
    """The leader of partition 0 does not answer."""

    def __init__(self) -> None:
        super().__init__(3)
        self.back = asyncio.Event()
        self.under_way = dict.fromkeys(range(3), 0)

    async def at(self, point, entries):
        partition = entries[0][0]
        assert self.under_way[partition] <= 1, "one batch in flight"
        if partition == 0:
            await self.back.wait()

    async def append(self, topic, entries):
        partition = entries[0][0]
        self.under_way[partition] += 1
        try:
            await super().append(topic, entries)
        finally:
            self.under_way[partition] -= 1


async def test_a_partition_whose_leader_is_away_holds_up_no_other(bench: Bench, monkeypatch):
    monkeypatch.setattr(relaying, "POLL_SECONDS", 0.01)
    log = OneAway()
    for partition in range(3):
        await put(bench, 1, 20, partition)

    async with all_partitions(bench, log, [0, 1, 2]):

        async def others():
            return await acked(bench, 1) == await acked(bench, 2) == 20

        await eventually(others)
        assert await acked(bench, 0) == 0
        log.back.set()

        async def everything():
            return await acked(bench, 0) == 20

        await eventually(everything)
    for partition in range(3):
        complete_and_in_order(log.all(partition), 20)
        assert len(log.all(partition)) == 20


async def test_only_what_is_owned_is_sent(bench: Bench, monkeypatch):
    monkeypatch.setattr(relaying, "POLL_SECONDS", 0.01)
    log, owned = MemoryLog(3), [1]
    for partition in range(2):
        await put(bench, 1, 5, partition)

    async with all_partitions(bench, log, owned):

        async def sent():
            return await acked(bench, owned[-1]) == 5

        await eventually(sent)
        assert log.all(0) == []
        owned.append(0)
        await eventually(sent)


async def test_the_loop_goes_on_after_failures(bench: Bench, monkeypatch):
    monkeypatch.setattr(relaying, "POLL_SECONDS", 0.002)
    monkeypatch.setattr(relaying, "BACKOFF_MOST", 0.01)
    log = Unreliable("loop")
    await put(bench, 1, 40)
    async with all_partitions(bench, log, [0]):

        async def sent():
            return await acked(bench) == 40

        await eventually(sent)
    assert log.failed
    complete_and_in_order(log.all(), 40)
