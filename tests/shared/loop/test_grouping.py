"""Customers that are one, and are not any more: over several partitions, each as far as it happens to be, in the end
everything is as if the parts of a customer had always been one; and once they are split, as if they had never been.
"""

import asyncio
import os
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

import asyncpg
import pytest

from shared.ids import new_id, new_id_in, partition_of
from shared.loop.company import Company
from shared.loop.folding import Batch
from tests.shared.loop.bench import Bench, Owner
from tests.shared.loop.tally import (
    DAY0,
    HIGH,
    QUIET_AFTER,
    answered,
    closed,
    published,
    records,
    regrouped,
    ticked,
)

PARTITIONS = 3
STEPS = int(os.environ.get("GROUPING_STEPS", "150"))
"""Of each run."""


class Installation:
    """Three partitions with a queue each; whatever is appended to one waits there until it is folded."""

    def __init__(self, bench: Bench, owners: dict[int, Owner]) -> None:
        self.bench = bench
        self.owners = owners
        self.queues: dict[int, list[bytes]] = {n: [] for n in range(PARTITIONS)}
        self.folded = dict.fromkeys(range(PARTITIONS), 0)

    def append(self, part: UUID, value: bytes) -> None:
        self.queues[home(part)].append(value)

    def everywhere(self, make) -> None:
        for queue in self.queues.values():
            queue.append(make())

    async def fold(self, partition: int, most: int) -> None:
        """One batch of one partition, and what is due."""
        values = self.queues[partition][:most]
        del self.queues[partition][:most]
        at = self.folded[partition]
        self.folded[partition] += len(values)
        if values:
            batch = records(values, offset=at, sequence=at + 1, partition=partition)
            owner, done = self.owners[partition], False
            while not done:
                # Two that make one row at the same moment may wait for each other: as the loop does, try again.
                with suppress(asyncpg.DeadlockDetectedError):
                    if owner.lease.next_offset == at:
                        await owner.apply(batch)
                    await owner.settle()
                    done = True

    async def catch_up(self) -> None:
        while any(self.queues.values()):
            await asyncio.gather(*(self.fold(n, 50) for n in range(PARTITIONS)))


def home(part: UUID) -> int:
    return partition_of(str(part), PARTITIONS)


async def installed(bench: Bench, *, together: bool = False) -> Installation:
    """`together`: what the partitions have at the same moment goes into one transaction."""
    company: Company[Batch] | None = None
    if together:
        company = Company("campaign", "customers", asyncio.Semaphore(1), events=100, size=1 << 20)
    owners = {}
    for n in range(PARTITIONS):
        owner = await bench.owned(f"worker {n}", company=company, partitions=PARTITIONS)
        owners[owner.lease.partition] = owner
    return Installation(bench, owners)


class Story:
    """Random answers, ticks, policies, merges and splits, and by the simplest reckoning what must come of them."""

    def __init__(self, random: Random, parts: list[UUID], at: Installation) -> None:
        self.random, self.parts, self.at = random, parts, at
        self.group = {part: frozenset([part]) for part in parts}
        self.heads = {part: part for part in parts}
        self.times: dict[UUID, list] = defaultdict(list)
        self.clock = None
        self.high = (0, HIGH)
        self.revision = 0
        self.count = 0

    async def step(self) -> None:
        do = self.random.choices(
            [self.answer, self.tick, self.policy, self.merge, self.split, self.fold],
            [12, 1, 1, 3, 2, 8],
        )[0]
        await do()

    async def answer(self) -> None:
        part = self.random.choice(self.parts)
        when = DAY0 + timedelta(days=self.random.randint(0, 60))
        history = self.random.choice([None, None, None, "h"])
        self.count += 1
        self.times[part].append(when)
        self.at.append(part, answered(part, f"s{self.count}", when, history=history))

    async def tick(self) -> None:
        when = DAY0 + timedelta(days=self.random.randint(0, 90))
        self.clock = max(self.clock or when, when)
        self.at.everywhere(lambda: ticked(when))

    async def policy(self) -> None:
        version, high = self.high[0] + 1, self.random.randint(1, 9)
        self.high = version, high
        self.at.everywhere(lambda: published(high, version))

    async def merge(self) -> None:
        one, other = self.random.sample(self.parts, 2)
        self.regroup([self.group[one] | self.group[other]])

    async def split(self) -> None:
        """One part goes; those that stay may have another head then."""
        part = self.random.choice(self.parts)
        rest = self.group[part] - {part}
        self.regroup([frozenset([part]), *([rest] if rest else [])])

    def regroup(self, groups: list[frozenset[UUID]]) -> None:
        self.revision += 1
        for group in groups:
            head = self.random.choice(sorted(group))
            for part in self.random.sample(sorted(group), len(group)):
                self.group[part], self.heads[part] = group, head
                value = regrouped(part, group, head, self.revision)
                queue = self.at.queues[home(part)]  # an older word may come behind a newer one
                queue.insert(self.random.randint(max(0, len(queue) - 4), len(queue)), value)

    async def fold(self) -> None:
        """Some partitions go on, side by side, others stay behind."""
        some = [n for n in range(PARTITIONS) if self.random.random() < 0.6]
        await asyncio.gather(*(self.at.fold(n, self.random.randint(1, 12)) for n in some))

    def level(self, group: frozenset[UUID]) -> str:
        times = [when for part in group for when in self.times[part]]
        if not times:
            return "none"
        if self.clock is not None and max(times) + QUIET_AFTER <= self.clock:
            return "quiet"
        return "high" if len(times) >= self.high[1] else "low"

    async def settled(self) -> None:
        """Everything has come, and a last tick."""
        self.at.everywhere(lambda: closed("h"))
        await self.tick()
        await self.at.catch_up()

    async def holds(self) -> None:
        """What is read of each customer is what its parts add up to; each part is what it alone comes to."""
        rows = await self.at.bench.rows()
        said = await levels(self.at.bench)
        for part in self.parts:
            if part not in rows:
                assert not self.times[part]
                assert self.group[part] == {part}
                continue
            row, head = rows[part], self.heads[part]
            assert row.head == head
            assert row.state.count == len(self.times[part])
            assert sorted(row.state.order) == sorted(set(row.state.order))
            assert row.history == []
            told = said.get(str(part), [])
            assert all(one != next_ for one, next_ in pairwise(told)), told
            if part != head:
                assert row.due_at is None
                assert row.view is row.level is row.count is None, "what was read of others stays"
                assert told[-1:] in ([], ["left"])
                continue
            assert row.parts == len(self.group[part])
            assert row.view.count == row.count == sum(len(self.times[p]) for p in self.group[part])
            assert row.view.level == self.level(self.group[part])
            assert (told[-1:] or ["none"]) == [row.view.level] == [row.told.level or "none"]
        grouped = await self.at.bench.fetch("SELECT customer_id, head FROM grouping")
        known = {row["customer_id"]: row["head"] for row in grouped}
        assert {part: known.get(part, part) for part in self.parts} == self.heads


