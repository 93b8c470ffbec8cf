"""Which customer an identifier names.

Every service keeps the map from the identifiers' events. It holds no identifier in the clear: a keyed hash of the
normalised value stands for it, so that a copy of a database cannot be searched for a known phone number.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from shared.database import Connection, ReadConnection
from shared.errors import NotFound, Pause
from shared.language.identifiers import TYPES, normalise
from shared.settings import KernelSettings

NUMBER = "number"
_ATTEMPTS = 5
_WANTED = """
SELECT t, d, c FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS u(t, d, c)
WHERE t = 'number' OR NOT EXISTS (SELECT FROM erased WHERE customer_id = c)
"""
_KEEP = f"INSERT INTO identity {_WANTED} ON CONFLICT DO NOTHING"
_CLAIM = f"""
WITH wanted AS ({_WANTED}), held AS (
 SELECT i.type, i.digest, i.customer_id AS owner, w.c FROM identity AS i
 JOIN wanted AS w ON (i.type, i.digest) = (w.t, w.d) ORDER BY i.type, i.digest FOR KEY SHARE OF i),
kept AS (INSERT INTO identity_claim (type, digest, customer_id)
 SELECT type, digest, c FROM held WHERE owner <> c ON CONFLICT DO NOTHING)
SELECT (SELECT count(*) FROM held) AS owned, (SELECT count(*) FROM wanted) AS wanted
"""
_CLAIMED = """
SELECT FROM identity_claim AS c JOIN unnest($1::text[], $2::bytea[]) AS freed(type, digest) USING (type, digest)
ORDER BY type, digest, at, customer_id FOR UPDATE OF c
"""
_NEXT = """
WITH next AS (
 SELECT DISTINCT ON (type, digest) type, digest, customer_id FROM identity_claim
 JOIN unnest($1::text[], $2::bytea[]) AS freed(type, digest) USING (type, digest)
 ORDER BY type, digest, at, customer_id),
moved AS (DELETE FROM identity_claim AS c USING next AS n
 WHERE (c.type, c.digest, c.customer_id) = (n.type, n.digest, n.customer_id))
INSERT INTO identity SELECT * FROM next ON CONFLICT DO NOTHING
"""


@cache
def _secret() -> bytes:
    return KernelSettings().inbound_secret.encode()[:64]


def digest(type_: str, value: str) -> bytes:
    """16 bytes that stand for a normalised identifier."""
    return blake2b(f"{type_}\0{value}".encode(), digest_size=16, key=_secret()).digest()


async def remember(conn: Connection, found: Sequence[tuple[str, str, UUID]]) -> None:
    """Keep (type, normalised value, customer); the first customer of an identifier keeps it, and the claims of others
    wait.

    Who was erased loses theirs, and whoever comes back is somebody new with the same ones. Partitions are folded
    independently of each other, so that this may be told here before the erasure is.
    """
    claims = list(dict.fromkeys((type_, digest(type_, value), one) for type_, value, one in found))
    # In one order, whoever keeps several; of two in one batch the first keeps it.
    claims.sort(key=lambda claim: claim[:2])
    columns = [[claim[n] for claim in claims] for n in range(3)]
    for _ in range(_ATTEMPTS):
        done = await conn.execute(_KEEP, *columns)
        if int(done.split()[-1]) == len(claims):
            return
        # Owners stay as they are until the transaction ends, so that no erasure misses a claim.
        row = await conn.fetchrow(_CLAIM, *columns)
        if row is not None and row["owned"] == row["wanted"]:
            return
    raise Pause("identity")  # others have let go of one, again and again


async def let_go(conn: Connection, customers: Sequence[UUID]) -> None:
    """Identifiers of these name nobody any more, but for numbers; or whoever claimed them next."""
    await conn.execute("DELETE FROM identity_claim WHERE customer_id = ANY($1)", customers)
    rows = await conn.fetch(
        "DELETE FROM identity WHERE customer_id = ANY($1) AND type <> $2 RETURNING type, digest",
        customers,
        NUMBER,
    )
    # Statements of their own: claims may have been made while this one waited for the rows, and whoever has a claim may
    # be letting go of it at this moment, for ever.
    freed = [row["type"] for row in rows], [row["digest"] for row in rows]
    await conn.execute(_CLAIMED, *freed)
    await conn.execute(_NEXT, *freed)


async def known(
    conn: Connection | ReadConnection, keys: Iterable[tuple[str, bytes]]
) -> dict[tuple[str, bytes], UUID]:
    """The customers of those (type, digest) pairs that are known."""
    wanted = list(keys)
    rows: Any = await conn.fetch(
        "SELECT i.type, i.digest, i.customer_id FROM identity AS i"
        " JOIN unnest($1::text[], $2::bytea[]) AS w(type, digest) USING (type, digest)",
        [type_ for type_, _ in wanted],
        [value for _, value in wanted],
    )
    return {(row["type"], row["digest"]): row["customer_id"] for row in rows}


def parse_reference(reference: str) -> UUID | tuple[str, str]:
    """How a caller names a customer: a UUID, a number (C2026000123), or `type:value` of an identifier.

    Raises `NotFound` for what can name nobody.
    """
    try:
        return UUID(reference)
    except ValueError:
        pass
    type_, colon, value = reference.partition(":")
    if colon and type_ in TYPES:
        normal = normalise(type_, value)
        if normal is not None:
            return type_, normal
    elif (
        not colon and reference[:1] in "Cc" and reference[1:].isascii() and reference[1:].isdigit()
    ):
        return NUMBER, reference.upper()
    raise NotFound("customer_not_found")


async def find_customer(conn: Connection | ReadConnection, reference: str) -> UUID:
    """The customer's id, whether or not this service has a row for it. Raises `NotFound`."""
    parsed = parse_reference(reference)
    if isinstance(parsed, UUID):
        return parsed
    type_, value = parsed
    key = (type_, digest(type_, value))
    found = await known(conn, [key])
    if key not in found:
        raise NotFound("customer_not_found")
    return found[key]
