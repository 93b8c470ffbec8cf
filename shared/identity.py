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
from shared.errors import NotFound
from shared.language.identifiers import TYPES, normalise
from shared.settings import KernelSettings

NUMBER = "number"


@cache
def _secret() -> bytes:
    return KernelSettings().inbound_secret.encode()[:64]


def digest(type_: str, value: str) -> bytes:
    """16 bytes that stand for a normalised identifier."""
    return blake2b(f"{type_}\0{value}".encode(), digest_size=16, key=_secret()).digest()


async def remember(conn: Connection, found: Sequence[tuple[str, str, UUID]]) -> None:
    """Keep (type, normalised value, customer); the first customer of an identifier keeps it."""
    rows = sorted(
        {(type_, digest(type_, value)): customer for type_, value, customer in found}.items()
    )
    await conn.execute(
        "INSERT INTO identity SELECT * FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS u(t, d, c)"
        " WHERE t = 'number' OR NOT EXISTS (SELECT FROM erased WHERE customer_id = c) ON CONFLICT DO NOTHING",
        [key[0] for key, _ in rows],
        [key[1] for key, _ in rows],
        [customer for _, customer in rows],
    )


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
