"""Idempotency-Key: what the header may be, and what "the same request" means.

The commands remember it, in the transaction that did the work.
"""

import hashlib
from typing import Annotated

from fastapi import Depends, Header

from shared.errors import BadRequest

_LONGEST = 255


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 255 visible ASCII characters, kept 72 hours.",
            json_schema_extra={"pattern": f"^[!-~]{{1,{_LONGEST}}}$"},
        ),
    ] = None,
) -> str | None:
    """The key, None where there is none. Raises BadRequest("invalid_idempotency_key")."""
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST or not all("!" <= char <= "~" for char in key):
        raise BadRequest("invalid_idempotency_key")
    return key


IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]


def request_hash(path: str, body: bytes) -> bytes:
    """32 bytes, equal for the same path (without its query) and the same bytes of body."""
    digest = hashlib.blake2b(digest_size=32)
    digest.update(path.encode("utf-8", "surrogatepass"))
    digest.update(b"\0")
    digest.update(body)
    return digest.digest()
