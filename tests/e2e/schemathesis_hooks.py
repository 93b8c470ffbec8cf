"""What schemathesis sends where only a text that we gave out is one: positions, tags, cursors, keys of requests.

Loaded by schemathesis.toml, in a process of its own."""

import re
import uuid
from typing import Any

import schemathesis

REACHED = "interaction.0.0"
"""A position that everybody has passed."""
_POSITION = re.compile(r"[a-z]+\.\d+\.\d+(,[a-z]+\.\d+\.\d+)*")
_KEY = re.compile(r"[!-~]{1,255}")


@schemathesis.hook
def map_headers(_context: Any, headers: Any) -> Any:
    """Positions that were reached, tags of whatever is there, and keys that nobody has used; what is against the
    document stays."""
    for name, value in dict(headers or {}).items():
        if name.lower() == "tenure-wait-for" and not _POSITION.fullmatch(str(value)):
            headers[name] = REACHED
        if name.lower() == "if-match":
            headers[name] = "*"
        if name.lower() == "idempotency-key" and _KEY.fullmatch(str(value)):
            headers[name] = uuid.uuid4().hex
    return headers


@schemathesis.hook
def map_query(_context: Any, query: Any) -> Any:
    """No cursor but those that a list gave out."""
    if query and isinstance(query.get("cursor"), str):
        del query["cursor"]
    return query
