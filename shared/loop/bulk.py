"""Many rows for one statement: as arrays where they are few, by way of a temporary table where they are many.

Arrays are one round trip, but asyncpg looks at every value of them several times; COPY into a temporary table costs the
process a third of that, and the server less too, for two round trips more. A transaction of thousands of rows is
dominated by the one, a transaction of one row by the other.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import dialect as postgresql

from shared.database import Connection

MANY = 100
"""Rows from which on they are copied."""

_DIALECT = postgresql()  # type: ignore[no-untyped-call]
_AS_TEXT = frozenset({"JSON", "JSONB"})
"""Types that asyncpg does not copy; as texts it does, and the statement makes them what they are."""


class Bulk:
    """A statement over rows `u` with some of the columns of a table."""

    def __init__(self, table: Table, columns: Sequence[str], statement: str, *, name: str) -> None:
        """`statement` says `{rows}` where the rows come from. `name`: what tells it from others of this table."""
        types = [table.c[column].type.compile(dialect=_DIALECT) for column in columns]
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=1))
        self._columns = tuple(columns)
        self._of_arrays = statement.format(rows=f"unnest({arrays}) AS u({', '.join(columns)})")
        self._temporary = f"{name}_{table.name}"
        kinds = ["TEXT" if kind in _AS_TEXT else kind for kind in types]
        made = ", ".join(f"{column} {kind}" for column, kind in zip(columns, kinds, strict=True))
        read = ", ".join(
            f"{column}::{kind}" if kind in _AS_TEXT else column
            for column, kind in zip(columns, types, strict=True)
        )
        # It lives as long as its connection; a transaction may use it more than once.
        self._make = (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {self._temporary} ({made}) ON COMMIT DELETE ROWS;"
            f" DELETE FROM {self._temporary}"
        )
        self._of_temporary = statement.format(
            rows=f"(SELECT {read} FROM {self._temporary}) AS u({', '.join(columns)})"
        )

    async def execute(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it over these rows, values in the order of the columns."""
        if len(rows) < MANY:
            if rows:
                await conn.execute(self._of_arrays, *map(list, zip(*rows, strict=True)))
            return
        await conn.execute(self._make)
        await conn.copy_records_to_table(self._temporary, records=rows, columns=self._columns)
        await conn.execute(self._of_temporary)
