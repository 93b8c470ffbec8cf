"""Poison is this event, never: it alone is put aside. Pause is not now: nothing is."""

from typing import Any
from uuid import UUID

import pytest

from shared.errors import Pause
from shared.loop import runner as loop_runner
from shared.loop.rows import Packed, Rows
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.folding import answers, folded_once, surveys
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import TALLY, answered, records

SAID = surveys(50)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "STOPPED_SECONDS", 0.02)
    monkeypatch.setattr(loop_runner, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)


def with_bad(bad: dict[int, bytes]) -> MemoryLog:
    """Fifty good events with bad ones before those at the given places."""
    values = answers(SAID)
    for place, value in sorted(bad.items(), reverse=True):
        values.insert(place, value)
    log = MemoryLog()
    log.put(records(values))
    return log


@pytest.mark.parametrize("survey", ["boom", "nul"], ids=["evolve raises", "data error"])
@pytest.mark.parametrize("place", [0, 23, 50])
async def test_the_one_bad_event_of_fifty_is_parked(bench: Bench, survey: str, place: int):
    bad = answered(UUID(int=77), survey)
    log = with_bad({place: bad})
    async with running(bench.runner(await bench.owned(), log)):
        await bench.reached(51)
    await folded_once(bench, SAID)
    [parked] = await bench.parked()
    assert (parked["log_offset"], parked["reason"], parked["stage"], parked["status"]) == (
        place,
        "not_applicable",
        "fold",
        "open",
    )
    assert bytes(parked["value"]) == bad
    assert (parked["origin"], parked["origin_sequence"]) == ("interaction", place + 1)
    assert (await bench.checkpoint())["seen"] == [51, 0, 0, 0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\xff\xfe", "bad_envelope"),
        (b'{"specversion": "1.0"}', "bad_envelope"),
        (answered(UUID(int=77), "x").replace(b'"x"', b"7"), "bad_data"),
        (answered(UUID(int=77), "x").replace(b'"x"', b'"\\u0000"'), "nul_character"),
    ],
)
async def test_bytes_that_are_no_event_are_parked_without_bisecting(
    bench: Bench, value: bytes, reason: str
):
    owner = await bench.owned()
    await owner.fold(with_bad({10: value}).all())
    await folded_once(bench, SAID)
    assert [(row["log_offset"], row["reason"]) for row in await bench.parked()] == [(10, reason)]


async def test_too_many_stop_the_partition_until_a_person_has_looked(bench: Bench, monkeypatch):
    monkeypatch.setenv("PARKED_PER_HOUR", "3")
    bad = {place: answered(UUID(int=77), f"boom{place}") for place in (5, 10, 20, 30, 40)}
    log = with_bad(bad)
    runner = bench.runner(await bench.owned(), log)

    async def stopped():
        return runner.stopped

    async def resumed():
        return not runner.stopped

    async with running(runner):
        await eventually(stopped)
        assert [row["log_offset"] for row in await bench.parked()] == [5, 11, 22]
        assert (await bench.checkpoint())["next_offset"] == 33
        await bench.execute("UPDATE quarantine SET status = 'discarded'")
        await bench.reached(55)
        await eventually(resumed)
    await folded_once(bench, SAID)
    assert len(await bench.parked()) == 5


async def test_what_was_parked_long_ago_stops_nothing(bench: Bench, monkeypatch):
    monkeypatch.setenv("PARKED_PER_HOUR", "1")
    log = with_bad({place: answered(UUID(int=77), f"boom{place}") for place in (5, 10)})
    runner = bench.runner(await bench.owned(), log)

    async def stopped():
        return runner.stopped

    async with running(runner):
        await eventually(stopped)
        await bench.execute(
            "UPDATE quarantine SET received_at = received_at - interval '61 minutes'"
        )
        await bench.reached(52)
    await folded_once(bench, SAID)


