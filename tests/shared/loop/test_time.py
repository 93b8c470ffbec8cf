"""Time and policies are events: they move when the log says so, and what hangs on them is derived again."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.loop.rows import ALWAYS
from tests.shared.loop.bench import Bench
from tests.shared.loop.stream import Stream
from tests.shared.loop.tally import DAY0, QUIET_AFTER, answered, published, ticked

A, B = (UUID(int=n) for n in (1, 2))
DUE = DAY0 + QUIET_AFTER
SECOND = timedelta(seconds=1)


@pytest.fixture
async def stream(bench: Bench):
    return Stream(bench, await bench.owned())


async def test_what_is_due_is_derived_when_the_clock_gets_there(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), ticked(DAY0))
    assert (await bench.rows())[A].due_at == DUE
    await stream.send(ticked(DUE - SECOND))
    assert (await bench.rows())[A].level == "low"
    await stream.send(ticked(DUE))
    row = (await bench.rows())[A]
    assert (row.level, row.due_at, row.told.level) == ("quiet", None, "quiet")
    [_, event] = await bench.outbox()
    assert (event.data.state, event.data.previous, event.data.since) == ("quiet", "low", DUE)


async def test_no_clock_no_transition(bench: Bench, stream: Stream):
    """However new the events beside it are, only the clock says how late it is."""
    await stream.send(answered(A, "a"), answered(B, "b", DAY0 + timedelta(days=900)))
    assert (await bench.rows())[A].level == "low"
    await stream.send(ticked(DAY0), answered(B, "c", DAY0 + timedelta(days=901)))
    assert await bench.said() == {str(A): ["low"], str(B): ["low"]}


async def test_a_clock_that_jumps_tells_when_it_was(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), ticked(DAY0 + timedelta(days=500)))
    [event] = await bench.outbox()
    assert (event.data.state, event.data.since) == ("quiet", DUE)


async def test_the_clock_never_goes_back(bench: Bench, stream: Stream):
    await stream.send(ticked(DUE), ticked(DAY0))
    await stream.send(ticked(DAY0), answered(A, "a"))
    assert (await bench.checkpoint())["clock"] == DUE
    assert await bench.said() == {str(A): ["quiet"]}


async def test_the_next_owner_has_the_clock(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), ticked(DUE - SECOND))
    await stream.taken_over()
    await stream.send(answered(B, "b", DAY0 - timedelta(days=1)))
    assert await bench.said() == {str(A): ["low"], str(B): ["quiet"]}


async def test_what_was_due_when_the_last_owner_died_is_derived_by_the_next(
    bench: Bench, stream: Stream
):
    await stream.send(answered(A, "a"))
    await stream.owner.apply(stream.next(ticked(DUE)))
    assert (await bench.rows())[A].level == "low"
    await stream.taken_over()
    await stream.owner.settle()
    assert (await bench.rows())[A].level == "quiet"


async def test_a_late_fact_corrects_what_was_said(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), ticked(DUE))
    await stream.send(answered(A, "late", DUE - timedelta(days=5)))
    assert await bench.said() == {str(A): ["quiet", "low"]}
    assert (await bench.outbox())[-1].data.previous == "quiet"
    assert (await bench.rows())[A].due_at == DUE - timedelta(days=5) + QUIET_AFTER
    await stream.send(ticked(DUE + QUIET_AFTER))
    assert await bench.said() == {str(A): ["quiet", "low", "quiet"]}


async def test_a_policy_is_applied_to_every_row_of_the_partition(bench: Bench, stream: Stream):
    await stream.send(*(answered(A, f"a{n}") for n in range(3)), answered(B, "b"))
    assert await bench.said() == {str(A): ["high"], str(B): ["low"]}
    await stream.send(published(5))
    assert await bench.said() == {str(A): ["high", "low"], str(B): ["low"]}
    rows = await bench.rows()
    assert {row.due_at for row in rows.values()} == {DUE}, "derived, and due again in its time"
    await stream.send(published(1, version=2))
    assert await bench.said() == {str(A): ["high", "low", "high"], str(B): ["low", "high"]}


async def test_a_policy_that_nothing_goes_by_wakes_no_row(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"))
    before = (await bench.rows())[A].due_at
    for name, after in (("another", before), ("tally", ALWAYS)):
        await stream.owner.apply(stream.next(published(1, name=name)))
        assert (await bench.rows())[A].due_at == after


async def test_a_policy_holds_for_its_own_batch(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), published(1), answered(B, "b"))
    assert await bench.said() == {str(A): ["high"], str(B): ["high"]}


async def test_an_older_version_changes_nothing_nor_does_the_same_again(
    bench: Bench, stream: Stream
):
    await stream.send(published(1, version=7), answered(A, "a"))
    await stream.send(published(9, version=6))
    await stream.send(published(9, version=7))
    await stream.send(answered(B, "b"))
    assert await bench.said() == {str(A): ["high"], str(B): ["high"]}
    await stream.taken_over()
    await stream.send(answered(B, "b2"))
    assert await bench.said() == {str(A): ["high"], str(B): ["high"]}


async def test_the_next_owner_has_the_policy(bench: Bench, stream: Stream):
    await stream.send(published(1))
    await stream.taken_over()
    await stream.send(answered(A, "a"))
    assert await bench.said() == {str(A): ["high"]}


async def test_a_policy_tells_nothing_of_the_muted(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a", history="h"), published(1))
    assert (await bench.rows())[A].level == "high"
    assert await bench.said() == {}
