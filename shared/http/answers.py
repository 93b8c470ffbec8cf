"""JSON answers, written by orjson without a detour: UTC with Z, ids and Structs as they are."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import orjson
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, UUID):  # asyncpg's own subclass
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__qualname__} has no JSON form")


def to_json(value: Any) -> bytes:
    """JSON text of an answer."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


class Json(JSONResponse):
    """FastAPI's JSON answer, written by orjson."""

    def render(self, content: Any) -> bytes:
        return to_json(content)


def answer(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer as it stands: FastAPI neither converts nor checks it again."""
    return Response(to_json(content), status, headers or None, "application/json")
