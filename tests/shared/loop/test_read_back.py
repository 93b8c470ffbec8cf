"""A database, or a log, that went back in time is found before the first write; what can be put right is."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared.errors import Pause
from shared.ids import new_id_in
from shared.log import Entry
from shared.log.postgres import PostgresLog
from shared.loop import recalling
from shared.loop import runner as loop_runner
from shared.loop.worker import Worker
from shared.outbox import OUTBOX
from shared.repair import Repair
from tests.e2e.reading import without_repeats
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.tally import DAY0, SERVICE, answered, regrouped, tagged

PARTITIONS = 2
PEOPLE = [UUID(new_id_in(n % PARTITIONS, PARTITIONS)) for n in range(6)]
SERVICE_TABLES = tuple(SERVICE.metadata.tables)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(loop_runner, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(loop_runner, "STOPPED_SECONDS", 0.1)


class Scene:
    """A service with its log, both in one database; the service's tables alone can go back."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.log = PostgresLog(bench.url, partitions=PARTITIONS, client="tests")
        self._numbers = dict.fromkeys(range(PARTITIONS), 0)

    async def say(self, survey: str, people: list[UUID] = PEOPLE) -> None:
        """Everybody answers a survey."""
        await self.append([(person, answered(person, survey)) for person in people])

    async def append(self, values: list[tuple[UUID, bytes]]) -> None:
        """What interaction says of these people."""
        entries = []
        for person, value in values:
            partition = PEOPLE.index(person) % PARTITIONS
            self._numbers[partition] += 1
            entry = Entry("", value, origin="interaction", sequence=self._numbers[partition])
            entries.append((partition, entry))
        await self.log.append("customers", entries)

    async def group(self, groups: list[list[UUID]], revision: int) -> None:
        """From now on those of a group are one, the first being the head."""
        told = [(part, regrouped(part, one, one[0], revision)) for one in groups for part in one]
        await self.append(told)

    @asynccontextmanager
    async def working(self, **settings: Any):
        kernel = self.bench.kernel("one", partitions=PARTITIONS, lease_seconds=2, **settings)
        try:
            worker = Worker(kernel)
            async with running(worker):
                yield worker
        finally:
            await kernel.close()

    async def quiet(self) -> None:
        """Wait until everything on the log is folded and everything said is on the log, and it stays so."""
        before: dict[int, int] = {}

        async def done() -> bool:
            nonlocal before
            ends = await self.log.ends("customers")
            rows = await self.bench.fetch("SELECT partition, next_offset FROM checkpoint")
            sent = await self.bench.value(
                "SELECT bool_and(acked_sequence = coalesce((SELECT max(sequence) FROM outbox AS o"
                " WHERE o.partition = r.partition), 0)) AND count(server) = $1 FROM relay AS r",
                PARTITIONS,
            )
            due = await self.bench.value("SELECT count(*) FROM tally WHERE due_at < '2000-01-01'")
            at = {row["partition"]: row["next_offset"] for row in rows}
            quiet = sent and not due and at == ends
            stays, before = quiet and before == ends, ends if quiet else {}
            return stays

        await eventually(done, "quiet")

    async def work(self) -> None:
        async with self.working():
            await self.quiet()

    async def back_up(self) -> None:
        await self.bench.execute("CREATE SCHEMA IF NOT EXISTS kept")
        for name in SERVICE_TABLES:
            await self.bench.execute(f'DROP TABLE IF EXISTS kept."{name}"')
            await self.bench.execute(f'CREATE TABLE kept."{name}" AS TABLE "{name}"')

    async def restore(self) -> None:
        async with self.bench.database.transaction() as conn:
            for name in SERVICE_TABLES:
                await conn.execute(f'TRUNCATE "{name}"')
                await conn.execute(f'INSERT INTO "{name}" SELECT * FROM kept."{name}"')
            await conn.execute("UPDATE checkpoint SET owner = NULL, until = NULL")

    async def on_log(self) -> list[dict[str, Any]]:
        """What the service said, as it stands on the log; each number once."""
        records = []
        for partition, end in (await self.log.ends("customers")).items():
            if end:
                records += await self.log.read(
                    "customers", partition, 0, events=100_000, size=1 << 30, wait=5
                )
        entries = without_repeats(records)
        return [entry.event for entry in entries if entry.origin == SERVICE.name]

    async def levels(self) -> dict[str, list[str]]:
        said: dict[str, list[str]] = {}
        for event in await self.on_log():
            if event["type"] == "lifecycle.changed":
                said.setdefault(event["subject"], []).append(event["data"]["state"])
        return said

    async def content(self) -> dict[str, list[str]]:
        return await self.bench.snapshot()


