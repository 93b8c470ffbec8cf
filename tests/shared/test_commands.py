"""Commands are decided one after the other for each customer, from what is folded and what is not folded yet."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.requests import Request

from shared import commands, metrics, migrations
from shared.commands import Decision, Done, Outcome, execute, transact
from shared.errors import Conflict, NotFound, Problem, Unavailable, Unprocessable
from shared.http.routes import Templates
from shared.ids import partition_of
from shared.keyring import Keyring
from shared.language import TagAdded
from shared.loop import runner as loop_runner
from shared.loop.worker import Worker
from shared.moments import micros
from shared.own_events import own_event
from shared.positions import Progress
from tests.shared.loop.bench import Bench, open_bench, running
from tests.shared.loop.tally import SERVICE, TALLY, answered, records

A = UUID(int=1)


@pytest.fixture
async def bench(postgres):
    async with open_bench(postgres) as made:
        yield made


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(commands, "FOLD_SECONDS", 0)
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)


@pytest.fixture
async def keyring(database: str):
    await migrations.upgrade("keyring", database)
    made = Keyring(database, seconds=60)
    yield made
    await made.close()


@pytest.fixture
async def kernel(bench: Bench, keyring: Keyring):
    await bench.leases().prepare()
    made = replace(bench.kernel("api", process="api"), keyring=keyring)
    yield made
    await made.close()


@asynccontextmanager
async def at_work(bench: Bench):
    """A worker folds and relays meanwhile."""
    kernel = bench.kernel("one", lease_seconds=5)
    async with running(Worker(kernel)):
        yield
    await kernel.close()


def asks(kernel, *, named: str = "x", caller: int = 1) -> Request:
    state = SimpleNamespace(
        kernel=kernel,
        progress=Progress(SERVICE.name, kernel.database, SERVICE.version),
        templates=Templates([]),
    )
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": f"/v1/things/{named}",
            "path_params": {"thing": named},
            "headers": [],
            "app": SimpleNamespace(state=state),
            "state": {"caller": SimpleNamespace(id=UUID(int=caller), name=f"caller {caller}")},
        }
    )


class Tagging:
    """Gives a tag with the next number, up to a limit: an invariant over what was decided before."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self.calls = 0

    def __call__(self, state: Any) -> list[Decision]:
        self.calls += 1
        if len(state.tags) >= self._limit:
            raise Conflict("wrong_state", params={"state": "full"})
        return [Decision("tag.added", TagAdded(tag=f"t{len(state.tags)}", by="tests"))]


async def tag(kernel, decide=None, customer: UUID = A, request=None, **more: Any) -> Outcome:
    return await execute(
        request or asks(kernel),
        TALLY,
        customer,
        decide or Tagging(),
        command="tag",
        **({"must_exist": False, "said_last": lambda _: 0} | more),
    )


async def tags(bench: Bench) -> list[str]:
    return [event.data.tag for event in await bench.outbox() if event.type == "tag.added"]


async def test_the_next_decision_sees_what_is_not_folded_yet(bench: Bench, kernel):
    first = await tag(kernel)
    second = await tag(kernel)
    assert await tags(bench) == ["t0", "t1"]
    assert (first.position, second.position) == ("campaign.0.1", "campaign.0.2")
    assert not first.folded
    assert first.subject == str(A)


async def test_it_sees_what_is_folded_and_what_is_not_as_one(bench: Bench, kernel):
    owner = await bench.owned()
    await owner.fold(records([answered(A, "s1")]))
    sent = [await tag(kernel) for _ in range(3)]
    values = [
        row["value"] for row in await bench.fetch("SELECT value FROM outbox ORDER BY sequence")
    ]
    # The first number was taken by what was announced; two of three have been folded since.
    await owner.fold(records(values[:3], offset=1, origin="campaign"))
    assert (await bench.rows())[A].state.tags == ["t0", "t1"]
    await tag(kernel)
    assert await tags(bench) == ["t0", "t1", "t2", "t3"]
    assert [outcome.position for outcome in sent] == [f"campaign.0.{n}" for n in (2, 3, 4)]


async def test_it_sees_only_its_own_customer(bench: Bench, kernel):
    await tag(kernel)
    await tag(kernel, customer=UUID(int=2))
    assert await tags(bench) == ["t0", "t0"]


async def test_it_sees_its_predecessors_even_before_any_worker_has_run(bench: Bench, kernel):
    await bench.execute("TRUNCATE checkpoint")
    await tag(kernel)
    await tag(kernel)
    assert await tags(bench) == ["t0", "t1"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=-5), timedelta(minutes=5)])
