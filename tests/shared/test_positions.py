"""A position names numbers of outboxes; who waits for it sees everything below it."""

import asyncio

import pytest

from shared import positions
from shared.errors import BadRequest, NotCaughtUp, TooManyRequests
from shared.positions import Position, Progress, parse, render, wait_for
from tests.shared.loop.bench import Bench, eventually, open_bench
from tests.shared.loop.folding import answers, surveys
from tests.shared.loop.tally import SERVICE, records

FIRST = Position("interaction", 0, 3)


@pytest.fixture
async def bench(postgres):
    async with open_bench(postgres) as made:
        yield made


@pytest.fixture
def progress(bench: Bench) -> Progress:
    return Progress(SERVICE.name, bench.database, SERVICE.version)


async def polling(progress: Progress) -> None:
    async def polls():
        return progress._poller is not None

    await eventually(polls)


def test_a_token_says_what_it_was_made_of():
    made = [Position("interaction", 3, 812), Position("profile", 0, 1)]
    assert render(made) == "interaction.3.812,profile.0.1"
    assert parse(render(made), 8) == made
    assert parse("interaction.3.812 , profile.0.1", 8) == made


@pytest.mark.parametrize(
    "token",
    [
        "",
        ",",
        "interaction.0",
        "interaction.0.1.2",
        "interaction.0.-1",
        "interaction.0.1;drop",
        "interaction.8.1",
        "interaction.0.1,",
        "stranger.0.1",
        "Interaction.0.1",
        "interaction.٣.1",
        "interaction.0.12345678901234567890",
        ",".join(["interaction.0.1"] * 1025),
    ],
)
def test_what_is_no_token_is_refused(token: str):
    with pytest.raises(BadRequest) as refused:
        parse(token, 8)
    assert (refused.value.status, refused.value.code) == (400, "invalid_position")


def test_as_many_parts_as_a_request_may_name():
    assert len(parse(",".join(["interaction.7.1"] * 64), 8)) == 64


async def test_what_is_folded_is_reached_at_once(bench: Bench, progress: Progress):
    owner = await bench.owned()
    await owner.fold(records(answers(surveys(3))))
    assert await progress.reached([FIRST], 0)
    assert await progress.reached([], 0)
    assert not await progress.reached([Position("interaction", 0, 4)], 0)
    assert not await progress.reached([Position("profile", 0, 1)], 0), "each origin has its own"
    assert not await progress.reached([FIRST, Position("profile", 0, 1)], 0), "all of them"
    assert not await progress.reached([Position("interaction", 1, 1)], 0), "each partition, too"


async def test_who_waits_is_answered_when_it_is_folded_and_not_before(
    bench: Bench, progress: Progress
):
    owner = await bench.owned()
    batch = records(answers(surveys(3)))
    waiting = [asyncio.create_task(progress.reached([FIRST], 30)) for _ in range(20)]
    await owner.fold(batch[:2])
    assert not await progress.reached([FIRST], 0.05)
    assert not any(task.done() for task in waiting)
    await owner.fold(batch[2:])
    assert await asyncio.gather(*waiting) == [True] * 20


async def test_what_one_finds_out_is_told_to_all(bench: Bench, progress: Progress, monkeypatch):
    """Who comes later asks by itself; those who wait already hear of it, too."""
    monkeypatch.setattr(positions, "POLL_SECONDS", 0.2)
    owner = await bench.owned()
    waiting = asyncio.create_task(progress.reached([FIRST], 60))
    await polling(progress)
    await owner.fold(records(answers(surveys(3))))
    assert await progress.reached([FIRST], 0)
    async with asyncio.timeout(20):
        assert await waiting


async def test_who_waits_in_vain_is_told_so(bench: Bench, progress: Progress, monkeypatch):
    monkeypatch.setattr(positions, "WAIT_SECONDS", 0.03)
    await bench.leases().prepare()
    assert not await progress.reached([FIRST], 0.03)
    with pytest.raises(NotCaughtUp) as late:
        await wait_for(progress, [FIRST])
    assert late.value.status == 504
    assert late.value.headers["Retry-After"]


async def test_no_connection_is_held_while_waiting(bench: Bench, progress: Progress):
    """One poller a process, however many wait; and none when nobody does."""
    await bench.leases().prepare()
    waiting = [asyncio.create_task(progress.reached([FIRST], 30)) for _ in range(100)]
    await polling(progress)
    asked = asyncio.Semaphore(0)
    real = progress.seen

    async def seen():
        asked.release()
        return await real()

    progress.seen = seen
    poller = progress._poller
    for _ in range(3):
        await asked.acquire()
    assert progress._poller is poller
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.wait_for(poller, 10)


async def test_too_many_who_wait_are_refused(bench: Bench, progress: Progress, monkeypatch):
    monkeypatch.setattr(positions, "MOST_WAITERS", 5)
    await bench.leases().prepare()
    waiting = [asyncio.create_task(progress.reached([FIRST], 30)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests) as refused:
        await progress.reached([FIRST], 30)
    assert refused.value.status == 429
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    assert not await progress.reached([FIRST], 0), "there is room again"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
