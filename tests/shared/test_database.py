"""Connections that are lent: whatever the server does, nobody waits long, and what is done is done."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from shared.database import Database
from shared.errors import is_pause


@pytest.fixture
async def two(database: str):
    made = Database(database, name="tests", size=2)
    async with made.transaction() as conn:
        await conn.execute("CREATE TABLE t (n int)")
    yield made
    await made.close()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A backend of ours says nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def rows(database: Database) -> list[int]:
    async with database.read() as conn:
        return [row["n"] for row in await conn.fetch("SELECT n FROM t ORDER BY n")]


async def test_all_or_nothing(two: Database):
    async with two.transaction() as conn:
        await conn.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(KeyError):  # noqa: PT012
        async with two.transaction() as conn:
            await conn.execute("INSERT INTO t VALUES (2)")
            raise KeyError
    assert await rows(two) == [1]
    async with two.connection() as conn:
        await conn.execute("INSERT INTO t VALUES (3)")
    assert await rows(two) == [1, 3]


async def test_reading_sees_one_moment_and_writes_nothing(two: Database):
    async with two.snapshot() as conn:
        assert await conn.fetchval("SELECT count(*) FROM t") == 0
        async with two.transaction() as other:
            await other.execute("INSERT INTO t VALUES (1)")
        assert await conn.fetchval("SELECT count(*) FROM t") == 0
        with pytest.raises(Exception, match="read-only"):
            await conn.fetchval("INSERT INTO t VALUES (2) RETURNING n")
    assert await rows(two) == [1]


async def test_who_gives_up_leaves_nothing_behind(two: Database):
    """Neither a lock nor a connection that nobody has."""
    for _ in range(5):
        with pytest.raises(TimeoutError):  # noqa: PT012
            async with asyncio.timeout(0.1), two.transaction() as conn:
                await conn.execute("INSERT INTO t VALUES (1)")
                await conn.execute("LOCK TABLE t; SELECT pg_sleep(60)")
    assert await rows(two) == []


async def test_a_cancelled_task_is_cancelled(two: Database):
    async def sleep() -> None:
        async with two.transaction() as conn:
            await conn.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_gives_up_does_not_wait_for_a_frozen_server(two: Database):
    """Not for the end of the transaction either; others get another connection."""
    async with two.transaction() as conn:
        pid = await conn.fetchval("SELECT pg_backend_pid()")
    with frozen(pid):
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.2), two.transaction() as conn:
                await conn.execute("INSERT INTO t VALUES (1)")
        assert asyncio.get_running_loop().time() - started < 2, "it waited for the server"
        assert is_pause(caught.value)
        async with two.transaction() as conn:
            await conn.execute("INSERT INTO t VALUES (2)")
    assert await rows(two) == [2]


async def test_where_one_connection_is_dead_the_others_are_not_tried(database: str, monkeypatch):
    """As where a router has forgotten them: nobody says so, and each would cost as long as the first."""
    monkeypatch.setattr("shared.database.SERVER_SECONDS", 0.3)
    db = Database(database, name="tests", size=3, limits={"statement_timeout": "200"})

    async def everywhere() -> set[int]:
        """All connections that there may be, at once; those that only read are kept then."""
        together = asyncio.Barrier(6)

        async def one(lent) -> int:
            async with lent as conn:
                await together.wait()
                return await conn.fetchval("SELECT pg_backend_pid()")

        asked = [one(lend()) for lend in (db.read, db.connection) for _ in range(3)]
        return set(await asyncio.gather(*asked))

    with ExitStack() as dead:
        for pid in await everywhere():
            dead.enter_context(frozen(pid))
        with pytest.raises(TimeoutError):
            await backend(db)
        assert len(await everywhere()) == 6
    await db.close()


async def test_what_is_committed_stays_done_whatever_becomes_of_the_connection(two: Database):
    async with two.connection() as conn:
        await conn.execute("INSERT INTO t VALUES (1)")
        pid = await conn.fetchval("SELECT pg_backend_pid()")
        os.kill(pid, signal.SIGSTOP)  # it takes nothing back
    os.kill(pid, signal.SIGCONT)
    assert await rows(two) == [1]


async def backend(database: Database) -> int:
    async with database.read() as conn:
        return await conn.fetchval("SELECT pg_backend_pid()")


async def test_who_reads_next_gets_the_connection_that_has_read(two: Database):
    assert len({await backend(two) for _ in range(5)}) == 1


async def test_more_who_read_at_once_than_there_are_connections(two: Database):
    pids = await asyncio.gather(*(backend(two) for _ in range(20)))
    assert len(set(pids)) <= 2


async def test_who_waits_to_read_is_handed_what_was_given_back(two: Database):
    """Whatever those who have the connections do with them: read, look at one moment, fail, give up."""
    order: list[int] = []

    async def wait_for_a_turn(number: int) -> None:
        if number % 2:
            async with two.read() as conn:
                await conn.fetchval("SELECT 1")
        else:
            async with two.snapshot() as conn:
                await conn.fetchval("SELECT 1")
        order.append(number)

    held = [two.read(), two.snapshot()]
    for one in held:
        await one.__aenter__()
    waiting = [asyncio.create_task(wait_for_a_turn(n)) for n in range(8)]
    await asyncio.sleep(0.05)
    assert order == []
    waiting[3].cancel()
    await held[0].__aexit__(None, None, None)
    await asyncio.wait(waiting, timeout=5)
    assert order == [0, 1, 2, 4, 5, 6, 7], "one connection is enough, and each in its turn"
    await held[1].__aexit__(None, None, None)
    assert await asyncio.gather(rows(two), rows(two), rows(two)) == [[], [], []]


async def test_nobody_waits_to_read_without_end(two: Database, monkeypatch):
    monkeypatch.setattr("shared.database.ACQUIRE_SECONDS", 0.1)
    async with two.read(), two.snapshot():
        with pytest.raises(TimeoutError):
            await rows(two)
        with pytest.raises(TimeoutError):
            async with two.snapshot():
                pass
    assert await asyncio.gather(rows(two), rows(two), rows(two)) == [[], [], []]


async def test_what_is_kept_is_there_for_a_snapshot(two: Database):
    async with two.read(), two.read():
        pass
    async with two.snapshot() as one, two.snapshot() as other:
        pids = {await conn.fetchval("SELECT pg_backend_pid()") for conn in (one, other)}
    assert len(pids) == 2
    assert await backend(two) in pids


async def test_a_connection_that_was_cut_while_it_was_kept_is_not_lent(two: Database):
    pid = await backend(two)
    async with two.connection() as conn:
        assert await conn.fetchval("SELECT pg_terminate_backend($1, 2000)", pid)
    await asyncio.sleep(0.05)
    assert await backend(two) != pid


async def test_a_statement_that_failed_costs_no_connection(two: Database):
    for _ in range(5):
        with pytest.raises(Exception, match="nowhere"):
            async with two.read() as conn:
                await conn.fetch("SELECT * FROM nowhere")
    assert await asyncio.gather(rows(two), rows(two), rows(two)) == [[], [], []]


async def test_a_connection_that_the_server_ends_between_two_statements_is_a_reason_to_pause(
    database,
):
    """As where something else is asked meanwhile, and takes too long."""
    limits = {"statement_timeout": "5000", "idle_in_transaction_session_timeout": "100"}
    db = Database(database, name="test", limits=limits)

    async def idle() -> None:
        async with db.transaction() as conn:
            await conn.execute("SELECT 1")
            await asyncio.sleep(0.5)
            await conn.execute("SELECT 1")

    with pytest.raises(Exception) as ended:
        await idle()
    assert is_pause(ended.value), repr(ended.value)
    async with db.transaction() as conn:
        assert await conn.fetchval("SELECT 1") == 1
    await db.close()