@pytest.fixture
async def scene(bench: Bench):
    made = Scene(bench)
    yield made
    await made.log.close()


ALL_TOLD = {str(person): ["low", "high"] for person in PEOPLE}


async def forgetful(scene: Scene) -> None:
    """The database is brought back to when everybody was low; they were high, and told so, afterwards."""
    await scene.say("s1")
    await scene.work()
    await scene.back_up()
    await scene.say("s2")
    await scene.say("s3")
    await scene.work()
    assert await scene.levels() == ALL_TOLD
    await scene.restore()


async def test_what_was_said_is_not_said_again_and_numbers_go_on(scene: Scene):
    await forgetful(scene)
    said = [event["id"] for event in await scene.on_log()]
    await scene.work()
    assert [event["id"] for event in await scene.on_log()] == said
    assert set((await scene.bench.times()).values()) == {1}
    outbox = [event.id for partition in (0, 1) for event in await scene.bench.outbox(partition)]
    assert outbox == said
    await scene.say("s4", PEOPLE[:1])
    await scene.work()
    rows = await scene.bench.rows()
    assert rows[PEOPLE[0]].count == 4
    assert {row.told.level for row in rows.values()} == {"high"}


async def test_what_was_never_said_is_said_once(scene: Scene):
    """The old worker died before it had folded the last answers."""
    await scene.work()
    await scene.back_up()
    await scene.say("s1")
    await scene.work()
    await scene.say("s2")
    await scene.say("s3")
    await scene.restore()
    await scene.work()
    assert await scene.levels() == ALL_TOLD


async def test_what_was_written_since_gets_numbers_behind_the_logs(scene: Scene):
    await forgetful(scene)
    value = tagged(PEOPLE[0], "vip")
    async with scene.bench.database.transaction() as conn:
        [number] = await OUTBOX.append(conn, [(0, Entry(str(PEOPLE[0]), value))], DAY0)
    before = [event["id"] for event in await scene.on_log()]
    assert number in range(1, len(before)), "a number that is given on the log"
    await scene.work()
    after = await scene.on_log()
    assert {event["id"] for event in after} == {*before, orjson.loads(value)["id"]}
    assert await scene.levels() == ALL_TOLD
    assert (await scene.bench.rows())[PEOPLE[0]].state.tags == ["vip"]


async def test_a_second_start_goes_on_remembering(scene: Scene, monkeypatch):
    """Killed when the outbox was put right, but not what was told."""
    await forgetful(scene)
    with monkeypatch.context() as patch:

        async def never(*_: Any) -> None:
            raise Pause

        patch.setattr(recalling.Recalling, "apply", never)
        async with scene.working():

            async def restored() -> bool:
                return bool(await scene.bench.value("SELECT bool_and(recalled_to > 0) FROM relay"))

            await eventually(restored)
    await scene.bench.execute("UPDATE checkpoint SET owner = NULL, until = NULL, epoch = epoch + 1")
    await scene.work()
    assert await scene.levels() == ALL_TOLD


