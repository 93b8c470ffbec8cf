"""Rows are held under their locks before anybody reads them."""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

import pytest

from shared.database import Row
from shared.loop.rows import Packed, Rows
from tests.shared.loop.bench import Bench, eventually
from tests.shared.loop.tally import DAY0, TALLY, Tally, derive

PEOPLE = [UUID(int=n) for n in range(1, 9)]


@pytest.mark.parametrize("there", [False, True], ids=["new rows", "rows that are there"])
async def test_two_who_hold_the_same_rows_do_so_one_after_the_other(bench: Bench, there: bool):
    """Also where neither finds a row yet: both would write it from nothing, and the second erase the first. And
    whatever order they name them in."""
    rows = Rows(TALLY)
    if there:
        async with bench.database.transaction() as conn:
            await rows.hold(conn, dict.fromkeys(PEOPLE, 0))

    def counted(held: Iterable[Row], change: Callable[[int], int]) -> Packed:
        packed = Packed()
        for one in map(rows.open, held):
            one.state = Tally(count=change(one.state.count), last=DAY0)
            rows.pack(packed, one, derive(one.state, None, {}))
        return packed

    async def count(people: list[UUID]) -> None:
        async with bench.database.transaction() as conn:
            held = await rows.hold(conn, dict.fromkeys(people, 0))
            await rows.write(conn, counted(held.values(), lambda count: count + 1))

    async with bench.database.transaction() as conn:
        held = await rows.hold(conn, dict.fromkeys(PEOPLE[3:5], 0))
        others = [asyncio.create_task(count(PEOPLE)) for _ in range(3)]
        others += [asyncio.create_task(count(PEOPLE[::-1])) for _ in range(3)]

        async def all_wait() -> bool:
            waiting = await bench.value(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return waiting == len(others)

        await eventually(all_wait)
        await rows.write(conn, counted(held.values(), lambda _: 10))
    await asyncio.gather(*others)
    counts = {person: row.count for person, row in (await bench.rows()).items()}
    assert counts == {person: 16 if person in PEOPLE[3:5] else 6 for person in PEOPLE}
