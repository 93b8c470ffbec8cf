"""Folding for a rebuild: however much is kept in memory between two commits, the rows come out the same."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.errors import Fenced, Pause
from shared.filling import Filling, Partition
from shared.ids import new_id_in
from shared.language import LifecycleChanged
from shared.log import Record
from shared.loop import refolding
from shared.loop import runner as loop_runner
from shared.loop.refolding import NewRows, Refolding
from shared.loop.runner import Runner
from tests.shared.loop.bench import Bench, Owner, RowOf, eventually, running
from tests.shared.loop.folding import PEOPLE, answers, folded_once, surveys
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import (
    DAY0,
    SERVICE,
    answered,
    closed,
    event,
    records,
    regrouped,
    tagged,
    ticked,
)

SAID = surveys(60)
LATER = DAY0 + timedelta(days=40)
KEPT = pytest.mark.parametrize(
    ("rows", "events"),
    [(1_000, 1_000), (1_000, 13), (3, 1_000), (1, 1)],
    ids=["all", "some events", "some rows", "nothing"],
)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "STOPPED_SECONDS", 0.02)
    monkeypatch.setattr(loop_runner, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)


async def owned(bench: Bench, upto: int) -> tuple[Owner, Refolding]:
    """Somebody who folds partition 0 anew, up to an offset."""
    leases = bench.leases("rebuild")
    await leases.prepare()
    [lease] = await bench.claim(leases)
    folding = Refolding(SERVICE, leases, lease, MemoryLog(), asyncio.Semaphore(1))
    await folding.load(lease)
    folding.upto = upto
    return Owner(leases, lease, folding), folding


def runner(bench: Bench, owner: Owner, log: MemoryLog, *, most: int) -> Runner:
    made = bench.runner(owner, log)
    made._most_events = most
    return made


async def refolded(bench: Bench, log: Sequence[Record], *, size: int) -> Refolding:
    """All of the log in batches of this size, and what is left derived."""
    owner, folding = await owned(bench, len(log))
    for start in range(0, len(log), size):
        await owner.apply(log[start : start + size])
    for projection, keys in folding.take_touched():
        await folding.derive(projection, keys)
    return folding


def keep(monkeypatch: Any, rows: int, events: int) -> None:
    monkeypatch.setattr(refolding, "ROWS_KEPT", rows)
    monkeypatch.setattr(refolding, "EVENTS_KEPT", events)


def history() -> list[bytes]:
    """Answers of five people, two of whom become one, tags, a backfill and its end, what was told, and a tick."""
    one, other, silent = PEOPLE[0], PEOPLE[1], UUID(int=99)
    told = LifecycleChanged("low", None, DAY0, {}, [], "tally@1")
    values = answers(SAID)
    values[50:50] = [closed("backfill"), ticked(LATER)]
    values[40:40] = [regrouped(other, [one, other], one, 1), regrouped(silent, [silent], silent, 1)]
    values[30:30] = [tagged(PEOPLE[3], "vip"), answered(UUID(int=78), "old", history="backfill")]
    values[20:20] = [event("lifecycle.changed", told, customer=PEOPLE[2])]
    values[5:5] = [answered(UUID(int=79), "open", history="never closed")]
    return values


@KEPT
async def test_the_rows_are_those_of_the_worker(bench: Bench, monkeypatch, rows: int, events: int):
    """But for what was told: it differs from what is, so it is marked to be told."""
    log = records(history())
    worker = await bench.owned()
    for start in range(0, len(log), 7):
        await worker.fold(log[start : start + 7])
    expected, times = await bench.rows(), await bench.times()
    journal = await bench.fetch("SELECT event_id FROM folded ORDER BY event_id")
    await bench.execute("TRUNCATE tally, tally_item, folded, checkpoint, grouping")
    keep(monkeypatch, rows, events)
    await refolded(bench, log, size=7)
    found = await bench.rows()
    assert await bench.times() == times
    assert await bench.fetch("SELECT event_id FROM folded ORDER BY event_id") == journal
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        mine = found[key]
        assert (mine.head, mine.parts, mine.state) == (row.head, row.parts, row.state)
        assert mine.history == row.history
        if row.head == key:  # what is read of a customer stands there
            assert (mine.view, mine.level, mine.count) == (row.view, row.level, row.count)
    assert (await bench.checkpoint())["next_offset"] == len(log)
    assert found[PEOPLE[2]].told.level == "low"  # as it stands on the log
    marked = await bench.fetch("SELECT customer_id FROM tally WHERE cause = 'rebuild'")
    assert {row["customer_id"] for row in marked} == {
        key for key, row in found.items() if row.head == key and differs(row)
    }


def unrest(chance: random.Random) -> list[bytes]:
    """The same few surveys again and again, by people who become one and are two again, of whom each hears of it at
    another time, as in partitions of their own."""
    groups = [[person] for person in PEOPLE]
    values: list[bytes] = []
    late: list[bytes] = []
    for revision in range(1, 13):
        values += [
            answered(chance.choice(PEOPLE), f"s{chance.randrange(4)}")
            for _ in range(chance.randrange(9))
        ]
        several = [group for group in groups if len(group) > 1]
        if several and chance.random() < 0.5:
            old = chance.choice(several)
            cut = chance.randrange(1, len(old))
            changed = [old[:cut], old[cut:]]
            groups = [group for group in groups if group is not old] + changed
        elif len(groups) > 1:
            one, other = chance.sample(groups, 2)
            changed = [sorted(one + other)]
            groups = [group for group in groups if group not in (one, other)] + changed
        for group in changed:
            for person in group:
                heard = values if chance.random() < 0.5 else late
                heard.append(regrouped(person, group, group[0], revision))
        if chance.random() < 0.4:
            values, late = values + late, []
    return values + late


@pytest.mark.parametrize("seed", range(16))
async def test_the_rows_are_those_of_the_worker_in_whatever_rounds(bench: Bench, monkeypatch, seed):
    """As while a rebuild catches up: folded up to somewhere, derived, folded on, with more or less in memory."""
    chance = random.Random(seed)
    log = records(unrest(chance))
    worker = await bench.owned()
    await worker.fold(log)
    expected, times = await bench.rows(), await bench.times()
    await bench.execute("TRUNCATE tally, tally_item, folded, checkpoint, grouping")
    keep(monkeypatch, chance.choice((1, 3, 1_000)), chance.choice((1, 5, 1_000)))
    owner, folding = await owned(bench, 0)
    at = 0
    while at < len(log):
        folding.upto = min(len(log), at + chance.randrange(1, 30))
        while at < folding.upto:
            size = min(chance.randrange(1, 9), folding.upto - at)
            await owner.apply(log[at : at + size])
            at += size
        for projection, keys in folding.take_touched():
            await folding.derive(projection, keys)
    found = await bench.rows()
    assert await bench.times() == times
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        mine = found[key]
        assert (mine.head, mine.state) == (row.head, row.state)
        if row.head == key:
            assert (mine.parts, mine.view, mine.count) == (row.parts, row.view, row.count)


def differs(row: RowOf) -> bool:
    """Whether something would be announced of a customer."""
    told = row.told.level
    return row.view is not None and not row.history and row.view.level not in ("none", told)


@pytest.mark.parametrize("size", [1, 7, 60])
@KEPT
async def test_each_event_is_folded_once(bench: Bench, monkeypatch, rows, events, size):
    keep(monkeypatch, rows, events)
    folding = await refolded(bench, records(answers(SAID)), size=size)
    await folded_once(bench, SAID)
    assert folding.committed.next_offset == len(SAID)


async def test_nothing_is_written_before_there_is_enough(bench: Bench):
    """And all of it at once, with what it means, when the end is reached."""
    log = records(answers(SAID))
    owner, folding = await owned(bench, len(log))
    for start in range(0, len(log) - 10, 10):
        await owner.apply(log[start : start + 10])
    assert await bench.rows() == {}
    assert (await bench.checkpoint())["next_offset"] == folding.committed.next_offset == 0
    await owner.apply(log[-10:])
    assert [keys for _, keys in folding.take_touched()] == [[]]
    await folded_once(bench, SAID)


@pytest.mark.parametrize(("rows", "events"), [(4, 1_000), (1_000, 4)], ids=["rows", "events"])
async def test_what_is_kept_is_bounded(bench: Bench, monkeypatch, rows, events):
    keep(monkeypatch, rows, events)
    log = records(answers(SAID))
    owner, folding = await owned(bench, len(log))
    written = []
    for one in log[:8]:
        await owner.apply([one])
        written.append(folding.committed.next_offset)
    assert written == [0, 0, 0, 4, 4, 4, 4, 8]


@pytest.mark.parametrize("place", [0, 23, 59])
@KEPT
async def test_an_event_that_cannot_be_folded_stops_it_there(
    bench: Bench, monkeypatch, rows, events, place
):
    """All before it is folded, once; nothing of it or behind it is."""
    keep(monkeypatch, rows, events)
    values = answers(SAID)
    values[place] = answered(PEOPLE[0], "boom")
    log = MemoryLog()
    log.put(records(values))
    owner, _ = await owned(bench, len(values))
    one = runner(bench, owner, log, most=9)

    async def stopped() -> bool:
        return one.stopped is not None

    async with running(one):
        await eventually(stopped)
    assert (await bench.checkpoint())["next_offset"] == place
    assert await bench.times() == dict.fromkeys(SAID[:place], 1)
    assert len(await bench.fetch("SELECT event_id FROM folded")) == place


@KEPT
async def test_whatever_goes_wrong_is_folded_again(bench: Bench, monkeypatch, rows, events):
    """Also where it is known only when the rows are written, or where rows in memory were folded half."""
    keep(monkeypatch, rows, events)
    failing = {"read": 2, "write_parts": 1, "write": 1, "_evolve": 3}
    for name in failing:
        fail_sometimes(monkeypatch, NewRows if name != "_evolve" else Refolding, name, failing)
    log = MemoryLog()
    log.put(records(answers(SAID)))
    owner, folding = await owned(bench, len(SAID))
    async with running(runner(bench, owner, log, most=9)):
        await bench.reached(len(SAID))
    for projection, keys in folding.take_touched():
        await folding.derive(projection, keys)
    await folded_once(bench, SAID)


def fail_sometimes(monkeypatch: Any, kind: type, name: str, left: dict[str, int]) -> None:
    """The method fails the first times that it has done its work: as often as `left` says."""
    real = getattr(kind, name)

    def once(result: Any) -> Any:
        if left[name]:
            left[name] -= 1
            raise Pause("tests")
        return result

    async def later(self: Any, *args: Any) -> Any:
        return once(await real(self, *args))

    def at_once(self: Any, *args: Any) -> Any:
        return once(real(self, *args))

    monkeypatch.setattr(kind, name, at_once if name == "_evolve" else later)


async def test_what_is_being_committed_is_waited_for(bench: Bench):
    """A runner that is ended in the middle of a commit does not know whether that happened, and rows that were read
    before are not to be written after."""
    log = records(history())
    owner, folding = await owned(bench, 7)
    await owner.apply(log[:7])
    made = runner(bench, owner, MemoryLog(), most=7)
    kernel = bench.kernel("rebuild")
    filling = Filling(kernel, owner.leases, {0: Partition(folding, made)})
    async with bench.database.transaction() as conn:
        await conn.execute("UPDATE checkpoint SET next_offset = 9 WHERE topic = 'customers'")
        ending = asyncio.create_task(filling.fold_to({0: 7}, numbers={0: 0}))
        await asyncio.sleep(0.3)
        assert not ending.done()
    await asyncio.wait_for(ending, 10)
    assert filling.parts[0].place == 9
    await kernel.close()


async def test_rows_are_not_derived_by_who_does_not_know_what_was_folded(bench: Bench):
    log = records(history())
    owner, folding = await owned(bench, 7)
    await owner.apply(log[:7])
    async with bench.database.transaction() as conn:
        await conn.execute("UPDATE checkpoint SET next_offset = 9 WHERE topic = 'customers'")
    with pytest.raises(Fenced):
        await folding.derive(0, [PEOPLE[0]])


async def test_a_rebuild_whose_partition_is_taken_ends(bench: Bench):
    log = records(history())
    owner, folding = await owned(bench, len(log))
    kernel, there = bench.kernel("rebuild"), MemoryLog()
    made = runner(bench, owner, there, most=7)
    filling = Filling(kernel, owner.leases, {0: Partition(folding, made)})
    folding_on = asyncio.create_task(filling.fold_to({0: len(log)}))
    await asyncio.sleep(0.1)
    async with bench.database.transaction() as conn:
        await conn.execute("UPDATE checkpoint SET epoch = epoch + 1 WHERE topic = 'customers'")
    there.put(log)
    with pytest.raises(Fenced):
        await asyncio.wait_for(folding_on, 10)
    await kernel.close()


@asynccontextmanager
async def in_two(bench: Bench) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Fold events into one of two partitions of a rebuild, in batches, and derive."""
    kernel, leases = bench.kernel("rebuild", partitions=2), bench.leases("rebuild", partitions=2)
    await leases.prepare()
    owners: list[Owner] = []
    parts: dict[int, Partition] = {}
    for lease in await bench.claim(leases, 2):
        folding = Refolding(SERVICE, leases, lease, MemoryLog(2), asyncio.Semaphore(1))
        await folding.load(lease)
        owners.append(Owner(leases, lease, folding))
        parts[lease.partition] = Partition(folding, runner(bench, owners[-1], MemoryLog(2), most=7))
    filling = Filling(kernel, leases, parts)
    ends = [0, 0]

    async def fold(n: int, *batches: list[bytes]) -> None:
        for values in batches:
            at = ends[n]
            await owners[n].apply(records(values, offset=at, sequence=at + 1, partition=n))
            ends[n] += len(values)
        await filling.derive(lambda _done, _total: None)

    yield fold
    await kernel.close()


