"""An event between the door and the resolver: accepted, not yet a customer's.

What our own door writes to `inbound` is a CloudEvent whose attributes the door has settled already; a keyed hash
over its bytes says so. What others produce there is judged when it is resolved.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec

from shared.ids import partition_of
from shared.language.identifiers import TYPES

CLOSE = "history.closed"
CUSTOMER_ID = "id"
"""The key under which a customer's own id stands among the identifiers."""
NUMBER = "number"
"""And their customer number, until it is replaced by the id."""


class Arrival(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One accepted event. Times in UTC, `utcoffset` in minutes, identifiers normalised."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    utcoffset: int
    receivedtime: datetime
    contenthash: str
    customer: dict[str, str]
    history: str | None = None
    datacontenttype: str = "application/json"
    data: msgspec.Raw


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Arrival)
encode = _encoder.encode
decode = _decoder.decode


def sign(value: bytes, secret: bytes) -> bytes:
    """The proof that our own door wrote this value."""
    hashed = _keyed(secret).copy()
    hashed.update(value)
    return hashed.digest()


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> blake2b:
    """The hash before its first byte: taking in the key is half of the work."""
    return blake2b(digest_size=16, key=secret[:64])


def is_ours(value: bytes, signature: bytes | None, secret: bytes) -> bool:
    """Whether the door has judged the value already."""
    return signature is not None and hmac.compare_digest(sign(value, secret), signature)


def door_key(source: str, id_: str) -> bytes:
    """16 bytes that stand for what a publisher calls an event."""
    return blake2b(f"{source}\0{id_}".encode(), digest_size=16).digest()


def strongest(customer: Mapping[str, str]) -> tuple[str, str]:
    """The identifier that decides whose event it is."""
    if CUSTOMER_ID in customer:
        return CUSTOMER_ID, customer[CUSTOMER_ID]
    for type_ in TYPES:
        if type_ in customer:
            return type_, customer[type_]
    raise ValueError("an event without a customer")


def partition_for(customer: Mapping[str, str], partitions: int) -> int:
    """Where on `inbound` it goes: events of one identifier stay behind one another."""
    type_, value = strongest(customer)
    return partition_of(f"{type_}:{value}", partitions)
