"""Numbers are given at commit: dense, in order, and bounded reads of them."""

import asyncio

import pytest

from shared.log import MAX_RECORD_BYTES, Entry
from shared.outbox import OUTBOX
from tests.shared.loop.bench import Bench, open_bench
from tests.shared.loop.numbers import many_append_at_once, nobody_is_overtaken
from tests.shared.loop.tally import DAY0


@pytest.fixture
async def bench(postgres):
    async with open_bench(postgres) as made:
        yield made


async def append(bench: Bench, *values: bytes, partition: int = 0) -> list[int]:
    async with bench.database.transaction() as conn:
        return await OUTBOX.append(conn, [(partition, Entry("k", one)) for one in values], DAY0)


async def read(
    bench: Bench, after: int = 0, *, events: int = 100, size: int = 1 << 20
) -> list[int]:
    async with bench.database.read() as conn:
        rows = await OUTBOX.read(conn, 0, after, events=events, size=size)
    return [row["sequence"] for row in rows]


@pytest.mark.parametrize("seed", range(3))
async def test_numbers_are_dense_and_in_commit_order_whoever_is_slow(bench: Bench, seed: int):
    await many_append_at_once(bench, seed=seed)


async def test_a_slow_transaction_is_not_overtaken(bench: Bench):
    await nobody_is_overtaken(bench)


async def test_partitions_do_not_wait_for_each_other(bench: Bench):
    async with bench.database.transaction() as slow:
        await OUTBOX.append(slow, [(0, Entry("k", b"slow"))], DAY0)
        async with asyncio.timeout(20):
            assert await append(bench, b"quick", partition=1) == [1]


async def test_who_gives_up_leaves_no_hole(bench: Bench):
    await append(bench, b"a")
    async with bench.database.connection() as conn:
        transaction = conn.transaction()
        await transaction.start()
        assert await OUTBOX.append(conn, [(0, Entry("k", b"lost"))], DAY0) == [2]
        await transaction.rollback()
    assert await append(bench, b"b", b"c") == [2, 3]


async def test_each_partition_counts_by_itself_in_the_order_given(bench: Bench):
    entries = [(2, Entry("k", b"x")), (0, Entry("k", b"y")), (2, Entry("k", b"z"))]
    async with bench.database.transaction() as conn:
        assert await OUTBOX.append(conn, entries, DAY0) == [1, 1, 2]
        assert await OUTBOX.append(conn, entries, DAY0) == [3, 2, 4]
        assert await OUTBOX.append(conn, [], DAY0) == []
        assert await OUTBOX.heads(conn, [0, 1, 2]) == {0: 2, 1: 0, 2: 4}


async def test_what_a_log_might_refuse_is_refused_here_and_nothing_of_it_stays(bench: Bench):
    await append(bench, b"x" * MAX_RECORD_BYTES)
    with pytest.raises(ValueError, match="cannot be sent"):
        await append(bench, b"fits", b"x" * (MAX_RECORD_BYTES + 1))
    assert await read(bench) == [1]


async def test_reads_are_bounded_by_events_and_bytes_but_always_go_on(bench: Bench):
    await append(bench, *(b"x" * 100 for _ in range(20)))
    assert await read(bench) == list(range(1, 21))
    assert await read(bench, events=7) == list(range(1, 8))
    assert await read(bench, after=15, events=7) == list(range(16, 21))
    assert await read(bench, size=300) == [1, 2, 3]
    assert await read(bench, size=301) == [1, 2, 3, 4], (
        "about: the one that crosses the bound counts"
    )
    assert await read(bench, after=4, size=1) == [5], "at least one, however small the bound"
    assert await read(bench, after=20) == []
