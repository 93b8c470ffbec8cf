"""What a rule would find, were it saved: nothing is written."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.campaign.projector import Audience, decoded
from services.campaign.projector.rules import Rule
from services.campaign.projector.subject import Subject
from services.campaign.queries import together
from shared.database import Database, ReadConnection, Row

CHUNK = 1000
MOST = 50_000
"""Customers that are asked one by one; of more, a random sample of about as many."""


@dataclass(slots=True)
class Trial:
    """What was found. `of` counts all customers but those who were erased, `tried` those that were asked."""

    of: int = 0
    tried: int = 0
    found: int = 0
    sample: list[UUID] = field(default_factory=list)
    as_of: datetime | None = None
    """The clock of the partition that is furthest behind; None before the first."""

    @property
    def size(self) -> int:
        """How many belong; where not all were asked, as many as their share says."""
        if self.tried >= self.of:
            return self.found
        return round(self.found / self.tried * self.of) if self.tried else 0

    @property
    def exact(self) -> bool:
        """Whether everybody was asked."""
        return self.tried >= self.of


async def try_rule(
    database: Database, rule: Rule, *, timezone: str, version: int, limit: int
) -> Trial:
    """Ask the customers, each at the clock of its partition. `limit`: most ids of the sample; `version`: of
    the service."""
    trial = Trial()
    async with database.snapshot() as conn:
        row = await conn.fetchrow(
            "SELECT (SELECT count(*) FROM audience WHERE head = customer_id AND NOT erased) AS of,"
            " (SELECT min(clock) FROM checkpoint WHERE topic = 'customers' AND version = $1) AS clock",
            version,
        )
        assert row is not None, "a query of scalars has a row"
        trial.of, trial.as_of = row["of"], row["clock"]
        percent = 100.0 if trial.of <= MOST else 100.0 * MOST / trial.of
        after: UUID | None = UUID(int=0)
        while after is not None:
            rows = await _chunk(conn, after, percent, version)
            merged = await together(conn, rows)
            await asyncio.to_thread(_ask, trial, rows, merged, rule, timezone, limit)
            after = rows[-1]["customer_id"] if len(rows) == CHUNK else None
    return trial


async def _chunk(conn: ReadConnection, after: UUID, percent: float, version: int) -> list[Row]:
    """The next customers by id. Which ones are in a sample follows from their ids: the end of a UUIDv7 is random."""
    return await conn.fetch(
        "SELECT a.customer_id, a.parts, a.state, c.clock FROM audience AS a LEFT JOIN checkpoint AS c"
        " ON c.topic = 'customers' AND c.version = $2 AND c.partition = a.partition"
        " WHERE a.head = a.customer_id AND NOT a.erased AND a.customer_id > $1"
        " AND ($3::float8 >= 100 OR abs(hashtextextended(a.customer_id::text, 5) % 1000000) < $3 * 10000)"
        f" ORDER BY a.customer_id LIMIT {CHUNK}",
        after,
        version,
        percent,
    )


def _ask(
    trial: Trial,
    rows: Sequence[Row],
    merged: Mapping[UUID, Audience],
    rule: Rule,
    timezone: str,
    limit: int,
) -> None:
    for row in rows:
        state = merged.get(row["customer_id"]) or decoded(row["state"])
        trial.tried += 1
        if rule.test(Subject(state, row["clock"], timezone)):
            trial.found += 1
            if len(trial.sample) < limit:
                trial.sample.append(row["customer_id"])
