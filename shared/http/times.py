"""A time in an address or in a body: RFC 3339, with its offset."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _written(value: Any) -> Any:
    """Pydantic also takes seconds since 1970, and times without seconds."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or _WRITTEN.fullmatch(value) is None:
        raise PydanticCustomError("not_a_time", "not a time")
    return value


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
