"""PostgreSQL: SQLAlchemy defines tables and builds statements, asyncpg runs them.

A pool opens its first connection when it is first needed, so a process starts, and says that it is not ready,
while its database is away. Whatever the server does, nobody waits without end: connecting, taking a connection
and every statement have their limits.
"""

import asyncio
import contextlib
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
SERVER_SECONDS = 2.0
"""How much longer than a statement may take we wait for a server that should have ended it, and how long for one
that should take a connection back: a server that is frozen does neither."""

Row = asyncpg.Record
"""One row: read like a mapping from names to values."""


class ReadConnection(Protocol):
    """A connection that can only read; the server holds it to that."""

    async def fetch(self, query: str, *args: Any) -> list[Row]: ...

    async def fetchrow(self, query: str, *args: Any) -> Row | None: ...

    async def fetchval(self, query: str, *args: Any) -> Any: ...


uuid_of = asyncpg.pgproto.pgproto.UUID
"""A UUID of its text: as asyncpg makes them, equal to Python's own and made in a tenth of the time."""

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


async def _as_it_is(_conn: asyncpg.Connection) -> None:
    """Given back without a question to the server: nothing of ours outlives a transaction (what is set is set with
    `SET LOCAL`, what is locked is locked for the transaction), and asyncpg itself rolls back one that is open."""


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
        self._statement_seconds = int(self._limits["statement_timeout"]) / 1000
        self._pools: dict[bool, asyncpg.Pool] = {}
        self._ending: set[asyncio.Task[None]] = set()

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
                command_timeout=self._statement_seconds + SERVER_SECONDS,
                max_inactive_connection_lifetime=60,
                server_settings=settings,
                init=_prepare,
                reset=_as_it_is,
            )
            self._pools[read_only] = pool
            await pool
        return pool

    @asynccontextmanager
    async def _lent(self, read_only: bool, **transaction: Any) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool, in a transaction where `transaction` says which.

        Once everything is done the block never fails, whatever becomes of the connection. Who gives up waiting does
        not wait for the end of the transaction either: a task of its own does, but not long."""
        pool = await self._pool(read_only=read_only)
        conn = await pool.acquire(timeout=ACQUIRE_SECONDS)
        work = conn.transaction(**transaction) if transaction else None
        try:
            if work is not None:
                await work.start()
            yield cast("asyncpg.Connection", conn)
            if work is not None:
                await work.commit()
        except BaseException as error:
            ending = asyncio.create_task(_end(pool, conn, work))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            if not isinstance(error, (TimeoutError, asyncio.CancelledError)):
                await asyncio.shield(ending)
            raise
        await _end(pool, conn, None)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadConnection]:
        """A connection for single statements that read."""
        async with self._lent(read_only=True) as conn:
            yield cast("ReadConnection", conn)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ReadConnection]:
        """Several statements that see one moment."""
        async with self._lent(read_only=True, isolation="repeatable_read", readonly=True) as conn:
            yield cast("ReadConnection", conn)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction: each statement is its own."""
        async with self._lent(read_only=False) as conn:
            yield conn

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The one place where something is written: all of it or nothing."""
        async with self._lent(read_only=False, isolation="read_committed") as conn:
            yield conn

    async def close(self) -> None:
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.terminate()


async def _end(pool: asyncpg.Pool, conn: Any, work: Any | None) -> None:
    """Roll back what is open, and give the connection back; one that does not answer is dropped."""
    with contextlib.suppress(Exception):
        if work is not None:
            async with asyncio.timeout(SERVER_SECONDS):
                await work.rollback()
    with contextlib.suppress(Exception):
        await pool.release(conn, timeout=SERVER_SECONDS)
