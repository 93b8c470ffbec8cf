"""A backfill folds in silence; when it is closed each customer that it touched is told of once."""

from uuid import UUID

import pytest

from shared.loop import folding
from shared.loop.pacing import Pacing
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.stream import Stream
from tests.shared.loop.tally import DAY0, QUIET_AFTER, answered, closed, records, ticked

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.fixture
async def stream(bench: Bench):
    return Stream(bench, await bench.owned())


async def test_history_is_folded_in_silence_and_told_once_when_closed(bench: Bench, stream: Stream):
    await stream.send(*(answered(A, f"a{n}", history="h") for n in range(2)))
    await stream.send(*(answered(A, f"b{n}", history="h") for n in range(2)))
    await stream.send(answered(B, "c", history="h"))
    rows = await bench.rows()
    assert (rows[A].level, rows[A].count, rows[B].level) == ("high", 4, "low")
    assert rows[A].history == ["h"]
    assert await bench.said() == {}
    await stream.send(closed("h"))
    assert await bench.said() == {str(A): ["high"], str(B): ["low"]}, (
        "where they are, not how they came there"
    )
    assert [event.data.previous for event in await bench.outbox()] == [None, None]
    assert {row.history == [] for row in (await bench.rows()).values()} == {True}
    await stream.send(closed("h"))
    assert len(await bench.outbox()) == 2


async def test_others_are_told_of_meanwhile(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a", history="h"), answered(B, "b"))
    assert await bench.said() == {str(B): ["low"]}


async def test_what_arrives_for_a_closed_history_is_told_at_once(bench: Bench, stream: Stream):
    await stream.send(closed("h"))
    await stream.send(answered(A, "late", history="h"))
    assert await bench.said() == {str(A): ["low"]}


@pytest.mark.parametrize("first", [True, False])
async def test_closing_in_the_same_batch(bench: Bench, stream: Stream, first: bool):
    batch = [answered(A, "a", history="h"), closed("h")]
    await stream.send(*(batch if first else reversed(batch)))
    assert await bench.said() == {str(A): ["low"]}
    assert (await bench.rows())[A].history == []


async def test_the_next_owner_knows_what_is_closed(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a", history="open"), closed("h"))
    await stream.taken_over()
    await stream.send(answered(B, "b", history="h"), answered(A, "a2"))
    assert await bench.said() == {str(B): ["low"]}


async def test_a_live_event_of_a_muted_customer_stays_silent_until_closed(
    bench: Bench, stream: Stream
):
    await stream.send(answered(A, "a", history="h"))
    await stream.send(*(answered(A, f"live{n}") for n in range(3)))
    assert (await bench.rows())[A].level == "high"
    assert await bench.said() == {}
    await stream.send(ticked(DAY0 + QUIET_AFTER))
    assert (await bench.rows())[A].level == "quiet", "time goes on for the muted, too"
    assert await bench.said() == {}
    await stream.send(closed("h"))
    assert await bench.said() == {str(A): ["quiet"]}


async def test_two_histories_at_once(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a", history="h"), answered(A, "b", history="k"))
    await stream.send(closed("h"))
    assert await bench.said() == {}
    assert (await bench.rows())[A].history == ["k"]
    await stream.send(closed("k"))
    assert await bench.said() == {str(A): ["low"]}


async def test_who_was_told_of_before_is_told_of_the_difference(bench: Bench, stream: Stream):
    await stream.send(answered(A, "a"), answered(B, "b"))
    await stream.send(*(answered(A, f"h{n}", history="h") for n in range(3)))
    await stream.send(answered(B, "h9", history="h"))
    assert await bench.said() == {str(A): ["low"], str(B): ["low"]}
    await stream.send(closed("h"))
    assert await bench.said() == {str(A): ["low", "high"], str(B): ["low"]}


async def test_a_great_history_is_told_in_chunks(bench: Bench, stream: Stream, monkeypatch):
    monkeypatch.setattr(folding, "DUE_CHUNK", 3)
    people = [UUID(int=n) for n in range(10, 20)]
    await stream.send(*(answered(person, "s", history="h") for person in people))
    await stream.owner.apply(stream.next(closed("h")))
    stream.owner.lease = await stream.owner.folding.settle(stream.owner.lease)
    assert len(await bench.outbox()) == 3
    assert stream.owner.folding.due
    await stream.owner.settle()
    assert await bench.said() == {str(person): ["low"] for person in people}


async def test_telling_of_a_great_history_gives_way_to_what_is_live(bench: Bench, monkeypatch):
    """While a service is far behind nobody is told of, but for a chunk a second, and live events are folded."""
    monkeypatch.setattr(folding, "DUE_CHUNK", 3)
    monkeypatch.setattr(folding, "FEW", 1)
    people = [UUID(int=n) for n in range(10, 20)]
    log = MemoryLog()
    log.put(records([*(answered(one, "s", history="h") for one in people), closed("h")]))
    await log.note("campaign", "customers", {0: 1})
    seconds = 0.0
    pace = Pacing(log, 5, clock=lambda: seconds)
    runner = bench.runner(await bench.owned(log=log), log, pace)

    async def is_told(count: int) -> None:
        async def told():
            return len(await bench.outbox()) == count

        await eventually(told, f"{count} announcements")

    async with running(runner):
        await is_told(3)
        log.put(records([answered(A, "live")], offset=11, sequence=12))
        await is_told(4)
        assert set(await bench.said()) >= {str(A)}
        assert len(await bench.outbox()) == 4, "the others wait"
        seconds = 1.5
        await is_told(7)
        await log.note("campaign", "customers", {0: 12})
        seconds = 2.0
        await is_told(10)
        seconds = 2.1
        await is_told(11)
