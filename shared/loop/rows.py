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
from shared.failpoints import hit
from shared.projection import Projection

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""A due time that has always passed: derive as soon as possible."""

_DIALECT = postgresql()  # type: ignore[no-untyped-call]
_HELD = "customer_id, head, parts, state, told, history, cause"
_OWN = ("customer_id", "state", "history")
"""What a part is by itself."""
_READ = ("view", "told", "due_at", "cause")
"""What is read of a customer, and what is still to be told of it."""
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
    head: UUID
    parts: int
    """How many parts the customer has whose head this is."""
    cause: str | None = None
    """`rebuild` where differences wait to be told that follow from no event."""
    told_at: datetime | None = None
    """When they are to be told."""

    @property
    def alone(self) -> bool:
        """Whether this part is a customer of its own."""
        return self.head == self.customer_id and self.parts == 1


class Rows:
    """Reads and writes the tables of one projection."""

    def __init__(self, projection: AnyProjection) -> None:
        self.projection = projection
        self._state: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.state).decode
        self._told: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.told).decode
        item = projection.item or msgspec.Struct
        self._item: Callable[[bytes], Any] = msgspec.msgpack.Decoder(item).decode
        table, names = projection.table, projection.columns
        self._write_row = _update_statement(table, (*_OWN, *_READ, *names))
        self._write_part = _update_statement(table, (*_OWN, "head", "told", "due_at"))
        self._write_head = _update_statement(table, (*_READ, "parts", *names))

    async def hold(self, conn: Connection, partitions: Mapping[UUID, int]) -> dict[UUID, Held]:
        """Make the rows that are missing, each with its partition, then lock them and the heads of absorbed parts, all
        in key order (a row that does not exist cannot be locked, so two who both find none would both write it).

        An absorbed part's head cannot change before it is locked: only the owner of the part's partition, who asks,
        changes it.
        """
        table = self.projection.table.name
        ordered = sorted(partitions)
        select = (
            f"SELECT {_HELD} FROM {table} WHERE customer_id = ANY($1 || ARRAY("
            f"SELECT head FROM {table} WHERE customer_id = ANY($1) AND head <> customer_id))"
            " ORDER BY customer_id FOR UPDATE"
        )
        rows = {row["customer_id"]: row for row in await conn.fetch(select, ordered)}
        if not partitions.keys() <= rows.keys():
            await conn.execute(
                f"INSERT INTO {table} (customer_id, head, partition)"
                " SELECT k, k, p FROM unnest($1::uuid[], $2::smallint[]) AS u(k, p) ON CONFLICT DO NOTHING",
                ordered,
                [partitions[key] for key in ordered],
            )
            rows = {row["customer_id"]: row for row in await conn.fetch(select, ordered)}
        hit("rows.locked")
        return {key: self._held(row) for key, row in rows.items()}

    async def due(self, conn: Connection, partition: int, clock: datetime, most: int) -> list[UUID]:
        """Up to `most` customers whose time has come."""
        rows = await conn.fetch(
            f"SELECT customer_id FROM {self.projection.table.name}"
            " WHERE partition = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3",
            partition,
            clock,
            most,
        )
        return [row["customer_id"] for row in rows]

    def _held(self, row: Row) -> Held:
        made = self.projection
        return Held(
            customer_id=row["customer_id"],
            state=self._state(row["state"]) if row["state"] else made.state(),
            told=self._told(row["told"]) if row["told"] else made.told(),
            history=set(row["history"]),
            loaded={},
            head=row["head"],
            parts=row["parts"],
            cause=row["cause"],
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
        await _execute(
            conn,
            self._write_row,
            [
                (*_own(held), *_read(held, view), *self.projection.row(view))
                for held, view in written
            ],
        )

    async def write_parts(self, conn: Connection, parts: Sequence[Held]) -> None:
        """Write what parts are by themselves; what is read of them stands in their head's row."""
        if parts:
            await self._write_items(conn, parts)
            rows = [(*_own(part), part.head, _encode(part.told), None) for part in parts]
            await _execute(conn, self._write_part, rows)

    async def write_heads(self, conn: Connection, written: Sequence[tuple[Held, Any]]) -> None:
        """Write what is read of customers of several parts: (head, view) pairs."""
        if written:
            rows = [
                (held.customer_id, *_read(held, view), held.parts, *self.projection.row(view))
                for held, view in written
            ]
            await _execute(conn, self._write_head, rows)

    async def group(self, conn: Connection, heads: Iterable[UUID]) -> dict[UUID, list[Held]]:
        """The parts of each head as they are written, with all their child rows, the head first. The heads' rows
        must be held: whoever writes one of their parts holds them too. A head that is none any more is left out."""
        table = self.projection.table.name
        rows = await conn.fetch(
            f"SELECT {_HELD} FROM (SELECT * FROM {table} WHERE customer_id = ANY($1) AND head = customer_id"
            f" UNION ALL SELECT * FROM {table} WHERE head = ANY($1) AND head <> customer_id) AS one"
            " ORDER BY head, head <> customer_id, customer_id",
            sorted(heads),
        )
        groups: dict[UUID, list[Held]] = {}
        for row in rows:
            if row["head"] == row["customer_id"] or row["head"] in groups:
                groups.setdefault(row["head"], []).append(self._held(row))
        parts = {part.customer_id: part for group in groups.values() for part in group}
        await self.load_all_items(conn, parts)
        return groups

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
            f"UPDATE {self.projection.table.name} SET due_at = $2 WHERE partition = $1"
            " AND head = customer_id",
            partition,
            ALWAYS,
        )


def _own(held: Held) -> tuple[Any, ...]:
    """Values of `_OWN`."""
    history = orjson.dumps(sorted(held.history)).decode()
    return held.customer_id, _encode(held.state), history


def _read(held: Held, view: Any) -> tuple[Any, ...]:
    """Values of `_READ`."""
    due_at = [at for at in (view.due_at, held.told_at) if at is not None]
    return _encode(view), _encode(held.told), min(due_at, default=None), held.cause


async def _execute(conn: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    await conn.execute(statement, *([row[n] for row in rows] for n in range(len(rows[0]))))


def _update_statement(table: Table, columns: Sequence[str]) -> str:
    """An update of these columns, whose rows come as arrays of the columns, the customer's id first."""
    names = columns if columns[0] == "customer_id" else ("customer_id", *columns)
    types = [table.c[name].type.compile(dialect=_DIALECT) for name in names]
    unnest = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=1))
    assign = ", ".join(f"{name} = u.{name}" for name in names[1:])
    return (
        f"UPDATE {table.name} AS t SET {assign} FROM unnest({unnest}) AS u({', '.join(names)})"
        " WHERE t.customer_id = u.customer_id"
    )
