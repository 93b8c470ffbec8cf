"""Keeping what was learnt: models, whom to offer items to, forecasts; letting go of what is old."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from services.scoring.fits import remember
from services.scoring.offering.making import MadeForecast, MadeModel
from services.scoring.offering.reading import DAYS
from shared.database import Connection

KEPT = 3
"""Versions of a model."""
MOST_AT_ONCE = 10_000
RECOMMEND, FORECAST = "recommend", "forecast"
"""Rows of the table of tasks."""


async def keep_models(conn: Connection, made: Sequence[MadeModel], clock: datetime) -> None:
    """Put models in force, in one transaction."""
    version = 1 + (await conn.fetchval("SELECT coalesce(max(version), 0) FROM recommender"))
    for one in made:
        about = orjson.dumps(one.about).decode()
        await conn.execute(
            "INSERT INTO recommender VALUES ($1, $2, $3, $4::jsonb, $5)",
            one.level,
            version,
            clock,
            about,
            one.body,
        )
        await remember(conn, f"recommend-{one.level}", version, clock, about)
        await conn.execute("DELETE FROM audience_of WHERE level = $1", one.level)
        await conn.copy_records_to_table(
            "audience_of",
            records=[(one.level, item, body) for item, body in one.audiences],
            columns=("level", "item", "body"),
        )
    await conn.execute("DELETE FROM recommender WHERE version <= $1", version - KEPT)


async def keep_forecasts(conn: Connection, made: Sequence[MadeForecast], clock: datetime) -> None:
    """Put forecasts in the place of the ones before."""
    version = 1 + (await conn.fetchval("SELECT coalesce(max(version), 0) FROM forecast"))
    await conn.execute("DELETE FROM forecast")
    for one in made:
        about = orjson.dumps(one.about).decode()
        await conn.execute(
            "INSERT INTO forecast VALUES ($1, $2, $3, $4::jsonb, $5, $6)",
            one.measure,
            version,
            clock,
            about,
            one.body,
            one.history,
        )
        await remember(conn, f"demand-{one.measure}", version, clock, about)


async def done(conn: Connection, name: str, clock: datetime, note: dict[str, Any]) -> bool:
    """Say that it was done, unless somebody did the same meanwhile: then False, and nothing shall be
    written. Two workers may both believe to be the owner."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('offering', 11))")
    row = await conn.fetchrow("SELECT done_at, note FROM task WHERE name = $1", name)
    if row is not None and row["done_at"] >= clock and row["note"] == note:
        return False
    await conn.execute(
        "INSERT INTO task VALUES ($1, $2, $3::jsonb)"
        " ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at, note = excluded.note",
        name,
        clock,
        orjson.dumps(note).decode(),
    )
    return True


async def trim(conn: Connection, today: int) -> int:
    """Let go of lines that are too old to be read, some at a time; answer how many."""
    status: str = await conn.execute(
        "DELETE FROM basket WHERE event_id IN (SELECT event_id FROM basket WHERE day <= $1 LIMIT $2)",
        today - DAYS,
        MOST_AT_ONCE,
    )
    return int(status.rpartition(" ")[2])
