"""Numbers decide what is folded: a repeat is skipped, a hole stops the partition."""

import pytest

from shared.errors import Gap
from shared.log import Record
from shared.loop import gaps
from shared.loop import runner as loop_runner
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.folding import answers, folded_once, nothing_is_folded_twice, surveys
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import records


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "STOPPED_SECONDS", 0.02)
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(gaps, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(gaps, "LOOK_EVENTS", 2)


async def test_repeats_on_the_log_are_skipped(bench: Bench):
    await nothing_is_folded_twice(bench)


async def test_each_origin_has_numbers_of_its_own(bench: Bench):
    said = surveys(12)
    values = answers(said)
    log: list[Record] = []
    for n, value in enumerate(values):
        origin = ("interaction", "profile", "campaign")[n % 3]
        log += records([value], offset=n, sequence=n // 3 + 1, origin=origin)
    log += records(values[1:2], offset=12, sequence=1, origin="profile")
    owner = await bench.owned()
    await owner.fold(log)
    await folded_once(bench, said)
    assert (await bench.checkpoint())["seen"] == [4, 4, 0, 4]


async def test_a_number_that_is_missing_stops_everything_behind_it(bench: Bench):
    """What stands before the hole is folded; from there on nothing, of no origin."""
    said = surveys(5)
    batch = records(answers(said))
    owner = await bench.owned()
    await owner.apply([*batch[:2], *batch[3:]])
    assert owner.lease.next_offset == batch[3].offset
    await folded_once(bench, said[:2])
    before = await bench.snapshot()
    with pytest.raises(Gap, match="interaction goes from 2 to 4"):
        await owner.apply(batch[3:])
    assert await bench.snapshot() == before
    await owner.apply(batch[2:])
    await folded_once(bench, said)


@pytest.mark.parametrize("events", [1, 3, 100])
async def test_a_stopped_partition_goes_on_when_what_was_missing_is_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, events: int
):
    """The relay goes back to the missing number, as it does after any error: what stood behind the hole comes
    once more behind it."""
    monkeypatch.setenv("BATCH_EVENTS", str(events))
    said = surveys(9)
    batch = records(answers(said))
    log = MemoryLog()
    log.put([*batch[:3], *batch[4:7]])
    owner = await bench.owned(log=log)
    runner = bench.runner(owner, log)

    async def stopped():
        return runner.stopped

    async def resumed():
        return not runner.stopped

    async with running(runner):
        assert "from 3 to 5" in await eventually(stopped)
        assert (await bench.checkpoint())["next_offset"] <= 3
        log.put(batch[3:7])
        log.put(batch[7:])
        await bench.reached(len(log.all()))
        await eventually(resumed)
    await folded_once(bench, said)
    assert (await bench.checkpoint())["seen"] == [9, 0, 0, 0]


async def test_what_nobody_numbered_is_parked_and_the_rest_folded(bench: Bench):
    said = surveys(4)
    batch = records(answers(said))
    strangers = [
        *records(answers(surveys(1, 90)), offset=4, origin=None),
        *records(answers(surveys(1, 91)), offset=5, origin="stranger"),
    ]
    owner = await bench.owned()
    await owner.fold([*batch, *strangers])
    await folded_once(bench, said)
    parked = await bench.parked()
    assert [(row["reason"], row["log_offset"], row["kind"]) for row in parked] == [
        ("no_origin", 4, "parked"),
        ("no_origin", 5, "parked"),
    ]
    assert bytes(parked[0]["value"]) == strangers[0].value
    assert (await bench.checkpoint())["next_offset"] == 6
