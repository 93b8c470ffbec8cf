"""Policies that depend on the population are fitted and published by one owner: first when the log is caught up and
holds enough customers, after a backfill is closed, then daily by the clock on the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from services.scoring import registry
from services.scoring.fitting import ENOUGH
from services.scoring.policies import CHURN, RFM
from services.scoring.task import fit
from shared.database import Connection
from shared.kernel import Kernel, caught_up
from shared.language import PolicyPublished
from shared.outbox import OUTBOX
from shared.own_events import everywhere
from shared.service import Task

NAME = "fit"
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why to fit now: the clock (UTC) that all partitions have reached, and the backfills closed by then."""

    clock: datetime
    histories: int


async def occasion(kernel: Kernel) -> Occasion | None:
    """Whether it is time to fit; None where nothing new can come of it, or a backfill is still open."""
    async with kernel.database.read() as conn:
        row = await conn.fetchrow(
            "SELECT (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1"
            "        HAVING count(clock) = count(*)) AS clock,"
            " (SELECT count(DISTINCT history) FROM history) AS histories,"
            " (SELECT count(*) FROM (SELECT FROM score WHERE purchase_days > 0 LIMIT $2) AS enough) AS buyers,"
            " EXISTS (SELECT FROM score WHERE history <> '[]') AS open,"
            " (SELECT done_at FROM task WHERE name = $3) AS done_at,"
            " (SELECT note FROM task WHERE name = $3) AS note,"
            " (SELECT max(published_at) FROM policy WHERE name = $4) AS published_at",
            kernel.service.version,
            ENOUGH,
            NAME,
            RFM,
        )
    assert row is not None, "a query of scalars has a row"
    if row["clock"] is None or row["open"] or row["buyers"] < ENOUGH:
        return None
    done_at, fitted = row["done_at"], row["note"]["histories"] if row["note"] else 0
    if row["published_at"] and (done_at is None or done_at < row["published_at"]):
        # The database has gone back: what was published since stands on the log.
        done_at, fitted = row["published_at"], row["histories"]
    fresh = done_at is not None and row["clock"] < done_at + EVERY
    if fresh and fitted == row["histories"]:
        return None
    return Occasion(row["clock"], row["histories"])


async def pending(kernel: Kernel) -> bool:
    """Whether a fit is to come."""
    return await occasion(kernel) is not None


async def publish(kernel: Kernel) -> None:
    """Fit when it is time and everything on the log is folded; tell every partition what changed."""
    now = await occasion(kernel)
    if now is None or not await caught_up(kernel):
        return
    async with kernel.database.read() as conn:
        published = await fit(conn, now.clock)
    async with kernel.database.transaction() as conn:
        # Two workers may both believe to be the owner: the second finds that the first was here.
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('fit', 11))")
        done = await conn.fetchrow("SELECT done_at, note FROM task WHERE name = $1", NAME)
        if done and done["done_at"] >= now.clock and done["note"]["histories"] == now.histories:
            return
        await registry.lock(conn, CHURN)
        if not await _is_next(conn, published):
            return  # a version was put in force meanwhile: fitted again in a moment, beside that one
        await conn.execute(
            "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
            NAME,
            now.clock,
            orjson.dumps({"histories": now.histories}).decode(),
        )
        for policy in published:
            if policy.name == CHURN:
                model = policy.body["version"]
                number = policy.version
                await registry.note(
                    conn, CHURN, number, now.clock, number if model is None else model
                )
        entries = [
            entry
            for policy in published
            for entry in everywhere(
                "scoring", "policy.published", policy, now.clock, kernel.settings.partitions
            )
        ]
        await OUTBOX.append(conn, entries, now.clock)
    kernel.outbox_hint.give()


async def _is_next(conn: Connection, published: Sequence[PolicyPublished]) -> bool:
    """Whether the number of the churn model is still free."""
    numbers = [policy.version for policy in published if policy.name == CHURN]
    return not numbers or numbers[0] == await registry.next_number(conn)


FIT = Task(name=NAME, seconds=1.0, run=publish, pending=pending)
