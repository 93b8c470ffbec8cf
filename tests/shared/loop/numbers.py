"""What numbers given at commit promise, as checks: they hold for the kernel, and fail for planted defects."""

import asyncio
from collections import defaultdict
from random import Random

import asyncpg

from shared.log import Entry
from shared.outbox import OUTBOX
from tests.shared.loop.bench import Bench, eventually
from tests.shared.loop.tally import DAY0


async def _append(
    bench: Bench, entries: list[tuple[int, Entry]], before: float, after: float
) -> list[int]:
    async with bench.database.transaction() as conn:
        await conn.fetchval(
            "SELECT count(*) FROM outbox"
        )  # a transaction that read something first
        await asyncio.sleep(before)
        numbers = await OUTBOX.append(conn, entries, DAY0)
        await asyncio.sleep(after)
    return numbers


async def _visible(bench: Bench) -> dict[int, list[int]]:
    rows = await bench.fetch("SELECT partition, sequence FROM outbox ORDER BY partition, sequence")
    found: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        found[row["partition"]].append(row["sequence"])
    return found


async def nobody_is_overtaken(bench: Bench) -> None:
    """The first appends and takes its time to commit: the second may not be seen before it."""
    async with bench.database.transaction() as first:
        await OUTBOX.append(first, [(0, Entry("k", b"first"))], DAY0)
        second = asyncio.create_task(_append(bench, [(0, Entry("k", b"second"))], 0, 0))

        async def waits() -> bool:
            return second.done() or await bench.value(
                "SELECT count(*) > 0 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )

        await eventually(waits, "the second waits, or is through")
        assert await _visible(bench) == {}, "a number shows while one below it is being written"
    try:
        assert await second == [2]
    except asyncpg.PostgresError as error:
        raise AssertionError("the same number was given twice") from error
    rows = await bench.fetch("SELECT sequence, value FROM outbox ORDER BY sequence")
    assert [tuple(row) for row in rows] == [(1, b"first"), (2, b"second")]


async def many_append_at_once(
    bench: Bench, *, seed: int, appenders: int = 12, rounds: int = 6, partitions: int = 3
) -> None:
    """Numbers are dense and in the order of the commits, whoever is slow; and who follows misses nothing."""
    given: dict[tuple[int, int], bytes] = {}
    followed: dict[tuple[int, int], bytes] = {}
    working = True

    async def append(n: int) -> None:
        random = Random(f"{seed} {n}")
        for turn in range(rounds):
            chosen = random.choices(range(partitions), k=random.randint(1, 4))
            made = [
                (partition, Entry("k", f"{n} {turn} {i}".encode()))
                for i, partition in enumerate(chosen)
            ]
            numbers = await _append(bench, made, random.random() / 250, random.random() / 150)
            for (partition, entry), number in zip(made, numbers, strict=True):
                given[partition, number] = entry.value

    async def look() -> None:
        while working:
            for numbers in (await _visible(bench)).values():
                assert numbers == list(range(1, len(numbers) + 1)), "a hole is visible"

    async def follow(partition: int) -> None:
        after = 0
        while True:
            last = not working
            async with bench.database.read() as conn:
                rows = await OUTBOX.read(conn, partition, after, events=5, size=1 << 20)
            for row in rows:
                after = row["sequence"]
                followed[partition, after] = row["value"]
            if last and not rows:
                return

    readers = [asyncio.create_task(look())]
    readers += [asyncio.create_task(follow(partition)) for partition in range(partitions)]
    outcomes = await asyncio.gather(*map(append, range(appenders)), return_exceptions=True)
    working = False
    outcomes += await asyncio.gather(*readers, return_exceptions=True)
    failed = [outcome for outcome in outcomes if outcome is not None]
    assert not failed, failed
    for partition in range(partitions):
        numbers = sorted(number for of, number in given if of == partition)
        assert numbers == list(range(1, len(numbers) + 1))
    assert followed == given
