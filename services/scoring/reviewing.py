"""When a month is over: who lies in another cell of the matrix than at the review before. Kept once, by one owner."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from services.scoring.fitting import ENOUGH
from services.scoring.policies import POPULATION, SCORING
from shared.database import Connection, ReadConnection
from shared.kernel import Kernel
from shared.service import Task

NAME = "review"
CURRENT = "current"
"""The month that is not over yet."""
TURNED = timedelta(hours=12)
"""After so long a month is over for everybody, wherever they live."""

_OCCASION = """
SELECT (SELECT count(*) FROM (SELECT FROM score WHERE purchase_days > 0 LIMIT $2) AS enough) AS buyers,
 (SELECT count(DISTINCT partition) FROM policy WHERE name = $3) AS told,
 (SELECT count(*) FROM checkpoint WHERE topic = 'customers' AND version = $1) AS partitions,
 (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1
        HAVING count(clock) = count(*)) AS clock,
 EXISTS (SELECT FROM score WHERE matrix IS NOT NULL) AS anybody,
 EXISTS (SELECT FROM score WHERE history <> '[]') AS open,
 (SELECT max(month) FROM matrix_review) AS last
"""
_NOW = """
SELECT customer_id, matrix, currency, spend_year, spend_from, active_months, active_from
FROM score WHERE head = customer_id AND NOT erased AND matrix IS NOT NULL
"""
MOVED = f"""
SELECT customer_id, s.matrix AS before, n.matrix AS after, n.currency,
 s.spend_year AS spend_before, n.spend_year AS spend_after, n.spend_from,
 s.active_months AS months_before, n.active_months AS months_after, n.active_from AS months_from
FROM ({_NOW}) AS n FULL JOIN matrix_standing AS s USING (customer_id)
WHERE n.matrix IS DISTINCT FROM s.matrix AND NOT EXISTS (
 SELECT FROM score AS a WHERE a.customer_id = s.customer_id AND a.head <> a.customer_id)
AND NOT EXISTS (
 SELECT FROM erased JOIN score AS a USING (customer_id) WHERE customer_id = s.customer_id AND a.erased)
"""
"""Who was somewhere else when the last month was over; who went up in another customer did not move, nor who was
erased."""
_CELLS = "SELECT matrix, count(*) AS customers FROM score WHERE head = customer_id AND NOT erased GROUP BY matrix"


@dataclass(frozen=True, slots=True)
class Occasion:
    """A month that is over, and the clock (UTC) that all partitions have reached."""

    month: str
    clock: datetime


def month_name(at: datetime) -> str:
    """`2026-11`, by UTC."""
    return f"{at:%Y-%m}"


def month_before(at: datetime) -> str:
    """The last month that was over for everybody at a moment."""
    return month_name((at - TURNED).replace(day=1) - timedelta(days=1))


async def occasion(conn: ReadConnection, version: int) -> Occasion | None:
    """Whether there is a month to review: everything due is derived, and no backfill is open. Where there are enough
    customers to divide by quantile it waits until every partition knows the first quantiles: by the absolute
    thresholds that hold before, everybody would seem to have moved a moment later."""
    row = await conn.fetchrow(_OCCASION, version, ENOUGH, POPULATION)
    assert row is not None, "a query of scalars has a row"
    if row["clock"] is None or row["open"] or not row["anybody"]:
        return None
    if row["buyers"] >= ENOUGH and row["told"] < row["partitions"]:
        return None
    month = month_before(row["clock"])
    if row["last"] is not None and row["last"] >= month:
        return None
    if await conn.fetchval("SELECT EXISTS (SELECT FROM score WHERE due_at <= $1)", row["clock"]):
        return None
    return Occasion(month, row["clock"])


async def review(kernel: Kernel) -> None:
    """Keep who moved, and where everybody is now."""
    async with kernel.database.read() as conn:
        now = await occasion(conn, kernel.service.version)
    if now is None:
        return
    async with kernel.database.transaction() as conn:
        # Two workers may both believe to be the owner: the second finds that the first was here.
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('review', 11))")
        await keep(conn, now)


async def keep(conn: Connection, now: Occasion) -> None:
    """Write the review of a month, if there is none yet."""
    reviews = await conn.fetchrow(
        "SELECT count(*) AS known, bool_or(month >= $1) AS done FROM matrix_review", now.month
    )
    assert reviews is not None, "a query of aggregates has a row"
    if reviews["done"]:
        return
    first = not reviews["known"]
    moved = 0
    if not first:
        status = await conn.execute(
            "INSERT INTO matrix_move (month, customer_id, before, after, currency, spend_before,"
            " spend_after, spend_from, months_before, months_after, months_from)"
            f" SELECT $1, * FROM ({MOVED}) AS moved",
            now.month,
        )
        moved = int(status.rpartition(" ")[2])
    rows = await conn.fetch(_CELLS)
    cells = {row["matrix"]: row["customers"] for row in rows if row["matrix"] is not None}
    version = await conn.fetchval("SELECT max(version) FROM policy WHERE name = $1", SCORING)
    await conn.execute(
        "INSERT INTO matrix_review VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)",
        now.month,
        now.clock,
        f"{SCORING}@{version or 0}",
        sum(cells.values()),
        moved,
        first,
        orjson.dumps(cells).decode(),
    )
    await conn.execute(
        "DELETE FROM matrix_standing AS s WHERE NOT EXISTS (SELECT FROM score AS n"
        " WHERE n.customer_id = s.customer_id AND n.head = n.customer_id AND NOT n.erased"
        " AND n.matrix IS NOT NULL)"
    )
    await conn.execute(
        "INSERT INTO matrix_standing AS s (customer_id, matrix, spend_year, active_months)"
        f" SELECT customer_id, matrix, spend_year, active_months FROM ({_NOW}) AS n"
        " ON CONFLICT (customer_id) DO UPDATE SET matrix = excluded.matrix,"
        " spend_year = excluded.spend_year, active_months = excluded.active_months"
        " WHERE (s.matrix, s.spend_year, s.active_months)"
        " IS DISTINCT FROM (excluded.matrix, excluded.spend_year, excluded.active_months)"
    )


REVIEW = Task(name=NAME, seconds=5.0, run=review)
