"""Questions that come together are answered together, each to who asked."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from services.interaction.passed import MOST_KEYS, Passed


class Database:
    """Knows some keys, and which were asked for together."""

    def __init__(self, *known: bytes) -> None:
        self.known = known
        self.asked: list[list[bytes]] = []
        self.failure: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()

    @asynccontextmanager
    async def read(self):
        yield self

    async def fetch(self, _query, keys):
        self.asked.append(keys)
        await self.go.wait()
        if self.failure:
            raise self.failure
        return [{"key": key} for key in self.known if key in keys]


async def test_who_asks_meanwhile_is_answered_by_the_next_statement():
    database = Database(b"a", b"c")
    database.go.clear()
    passed = Passed(database)
    first = asyncio.create_task(passed.find([b"a"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(passed.find([key])) for key in (b"b", b"c", b"d")]
    await asyncio.sleep(0)
    database.go.set()
    assert set(await first) == {b"a"}
    found = await asyncio.gather(*others)
    assert [b"b" in found[0], b"c" in found[1], b"d" in found[2]] == [False, True, False]
    assert database.asked == [[b"a"], [b"b", b"c", b"d"]]


async def test_no_key_asks_nothing():
    database = Database()
    assert await Passed(database).find([]) == {}
    assert database.asked == []


async def test_a_failure_is_told_to_all_who_asked_together_and_to_nobody_else():
    database = Database(b"a")
    database.failure = ConnectionError()
    passed = Passed(database)
    outcomes = await asyncio.gather(
        passed.find([b"a"]), passed.find([b"b"]), return_exceptions=True
    )
    assert [type(one) for one in outcomes] == [ConnectionError, ConnectionError]
    database.failure = None
    assert set(await passed.find([b"a"])) == {b"a"}


async def test_who_gives_up_holds_up_nobody():
    database = Database(b"a", b"b")
    database.go.clear()
    passed = Passed(database)
    tasks = [asyncio.create_task(passed.find([key])) for key in (b"a", b"b", b"c")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    database.go.set()
    assert b"a" in await tasks[0]
    assert b"c" not in await tasks[2]


async def test_a_statement_has_its_limit():
    database = Database()
    passed = Passed(database)
    half = [n.to_bytes(4) for n in range(MOST_KEYS // 2 + 1)]
    await asyncio.gather(*(passed.find(half) for _ in range(3)))
    assert max(map(len, database.asked)) <= MOST_KEYS
    whole = [n.to_bytes(4) for n in range(MOST_KEYS + 1)]
    await passed.find(whole)
    assert database.asked[-1] == whole
