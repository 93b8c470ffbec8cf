"""Cases in the database: read and written under their lock, in the transaction that decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.interaction.cases import Case, Step, blank_case
from shared.database import Connection, ReadConnection, Row

_COLUMNS = (
    "id",
    "customer_id",
    "status",
    "category",
    "severity",
    "assigned_to",
    "opened_at",
    "state",
)
_encode = msgspec.msgpack.Encoder().encode
_case = msgspec.msgpack.Decoder(Case).decode


def case_in(row: Row) -> Case:
    """The case that a row holds."""
    return _case(row["state"])


async def locked_case(conn: Connection, case_id: UUID) -> tuple[UUID, Case] | None:
    """The customer and the case, locked to the end of the transaction; None where there is none."""
    row = await conn.fetchrow(
        "SELECT customer_id, state FROM complaint WHERE id = $1 FOR UPDATE", case_id
    )
    return (row["customer_id"], case_in(row)) if row else None


async def read_case(conn: Connection | ReadConnection, case_id: UUID) -> Row | None:
    """The row of a case."""
    rows: Sequence[Row] = await conn.fetch("SELECT * FROM complaint WHERE id = $1", case_id)
    return rows[0] if rows else None


async def keep_steps(conn: Connection, steps: Mapping[UUID, Sequence[tuple[UUID, Step]]]) -> None:
    """Put steps, with whose they are, into their cases."""
    ids = sorted(steps)
    await conn.execute(
        "INSERT INTO complaint (id, customer_id, status, opened_at, state)"
        " SELECT i, c, 'open', t, $4 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS u(i, c, t)"
        " ON CONFLICT DO NOTHING",
        ids,
        [steps[id_][0][0] for id_ in ids],
        [steps[id_][0][1].at for id_ in ids],
        _encode(Case()),
    )
    rows = await conn.fetch(
        "SELECT id, customer_id, state FROM complaint WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        ids,
    )
    written = []
    for row in rows:
        case = case_in(row)
        for _, step in steps[row["id"]]:
            case = case.with_step(step)
        written.append(_values(row["id"], row["customer_id"], case))
    await _write(conn, written)


async def blank_cases(conn: Connection, customers: Sequence[UUID]) -> None:
    """Take everything personal out of these customers' cases."""
    rows = await conn.fetch(
        "SELECT id, customer_id, state FROM complaint WHERE customer_id = ANY($1)"
        " ORDER BY id FOR UPDATE",
        customers,
    )
    blank = [_values(row["id"], row["customer_id"], blank_case(case_in(row))) for row in rows]
    if blank:
        await _write(conn, blank)


async def _write(conn: Connection, written: Sequence[tuple[Any, ...]]) -> None:
    await conn.execute(
        "UPDATE complaint AS c SET status = u.status, category = u.category, severity = u.severity,"
        " assigned_to = u.assigned_to, opened_at = u.opened_at, state = u.state"
        " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],"
        f" $7::timestamptz[], $8::bytea[]) AS u({', '.join(_COLUMNS)}) WHERE c.id = u.id",
        *map(list, zip(*written, strict=True)),
    )


def _values(case_id: UUID, customer_id: UUID, case: Case) -> tuple[Any, ...]:
    opening = case.opening
    opened_at: datetime = (opening or case.steps[0]).at
    return (
        case_id,
        customer_id,
        case.status,
        opening.category or None if opening else None,
        opening.severity or None if opening else None,
        case.assigned_to or None,
        opened_at,
        _encode(case),
    )
