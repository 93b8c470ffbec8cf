"""A database that went back in time learns its merges from the log again."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import asyncpg
import pytest

from services.profile.merging import keeping
from services.profile.merging.keeping import Decider
from services.profile.merging.recalling import recall_merges
from shared import codec
from shared.errors import Pause
from shared.loop.lease import SERVER
from tests.world import fresh_databases

NOW = datetime(2026, 11, 22, tzinfo=UTC)
A, B, C = (UUID(int=n) for n in range(1, 4))
KERNEL = SimpleNamespace(
    service=SimpleNamespace(name="profile"), settings=SimpleNamespace(partitions=4)
)


def events(entries):
    return [
        (
            codec.decode(
                entry.value,
                origin="profile",
                sequence=number,
                partition=partition,
                offset=number,
                recordedtime=NOW,
            ),
            entry.value,
        )
        for number, (partition, entry) in enumerate(entries, start=1)
    ]


async def state(conn):
    merges = await conn.fetch(
        "SELECT id, status, parts, decided_by, by_person, revision FROM merge ORDER BY id"
    )
    parts = await conn.fetch("SELECT * FROM merge_part ORDER BY merge_id, customer_id")
    groups = await conn.fetch("SELECT * FROM merge_group ORDER BY customer_id")
    return [list(map(tuple, rows)) for rows in (merges, parts, groups)]


@pytest.fixture
async def databases(postgres):
    urls = [(await fresh_databases(postgres))["profile"] for _ in range(2)]
    conns = [await asyncpg.connect(url) for url in urls]
    yield conns
    for conn in conns:
        await conn.close()


async def test_merges_come_back_from_the_log(databases):
    here, empty = databases
    told = []
    async with here.transaction():
        await keeping.lock(here)
        decider = Decider("chen.li", NOW, "called")
        first = await keeping.propose(here, [A, B], decider, judged=0)
        told += await keeping.decide(here, KERNEL, first, "merged", decider)
        automatic = Decider("merging@1", NOW, "anonymous", person=False)
        second = await keeping.propose(here, [B, C], automatic, judged=1)
        told += await keeping.decide(here, KERNEL, second, "merged", automatic)
        told += await keeping.decide(here, KERNEL, first, "split", decider)
    groups = await keeping.groups_of(here, [A, B, C])
    assert (groups[A].parts, groups[C].parts) == ((A,), (B, C))
    for order in (events(told), events(told)[::-1]):
        async with empty.transaction():
            await recall_merges(empty, order)
        assert await state(empty) == await state(here)


RELAY = """
INSERT INTO relay (partition, acked_sequence, server, recalled_to) VALUES ($1, 0, $2, $3)
ON CONFLICT (partition) DO UPDATE SET server = excluded.server, recalled_to = excluded.recalled_to
"""


async def test_nobody_decides_by_half_of_the_merges(databases):
    """Of two partitions one has read back, and the other is looking, or folds what it had forgotten."""
    here, _ = databases
    server = await here.fetchval(f"SELECT {SERVER}")
    await here.execute(RELAY, 0, server, None)
    for other, forgotten in ((None, None), ("another life", None), ("another life", 7)):
        await here.execute(RELAY, 1, other, forgotten)
        with pytest.raises(Pause):
            async with here.transaction():
                await keeping.lock(here)
    await here.execute(RELAY, 1, server, None)
    async with here.transaction():
        await keeping.lock(here)
