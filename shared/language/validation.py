"""Judging a publisher's `data` at the door, and saying what is wrong with it.

Text in unknown fields is not looked into here: whoever parses the JSON refuses NUL characters,
broken Unicode, integers beyond 64 bits and deep nesting for the whole document.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.errors import Poison
from shared.language.registry import EVENT_TYPES

Fault = tuple[str, str, dict[str, Any]]
"""JSON pointer, stable code (its words stand in `shared.words`), parameters of the words."""

_CODES = {
    "string_type": "not_a_string",
    "string_unicode": "invalid_text",
    "float_type": "not_a_number",
    "float_parsing": "not_a_number",
    "finite_number": "not_finite",
    "bool_type": "not_a_boolean",
    "list_type": "not_a_list",
    "dict_type": "not_an_object",
}
_LIMITS = {
    "string_too_long": ("too_long", "max_length"),
    "string_too_short": ("too_short", "min_length"),
    "too_long": ("too_long", "max_length"),
    "too_short": ("too_short", "min_length"),
    "greater_than_equal": ("too_small", "ge"),
    "less_than_equal": ("too_big", "le"),
}


MOST_FAULTS = 50


class UnknownEventType(Poison):
    """No publisher may send events of this type: it is not known, or ours alone."""

    def __init__(self, type: str) -> None:  # noqa: A002  (the envelope's own word)
        super().__init__("unknown_type")
        self.type = type


def validated(type: str, data: object) -> dict[str, Any]:  # noqa: A002
    """Return a publisher's data, normalised where needed; a copy, unknown fields kept.

    Raises UnknownEventType, and pydantic.ValidationError (see `field_errors`).
    """
    found = EVENT_TYPES.get(type)
    if found is None or found.door is None:
        raise UnknownEventType(type)
    return found.adapter.validate_python(data)


def field_errors(error: ValidationError) -> list[Fault]:
    """Return what is wrong with which field: ("/data/items/3/quantity", "too_small", {"limit": 0}).

    The first fifty: whoever gets more wrong does so systematically.
    """
    details = error.errors(include_url=False)[:MOST_FAULTS]
    return [
        (pointer(detail["loc"]), *_code(detail["type"], detail.get("ctx", {}), detail["input"]))
        for detail in details
    ]


def _code(kind: str, context: Mapping[str, Any], value: object) -> tuple[str, dict[str, Any]]:
    """Translate Pydantic's error type; a code of our own stays as it is."""
    if kind in _LIMITS:
        code, bound = _LIMITS[kind]
        return code, {"limit": _whole(context.get(bound, context.get("limit")))}
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "").replace(" or ", ", ")
        return "not_allowed", {"allowed": allowed}
    if kind == "string_pattern_mismatch":
        return ("invalid_text" if "\0" in str(value) else "wrong_format"), {}
    return _CODES.get(kind, kind), dict(context)


def _whole(limit: Any) -> Any:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def pointer(location: tuple[str | int, ...]) -> str:
    """Return the JSON pointer (RFC 6901) into the event of a place in its `data`."""
    steps = ("data", *location)
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
