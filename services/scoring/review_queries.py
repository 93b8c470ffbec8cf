"""What the reviews of the matrix are answered from: reads only."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.scoring.projector.state import Verdict
from services.scoring.queries import decode_state
from services.scoring.reviewing import CURRENT, MOVED, month_name
from shared.database import ReadConnection, Row


@dataclass(frozen=True, slots=True)
class Review:
    """One month: who was where when it was over."""

    month: str
    at: datetime | None
    """None: it is not over."""
    policy: str | None
    moved: int | None
    first: bool
    cells: dict[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """Who moved; money in minor units of `currency`."""

    customer_id: str
    before: str | None
    after: str | None
    currency: str | None
    spend: tuple[int | None, int | None, int | None]
    """Before, now, and what must be reached."""
    months: tuple[int | None, int | None, int | None]
    verdict: Verdict | None


def _review(row: Row) -> Review:
    return Review(row["month"], row["at"], row["policy"], row["moved"], row["first"], row["cells"])


async def list_reviews(conn: ReadConnection, before: str | None, limit: int) -> list[Review]:
    """Newest first; with `before`, only earlier months."""
    rows = await conn.fetch(
        "SELECT * FROM matrix_review WHERE $1::text IS NULL OR month < $1"
        " ORDER BY month DESC LIMIT $2",
        before,
        limit,
    )
    return [_review(row) for row in rows]


async def count_reviews(conn: ReadConnection) -> int:
    """How many there are."""
    return int(await conn.fetchval("SELECT count(*) FROM matrix_review"))


async def find_review(conn: ReadConnection, month: str, now: datetime) -> Review | None:
    """One month, or the one that is not over yet."""
    if month == CURRENT:
        rows = await conn.fetch(
            "SELECT matrix, count(*) AS customers FROM score"
            " WHERE head = customer_id AND NOT erased AND matrix IS NOT NULL GROUP BY matrix"
        )
        known = await conn.fetchval("SELECT EXISTS (SELECT FROM matrix_review)")
        cells = {row["matrix"]: row["customers"] for row in rows}
        return Review(month_name(now), None, None, None, not known, cells)
    row = await conn.fetchrow("SELECT * FROM matrix_review WHERE month = $1", month)
    return None if row is None else _review(row)


async def list_moves(
    conn: ReadConnection, review: Review, after: UUID | None, limit: int
) -> list[Move]:
    """Who moved in a month, by id, without those who were erased since."""
    if review.first:
        return []
    source = "SELECT * FROM matrix_move WHERE month = $3" if review.at else MOVED
    month = [review.month] if review.at else []
    rows = await conn.fetch(
        f"SELECT m.*, own.state FROM ({source}) AS m"
        " LEFT JOIN score AS own ON own.customer_id = m.customer_id"
        " LEFT JOIN score AS head ON head.customer_id = own.head"
        " WHERE ($1::uuid IS NULL OR m.customer_id > $1) AND head.erased IS NOT TRUE"
        " ORDER BY m.customer_id LIMIT $2",
        after,
        limit,
        *month,
    )
    return [_move(row, review.month) for row in rows]


def _move(row: Row, month: str) -> Move:
    verdict = decode_state(row["state"]).verdict if row["state"] else None
    return Move(
        str(row["customer_id"]),
        row["before"],
        row["after"],
        row["currency"],
        (row["spend_before"], row["spend_after"], row["spend_from"]),
        (row["months_before"], row["months_after"], row["months_from"]),
        verdict if verdict is not None and verdict.month == month else None,
    )