async def test_nothing_is_sent_before_all_partitions_are_read_back(scene: Scene, monkeypatch):
    await forgetful(scene)
    await scene.say("s4")
    gate = asyncio.Event()
    read = PostgresLog.read

    async def slowly(self: Any, topic: Any, partition: int, offset: int, **more: Any) -> Any:
        if partition == 1 and topic == "customers" and self is not scene.log:
            await gate.wait()
        return await read(self, topic, partition, offset, **more)

    monkeypatch.setattr(PostgresLog, "read", slowly)
    ends = await scene.log.ends("customers")
    async with scene.bench.database.transaction() as conn:
        await OUTBOX.append(conn, [(0, Entry(str(PEOPLE[0]), tagged(PEOPLE[0], "vip")))], DAY0)
    async with scene.working() as worker:

        async def first_is_open() -> bool:
            return worker.open() == [0]

        await eventually(first_is_open)
        await asyncio.sleep(0.5)  # nothing can be waited for that must not happen
        assert await scene.log.ends("customers") == ends
        gate.set()
        await scene.quiet()
    assert await scene.levels() == ALL_TOLD
    assert (await scene.log.ends("customers"))[0] == ends[0] + 1


@pytest.mark.parametrize("slow", [0, 1])
@pytest.mark.parametrize("split", [False, True])
async def test_of_a_customer_of_two_partitions_nobody_speaks_before_both_remember(
    scene: Scene, monkeypatch, slow: int, split: bool
):
    """One partition remembers, folds and derives while the other has not begun to."""
    head, part = pair = PEOPLE[:2]
    await scene.group([pair], 1)
    await scene.say("s1", pair)
    await scene.work()
    await scene.back_up()
    await scene.say("s2", [part, *PEOPLE[2:]])
    await scene.work()
    assert (await scene.levels())[str(head)] == ["low", "high"]
    if split:
        await scene.group([[head], [part]], 2)
        await scene.work()
    said = await scene.levels()
    await scene.restore()
    gate = asyncio.Event()
    apply = recalling.Recalling.apply

    async def slowly(self: Any, lease: Any, records: Any) -> Any:
        if lease.partition == slow:
            await gate.wait()
        return await apply(self, lease, records)

    monkeypatch.setattr(recalling.Recalling, "apply", slowly)
    async with scene.working() as worker:

        async def other_is_open() -> bool:
            return worker.open() == [1 - slow]

        await eventually(other_is_open)
        await scene.say("s3", [PEOPLE[1 - slow]])  # it folds what is new meanwhile

        async def folded() -> bool:
            ends = await scene.log.ends("customers")
            at = await scene.bench.value(
                "SELECT next_offset FROM checkpoint WHERE partition = $1", 1 - slow
            )
            return bool(at == ends[1 - slow])

        await eventually(folded)
        gate.set()
        await scene.quiet()
    if split and slow == 0:
        said[str(part)].append("high")  # by what it answered meanwhile
    assert await scene.levels() == said
    rows = await scene.bench.rows()
    heads = pair if split else [head]
    for one in heads:
        assert rows[one].told.level == rows[one].level


async def halted(scene: Scene, words: str) -> None:
    """Work does not begin, and nothing is written."""
    before = await scene.content()
    ends = await scene.log.ends("customers")
    async with scene.working() as worker:

        async def stopped() -> bool:
            said = [runner.stopped or "" for runner in worker.runners.values()]
            return any(words in one for one in said)

        await eventually(stopped, words)
        assert worker.open() != [0, 1]
    after = await scene.content()
    assert {**after, "checkpoint": []} == {**before, "checkpoint": []}
    assert await scene.log.ends("customers") == ends


async def test_a_log_that_went_back_is_found_before_the_first_write(scene: Scene):
    await forgetful(scene)
    await scene.work()
    await scene.bench.execute("DELETE FROM customers WHERE sequence > 3")
    scene.log._tails["customers"].heads = dict.fromkeys(range(PARTITIONS), 0)
    await halted(scene, "the log went back in time")


async def test_a_log_whose_end_was_written_anew_is_found_before_the_first_write(scene: Scene):
    """It is as long as it was, and longer: only the content tells."""
    await forgetful(scene)
    await scene.work()
    ends = await scene.log.ends("customers")
    await scene.bench.execute("DELETE FROM customers WHERE sequence > 3")
    for partition, end in ends.items():
        others = [
            (partition, Entry("", answered(PEOPLE[partition], f"x{n}"), "interaction", 100 + n))
            for n in range(end)
        ]
        await scene.log.append("customers", others)
    await halted(scene, "another event")