async def test_what_is_decided_is_said_later_than_what_it_was_decided_from(
    bench: Bench, kernel, ahead: timedelta
):
    """Whoever said that may have had a clock that was ahead of this one."""
    before = kernel.clock() + ahead
    await tag(kernel, said_last=lambda _: micros(before))
    [event] = await bench.outbox()
    if ahead > timedelta():
        assert event.time == before + timedelta(microseconds=1)
    else:
        assert before < event.time <= kernel.clock()


async def test_a_customer_who_must_exist(bench: Bench, kernel):
    with pytest.raises(NotFound) as missing:
        await tag(kernel, must_exist=True)
    assert missing.value.code == "customer_not_found"
    assert await bench.outbox() == []
    await tag(kernel)
    await tag(kernel, must_exist=True)
    owner = await bench.owned()
    await owner.fold(records([answered(UUID(int=2), "s")]))
    await tag(kernel, customer=UUID(int=2), must_exist=True)


async def test_what_is_refused_leaves_nothing(bench: Bench, kernel):
    before = await bench.snapshot()
    with pytest.raises(Conflict):
        await tag(kernel, Tagging(limit=0), key="k", digest=b"d")
    assert await bench.snapshot() == before
    assert await bench.value("SELECT count(*) FROM idempotency") == 0
    assert not (await tag(kernel, key="k", digest=b"d")).replayed, "the key was not used up"


def counted(command: str) -> dict[str, float]:
    """How often a command came to each of its outcomes."""
    found = {}
    for outcome in ("done", "replayed", "refused"):
        labels = {"service": SERVICE.name, "command": command, "outcome": outcome}
        found[outcome] = metrics.registry.get_sample_value("tenure_commands_total", labels) or 0
    return found


async def test_every_way_a_command_ends_is_counted(bench: Bench, kernel):
    """Whatever it decides about: here it writes a row of its own, and appends nothing."""
    name = f"own {uuid4()}"

    def doing(problem: Problem | None = None) -> commands.Do:
        async def do(conn, now):
            await conn.execute("INSERT INTO task VALUES ($1, $2, '{}')", f"{name} {problem}", now)
            if problem is not None:
                raise problem
            return Done(202, "the subject")

        return do

    first = await transact(asks(kernel), doing(), command=name, key="k", digest=b"d")
    assert first == Outcome(202, "the subject", "", folded=True)
    again = await transact(asks(kernel), doing(), command=name, key="k", digest=b"d")
    assert again == replace(first, replayed=True)
    for problem in (NotFound("customer_not_found"), Conflict("wrong_state"), Unavailable()):
        with pytest.raises(type(problem)):
            await transact(asks(kernel), doing(problem), command=name)
    assert counted(name) == {"done": 1, "replayed": 1, "refused": 3}
    assert await bench.value("SELECT count(*) FROM task WHERE name LIKE 'own %'") == 1
    assert await bench.outbox() == []


async def test_a_customer_who_is_missing_is_refused_and_counted(bench: Bench, kernel):
    before = counted("tag")
    with pytest.raises(NotFound):
        await tag(kernel, must_exist=True)
    assert counted("tag") == before | {"refused": before["refused"] + 1}


async def test_several_partitions_are_one_position(bench: Bench, kernel):
    async def do(_conn, now):
        told = TagAdded(tag="x", by="tests")
        entry = own_event(SERVICE.name, "tag.added", told, now, subject=str(A))
        return Done(200, str(A), [(0, entry), (1, entry), (0, entry)])

    outcome = await transact(asks(kernel), do, command="tag")
    assert sorted(outcome.position.split(",")) == ["campaign.0.2", "campaign.1.1"]


async def test_nothing_to_decide_is_done_at_once(bench: Bench, kernel):
    outcome = await tag(kernel, lambda _state: [])
    assert (outcome.position, outcome.folded) == ("", True)
    assert await bench.outbox() == []


async def test_several_decisions_are_one_commit(bench: Bench, kernel):
    made = [Decision("tag.added", TagAdded(tag=name, by="tests")) for name in "xyz"]
    outcome = await tag(kernel, lambda _state: made)
    assert outcome.position == "campaign.0.3"
    assert await tags(bench) == ["x", "y", "z"]


async def test_the_answer_waits_for_the_own_projection(bench: Bench, kernel, monkeypatch):
    monkeypatch.setattr(commands, "FOLD_SECONDS", 30)
    async with at_work(bench):
        outcome = await tag(kernel)
        assert outcome.folded
        assert (await bench.rows())[A].state.tags == ["t0"]