async def counted(bench: Bench) -> dict[UUID, tuple[UUID, int, int]]:
    """Of each part its head, and what its row says of parts and answers."""
    return {key: (row.head, row.parts, row.count) for key, row in (await bench.rows()).items()}


async def test_who_loses_a_part_is_derived_wherever_that_one_lived(bench: Bench):
    """Of two partitions one hears sooner that two are not one any more; both are derived in between."""
    head, part = UUID(new_id_in(1, 2)), UUID(new_id_in(0, 2))
    one = [[regrouped(key, [head, part], head, 1), answered(key, "a")] for key in (part, head)]
    two = [[regrouped(key, [key], key, 2)] for key in (part, head)]
    async with in_two(bench) as fold:
        await fold(0, one[0])
        await fold(1, one[1])
        assert (await bench.rows())[head].count == 2
        await fold(1, two[1])
        await fold(0, two[0])
    assert await counted(bench) == {head: (head, 1, 1), part: (part, 1, 1)}


@pytest.mark.parametrize("batches", [1, 2])
async def test_who_leads_again_has_all_parts_wherever_these_were_derived(bench: Bench, batches):
    """A merge of all three is undone, which leaves a head and a part; the part's partition hears of it sooner, and
    both are derived in between. The head was never more than somebody's part before; something is told of it
    afterwards, in the same batch or in the next."""
    head, part, third = UUID(new_id_in(1, 2)), UUID(new_id_in(0, 2)), UUID(new_id_in(0, 2))
    three, two = [third, head, part], [head, part]
    undone, later = regrouped(head, two, head, 3), answered(head, "b")
    async with in_two(bench) as fold:
        await fold(1, [regrouped(head, three, third, 2), answered(head, "a")])
        await fold(0, [regrouped(key, three, third, 2) for key in (third, part)])
        await fold(0, [answered(part, "a"), regrouped(part, two, head, 3)])
        await fold(0, [regrouped(third, [third], third, 3)])
        await fold(1, *([[undone, later]] if batches == 1 else [[undone], [later]]))
    rows = await counted(bench)
    assert rows[head] == (head, 2, 3)
    assert rows[part][0] == head
    assert rows[third] == (third, 1, 0)
