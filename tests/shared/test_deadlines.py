"""Who is late is ended; nobody else is."""

import asyncio

import pytest

from shared.deadlines import NEVER, Deadlines


async def test_who_is_late_is_ended():
    deadlines = Deadlines()
    with pytest.raises(TimeoutError), deadlines.within(0) as deadline:
        await asyncio.Event().wait()
    assert deadline.expired


async def test_who_is_in_time_goes_on():
    deadlines = Deadlines()
    for _ in range(3):
        with deadlines.within(60) as deadline:
            await asyncio.sleep(0)
        assert not deadline.expired


async def test_it_is_looked_again_after_a_pause():
    """The timer ends when there is nothing to look after, and begins anew."""
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError), deadlines.within(0):
            await asyncio.Event().wait()


async def test_it_may_be_moved_both_ways():
    deadlines = Deadlines()
    with deadlines.within(0) as moved:
        moved.due = NEVER
        with pytest.raises(TimeoutError), deadlines.within(0):
            await asyncio.Event().wait()
    assert not moved.expired
    sooner = deadlines.within(60)
    sooner.due = 0
    with pytest.raises(TimeoutError), sooner:
        await asyncio.Event().wait()


async def test_only_the_outer_one_is_late():
    deadlines = Deadlines()
    with pytest.raises(TimeoutError), deadlines.within(0) as outer, deadlines.within(60) as inner:
        await asyncio.Event().wait()
    assert (outer.expired, inner.expired) == (True, False)


async def test_what_fails_fails_as_it_is():
    with pytest.raises(KeyError), Deadlines().within(60):
        raise KeyError


async def test_who_is_cancelled_is_cancelled():
    deadlines = Deadlines()

    async def work() -> None:
        with deadlines.within(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_late_and_cancelled_is_cancelled():
    deadlines = Deadlines()
    holder: list = []

    async def work() -> None:
        with deadlines.within(60) as deadline:
            holder.append(deadline)
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    holder[0].expire()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_another_loop_has_its_own():
    deadlines = Deadlines()

    async def late() -> None:
        with pytest.raises(TimeoutError), deadlines.within(0):
            await asyncio.Event().wait()

    async def leave() -> None:
        """A loop that ends while somebody is looked after."""
        deadlines.within(60).__enter__()

    asyncio.run(leave())
    asyncio.run(late())