class Slow(Rows):
    """Rows of which more than so many in one statement take too long."""

    def __init__(self, most: int) -> None:
        super().__init__(TALLY)
        self.most = most
        self.tried: list[int] = []

    async def write(self, conn: Any, packed: Packed) -> None:
        self.tried.append(len(packed.rows))
        if len(packed.rows) > self.most:
            await conn.execute("SET LOCAL statement_timeout = 20")
            await conn.execute("SELECT pg_sleep(60)")
        await super().write(conn, packed)


async def test_a_statement_that_takes_too_long_halves_the_batch(bench: Bench):
    people = [UUID(int=n) for n in range(1, 51)]
    log = MemoryLog()
    log.put(records(answered(person, "s") for person in people))
    rows = Slow(12)
    async with running(bench.runner(await bench.owned(rows=rows), log)):
        await bench.reached(50)
    assert rows.tried == [50, 25, 12, 13, 6, 7, 25, 12, 13, 6, 7]
    assert await bench.times() == {(person, "s"): 1 for person in people}
    assert await bench.parked() == []


async def test_one_event_that_takes_too_long_is_no_poison(bench: Bench):
    rows = Slow(0)
    log = MemoryLog()
    log.put(records(answers(surveys(1))))
    runner = bench.runner(await bench.owned(rows=rows), log)
    with pytest.raises(Pause, match="statement_timeout"):
        await runner._apply(log.all())
    assert await bench.times() == {}
    rows.most = 1
    async with running(runner):
        await bench.reached(1)
    await folded_once(bench, surveys(1))
    assert await bench.parked() == []


class Away(Rows):
    """Rows whose database is away a few times, before and after it did what it was asked."""

    def __init__(self, times: int) -> None:
        super().__init__(TALLY)
        self.left = times
        self.sizes: list[int] = []

    async def write(self, conn: Any, packed: Packed) -> None:
        self.sizes.append(len(packed.rows))
        await super().write(conn, packed)
        self.left -= 1
        if self.left >= 0:
            conn.terminate() if self.left % 2 else None
            raise ConnectionResetError


async def test_a_database_that_is_away_costs_nothing(bench: Bench):
    rows = Away(4)
    async with running(bench.runner(await bench.owned(rows=rows), with_bad({}))):
        await bench.reached(50)
    assert rows.sizes == [5] * 5, "the whole batch each time: nobody is to blame"
    await folded_once(bench, SAID)
    assert await bench.parked() == []


async def test_a_commit_whose_answer_was_lost_is_not_repeated(bench: Bench, monkeypatch):
    """The runner asks the database where it stands before it goes on."""
    owner = await bench.owned()
    real = owner.folding.apply
    calls = []

    async def apply(lease, batch):
        after = await real(lease, batch)
        calls.append(len(batch))
        if len(calls) == 1:
            raise ConnectionResetError
        return after

    monkeypatch.setattr(owner.folding, "apply", apply)
    log = with_bad({})
    async with running(bench.runner(owner, log)):
        await bench.reached(50)
        log.put(records(answers(surveys(3, 50)), sequence=51))
        await bench.reached(53)
    assert calls == [50, 3]
    await folded_once(bench, surveys(53))


async def test_bisecting_stops_where_a_number_is_missing(bench: Bench):
    """Half a batch that ends at a hole is not gone on with behind it, where others' events stand."""
    values = answers(SAID[:7])
    values.insert(1, answered(UUID(int=77), "boom"))
    numbered, others = records(values), SAID[7:12]
    log = MemoryLog()
    log.put([*numbered[:3], numbered[4], *records(answers(others), origin="profile")])
    runner = bench.runner(await bench.owned(log=log), log)

    async def stopped():
        return runner.stopped

    async with running(runner):
        assert "from 3 to 5" in await eventually(stopped)
        log.put(numbered[3:])
        await bench.reached(len(log.all()))
    await folded_once(bench, [*SAID[:2], *others, *SAID[2:7]])
    assert len(await bench.parked()) == 1
    assert (await bench.checkpoint())["seen"] == [8, 5, 0, 0]
