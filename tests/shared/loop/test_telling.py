"""When all is quiet, what was told is what is so; and nothing was said twice in a row."""

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from shared.log import Record
from shared.loop import folding
from tests.shared.loop.bench import Bench
from tests.shared.loop.tally import (
    DAY0,
    HIGH,
    QUIET_AFTER,
    answered,
    closed,
    published,
    records,
    ticked,
)

PEOPLE = [UUID(int=n) for n in range(1, 8)]


class Tale:
    """Random events, and what must be so in the end by the simplest reckoning."""

    def __init__(self, random: Random, count: int) -> None:
        self.values: list[bytes] = []
        self.times: dict[UUID, list] = {}
        self.clock = None
        self.policy = (0, HIGH)
        self._versions: dict[int, int] = {}
        self._random = random
        for n in range(count):
            random.choices([self._answer, self._tick, self._policy], [12, 2, 1])[0](n)
        self.values += [closed("h"), closed("k")]

    def _answer(self, n: int) -> None:
        person = self._random.choice(PEOPLE)
        at = DAY0 + timedelta(days=self._random.randint(0, 90))
        history = self._random.choice([None, None, None, "h", "k"])
        self.values.append(answered(person, f"s{n}", at, history=history))
        self.times.setdefault(person, []).append(at)

    def _tick(self, _n: int) -> None:
        at = DAY0 + timedelta(days=self._random.randint(0, 120))
        self.values.append(ticked(at))
        self.clock = max(self.clock or at, at)

    def _policy(self, _n: int) -> None:
        version, high = self._random.randint(1, 9), self._random.randint(1, 12)
        if version != self.policy[0]:
            self.values.append(published(high, version))
            known = self._versions.setdefault(version, high)
            self.policy = max(self.policy, (version, known))

    def level(self, person: UUID) -> str:
        times = self.times[person]
        if self.clock is not None and max(times) + QUIET_AFTER <= self.clock:
            return "quiet"
        return "high" if len(times) >= self.policy[1] else "low"


def on_the_log(random: Random, values: list[bytes]) -> list[Record]:
    """With repeats, as relays make them: now and then it goes back and sends again."""
    log: list[Record] = []
    at = 0
    while at < len(values):
        step = random.randint(1, 9)
        log += records(values[at : at + step], offset=len(log), sequence=at + 1)
        at += step
        if random.random() < 0.2:
            at = max(0, at - random.randint(1, 12))
    return log


@pytest.mark.parametrize("seed", range(6))
async def test_told_is_true_when_all_is_quiet(bench: Bench, monkeypatch, seed: int):
    random = Random(seed)
    monkeypatch.setattr(folding, "DUE_CHUNK", 2)
    tale = Tale(random, 60)
    log = on_the_log(random, tale.values)
    owner = await bench.owned()
    said = 0
    while log:
        size = random.randint(1, 15)
        batch, log = log[:size], log[size:]
        await owner.apply(batch)
        if random.random() < 0.7 and owner.folding.due:
            owner.lease = await owner.folding.settle(owner.lease)
        clock = (await bench.checkpoint())["clock"]
        for event in (await bench.outbox())[said:]:
            assert event.data.state != "quiet" or event.data.since <= clock, "ahead of the clock"
            said += 1
    await owner.settle()
    await agrees(bench, tale)


async def agrees(bench: Bench, tale: Tale) -> None:
    rows = await bench.rows()
    expected = {person: tale.level(person) for person in tale.times}
    assert {person: row.level for person, row in rows.items()} == expected
    assert {person: row.view.level for person, row in rows.items()} == expected
    assert {person: row.told.level for person, row in rows.items()} == expected
    assert {person: row.count for person, row in rows.items()} == {
        person: len(times) for person, times in tale.times.items()
    }
    assert set((await bench.times()).values()) == {1}
    last: dict[str, str | None] = {}
    for event in await bench.outbox():
        assert event.data.previous == last.get(event.subject), "each says what it follows on"
        assert event.data.state != last.get(event.subject), "the same was said twice in a row"
        last[event.subject] = event.data.state
    assert last == {str(person): level for person, level in expected.items()}


async def test_what_is_said_names_its_cause_and_is_numbered(bench: Bench):
    person = PEOPLE[0]
    owner = await bench.owned()
    batch = records([answered(person, "s1"), answered(person, "s2"), ticked(DAY0 + QUIET_AFTER)])
    await owner.fold(batch[:2])
    await owner.fold(batch[2:])
    first, second = await bench.outbox()
    [row] = await bench.fetch("SELECT event_id FROM folded WHERE sequence = 2")
    assert (first.sequence, first.causationid, first.correlationid) == (1, row[0], row[0])
    assert (second.sequence, second.causationid) == (2, None)
    assert first.subject == second.subject == str(person)
    assert first.source == "tenure/campaign"
