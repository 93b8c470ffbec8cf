"""A backfill goes on one batch at a time, as fast as the slowest service that moves."""

import asyncio

import pytest

from shared.errors import Pause
from shared.log import Entry
from shared.loop import pacing
from shared.loop.pacing import Pacing
from tests.shared.loop.memory_log import MemoryLog

WINDOW = 10


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(pacing, "LOOK_SECONDS", 0.005)


@pytest.fixture
async def log():
    """25 events on two partitions; profile has folded all of them."""
    made = MemoryLog(2)
    entries = [(n % 2, Entry(key="k", value=b"{}")) for n in range(25)]
    await made.append("customers", entries)
    await made.note("profile", "customers", {0: 13, 1: 12})
    return made


def entering(pace: Pacing) -> asyncio.Task[None]:
    async def once() -> None:
        async with pace:
            pass

    return asyncio.create_task(once())


async def held(task: asyncio.Task[None]) -> bool:
    await asyncio.sleep(0.1)
    return not task.done()


async def test_it_waits_until_the_slowest_service_is_within_the_window(log):
    await log.note("campaign", "customers", {0: 8, 1: 6})
    task = entering(Pacing(log, WINDOW))
    assert await held(task)
    await log.note("campaign", "customers", {0: 9})
    await asyncio.wait_for(task, 5)


async def test_a_service_that_never_told_anything_is_not_waited_for(log):
    await asyncio.wait_for(entering(Pacing(log, WINDOW)), 5)


async def test_one_batch_at_a_time(log):
    pace = Pacing(log, WINDOW)
    async with pace:
        task = entering(pace)
        assert await held(task)
    await asyncio.wait_for(task, 5)


async def test_who_stands_still_is_not_waited_for_until_it_moves_again(log, monkeypatch):
    await log.note("campaign", "customers", {0: 1})
    pace = Pacing(log, WINDOW)
    monkeypatch.setattr(pacing, "STILL_SECONDS", 0.2)
    await asyncio.wait_for(entering(pace), 5)
    monkeypatch.setattr(pacing, "STILL_SECONDS", 1000.0)
    await asyncio.wait_for(entering(pace), 5)  # and the next batches do not wait either
    await log.note("campaign", "customers", {0: 2})
    task = entering(pace)
    assert await held(task)
    await log.note("campaign", "customers", {0: 13, 1: 12})
    await asyncio.wait_for(task, 5)


async def test_a_slow_service_that_moves_is_waited_for(log, monkeypatch):
    monkeypatch.setattr(pacing, "STILL_SECONDS", 0.3)
    await log.note("campaign", "customers", {0: 0, 1: 1})
    task = entering(Pacing(log, WINDOW))
    for place in range(1, 12):
        await log.note("campaign", "customers", {0: place})
        assert not task.done()
        await asyncio.sleep(0.05)
    await log.note("campaign", "customers", {0: 13})
    assert await held(task)
    await log.note("campaign", "customers", {1: 12})
    await asyncio.wait_for(task, 5)


async def test_a_log_that_is_away_is_a_pause_and_the_turn_is_given_back(log, monkeypatch):
    pace = Pacing(log, WINDOW)

    async def away(_topic):
        raise Pause("log")

    with monkeypatch.context() as patch:
        patch.setattr(log, "ends", away)
        with pytest.raises(Pause):
            await entering(pace)
    await asyncio.wait_for(entering(pace), 5)


async def test_who_is_cancelled_while_waiting_gives_the_turn_back(log):
    await log.note("campaign", "customers", {0: 1})
    pace = Pacing(log, WINDOW)
    first = entering(pace)
    assert await held(first)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await log.note("campaign", "customers", {0: 13, 1: 12})
    await asyncio.wait_for(entering(pace), 5)
