"""Rows are held under their locks before anybody reads them."""

import asyncio
from uuid import UUID

import pytest

from shared.loop.rows import Rows
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

    async def count(people: list[UUID]) -> None:
        async with bench.database.transaction() as conn:
            held = await rows.hold(conn, dict.fromkeys(people, 0))
            for one in held.values():
                one.state.count += 1
                one.state.last = DAY0
            written = [(one, derive(one.state, None, {})) for one in held.values()]
            await rows.write(conn, written)

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
        for one in held.values():
            one.state = Tally(count=10, last=DAY0)
        await rows.write(conn, [(one, derive(one.state, None, {})) for one in held.values()])
    await asyncio.gather(*others)
    counts = {person: row.count for person, row in (await bench.rows()).items()}
    assert counts == {person: 16 if person in PEOPLE[3:5] else 6 for person in PEOPLE}