async def test_after_the_commit_nothing_is_an_error(bench: Bench, kernel):
    request = asks(kernel)

    async def broken(*_args):
        raise ConnectionResetError

    request.app.state.progress.reached = broken
    outcome = await tag(kernel, request=request)
    assert not outcome.folded
    assert await tags(bench) == ["t0"]


async def test_the_same_key_again_is_answered_and_not_done_again(bench: Bench, kernel):
    decide = Tagging()
    first = await tag(kernel, decide, key="k", digest=b"d", status=201, subject="the subject")
    again = await tag(kernel, decide, key="k", digest=b"d", status=201, subject="the subject")
    assert again == replace(first, replayed=True, folded=True)
    assert (again.status, again.subject) == (201, "the subject")
    assert decide.calls == 1
    assert await tags(bench) == ["t0"]


async def test_a_key_used_for_something_else_is_refused(bench: Bench, kernel):
    await tag(kernel, key="k", digest=b"d")
    with pytest.raises(Unprocessable) as reused:
        await tag(kernel, key="k", digest=b"other")
    assert reused.value.code == "idempotency_key_reused"
    assert await tags(bench) == ["t0"]


async def test_a_key_belongs_to_its_caller_and_its_route(bench: Bench, kernel):
    for request in (asks(kernel), asks(kernel, caller=2), asks(kernel, named="y")):
        outcome = await tag(kernel, key="k", digest=b"d", request=request)
        assert not outcome.replayed
    assert len(await tags(bench)) == 3


async def test_what_is_remembered_holds_nothing_that_the_path_or_the_key_said(bench: Bench, kernel):
    for replayed in (False, True):
        request = asks(kernel, named="email:chen.li@example.com")
        outcome = await tag(kernel, key="for-chen.li", digest=b"d", request=request)
        assert outcome.replayed is replayed
    async with kernel.database.read() as conn:
        [kept] = await conn.fetch("SELECT idempotency::text AS row FROM idempotency")
    assert "chen" not in kept["row"]
    assert "digest:" in kept["row"]


async def test_a_key_is_forgotten_after_three_days(bench: Bench, kernel):
    await tag(kernel, key="k", digest=b"d")
    await bench.execute("UPDATE idempotency SET created_at = now() - interval '73 hours'")
    outcome = await tag(kernel, key="k", digest=b"other")
    assert not outcome.replayed
    assert (await tag(kernel, key="k", digest=b"other")).position == outcome.position
    assert await tags(bench) == ["t0", "t1"]


async def test_the_same_key_at_the_same_time_is_done_once(bench: Bench, kernel):
    decide = Tagging()
    customers = [A] * 6 + [UUID(int=2)] * 6  # even where each names another customer
    outcomes = await asyncio.gather(
        *(tag(kernel, decide, customer, key="k", digest=b"d") for customer in customers)
    )
    assert decide.calls == 1
    assert [outcome.replayed for outcome in outcomes].count(False) == 1
    assert len({outcome.position for outcome in outcomes}) == 1
    assert len(await bench.outbox()) == 1


@pytest.mark.parametrize("working", [False, True], ids=["nothing is folded", "a worker folds"])
async def test_fifty_at_once_equal_some_order_one_after_the_other(
    bench: Bench, kernel, working: bool
):
    """Nobody decides on a state that somebody else has changed, wherever that change is on its way to."""
    decide = Tagging(limit=30)

    async def all_of_them():
        return await asyncio.gather(
            *(tag(kernel, decide) for _ in range(50)), return_exceptions=True
        )

    if working:
        async with at_work(bench):
            outcomes = await all_of_them()
    else:
        outcomes = await all_of_them()
    done = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(done), len(refused)) == (30, 20), outcomes
    assert await tags(bench) == [f"t{n}" for n in range(30)]
    assert len({outcome.position for outcome in done}) == 30


async def test_keys_retries_and_many_customers_at_once(bench: Bench, kernel):
    """Every key once, whoever sends it how often; and each customer's tags without a hole."""
    people = [uuid4() for _ in range(5)]
    partitions = {partition_of(str(person), 1) for person in people}
    assert partitions == {0}
    async with at_work(bench):
        outcomes = await asyncio.gather(
            *(
                tag(kernel, None, people[n % 5], key=f"k{n}", digest=str(n).encode())
                for n in range(20)
                for _ in range(3)
            )
        )
    assert sum(not outcome.replayed for outcome in outcomes) == 20
    given: dict[str, list[str]] = {}
    for event in await bench.outbox():
        if event.type == "tag.added":
            given.setdefault(event.subject, []).append(event.data.tag)
    assert given == {str(person): ["t0", "t1", "t2", "t3"] for person in people}
