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


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


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


async def test_who_stands_still_is_not_waited_for_until_it_moves_again(log, clock):
    await log.note("campaign", "customers", {0: 1})
    pace = Pacing(log, WINDOW, clock=clock)
    first = entering(pace)
    assert await held(first)
    clock.now += pacing.STILL_SECONDS + 1
    await asyncio.wait_for(first, 5)
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


async def entered(pace: Pacing, clock: Clock, after: float) -> bool:
    """Whether there is a turn so many seconds later; given back at once."""
    clock.now += after
    granted = await pace.enter()
    if granted:
        pace.leave()
    return granted


async def test_who_only_asks_gets_a_turn_while_there_is_room(log, clock):
    pace = Pacing(log, WINDOW, clock=clock)
    assert await entered(pace, clock, 0.0)
    assert not await entered(pace, clock, 0.0), "what it wrote is not on the log yet"
    assert await entered(pace, clock, 0.1)
    await log.note("campaign", "customers", {0: 1})
    assert not await entered(pace, clock, 0.1)
    await log.note("campaign", "customers", {0: 13, 1: 12})
    assert await entered(pace, clock, 0.1)


async def test_who_only_asks_gets_one_a_second_at_least(log, clock):
    """Where others never catch up, or the log does not say how far they are."""
    pace = Pacing(log, WINDOW, clock=clock)
    turns = []
    for place in range(1, 41):
        await log.note("campaign", "customers", {0: min(place, 13)})
        turns.append(await entered(pace, clock, 0.1))
    assert 4 <= sum(turns) <= 5


async def test_a_log_that_is_away_has_no_room_for_who_only_asks(log, clock, monkeypatch):
    pace = Pacing(log, WINDOW, clock=clock)
    assert await entered(pace, clock, 0.0)

    async def away(_topic):
        raise Pause("log")

    with monkeypatch.context() as patch:
        patch.setattr(log, "ends", away)
        assert not await entered(pace, clock, 0.1)
    assert await entered(pace, clock, 0.1), "the turn was given back"


async def test_one_turn_at_a_time_for_who_only_asks(log, clock):
    pace = Pacing(log, WINDOW, clock=clock)
    assert await pace.enter()
    clock.now += 10
    assert not await pace.enter()
    pace.leave()
    assert not await pace.enter()
    assert await entered(pace, clock, 0.1)
