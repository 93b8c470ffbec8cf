"""When to learn, and by whom: the one worker that owns partition 0."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.scoring import learning
from services.scoring.baskets.shop import week_of
from services.scoring.offering import keeping
from services.scoring.offering.keeping import FORECAST, RECOMMEND
from services.scoring.offering.making import LEVELS, make_forecasts, make_model
from services.scoring.offering.reading import Moment, read_shop, read_signals, read_small, shop_of
from services.scoring.settings import Settings
from shared.database import Connection, Database
from shared.errors import is_passing
from shared.kernel import Kernel, caught_up
from shared.service import Task

NAME = "offering"
EVERY = timedelta(days=1)
SMALL = 3_000
"""Orders (and changes of them) up to which all is learnt at once, in a thread."""
SMALL_WEEKS = 18
"""Weeks of history from which a forecast trains models, which is no small matter."""
GROWN = 1.2
"""A small shop is learnt again once it has so many times the orders."""
AGAIN_SECONDS = 600.0
"""After a failure."""
_ENDING_SECONDS = 5.0

_OCCASION = """
SELECT (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1
        HAVING count(clock) = count(*)) AS clock,
 (SELECT count(DISTINCT history) FROM history) AS histories,
 EXISTS (SELECT FROM score WHERE history <> '[]') AS open,
 (SELECT count(*) FROM (SELECT FROM basket LIMIT $2) AS few) AS orders,
 (SELECT min(day) FROM (SELECT day FROM basket LIMIT $2) AS few) AS first_day,
 (SELECT coalesce(string_agg(name || ' ' || revision, ',' ORDER BY name), '') FROM series
  WHERE about ->> 'scope' <> 'source') AS series,
 (SELECT jsonb_object_agg(name, jsonb_build_object('at', done_at, 'note', note))
  FROM task WHERE name IN ('recommend', 'forecast')) AS done
"""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What to learn now, and what will be noted of it."""

    moment: Moment
    what: tuple[str, ...]
    note: dict[str, Any]
    small: bool


async def occasion(kernel: Kernel) -> Occasion | None:
    """Whether it is time: nothing was learnt yet, a day is over, a week has closed, a backfill or a
    series has come, or a small shop has grown. None while a backfill is open, and without orders."""
    async with kernel.database.read() as conn:
        row = await conn.fetchrow(_OCCASION, kernel.service.version, SMALL + 1)
    assert row is not None, "a query of scalars has a row"
    if row["clock"] is None or row["open"] or not row["orders"]:
        return None
    moment = Moment(row["clock"], kernel.settings.timezone)
    note = {
        "histories": row["histories"],
        "orders": row["orders"],
        "series": row["series"],
        "week": week_of(moment.today),
    }
    done = row["done"] or {}
    what = tuple(
        name for name in (RECOMMEND, FORECAST) if _is_due(name, done.get(name), moment, note)
    )
    if not what:
        return None
    weeks = (moment.today - row["first_day"]) // 7
    return Occasion(moment, what, note, row["orders"] <= SMALL and weeks < SMALL_WEEKS)


def _is_due(name: str, before: dict[str, Any] | None, moment: Moment, note: dict[str, Any]) -> bool:
    if before is None or moment.clock >= datetime.fromisoformat(before["at"]) + EVERY:
        return True
    known = before["note"]
    if known["histories"] != note["histories"] or note["orders"] > known["orders"] * GROWN:
        return True
    wanted = ("series", "week")
    return name == FORECAST and any(known[one] != note[one] for one in wanted)


@dataclass(slots=True)
class Offering:
    """The task; remembers only until when not to try again, by database."""

    wait: Callable[[], float] = time.monotonic
    _not_before: dict[str, float] = field(default_factory=dict)

    async def run(self, kernel: Kernel) -> None:
        """Learn when it is time and everything on the log is folded."""
        place = kernel.own.database_url
        if self.wait() < self._not_before.get(place, float("-inf")):
            return
        now = await occasion(kernel)
        if now is None or not await caught_up(kernel):
            return
        try:
            if now.small:
                await learn_small(kernel, now)
            else:
                await learn_apart(kernel)
        except Exception as error:
            self._not_before[place] = self.wait() + AGAIN_SECONDS
            if not is_passing(error):
                learning.count(learning.OFFERING, learning.FAILED)
            raise
        learning.count(learning.OFFERING, learning.DONE)


