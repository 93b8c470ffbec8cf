"""A projection's rows: read under their locks, written back with one statement a table.

In between they are taken one by one: opened, folded, judged and packed again, before the next one is opened. Opened a
row is some kilobytes of small objects, a batch of them many times what a processor's cache holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import Table

from shared.database import Connection, Row
from shared.failpoints import hit
from shared.loop.bulk import Bulk
from shared.projection import Projection

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""A due time that has always passed: derive as soon as possible."""

HELD = "customer_id, head, parts, state, told, NULLIF(history, '[]') AS history, cause"
OWN = ("customer_id", "state", "history")
"""What a part is by itself."""
READ = ("view", "told", "due_at", "cause")
"""What is read of a customer, and what is still to be told of it."""
_NO_HISTORY = "[]"
_encode = msgspec.msgpack.Encoder().encode

AnyProjection = Projection[Any, Any, Any]


Items = Mapping[str, bytes]
"""Child rows of one customer, as they are kept."""


@dataclass(slots=True)
class Held:
    """One customer's row, opened; held under its lock for the length of a transaction."""

    customer_id: UUID
    state: Any
    told: Any
    history: set[str]
    loaded: dict[str, bytes]
    """The child rows as they were read, to write back only those that changed."""
    head: UUID
    parts: int
    """How many parts the customer has whose head this is."""
    partition: int | None = None
    """As whoever asked for the row said; None where nobody did."""
    cause: str | None = None
    """`rebuild` where differences wait to be told that follow from no event."""
    told_at: datetime | None = None
    """When they are to be told."""

    @property
    def alone(self) -> bool:
        """Whether this part is a customer of its own."""
        return self.head == self.customer_id and self.parts == 1


