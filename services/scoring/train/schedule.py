"""When a model is trained without anybody asking: every so many days by the log's clock, on the log as it is
folded then, by the worker that owns partition 0."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from services.scoring import registry
from services.scoring.policies import CHURN
from services.scoring.settings import Settings
from services.scoring.train.candidate import HORIZON
from services.scoring.train.learn import ENOUGH
from services.scoring.train.running import ask
from shared.errors import Conflict
from shared.kernel import Kernel, caught_up
from shared.service import Task

NAME = "schedule"
BY = "schedule"
ENOUGH_NEW = 100
"""Purchase days since the last scheduled training below which a new one would say the same."""
SEED = 0
AGAIN = timedelta(days=1)
"""Where too little is new, it is looked for again so much later."""
LEAST_DAYS = 2 * HORIZON + 28
"""Days of purchases below which nothing is learnt."""

_OCCASION = """
SELECT (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1
        HAVING count(clock) = count(*)) AS clock,
 (SELECT jsonb_object_agg(partition, next_offset) FROM checkpoint
  WHERE topic = 'customers' AND version = $1) AS position,
 (SELECT count(DISTINCT history) FROM history) AS histories,
 EXISTS (SELECT FROM score WHERE history <> '[]') AS open,
 (SELECT done_at FROM task WHERE name = $2) AS done_at,
 (SELECT note FROM task WHERE name = $2) AS note
"""
_BOUGHT = """
SELECT count(*) AS customers, coalesce(sum(purchase_days), 0) AS days, min(first_day) AS first_day
FROM score WHERE purchase_days > 0 AND head = customer_id
"""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why to train now: the clock (UTC) and the position (an offset for each partition) that are folded, the
    backfills closed by then, how many purchase days there are and were at the last training; `train`: whether they
    are enough."""

    clock: datetime
    position: dict[str, int]
    histories: int
    days: int
    known: int
    train: bool


def every(kernel: Kernel) -> timedelta | None:
    """How often; None: never."""
    days = kernel.own.train_days if isinstance(kernel.own, Settings) else 0
    return timedelta(days=days) if days else None


async def occasion(kernel: Kernel) -> Occasion | None:
    """Whether it is time to train, or to see whether there is enough: the days are over, or a backfill was closed.
    None while one is open."""
    pause = every(kernel)
    if pause is None:
        return None
    async with kernel.database.read() as conn:
        row = await conn.fetchrow(_OCCASION, kernel.service.version, NAME)
        assert row is not None, "a query of scalars has a row"
        if row["clock"] is None or row["open"]:
            return None
        note = row["note"] or {"days": 0, "trained": False, "histories": None}
        wait = pause if note["trained"] else min(AGAIN, pause)
        fresh = row["done_at"] is not None and row["clock"] < row["done_at"] + wait
        if fresh and note["histories"] == row["histories"]:
            return None
        bought = await conn.fetchrow(_BOUGHT)
    assert bought is not None, "a query of scalars has a row"
    known, days = note["days"], int(bought["days"])
    begun = bought["first_day"] is not None
    enough = (
        begun
        and bought["customers"] >= ENOUGH
        and row["clock"].toordinal() - bought["first_day"] >= LEAST_DAYS
        and days - known >= ENOUGH_NEW
    )
    return Occasion(row["clock"], row["position"], row["histories"], days, known, enough)


async def train_when_due(kernel: Kernel) -> None:
    """Put a training in the queue when it is time and everything on the log is folded; what is in force is not
    touched."""
    now = await occasion(kernel)
    if now is None or not await caught_up(kernel):
        return
    async with kernel.database.transaction() as conn:
        # Two workers may both believe to be the owner: the second finds that the first was here.
        await registry.lock(conn, NAME)
        done = await conn.fetchrow("SELECT done_at, note FROM task WHERE name = $1", NAME)
        if done and done["done_at"] >= now.clock and done["note"]["histories"] == now.histories:
            return
        if now.train:
            try:
                await ask(conn, CHURN, SEED, BY, kernel.clock(), position=now.position)
            except Conflict:
                return  # somebody else asked: again when theirs is done
        note = {
            "days": now.days if now.train else now.known,
            "trained": now.train,
            "histories": now.histories,
        }
        await conn.execute(
            "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
            NAME,
            now.clock,
            orjson.dumps(note).decode(),
        )


SCHEDULE = Task(name=NAME, seconds=1.0, run=train_when_due)
"""Nothing waits for it."""