def country_of(own: Any) -> str | None:
    """Whose public holidays count."""
    return (own.country if isinstance(own, Settings) else "") or None


async def learn_small(kernel: Kernel, now: Occasion) -> None:
    """Read, learn in a thread, keep."""
    async with kernel.database.snapshot() as conn:
        found = await read_small(conn, now.moment)
        signals = await read_signals(conn)
    country = country_of(kernel.own)

    def learn() -> tuple[Sequence[Any], Sequence[Any]]:
        shop = shop_of(found, now.moment)
        models = [make_model(shop, level) for level in LEVELS] if RECOMMEND in now.what else []
        made = make_forecasts(shop, signals, country) if FORECAST in now.what else []
        return models, made

    models, made = await asyncio.to_thread(learn)
    await keep(kernel.database, now, models, made)


async def keep(
    database: Database, now: Occasion, models: Sequence[Any], made: Sequence[Any]
) -> None:
    """All of it or nothing."""
    async with database.transaction() as conn:
        if RECOMMEND in now.what and await _is_ours(conn, RECOMMEND, now):
            await keeping.keep_models(conn, models, now.moment.clock)
        if FORECAST in now.what and await _is_ours(conn, FORECAST, now):
            await keeping.keep_forecasts(conn, made, now.moment.clock)
    if RECOMMEND in now.what:
        await _trim(database, now.moment.today)


async def _trim(database: Database, today: int) -> None:
    """Let go of what is too old to be read, some at a time."""
    while True:
        async with database.connection() as conn:
            if await keeping.trim(conn, today) < keeping.MOST_AT_ONCE:
                return


async def _is_ours(conn: Connection, name: str, now: Occasion) -> bool:
    return await keeping.done(conn, name, now.moment.clock, now.note)


async def learn_all(kernel: Kernel) -> None:
    """What a process of its own does: the same with everything, a piece at a time."""
    now = await occasion(kernel)
    if now is None:
        return
    async with kernel.database.snapshot() as conn:
        shop = await read_shop(conn, now.moment)  # type: ignore[arg-type]  # it only reads
        signals = await read_signals(conn)
    models = [make_model(shop, level) for level in LEVELS] if RECOMMEND in now.what else []
    made = make_forecasts(shop, signals, country_of(kernel.own)) if FORECAST in now.what else []
    await keep(kernel.database, now, models, made)


async def learn_apart(kernel: Kernel) -> None:
    """Have a process do it, and wait for it. Raises RuntimeError where it fails."""
    environment = os.environ | settings_of(kernel)
    command = (sys.executable, "-m", "services.scoring.offering")
    child = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        if code := await child.wait():
            raise RuntimeError(f"learning ended with {code}")
    finally:
        if child.returncode is None:
            child.kill()
            async with asyncio.timeout(_ENDING_SECONDS):
                await child.wait()


def settings_of(kernel: Kernel) -> dict[str, str]:
    """The environment of the process: what it needs of ours, one thread for each library."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        "SCORING_DATABASE_URL": kernel.own.database_url,
        "EVENT_LOG_URL": kernel.settings.event_log_url,
        "ACCESS_URL": kernel.settings.access_url,
        "NAMESPACE": kernel.settings.namespace,
        "PARTITIONS": str(kernel.settings.partitions),
        "SCORING_COUNTRY": country_of(kernel.own) or "",
        "TIMEZONE": kernel.settings.timezone,
        "TENURE_PARENT": str(os.getpid()),
        **dict.fromkeys(threads, "1"),
    }


OFFER = Task(name=NAME, seconds=1.0, run=Offering().run)
"""Nothing waits for it: what it makes may be some days old."""
