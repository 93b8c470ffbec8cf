"""Reading JSON that a stranger wrote: what is taken can be stored, sent on and folded.

Refused are, each with its own code: what is not JSON (NaN too), nesting beyond 64 levels, NUL
characters, broken Unicode, and integers beyond 64 bits, of which a float would silently keep only
the first digits. A clean body costs little more than `orjson.loads`: suspicious ones are found by
looking at bytes, and only those are looked at closely.
"""

import json
from typing import Any

import orjson

from shared.errors import BadRequest

DEPTH = 64
"""Levels of objects and lists within each other; PostgreSQL, orjson and Pydantic all take more."""


def _deepest(low: int = DEPTH, high: int = 100_000) -> int:
    """How many levels orjson takes; found by trying, since it says so nowhere."""
    while high - low > 1:
        middle = (low + high) // 2
        try:
            orjson.loads(b"[" * middle + b"]" * middle)
        except orjson.JSONDecodeError:
            high = middle
        else:
            low = middle
    return low


# Inside that many lists, a body of one level too many meets orjson's own limit: no walk in Python.
_SPARE = _deepest() - DEPTH
_OPEN = b"[" * _SPARE
_CLOSE = b"]" * _SPARE
# Counting brackets costs less than the lists, up to about this many bytes.
_SMALL = 64 << 10

# Digits become 0 and what may stand before a number becomes a colon, so one search finds every
# integer of 19 digits and more (and some texts that only look like one).
_SHAPE = bytes(
    ord("0") if chr(byte).isdigit() else ord(":") if chr(byte) in "[,-: \t\n\r" else byte
    for byte in range(128)
) + bytes(range(128, 256))
_LONG = b":" + b"0" * 19
_RANGE = range(-(2**63), 2**63)


def _position(body: bytes, exc: orjson.JSONDecodeError) -> BadRequest:
    if "limit" in exc.msg:
        return BadRequest("too_deep", params={"limit": DEPTH})
    if "surrogate" in exc.msg or "UTF-8:" in exc.msg:
        return BadRequest("invalid_text", exc.msg)
    if "infinity" in exc.msg:
        return BadRequest("number_out_of_range", exc.msg)
    where = {"line": exc.lineno, "column": exc.colno}
    return BadRequest("invalid_json", exc.msg if body else "The body is empty.", params=where)


def _refusal(body: bytes) -> BadRequest:
    """Why a body was refused, by reading it again without its wrapping."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        return _position(body, exc)
    return BadRequest("too_deep", params={"limit": DEPTH})


def _load(body: bytes) -> Any:
    """The value of a body of at most DEPTH levels. Raises orjson.JSONDecodeError."""
    if len(body) < _SMALL and body.count(b"[") + body.count(b"{") <= DEPTH:
        return orjson.loads(body)
    value = orjson.loads(b"".join((_OPEN, body, _CLOSE)))
    for _ in range(_SPARE):
        if len(value) != 1:  # such as `1],[2`, which is two values when it stands alone
            return orjson.loads(body)
        value = value[0]
    return value


def _refuse_nul(value: Any) -> None:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo.extend(item.keys())
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, str) and "\0" in item:
            raise BadRequest("invalid_text", "A string contains the character U+0000.")


def _refuse_long(text: str) -> int:
    if len(text) > 20 or int(text) not in _RANGE:
        raise BadRequest("number_out_of_range")
    return int(text)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises BadRequest: invalid_json, too_deep, invalid_text, number_out_of_range.
    """
    try:
        value = _load(body)
    except orjson.JSONDecodeError:
        raise _refusal(body) from None
    if b"\\" in body and b"\\u0000" in body:
        _refuse_nul(value)
    if _LONG in (b":" + body).translate(_SHAPE):
        json.loads(body, parse_int=_refuse_long)
    return value
