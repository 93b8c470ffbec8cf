"""Who owns a partition: the checkpoint row says so."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.errors import Fenced
from tests.shared.loop.bench import Bench

ALL = [0, 1, 2, 3]


@pytest.fixture(autouse=True)
async def prepared(bench: Bench):
    await bench.leases(partitions=4).prepare()


def taken(leases) -> list[int]:
    return sorted(lease.partition for lease in leases)


async def renewed(bench: Bench, leases, epochs: dict[int, int]) -> set[int]:
    async with bench.database.transaction() as conn:
        return await leases.renew(conn, epochs)


async def expire(bench: Bench, *partitions: int) -> None:
    await bench.execute(
        "UPDATE checkpoint SET until = now() - interval '1 second' WHERE partition = ANY($1)",
        list(partitions),
    )


async def test_a_claim_takes_what_nobody_owns_up_to_a_number(bench: Bench):
    one, two = bench.leases("one"), bench.leases("two")
    assert taken(await bench.claim(one, 3)) == [0, 1, 2]
    assert taken(await bench.claim(two, 4)) == [3]
    assert await bench.claim(two, 4, held=[3]) == []
    rows = await bench.fetch("SELECT owner, epoch, until FROM checkpoint ORDER BY partition")
    assert [(row["owner"], row["epoch"]) for row in rows] == [
        ("one", 1),
        ("one", 1),
        ("one", 1),
        ("two", 1),
    ]
    assert all(row["until"] > datetime.now(UTC) for row in rows)


async def test_many_claim_at_once_and_no_partition_is_given_twice(bench: Bench):
    workers = [bench.leases(f"w{n}") for n in range(8)]
    claimed = await asyncio.gather(*(bench.claim(worker, 2) for worker in workers))
    left = await bench.claim(bench.leases("last"), 4)
    given = [lease.partition for some in [*claimed, left] for lease in some]
    assert sorted(given) == ALL


async def test_what_expired_is_taken_over_under_a_new_epoch_where_it_stood(bench: Bench):
    one = bench.leases("one")
    [lease, *_] = await bench.claim(one, 4)
    await bench.execute("UPDATE checkpoint SET next_offset = 7, seen = '{4,0,3,0}'")
    assert await bench.claim(bench.leases("two"), 4) == []
    await expire(bench, 0)
    [new] = await bench.claim(bench.leases("two"), 4)
    assert (new.partition, new.epoch) == (0, lease.epoch + 1)
    assert (new.next_offset, new.seen) == (7, (4, 0, 3, 0))


async def test_who_has_the_same_name_takes_its_own_back_at_once(bench: Bench):
    """A worker that was killed does not wait for the end of its own leases."""
    before = await bench.claim(bench.leases("one", seconds=3600), 4)
    again = await bench.claim(bench.leases("one", seconds=3600), 4)
    assert taken(again) == ALL
    assert {lease.epoch for lease in again} == {before[0].epoch + 1}
    assert await bench.claim(bench.leases("one"), 4, held=ALL) == [], "not what it runs already"


async def test_renewing_keeps_what_is_still_ours(bench: Bench):
    one = bench.leases("one")
    epochs = {lease.partition: lease.epoch for lease in await bench.claim(one, 4)}
    await expire(bench, *ALL)
    [lost] = await bench.claim(bench.leases("two"), 1)
    assert await renewed(bench, one, epochs) == set(ALL) - {lost.partition}
    assert await bench.claim(bench.leases("two"), 4, held=[lost.partition]) == []
    assert await renewed(bench, one, dict.fromkeys(ALL, 99)) == set()
    assert await renewed(bench, one, {}) == set()


async def test_a_commit_renews_the_lease(bench: Bench):
    """Progress is liveness."""
    one = bench.leases("one")
    [lease] = await bench.claim(one, 1)
    await expire(bench, 0)
    async with bench.database.transaction() as conn:
        await one.advance(conn, [(lease, lease)])
    assert (await bench.checkpoint(0))["until"] > datetime.now(UTC)


async def test_what_is_released_is_free_at_once(bench: Bench):
    one, two = bench.leases("one"), bench.leases("two")
    [lease] = await bench.claim(one, 1)
    async with bench.database.transaction() as conn:
        await one.release(conn, lease)
        with pytest.raises(Fenced):  # a transaction that was under way
            await one.advance(conn, [(lease, lease)])
    [new] = await bench.claim(two, 1)
    assert (new.partition, new.epoch) == (0, 3)
    async with bench.database.transaction() as conn:
        await one.release(conn, lease)
    assert (await bench.checkpoint(0))["owner"] == "two", "an old owner releases nothing"


async def test_reloading_says_where_it_stands_or_that_it_is_not_ours(bench: Bench):
    one = bench.leases("one")
    [lease] = await bench.claim(one, 1)
    await bench.execute("UPDATE checkpoint SET next_offset = 9")
    async with bench.database.connection() as conn:
        assert (await one.reload(conn, lease)).next_offset == 9
        await expire(bench, 0)
        await bench.claim(bench.leases("two"), 1)
        with pytest.raises(Fenced):
            await one.reload(conn, lease)


async def test_preparing_again_changes_nothing(bench: Bench):
    await bench.claim(bench.leases("one"), 2)
    before = await bench.snapshot()
    await bench.leases(partitions=4).prepare()
    assert await bench.snapshot() == before


async def test_each_version_of_a_fold_has_checkpoints_of_its_own(bench: Bench):
    old = bench.leases("old", partitions=4)
    assert len(await bench.claim(old, 4)) == 4
    new = replace(old, version=2, worker="new")
    await new.prepare()
    claimed = await bench.claim(new, 4)
    assert taken(claimed) == ALL
    assert {(lease.version, lease.epoch) for lease in claimed} == {(2, 1)}
