"""PostgreSQL: SQLAlchemy defines tables and builds statements, asyncpg runs them.

A pool opens its first connection when it is first needed, so a process starts, and says that it is not ready,
while its database is away. Whatever the server does, nobody waits without end: connecting, taking a connection
and every statement have their limits.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

import asyncpg
import orjson
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement

CONNECT_SECONDS = 3.0
ACQUIRE_SECONDS = 5.0
READ_SECONDS = 10.0

Row = asyncpg.Record
"""One row: read like a mapping from names to values."""


class ReadConnection(Protocol):
    """A connection that can only read; the server holds it to that."""

    async def fetch(self, query: str, *args: Any) -> list[Row]: ...

    async def fetchrow(self, query: str, *args: Any) -> Row | None: ...

    async def fetchval(self, query: str, *args: Any) -> Any: ...


Connection = asyncpg.Connection
"""A connection in whose transaction one may write."""

_DIALECT = PGDialect_asyncpg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Compiled:
    """A SQLAlchemy statement as text for asyncpg, with its parameters in order."""

    __slots__ = ("_bound", "_names", "sql")

    def __init__(self, statement: ClauseElement) -> None:
        compiled = cast(
            "SQLCompiler",
            statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}),
        )
        self.sql: str = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or []
        self._bound: Mapping[str, Any] = compiled.params

    def arguments(self, **values: Any) -> list[Any]:
        """The parameters in the order of the text; `values` replace those bound when it was built."""
        return [values.get(name, self._bound[name]) for name in self._names]


async def fetch(conn: ReadConnection, statement: ClauseElement) -> list[Row]:
    """Run a SQLAlchemy Core statement on asyncpg."""
    compiled = Compiled(statement)
    return await conn.fetch(compiled.sql, *compiled.arguments())


async def _prepare(conn: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
            decoder=orjson.loads,
        )


class Database:
    """Two pools on one database: one that may write, one that the server holds to reading."""

    def __init__(
        self, url: str, *, name: str, size: int = 8, limits: Mapping[str, str] | None = None
    ) -> None:
        self.url = url
        self.name = name
        self._size = size
        self._limits = dict(
            limits or {"statement_timeout": f"{int(READ_SECONDS * 1000)}", "lock_timeout": "5000"}
        )
        self._pools: dict[bool, asyncpg.Pool] = {}

    async def _pool(self, read_only: bool) -> asyncpg.Pool:
        pool = self._pools.get(read_only)
        if pool is None:
            settings = {"application_name": self.name, "timezone": "UTC", **self._limits}
            if read_only:
                settings["default_transaction_read_only"] = "on"
            pool = asyncpg.create_pool(
                self.url,
                min_size=0,
                max_size=self._size,
                timeout=CONNECT_SECONDS,
                command_timeout=30,
                max_inactive_connection_lifetime=60,
                server_settings=settings,
                init=_prepare,
            )
            self._pools[read_only] = pool
            await pool
        return pool

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadConnection]:
        """A connection for single statements that read."""
        pool = await self._pool(read_only=True)
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as conn:
            yield cast("ReadConnection", conn)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ReadConnection]:
        """Several statements that see one moment."""
        pool = await self._pool(read_only=True)
        async with (
            pool.acquire(timeout=ACQUIRE_SECONDS) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield cast("ReadConnection", conn)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction: each statement is its own."""
        pool = await self._pool(read_only=False)
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as conn:
            yield cast("Connection", conn)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The one place where something is written: all of it or nothing."""
        async with self.connection() as conn, conn.transaction():
            yield conn

    async def close(self) -> None:
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.terminate()
