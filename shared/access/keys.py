"""Keys: made, hashed, stored, found. The raw key exists only in the hands of its owner.

A key carries 192 random bits, so a plain SHA-256 is enough: nothing in it could be guessed that a
slow hash would protect.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from shared.access.caller import Caller
from shared.errors import TenureError

PREFIX = "tn_"
_SHAPE = re.compile(r"[!-~]{16,200}")

_FIND = """
SELECT id, name, scopes, source_prefixes, rate FROM api_key WHERE key_hash = $1 AND revoked_at IS NULL
"""
_REGISTER = """
INSERT INTO api_key (id, name, key_hash, scopes, source_prefixes, rate) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key_hash) DO UPDATE
SET name = excluded.name, scopes = excluded.scopes, source_prefixes = excluded.source_prefixes,
    rate = excluded.rate
WHERE api_key.revoked_at IS NULL
RETURNING id
"""
_LIST = """
SELECT id, name, scopes, source_prefixes, rate, created_at, revoked_at
FROM api_key ORDER BY created_at, id
"""
_REVOKE = "UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING id"


class Connection(Protocol):
    """What is needed of an asyncpg connection or pool."""

    async def fetch(self, query: str, *args: Any) -> list[Any]: ...

    async def fetchrow(self, query: str, *args: Any) -> Any: ...

    async def fetchval(self, query: str, *args: Any) -> Any: ...


class KeyRevoked(TenureError):  # noqa: N818
    """The key was revoked once; it never opens anything again."""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as it is listed, times in UTC."""

    caller: Caller
    created_at: datetime
    revoked_at: datetime | None


def new_key() -> str:
    """A raw key: `tn_` and 32 URL-safe random characters."""
    return PREFIX + secrets.token_urlsafe(24)


def looks_like_key(raw: str) -> bool:
    """Whether it is worth asking the database; 16 to 200 visible ASCII characters."""
    return _SHAPE.fullmatch(raw) is not None


def hash_key(raw: str) -> bytes:
    """What is stored instead of the key."""
    return hashlib.sha256(raw.encode()).digest()


def _caller(row: Any) -> Caller:
    scopes, prefixes = frozenset(row["scopes"]), tuple(row["source_prefixes"])
    return Caller(row["id"], row["name"], scopes, prefixes, row["rate"])


async def find(conn: Connection, key_hash: bytes) -> Caller | None:
    """The caller whose key this is, unless it is revoked."""
    row = await conn.fetchrow(_FIND, key_hash)
    return None if row is None else _caller(row)


async def register(
    conn: Connection,
    raw: str,
    *,
    name: str,
    scopes: Sequence[str],
    source_prefixes: Sequence[str] = (),
    rate: float | None = None,
) -> UUID:
    """Store a key; one that is known gets this name and these rights. Raises KeyRevoked."""
    values = (uuid4(), name, hash_key(raw), sorted(set(scopes)), list(source_prefixes), rate)
    found = await conn.fetchval(_REGISTER, *values)
    if found is None:
        raise KeyRevoked("this key has been revoked")
    return UUID(str(found))


async def listed(conn: Connection) -> list[KeyEntry]:
    """All keys, revoked ones too, oldest first."""
    rows = await conn.fetch(_LIST)
    return [KeyEntry(_caller(row), row["created_at"], row["revoked_at"]) for row in rows]


async def revoke(conn: Connection, key_id: UUID) -> bool:
    """Close a key for good; False where there is none with this id."""
    return await conn.fetchval(_REVOKE, key_id) is not None
