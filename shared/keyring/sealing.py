"""The personal part of an event, encrypted: AES-256-GCM with the customer's own key.

The ciphertext stands in the envelope as `sealed`: base64 of a random nonce of 12 bytes, what is hidden as JSON, and a
tag of 16 bytes. It is bound to the customer and to the event, so that it says nothing anywhere else. What may stand in
the clear stays in `data`.
"""

import os
from base64 import b64decode, b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.language.personal import joined, split

KEY_BYTES = 32
_NONCE_BYTES = 12


class Unreadable(Exception):  # noqa: N818 - it says what a text is
    """It was sealed with another key, for another customer or event, or is damaged."""


def new_key() -> bytes:
    """A key for a customer."""
    return AESGCM.generate_key(KEY_BYTES * 8)


def cipher(key: bytes) -> AESGCM:
    """What seals and opens with a key."""
    return AESGCM(key)


def seal(value: bytes, key: AESGCM | None) -> bytes:
    """The event, structured JSON, with what is personal sealed; without it where the key is destroyed (None)."""
    event = orjson.loads(value)
    event["data"], hidden = split(event["type"], event["data"])
    if hidden and key is not None:
        text = locked(orjson.dumps(hidden), event["subject"], event["id"], key)
        event["sealed"] = b64encode(text).decode()
    return orjson.dumps(event)


def locked(text: bytes, subject: str, about: str, key: AESGCM) -> bytes:
    """Nonce and ciphertext of what belongs to a customer and to one thing (an event, a message)."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, text, _about(subject, about))


def unlocked(text: bytes, subject: str, about: str, key: AESGCM) -> bytes:
    """What was `locked`. Raises Unreadable."""
    try:
        return key.decrypt(text[:_NONCE_BYTES], text[_NONCE_BYTES:], _about(subject, about))
    except (InvalidTag, ValueError) as error:
        raise Unreadable(about) from error


def hidden_in(sealed: str, subject: str, event_id: str, key: AESGCM) -> bytes:
    """What is sealed, as JSON. Raises Unreadable."""
    try:
        text = b64decode(sealed, validate=True)
    except ValueError as error:
        raise Unreadable(event_id) from error
    return unlocked(text, subject, event_id, key)


def opened(value: bytes, key: AESGCM | None) -> bytes:
    """The event, structured JSON, as it was before it was sealed; without what is personal where the key is destroyed
    (None) or does not fit."""
    event: dict[str, Any] = orjson.loads(value)
    sealed = event.pop("sealed", None)
    if sealed is None:
        return value
    if key is not None:
        try:
            hidden = hidden_in(sealed, event["subject"], event["id"], key)
        except Unreadable:
            return orjson.dumps(event)
        event["data"] = joined(event["data"], orjson.loads(hidden))
    return orjson.dumps(event)


def _about(subject: str, thing: str) -> bytes:
    return f"{subject}\0{thing}".encode()
