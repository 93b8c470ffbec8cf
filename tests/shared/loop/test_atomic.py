"""Rows, child rows, journal, checkpoint, outbox, what was parked: all of a batch or nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.database import Database
from tests.shared.loop.bench import Bench, Owner
from tests.shared.loop.tally import (
    DAY0,
    answered,
    closed,
    identified,
    published,
    records,
    ticked,
)

A, B, C = (UUID(int=n) for n in (1, 2, 3))
STATEMENTS = frozenset(
    {"execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"}
)


class Failing:
    """A connection whose n-th statement fails, the commit being the last one: before it runs, after it, or with
    the connection cut."""

    def __init__(self, conn: Any, fails: int, how: str) -> None:
        self._conn = conn
        self._fails = fails
        self._how = how
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._conn, name)
        return self._counted(real) if name in STATEMENTS else real

    async def ending(self) -> None:
        """Just before the commit."""
        await self._counted(self._nothing)()

    async def _nothing(self) -> None: ...

    def _counted(self, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            now = self.count == self._fails
            if now and self._how == "before":
                raise ConnectionResetError
            if now and self._how == "cut":
                self._conn.terminate()
            answer = await real(*args, **kwargs)
            if now and self._how == "after":
                raise ConnectionResetError
            return answer

        return call


async def fails_everywhere(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str, work: Callable[[], Awaitable[Any]]
) -> int:
    """Let each statement of the work's transaction fail once; answer how many there are."""
    before = await bench.snapshot()
    n = 0
    while True:
        n += 1
        made: list[Failing] = []

        @asynccontextmanager
        async def transaction(n: int = n, made: list[Failing] = made) -> AsyncIterator[Any]:
            async with Database.transaction(bench.database) as conn:
                made.append(Failing(conn, n, how))
                yield made[-1]
                await made[-1].ending()

        monkeypatch.setattr(bench.database, "transaction", transaction)
        [outcome] = await asyncio.gather(work(), return_exceptions=True)
        if not isinstance(outcome, BaseException):
            monkeypatch.undo()
            return n - 1
        assert made[0].count == n, outcome
        assert await bench.snapshot() == before, f"statement {n} failed"


async def prepared(bench: Bench) -> Owner:
    """Rows of old, an open backfill, a policy: so that a batch touches every table."""
    owner = await bench.owned()
    values = [answered(A, "s1"), answered(B, "s2", history="h"), published(5)]
    await owner.fold(records(values))
    return owner


@pytest.mark.parametrize("how", ["before", "after", "cut"])
async def test_a_batch_is_all_or_nothing(bench: Bench, monkeypatch, how: str):
    owner = await prepared(bench)
    values = [
        answered(A, "s1"),
        answered(A, "s3"),
        answered(C, "s4"),
        identified(C, "+8613800000000"),
        b"not an event",
        published(2, version=2),
        closed("h"),
        ticked(DAY0 + timedelta(days=60)),
    ]
    batch = records(values, offset=3, sequence=4)
    count = await fails_everywhere(bench, monkeypatch, how, lambda: owner.apply(batch))
    assert count >= 15, "every table has its statement"
    await owner.settle()
    assert await bench.times() == {(A, "s1"): 2, (A, "s3"): 1, (B, "s2"): 1, (C, "s4"): 1}
    assert await bench.said() == {str(A): ["low", "quiet"], str(B): ["quiet"], str(C): ["quiet"]}
    assert [row["reason"] for row in await bench.parked()] == ["bad_envelope"]
    assert await bench.value("SELECT count(*) FROM identity") == 1


@pytest.mark.parametrize("how", ["before", "after", "cut"])
async def test_what_is_due_or_tried_again_is_all_or_nothing(bench: Bench, monkeypatch, how: str):
    owner = await prepared(bench)
    broken = records([answered(C, "boom")], offset=3, sequence=4)
    owner.lease = await owner.folding.park(owner.lease, broken[0], ArithmeticError())
    await owner.apply(records([ticked(DAY0 + timedelta(days=60))], offset=4, sequence=5))
    await bench.execute("UPDATE quarantine SET status = 'replay'")
    monkeypatch.setattr("tests.shared.loop.tally.is_broken", lambda _survey: False)
    work = owner.folding.settle
    count = await fails_everywhere(bench, pytest.MonkeyPatch(), how, lambda: work(owner.lease))
    assert count >= 10
    assert await bench.times() == {(A, "s1"): 1, (B, "s2"): 1, (C, "boom"): 1}
    assert [row["status"] for row in await bench.parked()] == ["applied"]
    assert await bench.said() == {str(A): ["low", "quiet"], str(C): ["quiet"]}


@pytest.mark.parametrize("how", ["before", "after", "cut"])
async def test_parking_is_all_or_nothing(bench: Bench, monkeypatch, how: str):
    owner = await prepared(bench)
    [record] = records([answered(C, "boom")], offset=3, sequence=4)

    async def work():
        owner.lease = await owner.folding.park(owner.lease, record, ArithmeticError())

    assert await fails_everywhere(bench, monkeypatch, how, work) == 4
    assert [row["reason"] for row in await bench.parked()] == ["not_applicable"]
    assert owner.lease.next_offset == (await bench.checkpoint())["next_offset"] == 4
