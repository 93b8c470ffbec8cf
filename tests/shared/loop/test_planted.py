"""Defects planted on purpose: the checks that hold for the kernel must fail for each of them, or they prove nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.log import Entry, Record
from shared.loop.folding import Batch, Folding
from shared.loop.lease import Lease, Leases
from shared.numbered import Numbered
from shared.tables import ORIGINS
from tests.shared.loop.bench import Bench
from tests.shared.loop.folding import (
    POINTS,
    a_stale_position_commits_nothing,
    an_old_owner_commits_nothing,
    nothing_is_folded_twice,
)
from tests.shared.loop.numbers import many_append_at_once, nobody_is_overtaken

FAILS = (AssertionError, pytest.fail.Exception)
"""What a check raises that does not hold (the second: `pytest.raises` saw nothing)."""


async def is_caught(check: Awaitable[None]) -> None:
    with pytest.raises(FAILS):
        await check


def forgetful_sort(self: Folding, lease: Lease, records: Sequence[Record]) -> Batch:
    """`seen` is kept, and not looked at."""
    batch = self._batch(lease)
    seen = list(lease.seen)
    for record in records:
        assert record.origin is not None
        seen[ORIGINS.index(record.origin)] = record.sequence or 0
        self._decode(record, batch)
    batch.after = replace(lease, next_offset=records[-1].offset + 1, seen=tuple(seen))
    return batch


async def test_seen_ignored(bench: Bench, monkeypatch):
    monkeypatch.setattr(Folding, "sort", forgetful_sort)
    await is_caught(nothing_is_folded_twice(bench))


def advance_where(condition: str) -> Callable[..., Awaitable[None]]:
    """Moving the checkpoint with less of a comparison, or with none."""

    async def advance(self: Leases, conn: Any, moves: Sequence[tuple[Lease, Lease]]) -> None:
        for lease, after in moves:
            await conn.execute(
                "UPDATE checkpoint SET next_offset = $1, seen = $2 WHERE "
                + condition.format(epoch=lease.epoch, offset=lease.next_offset),
                after.next_offset,
                list(after.seen),
            )

    return advance


@pytest.mark.parametrize("point", POINTS)
async def test_compare_and_set_off_where_an_old_owner_wakes(bench: Bench, monkeypatch, point: str):
    monkeypatch.setattr(Leases, "advance", advance_where("TRUE"))
    await is_caught(an_old_owner_commits_nothing(bench, point))


async def test_epoch_not_compared(bench: Bench, monkeypatch):
    monkeypatch.setattr(Leases, "advance", advance_where("next_offset = {offset}"))
    await is_caught(an_old_owner_commits_nothing(bench, "rows written"))


@pytest.mark.parametrize("condition", ["TRUE", "epoch = {epoch}"])
async def test_offset_not_compared(bench: Bench, monkeypatch, condition: str):
    monkeypatch.setattr(Leases, "advance", advance_where(condition))
    await is_caught(a_stale_position_commits_nothing(bench))


async def test_numbered_without_the_lock(bench: Bench, monkeypatch):
    async def no_lock(self: Numbered, conn: Any, partitions: Sequence[int]) -> dict[int, int]:
        return await self.heads(conn, partitions)

    monkeypatch.setattr(Numbered, "_lock", no_lock)
    await is_caught(nobody_is_overtaken(bench))
    await bench.execute("TRUNCATE outbox")
    await is_caught(many_append_at_once(bench, seed=0))


async def test_numbered_from_a_sequence(bench: Bench, monkeypatch):
    """Without a lock, and yet no number twice: what most outboxes do."""
    await bench.execute("DROP SEQUENCE IF EXISTS planted; CREATE SEQUENCE planted")

    async def append(
        self: Numbered, conn: Any, entries: Sequence[tuple[int, Entry]], recorded_at: Any
    ) -> list[int]:
        rows = await conn.fetch(
            "INSERT INTO outbox (partition, sequence, recorded_at, key, value)"
            " SELECT p, nextval('planted'), $2, 'k', v FROM unnest($1::int[], $3::bytea[]) AS u(p, v)"
            " RETURNING sequence",
            [partition for partition, _ in entries],
            recorded_at,
            [entry.value for _, entry in entries],
        )
        return [row["sequence"] for row in rows]

    monkeypatch.setattr(Numbered, "append", append)
    await is_caught(nobody_is_overtaken(bench))
    await bench.execute("TRUNCATE outbox; ALTER SEQUENCE planted RESTART")
    await is_caught(many_append_at_once(bench, seed=0, partitions=1))
