"""What folding promises, as checks: they hold for the kernel, and fail for planted defects."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from shared.errors import Fenced
from shared.log import Record
from shared.loop.rows import Rows
from tests.shared.loop.bench import Bench, Owner
from tests.shared.loop.tally import TALLY, answered, records

PEOPLE = [UUID(int=n) for n in range(1, 6)]
POINTS = ("before the rows", "rows locked", "rows written")


def surveys(count: int, start: int = 0) -> list[tuple[UUID, str]]:
    """Who answers which survey: each another one, so that each can be counted."""
    return [(PEOPLE[n % len(PEOPLE)], f"s{n}") for n in range(start, start + count)]


def answers(said: Sequence[tuple[UUID, str]]) -> list[bytes]:
    return [answered(person, survey) for person, survey in said]


async def folded_once(bench: Bench, said: Sequence[tuple[UUID, str]]) -> None:
    """Each survey exactly once, a customer's in their order, in every table."""
    assert await bench.times() == dict.fromkeys(said, 1)
    rows = await bench.rows()
    for person in PEOPLE:
        own = [survey for of, survey in said if of == person]
        found = rows[person].state.order if person in rows else []
        assert found == own
        if own:
            assert rows[person].count == rows[person].view.count == len(own)
    journal = await bench.fetch("SELECT event_id FROM folded")
    assert len({row["event_id"] for row in journal}) == len(journal) == len(said)


async def nothing_is_folded_twice(bench: Bench) -> None:
    """The log holds repeats wherever a relay sent something again: they are known by their numbers."""
    said = surveys(20)
    values = answers(said)
    owner = await bench.owned()
    log: list[Record] = []
    for first, last in ((0, 8), (3, 8), (3, 12), (0, 20), (19, 20)):  # as relays would repeat them
        log += records(values[first:last], offset=len(log), sequence=first + 1)
    for start in range(0, len(log), 7):
        await owner.fold(log[start : start + 7])
    await folded_once(bench, said)
    checkpoint = await bench.checkpoint()
    assert checkpoint["next_offset"] == len(log)
    assert checkpoint["seen"] == [20, 0, 0, 0]


class Gated(Rows):
    """Rows that wait at one point until the test opens the gate: an owner frozen in mid-transaction."""

    def __init__(self, point: str) -> None:
        super().__init__(TALLY)
        self._point = point
        self.frozen = asyncio.Event()
        self.go_on = asyncio.Event()

    async def _gate(self, point: str) -> None:
        if point == self._point:
            self.frozen.set()
            await self.go_on.wait()

    async def hold(self, *args: Any) -> Any:
        await self._gate("before the rows")
        held = await super().hold(*args)
        await self._gate("rows locked")
        return held

    async def write(self, *args: Any) -> None:
        await super().write(*args)
        await self._gate("rows written")


async def an_old_owner_commits_nothing(bench: Bench, point: str) -> None:
    """Frozen in mid-batch, fenced by a second owner, woken again: not a byte of it stays."""
    said = surveys(10)
    batch = records(answers(said))
    rows = Gated(point)
    old = await bench.owned("old", rows=rows, seconds=-1)
    waking = asyncio.create_task(old.apply(batch))
    await rows.frozen.wait()
    new = await bench.owned("new")
    assert new.lease.epoch == old.lease.epoch + 1
    overtaken = (
        point == "before the rows"
    )  # at the other points the frozen one holds the rows' locks
    if overtaken:
        await new.fold(batch)
    before = await bench.snapshot()
    rows.go_on.set()
    [outcome] = await asyncio.gather(waking, return_exceptions=True)
    assert isinstance(outcome, Fenced), outcome
    assert await bench.snapshot() == before
    if not overtaken:
        await new.fold(batch)
    await folded_once(bench, said)


async def a_stale_position_commits_nothing(bench: Bench) -> None:
    """The same owner, who does not know that its last batch was committed."""
    said = surveys(10)
    batch = records(answers(said))
    owner = await bench.owned()
    stale = Owner(owner.leases, owner.lease, owner.folding)
    await owner.apply(batch)
    before = await bench.snapshot()
    with pytest.raises(Fenced):
        await stale.apply(batch)
    assert await bench.snapshot() == before
    await folded_once(bench, said)
