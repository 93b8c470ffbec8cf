"""PostgreSQL: SQLAlchemy defines tables and builds statements, asyncpg runs them.

A pool opens its first connection when it is first needed, so a process starts, and says that it is not ready,
while its database is away. Whatever the server does, nobody waits without end: connecting, taking a connection
and every statement have their limits.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, cast

import asyncpg
import orjson
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement

from shared.deadlines import Deadlines

CONNECT_SECONDS = 3.0
ACQUIRE_SECONDS = 5.0
READ_SECONDS = 10.0
KEPT_SECONDS = 1.0
"""How long a connection that has read is kept for the next who reads, before it goes back to the pool."""
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
        self._kept: list[_Kept] = []
        self._looking = False
        self._turns = asyncio.Semaphore(size)
        """One is held by whoever reads: who waits, waits here and not at the pool, and is handed what was kept."""
        self._deadlines = Deadlines()

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
        pool, conn = await (self.begin_reading() if read_only else self._acquired(read_only=False))
        try:
            work = conn.transaction(**transaction) if transaction else None
            try:
                if work is not None:
                    await work.start()
                yield cast("asyncpg.Connection", conn)
                if work is not None:
                    await work.commit()
            except BaseException as error:
                await self._give_up(pool, conn, work, error)
                raise
            await _end(pool, conn, None)
        finally:
            if read_only:
                self._turns.release()

    async def _acquired(self, *, read_only: bool) -> tuple[asyncpg.Pool, Any]:
        """A connection, and the pool that it is to go back to."""
        pool = await self._pool(read_only=read_only)
        return pool, await pool.acquire(timeout=ACQUIRE_SECONDS)

    async def begin_reading(self) -> tuple[asyncpg.Pool, Any]:
        """A turn, and a connection that reads; raises TimeoutError where there is none for too long."""
        if self._turns.locked():
            with self._deadlines.within(ACQUIRE_SECONDS):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            return self._take_kept() or await self._acquired(read_only=True)
        except BaseException:
            self._turns.release()
            raise

    async def end_reading(self, pool: asyncpg.Pool, conn: Any, error: BaseException | None) -> None:
        """What did nothing but read is kept for the next."""
        try:
            if error is not None:
                await self._give_up(pool, conn, None, error)
            elif not self._keep(pool, conn):
                await _end(pool, conn, None)
        finally:
            self._turns.release()

    def _give_back(self, pool: asyncpg.Pool, conn: Any, work: Any | None) -> asyncio.Task[None]:
        ending = asyncio.create_task(_end(pool, conn, work))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return ending

    async def _give_up(
        self, pool: asyncpg.Pool, conn: Any, work: Any | None, error: BaseException
    ) -> None:
        """Give back a connection with which something went wrong."""
        if isinstance(error, TimeoutError):
            await self._distrust()
        ending = self._give_back(pool, conn, work)
        if not isinstance(error, (TimeoutError, asyncio.CancelledError)):
            await asyncio.shield(ending)

    async def _distrust(self) -> None:
        """Lend nothing that was connected before now: where one connection does not answer, whatever lies between the
        server and us may have forgotten all of them, and each would be waited for as long as this one."""
        kept, self._kept = self._kept, []
        for one in kept:
            self._give_back(one.pool, one.conn, None)
        for pool in self._pools.values():
            await pool.expire_connections()

    def read(self) -> "_Reading":
        """A connection for single statements that read."""
        return _Reading(self)

    def _take_kept(self) -> tuple[asyncpg.Pool, Any] | None:
        """A connection that was kept, the one used last: of those that are too many each grows old."""
        while self._kept:
            kept = self._kept.pop()
            if not _is_gone(kept.conn):
                return kept.pool, kept.conn
            self._give_back(kept.pool, kept.conn, None)
        return None

    def _keep(self, pool: asyncpg.Pool, conn: Any) -> bool:
        """Keep a connection that has done its work, unless it is gone."""
        if self._pools.get(True) is not pool or _is_gone(conn):
            return False
        self._kept.append(_Kept(pool, conn, time.monotonic()))
        if not self._looking:
            self._looking = True
            loop = asyncio.get_running_loop()
            loop.call_later(KEPT_SECONDS, self._look, loop)
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """What nobody has used for a while goes back to the pool, which closes what nobody uses for long."""
        old = time.monotonic() - KEPT_SECONDS
        kept, self._kept = self._kept, []
        for one in kept:
            if one.since <= old:
                self._give_back(one.pool, one.conn, None)
            else:
                self._kept.append(one)
        self._looking = bool(self._kept)
        if self._looking:
            loop.call_later(KEPT_SECONDS, self._look, loop)

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
        self._kept.clear()
        for pool in pools:
            pool.terminate()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection between two statements, and since when (of `time.monotonic`) nobody uses it."""

    pool: asyncpg.Pool
    conn: Any
    since: float


class _Reading:
    """Lends a connection for single statements. A connection that did nothing but read is kept for whoever reads
    next: the pool would spend a task, two time limits and a timer on taking it back and lending it again."""

    __slots__ = ("_conn", "_database", "_pool")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> ReadConnection:
        self._pool, self._conn = await self._database.begin_reading()
        return cast("ReadConnection", self._conn)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._database.end_reading(self._pool, self._conn, error)


def _is_gone(conn: Any) -> bool:
    """Whether the server has cut the connection; the pool may have let go of it already."""
    try:
        return bool(conn.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _end(pool: asyncpg.Pool, conn: Any, work: Any | None) -> None:
    """Roll back what is open, and give the connection back; one that does not answer is dropped."""
    with contextlib.suppress(Exception):
        if work is not None:
            async with asyncio.timeout(SERVER_SECONDS):
                await work.rollback()
    with contextlib.suppress(Exception):
        await pool.release(conn, timeout=SERVER_SECONDS)
