"""Workers share the partitions, take over from each other, and stop when they are told to."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from uuid import UUID

import pytest

from shared.ids import partition_of
from shared.log import Entry
from shared.log.postgres import PostgresLog
from shared.loop import runner as loop_runner
from shared.loop.trimming import trim
from shared.loop.worker import Worker
from shared.outbox import OUTBOX
from shared.readiness import worker_readiness
from shared.service import Task
from shared.wake import Hint
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.tally import DAY0, SERVICE, answered

PARTITIONS = 8
LEASE = 0.9


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)


@asynccontextmanager
async def open_worker(
    bench: Bench, name: str, *, seconds: float = LEASE, tasks: tuple = (), **settings: float
):
    kernel = bench.kernel(name, partitions=PARTITIONS, lease_seconds=seconds, **settings)
    kernel = replace(kernel, service=replace(SERVICE, tasks=tasks))
    try:
        yield Worker(kernel)
    finally:
        await kernel.close()


@asynccontextmanager
async def working(bench: Bench, name: str, **more):
    async with open_worker(bench, name, **more) as worker, running(worker):
        yield worker


async def owners(bench: Bench) -> dict[str, int]:
    rows = await bench.fetch(
        "SELECT owner, count(*) AS n FROM checkpoint WHERE owner IS NOT NULL GROUP BY owner"
    )
    return {row["owner"]: row["n"] for row in rows}


async def shared_as(bench: Bench, **wanted: int) -> None:
    async def is_so():
        return await owners(bench) == wanted

    await eventually(is_so, f"{wanted}")


async def test_two_share_and_who_stays_takes_all(bench: Bench):
    async with working(bench, "one") as one:
        await shared_as(bench, one=8)
        async with working(bench, "two") as two:
            await shared_as(bench, one=4, two=4)

            async def both_run_theirs():
                return sorted(one.owned() + two.owned()) == list(range(8))

            await eventually(both_run_theirs)
        await shared_as(bench, one=8)
        assert await bench.value("SELECT count(*) FROM worker") == 1
    assert await owners(bench) == {}, "who leaves gives everything back"


async def test_who_finds_the_checkpoints_locked_waits(bench: Bench):
    """A statement that took too long when it began is no reason to end."""
    await bench.leases("another", partitions=PARTITIONS).prepare()
    async with open_worker(bench, "one", statement_seconds=0.2) as worker:
        readiness = worker_readiness(worker.kernel, worker)

        async def well():
            return (await readiness()).get("caught_up")

        async with AsyncExitStack() as stack:
            async with bench.database.transaction() as conn:
                await conn.execute("LOCK TABLE checkpoint")
                await stack.enter_async_context(running(worker))
                await asyncio.sleep(0.6)
                assert not worker.prepared
            await eventually(well)


async def test_who_is_not_prepared_has_not_caught_up(bench: Bench):
    await bench.leases("another", partitions=PARTITIONS).prepare()
    async with open_worker(bench, "one") as worker:
        readiness = worker_readiness(worker.kernel, worker)
        answer = await readiness()
        assert (answer["lag"]["events"], answer["caught_up"]) == (0, False)
        async with running(worker):

            async def well():
                return (await readiness()).get("caught_up")

            await eventually(well)


async def killed(worker: Worker, task: asyncio.Task) -> None:
    """As by SIGKILL: nothing is given back."""

    async def nothing() -> None: ...

    worker._let_go = nothing
    for runner in worker._running.values():
        runner.cancel()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_partitions_of_a_killed_worker_are_taken_over_after_a_while(bench: Bench):
    async with open_worker(bench, "one") as one:
        task = asyncio.create_task(one.run())
        await shared_as(bench, one=8)
        await killed(one, task)
        assert await owners(bench) == {"one": 8}
        async with working(bench, "two"):
            await shared_as(bench, two=8)


async def test_a_killed_worker_takes_its_own_back_at_once(bench: Bench):
    async with open_worker(bench, "one", seconds=3600) as one:
        task = asyncio.create_task(one.run())
        await shared_as(bench, one=8)
        await killed(one, task)
    async with working(bench, "one", seconds=3600) as again:

        async def runs_all():
            return len(again.owned()) == 8

        await eventually(runs_all)
        assert await bench.value("SELECT min(epoch) FROM checkpoint") == 2


async def publish(bench: Bench, people: list[UUID], enough: asyncio.Event) -> dict[int, int]:
    """Everybody answers one survey after the other, until it is enough; answers the last numbers."""
    log = PostgresLog(bench.url, partitions=PARTITIONS, client="tests")
    numbers = dict.fromkeys(range(PARTITIONS), 0)
    for turn in count():
        batch = []
        for person in people:
            partition = partition_of(str(person), PARTITIONS)
            numbers[partition] += 1
            value = answered(person, f"s{turn}")
            batch.append(
                (partition, Entry("", value, origin="interaction", sequence=numbers[partition]))
            )
        await log.append("customers", batch)
        if enough.is_set():
            break
        await asyncio.sleep(0.02)
    await log.close()
    return numbers


async def test_nothing_is_lost_or_doubled_while_workers_come_and_go(bench: Bench):
    people = [UUID(int=n) for n in range(1, 25)]
    enough = asyncio.Event()
    async with working(bench, "one"):
        publishing = asyncio.create_task(publish(bench, people, enough))
        for name in ("two", "three"):
            async with open_worker(bench, name) as other:
                task = asyncio.create_task(other.run())

                async def has_some(other=other):
                    return other.owned()

                await eventually(has_some)
                if name == "two":
                    await killed(other, task)
                else:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        enough.set()
        numbers = await publishing

        async def all_is_done():
            rows = await bench.fetch("SELECT partition, seen[1] AS seen FROM checkpoint")
            acked = await bench.value("SELECT sum(acked_sequence) FROM relay")
            return {row["partition"]: row["seen"] for row in rows} == numbers and (
                acked == await bench.value("SELECT count(*) FROM outbox")
            )

        await eventually(all_is_done)
    said = [f"s{turn}" for turn in range(sum(numbers.values()) // len(people))]
    assert await bench.times() == {(person, survey): 1 for person in people for survey in said}
    rows = await bench.rows()
    assert {person: row.state.order for person, row in rows.items()} == dict.fromkeys(people, said)
    for partition, number in numbers.items():
        if number:
            levels = [event.data.state for event in await bench.outbox(partition)]
            here = [
                person for person in people if partition_of(str(person), PARTITIONS) == partition
            ]
            assert levels.count("high") == len(here)
            assert levels.count("low") + levels.count("high") == len(levels) <= 2 * len(here)


async def test_one_worker_does_the_timed_tasks(bench: Bench):
    done: list[str] = []

    async def run(kernel) -> None:
        done.append(kernel.settings.worker_name)

    task = Task(name="t", seconds=0.01, run=run)
    async with working(bench, "one", tasks=(task,)):
        await shared_as(bench, one=8)

        async def did():
            return len(done) >= 3

        await eventually(did)
        async with working(bench, "two", tasks=(task,)) as two:
            await shared_as(bench, one=4, two=4)
            done.clear()
            await eventually(did)
            assert set(done) == {"two" if 0 in two.owned() else "one"}


async def test_a_task_that_fails_is_tried_again(bench: Bench):
    calls = []

    async def run(_kernel) -> None:
        calls.append(1)
        raise ArithmeticError

    async with working(bench, "one", tasks=(Task(name="t", seconds=0.01, run=run),)):

        async def again():
            return len(calls) >= 3

        await eventually(again)


@pytest.mark.parametrize("what", ["hint", "log"])
async def test_who_is_told_to_stop_just_when_something_arrives_stops(bench: Bench, what: str):
    hint = Hint(bench.database, "tests")
    log = PostgresLog(bench.url, partitions=1, client="tests")
    tail = log._tails["customers"]
    waiting = asyncio.create_task(hint.wait(60) if what == "hint" else tail.grown(0, 0, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hint.nudge()
    tail.heads[0] = 1
    tail._wake()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await hint.close()
    await log.close()


async def test_what_grows_is_trimmed_and_the_numbers_go_on(bench: Bench):
    kernel = bench.kernel(partitions=2)
    await bench.leases(partitions=2).prepare()
    async with bench.database.transaction() as conn:
        for partition in (0, 1):
            await OUTBOX.append(conn, [(partition, Entry("k", b"x"))] * 5, DAY0)
    await bench.execute("UPDATE outbox SET recorded_at = now() - interval '8 days'")
    await bench.execute("UPDATE relay SET acked_sequence = 5 WHERE partition = 0")
    await bench.execute("UPDATE relay SET acked_sequence = 2 WHERE partition = 1")
    for age in ("73 hours", "71 hours"):
        await bench.execute(
            "INSERT INTO idempotency VALUES ('p', 'r', $1, '', 200, 's', '', now() - $1::text::interval)",
            age,
        )
    await trim(kernel)
    rows = await bench.fetch("SELECT partition, sequence FROM outbox ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [(0, 5), (1, 2), (1, 3), (1, 4), (1, 5)]
    assert await bench.value("SELECT array_agg(key) FROM idempotency") == ["71 hours"]
    async with bench.database.transaction() as conn:
        assert await OUTBOX.append(conn, [(0, Entry("k", b"y"))], DAY0) == [6]
    await kernel.close()
