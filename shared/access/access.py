"""Whose key is it, or whose token? Keys are asked of the access database, and remembered for 2 seconds at most.

So a revoked key opens nothing after 2 seconds, and the database may be away that long without
anybody noticing; after that the answer is 503, for strangers and friends alike.
"""

import asyncio
import time
from collections.abc import Callable

import asyncpg

from shared.access.caller import Caller
from shared.access.keys import find, hash_key, looks_like_key
from shared.access.tokens import Tokens, header_of
from shared.errors import Unavailable, is_passing, sqlstate
from shared.logging import get_logger, reason

SECONDS = 2.0
_MOST = 2048
_CONNECTIONS = 2
_PATIENCE = 2.0  # seconds, for connecting and for the answer
# No such database, no such table: not migrated yet.
_NOT_THERE = frozenset({"3D000", "42P01"})

log = get_logger(__name__)


def _is_away(exc: Exception) -> bool:
    return is_passing(exc) or sqlstate(exc) in _NOT_THERE


class _Verdicts:
    """Recent answers, good and bad ones; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[float, Caller | None]] = {}

    def get(self, key_hash: bytes, now: float) -> tuple[bool, Caller | None]:
        """(known, caller)."""
        until, caller = self._entries.get(key_hash, (now, None))
        return until > now, caller

    def put(self, key_hash: bytes, until: float, caller: Caller | None) -> None:
        self._entries.pop(key_hash, None)
        self._entries[key_hash] = (until, caller)
        while len(self._entries) > _MOST:
            self._entries.pop(next(iter(self._entries)))


class Access:
    """Answers for keys, and for the tokens of an issuer where there is one. It opens while the database is away;
    asking then raises Unavailable."""

    def __init__(
        self,
        url: str,
        *,
        tokens: Tokens | None = None,
        seconds: float = SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._seconds = seconds
        self._now = now
        self._verdicts = _Verdicts()
        self._asking: dict[bytes, asyncio.Task[Caller | None]] = {}
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Make the pool; nothing is connected until somebody asks. Asking opens it, too."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=_CONNECTIONS,
                    timeout=_PATIENCE,
                    command_timeout=_PATIENCE,
                    server_settings={
                        "application_name": "access",
                        "default_transaction_read_only": "on",
                    },
                )

    async def close(self) -> None:
        """Close the connections at once."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
        if self._tokens is not None:
            await self._tokens.close()

    async def caller_of(self, raw: str) -> Caller | None:
        """The caller with this key; None: unknown or revoked. Raises Unavailable, and for a token Unauthorised."""
        if self._tokens is not None:
            header = header_of(raw)
            if header is not None:
                return await self._tokens.caller_of(raw, header)
        if not looks_like_key(raw):
            return None
        key_hash = hash_key(raw)
        known, caller = self._verdicts.get(key_hash, self._now())
        return caller if known else await self._ask_once(key_hash)

    async def _ask_once(self, key_hash: bytes) -> Caller | None:
        """Whoever asks for the same key meanwhile waits for the same answer."""
        task = self._asking.get(key_hash)
        if task is None:
            task = self._asking[key_hash] = asyncio.create_task(self._ask(key_hash))
            task.add_done_callback(lambda done: self._answered(key_hash, done))
        return await asyncio.shield(task)

    def _answered(self, key_hash: bytes, done: asyncio.Task[Caller | None]) -> None:
        self._asking.pop(key_hash, None)
        if not done.cancelled():
            done.exception()  # looked at, even where everybody who asked has gone

    async def _ask(self, key_hash: bytes) -> Caller | None:
        asked_at = self._now()
        try:
            caller = await self._find(key_hash)
        except Exception as exc:
            if not _is_away(exc):
                raise
            log.warning("access database away", error=reason(exc))
            raise Unavailable from None
        self._verdicts.put(key_hash, asked_at + self._seconds, caller)
        return caller

    async def _find(self, key_hash: bytes) -> Caller | None:
        if self._pool is None:
            await self.open()
        assert self._pool is not None
        async with self._pool.acquire(timeout=_PATIENCE) as conn:
            return await find(conn, key_hash)

    async def reachable(self) -> bool:
        """Whether keys can be looked up now, for readiness."""
        try:
            await self._find(bytes(32))
        except Exception:  # noqa: BLE001  (a question with two answers)
            return False
        return True