async def test_an_ordinary_start_reads_back_and_changes_nothing(scene: Scene):
    await scene.say("s1")
    await scene.work()
    before = await scene.content()
    await scene.work()
    after = await scene.content()
    assert {**after, "checkpoint": []} == {**before, "checkpoint": []}


async def test_what_the_log_has_already_is_not_sent_again(scene: Scene):
    """Acknowledged, and killed before that was written down."""
    await scene.say("s1")
    await scene.work()
    ends = await scene.log.ends("customers")
    await scene.bench.execute("UPDATE relay SET acked_sequence = 0, server = NULL")
    await scene.bench.execute("UPDATE checkpoint SET next_offset = 0, mark = NULL")
    await scene.work()
    assert await scene.log.ends("customers") == ends


async def test_a_worker_notices_that_the_database_beneath_it_is_another(scene: Scene):
    """What is committed under a lease of another life of the database is nothing."""
    await forgetful(scene)
    async with scene.working() as worker:
        await scene.quiet()
        lives = {runner.lease.epoch for runner in worker.runners.values()}
        for runner in worker.runners.values():
            object.__setattr__(runner.lease, "server", "of another life")
        await scene.bench.execute("UPDATE relay SET server = 'of another life'")
        await scene.say("s4")
        await scene.quiet()
        assert not lives & {runner.lease.epoch for runner in worker.runners.values()}
    assert await scene.levels() == ALL_TOLD
    assert set((await scene.bench.times()).values()) == {1}


async def repaired(scene: Scene) -> list[str]:
    """Interaction's outbox holds what is given to the log here; tally's is its own."""
    work = Repair(scene.log, {"campaign": scene.bench.database}, PARTITIONS)
    found = await work.look()
    await work.do(found)
    again = await work.look()
    assert [s for steps in again.steps.values() for s in steps if "checkpoint" in s.sql] == []
    return [step.sentence for steps in found.steps.values() for step in steps] + found.lost


async def test_a_log_that_lost_its_end_gets_back_what_the_outboxes_hold(scene: Scene):
    await scene.say("s1")
    await scene.work()
    await scene.say("s2", PEOPLE)
    await scene.say("s3", PEOPLE)
    await scene.work()
    said = {event["id"] for event in await scene.on_log()}
    rows = await scene.bench.rows()
    lost = "origin = 'campaign' AND origin_sequence > 3"
    await scene.bench.execute(f"DELETE FROM customers WHERE {lost}")
    await scene.bench.execute(
        "UPDATE customers AS c SET sequence = n.n FROM (SELECT partition, sequence, row_number()"
        " OVER (PARTITION BY partition ORDER BY sequence) AS n FROM customers) AS n"
        " WHERE c.partition = n.partition AND c.sequence = n.sequence"
    )
    scene.log._tails["customers"].heads = dict.fromkeys(range(PARTITIONS), 0)
    await halted(scene, "the log went back in time")
    sentences = await repaired(scene)
    assert len(sentences) == 2 * PARTITIONS
    assert any("send partition 0 again from number 4" in one for one in sentences)
    await scene.say("s4", PEOPLE[:1])
    await scene.work()
    assert {event["id"] for event in await scene.on_log()} == said
    assert set((await scene.bench.times()).values()) == {1}
    after = await scene.bench.rows()
    assert {who: row.count for who, row in after.items() if who != PEOPLE[0]} == {
        who: row.count for who, row in rows.items() if who != PEOPLE[0]
    }
    assert after[PEOPLE[0]].count == 4


async def test_what_no_outbox_holds_any_more_is_named(scene: Scene):
    await scene.say("s1")
    await scene.work()
    await scene.bench.execute("DELETE FROM customers WHERE origin = 'campaign'")
    await scene.bench.execute("DELETE FROM outbox WHERE sequence = 1")
    sentences = await repaired(scene)
    assert any("numbers 1 to 1 of partition 0 are neither" in one for one in sentences)
