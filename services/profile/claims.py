"""Customer numbers: decided once, unique for ever, gaps allowed."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Connection

_CLAIM = """
INSERT INTO number_claim (customer_id, year)
SELECT wanted.customer_id, $2
FROM unnest($1::uuid[]) AS wanted (customer_id)
WHERE NOT EXISTS (SELECT FROM number_claim AS held WHERE held.customer_id = wanted.customer_id)
ON CONFLICT (customer_id) DO NOTHING
RETURNING customer_id, serial
"""


async def claims(conn: Connection, needing: Sequence[UUID], year: int) -> dict[UUID, str]:
    """Claim a number for each customer that has none; answer only the new ones.

    A number whose event is on its way already is not claimed again, so it is said once.
    """
    rows = await conn.fetch(_CLAIM, sorted(needing), year)
    return {row["customer_id"]: number(year, row["serial"]) for row in rows}


def number(year: int, serial: int) -> str:
    """`C2026000123`: the year, and a serial number of six digits or more."""
    return f"C{year:04d}{serial:06d}"