async def levels(bench: Bench) -> dict[str, list[str]]:
    """The levels that were announced, by customer, each on its own partition."""
    said: dict[str, list[str]] = defaultdict(list)
    for n in range(PARTITIONS):
        for event in await bench.outbox(n):
            assert home(UUID(event.subject)) == n
            said[event.subject].append(event.data.state)
    return said


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_when(bench: Bench, seed: int):
    random = Random(seed)
    parts = [UUID(int=random.getrandbits(128)) for _ in range(7)]
    story = Story(random, parts, await installed(bench, together=seed % 2 == 1))
    for n in range(STEPS):
        await story.step()
        if n % 50 == 49:
            await story.settled()
            await story.holds()


async def test_split_again_each_is_what_it_was_before_byte_by_byte(bench: Bench):
    at = await installed(bench)
    parts = [UUID(new_id()) for _ in range(3)]
    for n, part in enumerate(parts):
        for k in range(n + 2):
            at.append(part, answered(part, f"{n}-{k}", DAY0 + timedelta(days=k)))
    await at.catch_up()
    before = await bench.fetch("SELECT * FROM tally ORDER BY customer_id")
    for part in parts:
        at.append(part, regrouped(part, parts, parts[1], 1))
    await at.catch_up()
    merged = await bench.rows()
    assert merged[parts[1]].view.count == 2 + 3 + 4
    assert await bench.fetch("SELECT * FROM tally ORDER BY customer_id") != before
    for part in parts:
        at.append(part, regrouped(part, [part], part, 2))
    await at.catch_up()

    def facts(rows):
        return [{k: v for k, v in dict(row).items() if k != "told"} for row in rows]

    assert facts(await bench.fetch("SELECT * FROM tally ORDER BY customer_id")) == facts(before)
    told = {key: row.told.level for key, row in (await bench.rows()).items()}
    assert told == {parts[0]: "low", parts[1]: "high", parts[2]: "high"}


async def test_a_head_that_nobody_has_heard_of_yet(bench: Bench):
    """The word on a part may come long before its head's own first event."""
    at = await installed(bench)
    part, head = (UUID(new_id()) for _ in range(2))
    at.append(part, answered(part, "a"))
    at.append(part, regrouped(part, [part, head], head, 1))
    await at.fold(home(part), 9)
    rows = await bench.rows()
    assert rows[head].view.count == 1
    assert rows[head].parts == 2
    at.append(head, answered(head, "b"))
    await at.fold(home(head), 9)
    assert (await bench.rows())[head].view.count == 2
    at.append(head, regrouped(head, [part, head], head, 1))
    await at.catch_up()
    assert (await bench.rows())[head].view.count == 2


async def test_the_heads_partition_says_what_time_it_is(bench: Bench):
    """Where another one is behind, a customer who has gone quiet does not speak again for a while."""
    at = await installed(bench)
    part = UUID(new_id_in(0, PARTITIONS))
    head = UUID(new_id_in(1, PARTITIONS))
    for one in (part, head):
        at.append(one, regrouped(one, [part, head], head, 1))
    at.append(head, answered(head, "a"))
    await at.catch_up()
    at.append(head, ticked(DAY0 + QUIET_AFTER + timedelta(days=2)))
    await at.catch_up()
    at.append(part, answered(part, "late", DAY0 + timedelta(days=1)))
    at.append(part, ticked(DAY0 + timedelta(days=2)))
    await at.catch_up()
    assert (await bench.rows())[head].view.count == 2
    assert await levels(bench) == {str(head): ["low", "quiet"]}


async def test_an_open_backfill_of_one_part_keeps_the_whole_customer_silent(bench: Bench):
    at = await installed(bench)
    part, head = (UUID(new_id()) for _ in range(2))
    for one in (part, head):
        at.append(one, regrouped(one, [part, head], head, 1))
    await at.catch_up()
    at.append(part, answered(part, "a", history="h"))
    await at.catch_up()
    at.append(head, answered(head, "b"))
    await at.catch_up()
    assert await levels(bench) == {}
    at.everywhere(lambda: closed("h"))
    await at.catch_up()
    assert await levels(bench) == {str(head): ["low"]}
