"""The policy `prospects` is made anew daily by one owner, when everything on the log is folded, and published where it
would judge otherwise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import orjson

from services.scoring import policies as rules
from services.scoring.queries import policies_in_force
from services.scoring.screening.cohort import NEVER, Cohort
from services.scoring.screening.fitting import ENOUGH, fit, is_same
from shared.database import ReadConnection
from shared.kernel import Kernel, caught_up
from shared.language import PolicyPublished
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.service import Task

NAME = "prospects"
EVERY = timedelta(days=1)
TURNED = timedelta(hours=12)
"""After so long a day of UTC is over wherever people live."""

_OCCASION = """
SELECT (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1
        HAVING count(clock) = count(*)) AS clock,
 (SELECT count(DISTINCT history) FROM history) AS histories,
 (SELECT count(*) FROM (SELECT FROM score WHERE seen_day IS NOT NULL LIMIT $2) AS enough) AS seen,
 EXISTS (SELECT FROM score WHERE history <> '[]') AS open,
 (SELECT done_at FROM task WHERE name = $3) AS done_at,
 (SELECT note FROM task WHERE name = $3) AS note,
 (SELECT max(published_at) FROM policy WHERE name = $4) AS published_at
"""
_EVERYBODY = """
SELECT seen_day, CASE WHEN purchase_days > 0 THEN first_day END AS first_day, won_at_once, source,
 source_day, contact_kind, contact_channel, contact_day, contacts_1, contacts_7, contacts_14, first_spend
FROM score WHERE head = customer_id AND seen_day IS NOT NULL ORDER BY customer_id
"""


@dataclass(frozen=True, slots=True)
class Occasion:
    """The clock (UTC) that all partitions have reached, and the backfills closed by then."""

    clock: datetime
    histories: int


async def occasion(kernel: Kernel) -> Occasion | None:
    """Whether it is time: a day has passed or a backfill was closed, and none is open."""
    async with kernel.database.read() as conn:
        row = await conn.fetchrow(_OCCASION, kernel.service.version, ENOUGH, NAME, rules.PROSPECTS)
    assert row is not None, "a query of scalars has a row"
    if row["clock"] is None or row["open"] or row["seen"] < ENOUGH:
        return None
    done_at, done = row["done_at"], row["note"]["histories"] if row["note"] else 0
    if row["published_at"] and (done_at is None or done_at < row["published_at"]):
        # The database has gone back: what was published since stands on the log.
        done_at, done = row["published_at"], row["histories"]
    fresh = done_at is not None and done_at <= row["clock"] < done_at + EVERY
    if fresh and done == row["histories"]:
        return None
    return Occasion(row["clock"], row["histories"])


async def screen(kernel: Kernel) -> None:
    """Make it when it is time; tell every partition where it changed."""
    now = await occasion(kernel)
    if now is None or not await caught_up(kernel):
        return
    async with kernel.database.read() as conn:
        known = (await policies_in_force(conn)).get(rules.PROSPECTS)
        cohort = await everybody(conn)
    made = await asyncio.to_thread(fit, cohort, last_day(now.clock), now.clock)
    before = rules.screening({rules.PROSPECTS: known}) if known else None
    changed = made is not None and (before is None or not is_same(before, made))
    async with kernel.database.transaction() as conn:
        # Two workers may both believe to be the owner: the second finds that the first was here.
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('prospects', 11))")
        done = await conn.fetchrow("SELECT done_at, note FROM task WHERE name = $1", NAME)
        if done and done["done_at"] == now.clock and done["note"]["histories"] == now.histories:
            return
        version = max(known.version if known else 0, done["note"]["version"] if done else 0)
        version += changed
        await conn.execute(
            "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
            NAME,
            now.clock,
            orjson.dumps({"histories": now.histories, "version": version}).decode(),
        )
        if changed:
            body = msgspec.to_builtins(made)
            policy = PolicyPublished(name=rules.PROSPECTS, version=version, body=body)
            partitions = kernel.settings.partitions
            entries = everywhere("scoring", "policy.published", policy, now.clock, partitions)
            await OUTBOX.append(conn, entries, now.clock)
    kernel.outbox_hint.give()


def last_day(clock: datetime) -> int:
    """The last day that is over everywhere, as an ordinal."""
    return (clock - TURNED).toordinal() - 1


async def everybody(conn: ReadConnection) -> Cohort:
    """Everybody who was ever seen, merged customers as one."""
    rows = await conn.fetch(_EVERYBODY)
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 12
    seen, won, at_once, source, source_day, kind, channel, contact_day, *contacts, spend = columns
    counts = [_days(column, 0) for column in contacts]
    return Cohort(
        seen=_days(seen, NEVER),
        won=_days(won, NEVER),
        at_once=np.array([bool(one) for one in at_once], dtype=np.bool_),
        source=_texts(source),
        source_day=_days(source_day, NEVER),
        kind=_texts(kind),
        channel=_texts(channel),
        contact_day=_days(contact_day, NEVER),
        contacts=np.stack(counts, axis=1) if rows else np.zeros((0, 3), dtype=np.int64),
        spend=list(spend),
    )


def _days(values: Sequence[int | None], missing: int) -> Any:
    return np.array([missing if one is None else one for one in values], dtype=np.int64)


def _texts(values: Sequence[str | None]) -> list[str]:
    return [one or "" for one in values]


async def pending(kernel: Kernel) -> bool:
    """Whether it is to be made."""
    return await occasion(kernel) is not None


SCREEN = Task(name=NAME, seconds=1.0, run=screen, pending=pending)
