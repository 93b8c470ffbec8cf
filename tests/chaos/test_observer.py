"""A look that is not whole is none, and says what came in between."""

import signal
from types import SimpleNamespace

import asyncpg
import pytest

from tests.chaos.observer import LOOKS, Observer, Seen
from tests.world import fresh_databases

WORKERS = ("campaign-worker-1", "campaign-worker-2", "scoring-worker-1")


class Looking(Observer):
    """At databases alone; during each of the first `busy` looks the clock ticks."""

    def __init__(self, urls, busy):
        async def connect(name):
            return await asyncpg.connect(urls[name])

        here = SimpleNamespace(
            connect=connect, offsets={}, processes=dict.fromkeys(WORKERS), send=self._send
        )
        super().__init__(here)
        self.offsets = here.offsets
        self._busy = busy
        self.on_its_way = 0
        """So often something is in an outbox that is not on the log yet."""
        self.looks = 0
        self.stopped = set()
        """Who stands still."""

    def _send(self, name, signal_):
        (self.stopped.add if signal_ is signal.SIGSTOP else self.stopped.remove)(name)

    async def _position(self):
        if self.on_its_way:
            self.on_its_way -= 1
            return None
        return await self._heads(), {}

    async def lines(self):
        assert not self.on_its_way
        return [self.looks]

    async def quiet(self):
        return 0.0

    async def _answers(self, segment, lines):
        self.looks += 1
        if self.looks <= self._busy and "campaign-worker-1" not in self.stopped:
            await self.ask(
                "interaction",
                "INSERT INTO outbox (partition, sequence, recorded_at, key, value)"
                " VALUES (1, $1, now(), '', $2)",
                self.looks,
                b'{"type": "clock.ticked"}',
            )
        return Seen(lines=list(lines))


@pytest.fixture
async def looking(postgres):
    urls = await fresh_databases(postgres)
    made = []

    def make(busy):
        made.append(Looking(urls, busy))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_look_in_which_something_happened_is_done_again(looking):
    observer = looking(busy=2)
    seen = await observer.look("s")
    assert observer.looks == 3
    assert seen.lines == [0, 1, 2], "what was read from the log before is not read again"


async def test_nothing_is_read_while_something_is_on_its_way_to_the_log(looking):
    observer = looking(busy=0)
    observer.on_its_way = 2
    assert (await observer.look("s")).lines == [0]
    assert observer.looks == 1


async def test_what_came_in_between_is_said_where_no_look_was_whole(looking):
    observer = looking(busy=LOOKS)
    with pytest.raises(AssertionError, match=r"'interaction: clock.ticked': 1"):
        await observer.look("s")
    assert observer.looks == LOOKS


async def test_where_clocks_are_apart_nothing_is_sent_meanwhile(looking):
    observer = looking(busy=LOOKS)
    observer.offsets["campaign-api"] = 400.0
    await observer.look("s")
    assert observer.looks == 2
    assert not observer.stopped
