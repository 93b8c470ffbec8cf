"""The checkpoint row is the lease: who does not own it any more commits nothing."""

import asyncio
from uuid import UUID

import pytest

from shared.errors import Fenced
from tests.shared.loop.bench import Bench
from tests.shared.loop.folding import (
    POINTS,
    Gated,
    a_stale_position_commits_nothing,
    an_old_owner_commits_nothing,
    answers,
    folded_once,
    surveys,
)
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import DAY0, QUIET_AFTER, answered, records, ticked


@pytest.mark.parametrize("point", POINTS)
async def test_an_old_owner_woken_in_mid_batch_commits_nothing(bench: Bench, point: str):
    await an_old_owner_commits_nothing(bench, point)


async def test_a_stale_position_commits_nothing(bench: Bench):
    await a_stale_position_commits_nothing(bench)


async def test_an_old_owner_derives_and_parks_nothing(bench: Bench):
    """What is done between batches is fenced like a batch."""
    said = [(UUID(int=1), "s")]
    batch = records([*answers(said), ticked(DAY0 + QUIET_AFTER), answered(UUID(int=2), "boom")])
    old = await bench.owned("old", seconds=-1)
    await old.apply(batch[:1])
    await old.apply(batch[1:2])
    new = await bench.owned("new")
    before = await bench.snapshot()
    assert old.folding.due
    with pytest.raises(Fenced):
        await old.settle()
    with pytest.raises(Fenced):
        await old.folding.park(old.lease, batch[2], ArithmeticError())
    assert await bench.snapshot() == before
    await new.settle()
    assert await bench.said() == {str(UUID(int=1)): ["low", "quiet"]}


async def test_a_frozen_one_who_was_not_replaced_goes_on(bench: Bench):
    """Nobody is fenced by time alone."""
    rows = Gated("rows written")
    owner = await bench.owned(rows=rows, seconds=-1)
    waking = asyncio.create_task(owner.apply(records(answers(surveys(5)))))
    await rows.frozen.wait()
    rows.go_on.set()
    await waking
    await folded_once(bench, surveys(5))


async def test_no_claim_takes_a_checkpoint_that_is_being_moved(bench: Bench):
    """A batch between its compare-and-set and its commit either counts, or was never there."""
    owner = await bench.owned("old", seconds=-1)
    async with bench.database.transaction() as conn:
        await owner.leases.advance(conn, [(owner.lease, owner.lease)])
        assert await bench.claim(bench.leases("new")) == []
    [lease] = await bench.claim(bench.leases("new"))
    assert lease.epoch == owner.lease.epoch + 1


async def test_the_runner_of_an_old_owner_ends(bench: Bench):
    old = await bench.owned("old", seconds=-1)
    runner = bench.runner(old, MemoryLog())
    await bench.owned("new")
    async with asyncio.timeout(20):
        await runner.run()
    assert (await bench.checkpoint())["owner"] == "new"