@dataclass(slots=True)
class Packed:
    """Rows and child rows as they are to be written."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    items: list[tuple[UUID, str, bytes]] = field(default_factory=list)


class Rows:
    """Reads and writes the tables of one projection."""

    def __init__(self, projection: AnyProjection) -> None:
        self.projection = projection
        self._state: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.state).decode
        self._told: Callable[[bytes], Any] = msgspec.msgpack.Decoder(projection.told).decode
        item = projection.item or msgspec.Struct
        self._item: Callable[[bytes], Any] = msgspec.msgpack.Decoder(item).decode
        names = projection.columns
        self._rows = _update(projection, "rows", (*OWN, *READ, *names))
        self._parts = _update(projection, "parts", (*OWN, "head", "told", "due_at"))
        self._heads = _update(projection, "heads", ("customer_id", *READ, "parts", *names))
        self._items = None if projection.items_table is None else _upsert(projection.items_table)
        blank = ", ".join(f"{name} = DEFAULT" for name in ("view", "cause", *names))
        self._blank = (
            f"UPDATE {projection.table.name} SET {blank} WHERE customer_id = ANY($1) AND view <> ''"
        )

    async def hold(self, conn: Connection, partitions: Mapping[UUID, int]) -> dict[UUID, Row]:
        """Make the rows that are missing, each with its partition, then lock them and the heads of absorbed parts, each
        in key order (a row that does not exist cannot be locked, so two who both find none would both write it).
        Answers them for `open`.

        An absorbed part's head cannot change before it is locked: only the owner of the part's partition, who asks,
        changes it.
        """
        table = self.projection.table.name
        ordered = sorted(partitions)
        await self._make_missing(conn, ordered, partitions)
        rows = await conn.fetch(
            f"SELECT {HELD} FROM {table} WHERE customer_id = ANY($1 || ARRAY("
            f"SELECT head FROM {table} WHERE customer_id = ANY($1) AND head <> customer_id))"
            " ORDER BY customer_id FOR UPDATE",
            ordered,
        )
        hit("rows.locked")
        return {row["customer_id"]: row for row in rows}

    async def _make_missing(
        self, conn: Connection, ordered: list[UUID], partitions: Mapping[UUID, int]
    ) -> None:
        """Before anything is locked: whoever makes the same row at the same moment is waited for, and must not
        wait for what we hold."""
        table = self.projection.table.name
        rows = await conn.fetch(
            "SELECT k FROM unnest($1::uuid[]) AS k"
            f" WHERE k NOT IN (SELECT customer_id FROM {table} WHERE customer_id = ANY($1))",
            ordered,
        )
        if rows:
            missing = sorted(row["k"] for row in rows)
            await conn.execute(
                f"INSERT INTO {table} (customer_id, head, partition)"
                " SELECT k, k, p FROM unnest($1::uuid[], $2::smallint[]) AS u(k, p) ON CONFLICT DO NOTHING",
                missing,
                [partitions[key] for key in missing],
            )

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

    def open(self, row: Row, partition: int | None = None, items: Items | None = None) -> Held:
        """A row as it was held (or read), with some of its child rows."""
        customer_id, head, parts, state, told, history, cause = row.values()
        made = self.projection
        held = Held(
            customer_id,
            self._state(state) if state else made.state(),
            self._told(told) if told else made.told(),
            set(history) if history else set(),
            {},
            head,
            parts,
            partition,
            cause,
        )
        if items:
            self.put(held, items)
        return held

    def put(self, held: Held, items: Items) -> None:
        """Have these child rows in the state, beside those that are in it already."""
        own = held.state.items
        for name, state in items.items():
            if name not in held.loaded and name not in own:
                held.loaded[name] = state
                own[name] = self._item(state)

    async def load_items(
        self, conn: Connection, wanted: Sequence[tuple[UUID, str]]
    ) -> dict[UUID, dict[str, bytes]]:
        """Some child rows, by customer."""
        if self.projection.items_table is None or not wanted:
            return {}
        rows = await conn.fetch(
            f"SELECT i.customer_id, i.item, i.state FROM {self.projection.items_table.name} AS i"
            " JOIN unnest($1::uuid[], $2::text[]) AS w(customer_id, item) USING (customer_id, item)",
            [key for key, _ in wanted],
            [item for _, item in wanted],
        )
        return _by_customer(rows)

    async def load_all_items(
        self, conn: Connection, customers: Iterable[UUID]
    ) -> dict[UUID, dict[str, bytes]]:
        """All child rows of these customers."""
        if self.projection.items_table is None:
            return {}
        rows = await conn.fetch(
            f"SELECT customer_id, item, state FROM {self.projection.items_table.name}"
            " WHERE customer_id = ANY($1)",
            list(customers),
        )
        return _by_customer(rows)

    def pack(self, packed: Packed, held: Held, view: Any) -> None:
        """Add a customer who is one part, and the child rows that changed; whoever holds the row is done with it."""
        self._pack_items(packed, held)
        packed.rows.append((*_own(held), *_read(held, view), *self.projection.row(view)))

    async def write(self, conn: Connection, packed: Packed) -> None:
        """Write what was packed."""
        await self._write_items(conn, packed)
        await self._rows.execute(conn, packed.rows)

    async def write_parts(self, conn: Connection, parts: Iterable[Held]) -> None:
        """Write what parts are by themselves; what is read of them stands in their head's row. What was read of an
        absorbed one while it was a head goes: it may be about others, who may leave, and be erased, before it is read
        again."""
        packed = Packed()
        absorbed = []
        for part in parts:
            self._pack_items(packed, part)
            packed.rows.append((*_own(part), part.head, _encode(part.told), None))
            if part.head != part.customer_id:
                absorbed.append(part.customer_id)
        await self._write_items(conn, packed)
        await self._parts.execute(conn, packed.rows)
        if absorbed:
            await conn.execute(self._blank, absorbed)

    async def write_heads(self, conn: Connection, written: Sequence[tuple[Held, Any]]) -> None:
        """Write what is read of customers of several parts: (head, view) pairs."""
        if written:
            rows = [
                (held.customer_id, *_read(held, view), held.parts, *self.projection.row(view))
                for held, view in written
            ]
            await self._heads.execute(conn, rows)

    async def group(self, conn: Connection, heads: Iterable[UUID]) -> dict[UUID, list[Held]]:
        """The parts of each head as they are written, with all their child rows, the head first. The heads' rows
        must be held: whoever writes one of their parts holds them too. A head that is none any more is left out."""
        table = self.projection.table.name
        rows = await conn.fetch(
            f"SELECT {HELD} FROM (SELECT * FROM {table} WHERE customer_id = ANY($1) AND head = customer_id"
            f" UNION ALL SELECT * FROM {table} WHERE head = ANY($1) AND head <> customer_id) AS one"
            " ORDER BY head, head <> customer_id, customer_id",
            sorted(heads),
        )
        items = await self.load_all_items(conn, [row["customer_id"] for row in rows])
        groups: dict[UUID, list[Held]] = {}
        for row in rows:
            if row["head"] == row["customer_id"] or row["head"] in groups:
                part = self.open(row, items=items.get(row["customer_id"]))
                groups.setdefault(row["head"], []).append(part)
        return groups

    def _pack_items(self, packed: Packed, held: Held) -> None:
        if self._items is None:
            return
        items, held.state.items = held.state.items, {}
        for name, item in items.items():
            state = _encode(item)
            if held.loaded.get(name) != state:
                packed.items.append((held.customer_id, name, state))

    async def _write_items(self, conn: Connection, packed: Packed) -> None:
        if self._items is not None:
            await self._items.execute(conn, packed.items)

    async def forget_history(self, conn: Connection, partition: int, history: str) -> int:
        """Let the customers that a closed backfill touched speak again, in chunks, as due rows; how many they are."""
        done = await conn.execute(
            f"UPDATE {self.projection.table.name} SET history = history - $2::text, due_at = $3"
            " WHERE partition = $1 AND history <> '[]' AND history ? $2::text",
            partition,
            history,
            ALWAYS,
        )
        return int(done.rpartition(" ")[2])

    async def mark_all_due(
        self, conn: Connection, partition: int, *, also_elsewhere: bool = False
    ) -> None:
        """Derive every customer of the partition again, in chunks: a policy changed. `also_elsewhere`: and those of
        other partitions who have a part in this one."""
        table = self.projection.table.name
        elsewhere = f" OR customer_id IN (SELECT head FROM {table} WHERE partition = $1 AND head <> customer_id)"
        await conn.execute(
            f"UPDATE {table} SET due_at = $2 WHERE head = customer_id"
            f" AND (partition = $1{elsewhere if also_elsewhere else ''})",
            partition,
            ALWAYS,
        )


def _by_customer(rows: Iterable[Row]) -> dict[UUID, dict[str, bytes]]:
    found: dict[UUID, dict[str, bytes]] = {}
    for customer_id, item, state in rows:
        found.setdefault(customer_id, {})[item] = state
    return found


def _own(held: Held) -> tuple[Any, ...]:
    """Values of `OWN`."""
    history = orjson.dumps(sorted(held.history)).decode() if held.history else _NO_HISTORY
    return held.customer_id, _encode(held.state), history


def _read(held: Held, view: Any) -> tuple[Any, ...]:
    """Values of `READ`."""
    due_at, told_at = view.due_at, held.told_at
    if told_at is not None:
        due_at = told_at if due_at is None else min(due_at, told_at)
    return _encode(view), _encode(held.told), due_at, held.cause


def _update(projection: AnyProjection, name: str, columns: Sequence[str]) -> Bulk:
    """An update of these columns, the customer's id first."""
    table = projection.table
    assign = ", ".join(f"{column} = u.{column}" for column in columns[1:])
    statement = (
        f"UPDATE {table.name} AS t SET {assign} FROM {{rows}} WHERE t.customer_id = u.customer_id"
    )
    return Bulk(table, columns, statement, name=name)


def _upsert(table: Table) -> Bulk:
    """Child rows, new ones and others."""
    columns = ("customer_id", "item", "state")
    statement = (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM {{rows}}"
        " ON CONFLICT (customer_id, item) DO UPDATE SET state = excluded.state"
    )
    return Bulk(table, columns, statement, name="items")
