"""The keys of customers: personal data is sealed with them before it is written, and destroyed with them.

Keys lie in a database of their own, so that a copy of the log or of a service's database says nothing of anybody. A
process remembers keys for `KEYRING_SECONDS`: so long a destroyed one may still open something somewhere.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import force_setattr

from shared import codec, metrics
from shared.codec import Event
from shared.database import Database, Row, uuid_of
from shared.keyring.sealing import (
    Unreadable,
    cipher,
    hidden_in,
    locked,
    new_key,
    opened,
    seal,
    unlocked,
)
from shared.log import Entry

CONNECTIONS = 4
MOST = 100_000
"""Keys that a process remembers."""

_logger = structlog.get_logger(__name__)


class _Subject(msgspec.Struct, gc=False):
    subject: str = ""
    sealed: str | None = None


_subject = msgspec.json.Decoder(_Subject).decode


@dataclass(frozen=True, slots=True)
class _Known:
    key: AESGCM | None
    """None: destroyed."""
    until: float


class Keyring:
    """Asks the keyring's database. What that raises while it is away is a reason to pause, as with any database."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float,
        name: str = "keyring",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url`: where the keys are. `seconds`: how long a key is remembered."""
        self._database = Database(url, name=name, size=CONNECTIONS)
        self._seconds = seconds
        self._now = now
        self._known: dict[UUID, _Known] = {}

    async def close(self) -> None:
        """Let go of its connections."""
        await self._database.close()

    async def uuid(self) -> str:
        """Which keyring this is."""
        async with self._database.read() as conn:
            found: str = await conn.fetchval("SELECT value FROM meta WHERE name = 'uuid'")
            return found

    async def seal(self, entries: Sequence[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
        """The same (partition, entry) pairs with what is personal sealed, ready for the outbox. A customer without a
        key gets one, which is on disk before anything is sealed with it; of one who was erased what is personal is
        left out."""
        plain = [entry for _, entry in entries if entry.personal]
        if not plain:
            return list(entries)
        keys = await self._made({uuid_of(entry.key) for entry in plain})
        return [
            (place, _sealed(entry, seal(entry.value, keys[uuid_of(entry.key)])))
            if entry.personal
            else (place, entry)
            for place, entry in entries
        ]

    async def open(self, values: Sequence[bytes]) -> list[bytes]:
        """Events as they stand on the log (structured JSON) as they were before they were sealed."""
        about = [_subject(value) for value in values]
        keys = await self._found({uuid_of(one.subject) for one in about if one.sealed is not None})
        return [
            value if one.sealed is None else opened(value, keys.get(uuid_of(one.subject)))
            for value, one in zip(values, about, strict=True)
        ]

    async def reveal(self, events: Iterable[tuple[Event, bytes]]) -> None:
        """Put what was sealed back into the data of events that nobody has looked at yet; `bytes`: as they stand on
        the log. Of somebody who was erased it stays away."""
        sealed = [one for one in events if one[0].sealed is not None]
        if not sealed:
            return
        keys = await self._found({uuid_of(event.subject) for event, _ in sealed})
        for event, value in sealed:
            key = keys.get(uuid_of(event.subject))
            if key is None:
                continue
            assert event.sealed is not None
            try:
                hidden = hidden_in(event.sealed, event.subject, event.id, key)
            except Unreadable:
                metrics.keyring_unreadable.inc()
                _logger.critical("unreadable", id=event.id)
                continue
            force_setattr(event, "data", codec.with_hidden(value, hidden))

    async def lock(self, customer: UUID, text: bytes, about: str) -> bytes | None:
        """Encrypt what belongs to a customer and to one thing, such as the id of a message; None for one who was
        erased."""
        key = (await self._made({customer}))[customer]
        return None if key is None else locked(text, str(customer), about, key)

    async def unlock(self, customer: UUID, text: bytes, about: str) -> bytes | None:
        """What was locked; None for one who was erased. Raises Unreadable."""
        key = (await self._found({customer})).get(customer)
        return None if key is None else unlocked(text, str(customer), about, key)

    async def destroy(self, customers: Collection[UUID]) -> None:
        """Nothing that was sealed with their keys can be read any more, and none of them gets another key."""
        if not customers:
            return
        wanted = sorted(customers)
        async with self._database.transaction() as conn:
            await conn.execute(
                "INSERT INTO customer_key (customer_id, destroyed_at) SELECT c, now() FROM unnest($1::uuid[]) AS u(c)"
                " ON CONFLICT (customer_id) DO UPDATE SET key = NULL, destroyed_at = excluded.destroyed_at"
                " WHERE customer_key.destroyed_at IS NULL",
                wanted,
            )
        for customer in wanted:
            self._remember(customer, None)

    async def destroyed(self, customers: Collection[UUID]) -> set[UUID]:
        """Those of them whose key is destroyed for certain."""
        async with self._database.read() as conn:
            rows = await conn.fetch(
                "SELECT customer_id FROM customer_key WHERE customer_id = ANY($1) AND destroyed_at IS NOT NULL",
                list(customers),
            )
        return {row["customer_id"] for row in rows}

    async def all_destroyed(self) -> set[UUID]:
        """Everybody whose key is destroyed."""
        async with self._database.read() as conn:
            rows = await conn.fetch(
                "SELECT customer_id FROM customer_key WHERE destroyed_at IS NOT NULL"
            )
        return {row["customer_id"] for row in rows}

    async def _made(self, customers: set[UUID]) -> dict[UUID, AESGCM | None]:
        """The keys of all of them."""
        keys = await self._found(customers)
        missing = sorted(customers - keys.keys())
        if missing:
            async with self._database.transaction() as conn:
                rows = await conn.fetch(
                    "INSERT INTO customer_key (customer_id, key) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
                    " ON CONFLICT DO NOTHING RETURNING customer_id, key",
                    missing,
                    [new_key() for _ in missing],
                )
            keys |= self._taken(rows)
            if len(rows) < len(missing):  # somebody else was faster
                keys |= await self._ask([one for one in missing if one not in keys])
        return keys

    async def _found(self, customers: set[UUID]) -> dict[UUID, AESGCM | None]:
        """The keys of those who have one; None for one that is destroyed."""
        if not customers:
            return {}
        now = self._now()
        keys = {
            one: known.key
            for one in customers
            if (known := self._known.get(one)) is not None and known.until > now
        }
        missing = customers - keys.keys()
        return keys | await self._ask(sorted(missing)) if missing else keys

    async def _ask(self, customers: Sequence[UUID]) -> dict[UUID, AESGCM | None]:
        async with self._database.read() as conn:
            rows = await conn.fetch(
                "SELECT customer_id, key FROM customer_key WHERE customer_id = ANY($1)",
                list(customers),
            )
        return self._taken(rows)

    def _taken(self, rows: Sequence[Row]) -> dict[UUID, AESGCM | None]:
        """Keys as the database has them, which are remembered from now on."""
        found = {
            row["customer_id"]: None if row["key"] is None else cipher(row["key"]) for row in rows
        }
        for customer, key in found.items():
            self._remember(customer, key)
        return found

    def _remember(self, customer: UUID, key: AESGCM | None) -> None:
        self._known.pop(customer, None)
        self._known[customer] = _Known(key, self._now() + self._seconds)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]


def _sealed(entry: Entry, value: bytes) -> Entry:
    return msgspec.structs.replace(entry, value=value, personal=False)
