"""Entity tags: a hash of what people edit, so two databases with the same content agree on it."""

import hashlib
import re
from typing import Annotated, Any

import orjson
from fastapi import Header

from shared.errors import BadRequest, PreconditionFailed

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
_ONE = re.compile(_TAG)
_LONGEST = 2000

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="Change only what still has this ETag; else 412."),
]


def etag_of(resource: Any) -> str:
    """A strong entity tag of a JSON-like value, quoted; the order of keys does not matter."""
    digest = hashlib.blake2b(orjson.dumps(resource, option=_OPTIONS), digest_size=16)
    return f'"{digest.hexdigest()}"'


def check_if_match(header: str | None, etag: str | None) -> None:
    """Hold a change to If-Match. `etag` is the resource's own, None where it does not exist.

    Raises PreconditionFailed, or BadRequest("invalid_if_match"). Weak tags never match (RFC 9110,
    13.1.1).
    """
    if header is None:
        return
    if header.strip() == "*":
        matches = etag is not None
    elif len(header) <= _LONGEST and _LIST.fullmatch(header):
        matches = etag is not None and etag in _ONE.findall(header)
    else:
        raise BadRequest("invalid_if_match")
    if not matches:
        raise PreconditionFailed
