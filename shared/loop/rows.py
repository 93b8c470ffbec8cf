"""A projection's rows: read under their locks, written back with one statement a table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import dialect as postgresql

from shared.database import Connection, Row
from shared.projection import Projection

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""A due time that has always passed: derive as soon as possible."""

_DIALECT = postgresql()  # type: ignore[no-untyped-call]
_encode = msgspec.msgpack.Encoder().encode

AnyProjection = Projection[Any, Any, Any]


@dataclass(slots=True)
class Held:
    """One customer's row, held under its lock for the length of a transaction."""

    customer_id: UUID
    state: Any
    told: Any
    history: set[str]
    loaded: dict[str, bytes]
    """The child rows as they were read, to write back only those that changed."""


class Rows:
    """Reads and writes the tables of one projection."""

    def __init__(self, projection: AnyProjection) -> None:
        self.projection = projection
        self._state: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.state).decode
        self._told: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.told).decode
        item = projection.item or msgspec.Struct
        self._item: Callable[[bytes], Any] = msgspec.msgpack.Decoder(item).decode
        self._update = _update_statement(projection.table, projection.columns)

    async def hold(
        self, conn: Connection, partition: int, keys: Iterable[UUID]
    ) -> dict[UUID, Held]:
        """Make the rows that are missing, then lock all in key order (a row that does not exist cannot be
        locked, so two who both find none would both write it)."""
        table = self.projection.table.name
        ordered = sorted(keys)
        select = (
            f"SELECT customer_id, state, told, history FROM {table}"
            " WHERE customer_id = ANY($1) ORDER BY customer_id FOR UPDATE"
        )
        rows = await conn.fetch(select, ordered)
        if len(rows) < len(ordered):
            await conn.execute(
                f"INSERT INTO {table} (customer_id, head, partition)"
                " SELECT k, k, $2 FROM unnest($1::uuid[]) AS u(k) ON CONFLICT DO NOTHING",
                ordered,
                partition,
            )
            rows = await conn.fetch(select, ordered)
        return {row["customer_id"]: self._held(row) for row in rows}

    async def due(
        self, conn: Connection, partition: int, clock: datetime, most: int
    ) -> dict[UUID, Held]:
        """Lock up to `most` rows whose time has come."""
        rows = await conn.fetch(
            f"SELECT customer_id, state, told, history FROM {self.projection.table.name}"
            " WHERE partition = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE",
            partition,
            clock,
            most,
        )
        return {row["customer_id"]: self._held(row) for row in rows}

    def _held(self, row: Row) -> Held:
        made = self.projection
        return Held(
            customer_id=row["customer_id"],
            state=self._state(row["state"]) if row["state"] else made.state(),
            told=self._told(row["told"]) if row["told"] else made.told(),
            history=set(row["history"]),
            loaded={},
        )

    async def load_items(
        self, conn: Connection, held: Mapping[UUID, Held], wanted: Sequence[tuple[UUID, str]]
    ) -> None:
        """Put the child rows that a batch touches into the states."""
        if self.projection.items_table is None or not wanted:
            return
        rows = await conn.fetch(
            f"SELECT i.customer_id, i.item, i.state FROM {self.projection.items_table.name} AS i"
            " JOIN unnest($1::uuid[], $2::text[]) AS w(customer_id, item) USING (customer_id, item)",
            [key for key, _ in wanted],
            [item for _, item in wanted],
        )
        self._put(held, rows)

    async def load_all_items(self, conn: Connection, held: Mapping[UUID, Held]) -> None:
        """Put all child rows of these customers beside those that are in the states already."""
        if self.projection.items_table is None or not held:
            return
        rows = await conn.fetch(
            f"SELECT customer_id, item, state FROM {self.projection.items_table.name}"
            " WHERE customer_id = ANY($1)",
            list(held),
        )
        self._put(held, rows)

    def _put(self, held: Mapping[UUID, Held], rows: Iterable[Row]) -> None:
        for row in rows:
            one = held[row["customer_id"]]
            if row["item"] not in one.loaded and row["item"] not in one.state.items:
                one.loaded[row["item"]] = row["state"]
                one.state.items[row["item"]] = self._item(row["state"])

    async def write(self, conn: Connection, written: Sequence[tuple[Held, Any]]) -> None:
        """Write (row, view) pairs, and the child rows that changed."""
        if not written:
            return
        await self._write_items(conn, [held for held, _ in written])
        columns: list[list[Any]] = [[] for _ in range(6 + len(self.projection.columns))]
        for held, view in written:
            values = (
                held.customer_id,
                _encode(held.state),
                _encode(view),
                _encode(held.told),
                orjson.dumps(sorted(held.history)).decode(),
                view.due_at,
                *self.projection.row(view),
            )
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        await conn.execute(self._update, *columns)

    async def _write_items(self, conn: Connection, rows: Sequence[Held]) -> None:
        table = self.projection.items_table
        if table is None:
            return
        keys, names, states = [], [], []
        for held in rows:
            items, held.state.items = held.state.items, {}
            for name, item in items.items():
                state = _encode(item)
                if held.loaded.get(name) != state:
                    keys.append(held.customer_id)
                    names.append(name)
                    states.append(state)
        if keys:
            await conn.execute(
                f"INSERT INTO {table.name} (customer_id, item, state)"
                " SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])"
                " ON CONFLICT (customer_id, item) DO UPDATE SET state = excluded.state",
                keys,
                names,
                states,
            )

    async def forget_history(self, conn: Connection, partition: int, history: str) -> None:
        """Let the customers that a closed backfill touched speak again, in chunks, as due rows."""
        await conn.execute(
            f"UPDATE {self.projection.table.name} SET history = history - $2::text, due_at = $3"
            " WHERE partition = $1 AND history <> '[]' AND history ? $2::text",
            partition,
            history,
            ALWAYS,
        )

    async def mark_all_due(self, conn: Connection, partition: int) -> None:
        """A policy changed: derive every row of the partition again, in chunks."""
        await conn.execute(
            f"UPDATE {self.projection.table.name} SET due_at = $2 WHERE partition = $1",
            partition,
            ALWAYS,
        )


def _update_statement(table: Table, columns: Sequence[str]) -> str:
    kernel = ("customer_id", "state", "view", "told", "history", "due_at")
    names = (*kernel, *columns)
    types = [table.c[name].type.compile(dialect=_DIALECT) for name in names]
    unnest = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=1))
    assign = ", ".join(f"{name} = u.{name}" for name in names[1:])
    return (
        f"UPDATE {table.name} AS t SET {assign} FROM unnest({unnest}) AS u({', '.join(names)})"
        " WHERE t.customer_id = u.customer_id"
    )
