"""What is parked is applied once: when a person asks for it, or when the code has learnt its type."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from shared import codec, replaying
from shared.errors import Conflict, NotFound, UnknownType
from shared.language import EVENT_TYPES
from shared.language.event_type import EventType
from shared.loop import runner as loop_runner
from shared.loop import worker as loop_worker
from shared.loop.worker import Worker
from shared.replaying import ask, tried
from tests.shared.loop import tally
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.folding import answers, folded_once, surveys
from tests.shared.loop.tally import (
    DAY0,
    EXTENDED,
    Extended,
    answered,
    entries,
    extended,
    published,
    records,
)

A = UUID(int=1)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(loop_worker, "REPLAY_SECONDS", 0.02)


@pytest.fixture
def learnt(monkeypatch):
    """A function after which the code knows the extended type."""

    def learn():
        kind = EventType(
            name=EXTENDED, struct=Extended, emitters=frozenset(), example={}, description={}
        )
        decoder = codec.msgspec.json.Decoder(Extended)
        monkeypatch.setitem(EVENT_TYPES, EXTENDED, kind)
        monkeypatch.setitem(codec._decoders, kind.dataschema, decoder)

    return learn


@pytest.fixture
async def kernel(bench: Bench):
    made = bench.kernel(lease_seconds=5)
    await made.log.check()
    yield made
    await made.close()


async def replay(kernel, entry):
    """As the API does: ask, then wait for the outcome."""
    async with kernel.database.transaction() as conn:
        await ask(conn, entry, "chen.li")
    return await tried(kernel, entry)


@asynccontextmanager
async def working(kernel):
    worker = Worker(kernel)
    async with running(worker):
        yield worker


async def statuses(bench: Bench) -> list[str]:
    return [row["status"] for row in await bench.parked()]


def becomes(bench: Bench, *wanted: str):
    async def became():
        return await statuses(bench) == list(wanted)

    return eventually(became, f"{wanted}")


async def test_a_type_of_the_future_is_parked_and_stops_nothing(bench: Bench, monkeypatch):
    monkeypatch.setenv("PARKED_PER_HOUR", "0")
    said = surveys(5)
    values = answers(said)
    newer = answered(A, "newer").replace(b"survey.answered/1", b"survey.answered/2")
    values[2:2] = [extended(A, "x1"), extended(A, "x2"), newer]
    owner = await bench.owned()
    await owner.fold(records(values))
    await folded_once(bench, said)
    parked = await bench.parked()
    assert [(row["reason"], row["detail"]["dataschema"]) for row in parked] == [
        ("unknown_type", "tally.extended/1"),
        ("unknown_type", "tally.extended/1"),
        ("unknown_type", "survey.answered/2"),
    ]
    assert (await bench.checkpoint())["seen"] == [8, 0, 0, 0]


async def test_the_first_version_that_knows_a_type_applies_what_was_parked(
    bench: Bench, kernel, learnt
):
    owner = await bench.owned()
    await owner.fold(records([extended(A, "x1"), answered(A, "s1"), extended(A, "x2")]))
    await bench.execute(
        "UPDATE checkpoint SET owner = NULL, until = NULL, next_offset = 0, mark = NULL"
    )
    learnt()
    async with working(kernel):
        await becomes(bench, "applied", "applied")
    assert await bench.times() == {(A, "x1"): 1, (A, "s1"): 1, (A, "x2"): 1}
    assert (await bench.rows())[A].count == 3
    assert {row["resolved_by"] for row in await bench.parked()} == {"upgrade"}


async def test_what_an_older_worker_parks_meanwhile_is_applied_when_its_partition_comes(
    bench: Bench, learnt
):
    """In a rolling deployment the old version goes on parking after the new one has started."""
    learnt()
    older = await bench.owned("older")
    kernel = bench.kernel(lease_seconds=0.3)
    async with working(kernel) as worker:

        async def has_asked():
            return worker.prepared and worker._asked

        await eventually(has_asked)
        known, unknown = records([answered(A, "s1"), extended(A, "x1")])
        await older.fold([known])
        error = UnknownType(EXTENDED, f"{EXTENDED}/1")
        await older.folding.park(older.lease, unknown, error)
        await bench.execute(
            "UPDATE checkpoint SET owner = NULL, until = NULL, next_offset = 0, mark = NULL"
        )
        await becomes(bench, "applied")
    await kernel.close()
    assert await bench.times() == {(A, "s1"): 1, (A, "x1"): 1}


async def parked_one(bench: Bench, kernel) -> UUID:
    """A bug of ours has parked one event of three."""
    values = [answered(A, "s1"), answered(A, "boom"), answered(A, "s2")]
    await kernel.log.append("customers", entries(values))
    await bench.reached(3)
    [row] = await bench.parked()
    return row["id"]


async def prepared(bench: Bench):
    await bench.leases().prepare()


async def test_a_person_applies_a_parked_event_exactly_once(bench: Bench, kernel, monkeypatch):
    await prepared(bench)
    async with working(kernel):
        entry = await parked_one(bench, kernel)
        monkeypatch.setattr(tally, "is_broken", lambda _survey: False)
        outcomes = await asyncio.gather(*(replay(kernel, entry) for _ in range(3)))
        assert {row["status"] for row in outcomes} == {"applied"}
        with pytest.raises(Conflict) as again:
            await replay(kernel, entry)
        assert again.value.params == {"state": "applied"}
        with pytest.raises(NotFound):
            await replay(kernel, uuid4())
    [row] = await bench.parked()
    assert row["resolved_by"] == "chen.li"
    assert row["resolved_at"] is not None
    assert await bench.times() == {(A, "s1"): 1, (A, "s2"): 1, (A, "boom"): 1}
    assert await bench.value("SELECT count(*) FROM folded WHERE origin = 'interaction'") == 3
    assert (await bench.rows())[A].state.order == ["s1", "s2", "boom"]
    assert await bench.said() == {str(A): ["low", "high"]}


async def test_what_still_cannot_be_applied_stays_open_and_holds_up_nothing(bench: Bench, kernel):
    """Whatever our bug raises: due rows and later events of the partition go on."""
    await prepared(bench)
    async with working(kernel):
        entry = await parked_one(bench, kernel)
        row = await replay(kernel, entry)
        assert row["status"] == "open"
        assert row["resolved_at"] is None
        later = [tally.ticked(DAY0 + tally.QUIET_AFTER)]
        await kernel.log.append("customers", entries(later, sequence=4))

        async def quiet():
            return (await bench.rows())[A].level == "quiet"

        await eventually(quiet)
    assert await bench.times() == {(A, "s1"): 1, (A, "s2"): 1}


async def test_a_policy_applied_late_holds_from_then_on(bench: Bench):
    """What the loop remembers of a partition is read again."""
    owner = await bench.owned()
    [late, *batch] = records([published(2), answered(A, "s1")])
    owner.lease = await owner.folding.park(owner.lease, late, ArithmeticError())
    await owner.fold(batch)
    await bench.execute("UPDATE quarantine SET status = 'replay'")
    owner.folding.due = True
    await owner.settle()
    await owner.fold(records([answered(A, "s2")], offset=2, sequence=3))
    assert (await bench.rows())[A].level == "high"


async def test_more_than_a_chunk_is_applied_in_turns(bench: Bench, monkeypatch):
    monkeypatch.setattr(replaying, "CHUNK", 4)
    monkeypatch.setenv("PARKED_PER_HOUR", "100")
    said = surveys(10)
    owner = await bench.owned()
    for record in records(answers(said)):
        owner.lease = await owner.folding.park(owner.lease, record, ArithmeticError())
    await bench.execute("UPDATE quarantine SET status = 'replay'")
    owner.folding.due = True
    await owner.settle()
    assert set(await statuses(bench)) == {"applied"}
    await folded_once(bench, said)
