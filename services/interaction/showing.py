"""Events of the timeline as they are shown: what was sealed in its place; of those who were erased, what is left."""

from collections.abc import Collection, Sequence
from uuid import UUID

import orjson

from shared.database import Row
from shared.keyring import Keyring
from shared.language import EVENT_TYPES
from shared.language.personal import split


async def shown(keyring: Keyring, rows: Sequence[Row], erased: Collection[UUID]) -> list[bytes]:
    """The events (structured JSON) of rows with `customer_id` and `value`, with one question to the keyring."""
    kept = [row["value"] for row in rows if row["customer_id"] not in erased]
    opened = iter(await keyring.open(kept))
    return [
        _what_is_left(row["value"]) if row["customer_id"] in erased else next(opened)
        for row in rows
    ]


def _what_is_left(value: bytes) -> bytes:
    """Not even a process that remembers the key for a moment more shows anything else; nor is it of importance whether
    the event was written before there were keys."""
    event = orjson.loads(value)
    event.pop("sealed", None)
    type_, data = event["type"], event["data"]
    event["data"] = split(type_, data)[0] if type_ in EVENT_TYPES else {}
    return orjson.dumps(event)
