"""Identifiers: new ones (UUIDv7, RFC 9562), derived ones (UUIDv5), and the partition of a key.

This is the edge where ids are made: it reads the wall clock and the system's randomness. Code that
must be repeatable (folding, deciding) takes ids as arguments or derives them with `derived_id`.
"""

import os
import time
from datetime import datetime
from hashlib import blake2b
from uuid import UUID, uuid5

_RANDOM_BITS = 74
_DRAWN, _DRAWN_AT_ONCE = 10, 100
"""Bytes of randomness for one id, and for how many ids they are drawn."""
_LOW_BITS = 62
_LOW_MASK = (1 << _LOW_BITS) - 1
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


class _UuidSource:
    """UUIDv7s that grow strictly within one process (RFC 9562, 6.2, method 2: monotonic random).

    Within one millisecond, or when the clock steps back, the random part is advanced by a random
    step, so ids stay in order of their making. Not for use from several threads at once.
    """

    def __init__(self) -> None:
        self._last = 0
        self._drawn = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._draw)  # else both would go on with the same

    def _draw(self) -> None:
        """Many at once: a call of the system costs more than all the rest of an id."""
        self._drawn, self._at = os.urandom(_DRAWN_AT_ONCE * _DRAWN), 0

    def next(self) -> str:
        if self._at >= len(self._drawn):
            self._draw()
        after = self._at + _DRAWN
        randomness = int.from_bytes(self._drawn[self._at : after], "big")
        self._at = after
        milliseconds = time.time_ns() // 1_000_000
        value = milliseconds << _RANDOM_BITS | randomness >> (8 * _DRAWN - _RANDOM_BITS)
        if value <= self._last:
            value = self._last + 1 + (randomness & 0xFFFFFFFF)
        self._last = value
        return _text(value)


def _text(value: int) -> str:
    """Spread 48 bits of time and 74 random bits around the version and variant bits."""
    high = value >> _LOW_BITS  # 48 bits of time, 12 bits of rand_a
    bits = (high >> 12) << 80 | _VERSION_7 | (high & 0xFFF) << 64 | _VARIANT | (value & _LOW_MASK)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_source = _UuidSource()


def new_id() -> str:
    """Return a new UUIDv7, greater (also as text) than every one this process made before."""
    return _source.next()


def new_id_in(partition: int, partitions: int) -> str:
    """Return a new UUIDv7 whose `partition_of` is the given one: about as many tries as there are partitions."""
    while True:
        made = _source.next()
        if partition_of(made, partitions) == partition:
            return made


def greatest_id(at: datetime) -> UUID:
    """Return the greatest UUIDv7 that can have been made up to a moment: its ids are in the order of their making."""
    milliseconds = int(at.timestamp() * 1000)
    value = milliseconds << _RANDOM_BITS | (1 << _RANDOM_BITS) - 1
    return UUID(_text(max(0, min(value, (1 << 122) - 1))))


def derived_id(cause: str, name: str) -> str:
    """Return the id of the effect `name` of the event `cause` (a UUID): always the same (UUIDv5).

    Raises ValueError when `cause` is not a UUID.
    """
    return str(uuid5(UUID(cause), name))


def partition_of(key: str, partitions: int) -> int:
    """Return the partition (0 .. partitions - 1) of a key: the same on every machine and for ever.

    The key is taken as it is written, so UUIDs must be in their canonical lower-case form.
    """
    digest = blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions
