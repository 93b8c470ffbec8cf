"""What Pydantic found wrong, in our codes and with pointers into what the caller sent."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.errors import FieldError, Unprocessable
from shared.words import MESSAGES

T = TypeVar("T")

_MOST = 100

_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "literal_error": "not_allowed",
    "enum": "not_allowed",
    "union_tag_invalid": "not_allowed",
    "finite_number": "not_finite",
    "string_pattern_mismatch": "wrong_format",
    "string_unicode": "invalid_text",
    "int_parsing_size": "number_out_of_range",
    "decimal_max_digits": "too_precise",
    "decimal_max_places": "too_precise",
    "decimal_whole_digits": "too_precise",
    "timezone_naive": "not_a_time",
    "timezone_aware": "not_a_time",
    "date_from_datetime_inexact": "not_a_date",
    "model_attributes_type": "not_an_object",
}
_KINDS = {
    "string": "not_a_string",
    "int": "not_an_integer",
    "float": "not_a_number",
    "decimal": "not_a_number",
    "bool": "not_a_boolean",
    "list": "not_a_list",
    "tuple": "not_a_list",
    "set": "not_a_list",
    "dict": "not_an_object",
    "mapping": "not_an_object",
    "model": "not_an_object",
    "datetime": "not_a_time",
    "date": "not_a_date",
    "uuid": "not_a_uuid",
}
"""By the first word of Pydantic's type: int_type, int_parsing, int_from_float, ..."""
_LIMITS = {
    "greater_than_equal": ("too_small", "ge"),
    "greater_than": ("not_above", "gt"),
    "less_than_equal": ("too_big", "le"),
    "less_than": ("not_below", "lt"),
    "string_too_short": ("too_short", "min_length"),
    "too_short": ("too_short", "min_length"),
    "string_too_long": ("too_long", "max_length"),
    "too_long": ("too_long", "max_length"),
}


def code_of(kind: str, context: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Our code for Pydantic's error type, and the parameters of its words."""
    if kind in _LIMITS:
        code, name = _LIMITS[kind]
        limit = context.get(name)
        return code, {"limit": limit.isoformat() if isinstance(limit, date) else limit}
    code = _CODES.get(kind) or _KINDS.get(kind.partition("_")[0], "invalid")
    if code == "not_allowed":
        expected = str(context.get("expected") or context.get("expected_tags") or "")
        return code, {"allowed": expected.replace("'", "").replace(" or ", ", ")}
    if code == "invalid" and kind in MESSAGES:
        return kind, dict(context)  # a PydanticCustomError that speaks our codes
    return code, {}


def _leads_into(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _steps(location: Sequence[str | int], value: Any) -> list[str | int]:
    """The part of a location that exists in what was sent: Pydantic adds members of unions."""
    steps: list[str | int] = []
    for index, step in enumerate(location):
        last = index == len(location) - 1
        if _leads_into(value, step):
            value = value[step]
        elif not (last and isinstance(value, Mapping)):
            continue
        steps.append(step)
    return steps


def json_pointer(steps: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _pointer(location: Sequence[str | int], body: Any, place: str | None) -> str:
    place, rest = (str(location[0]), location[1:]) if place is None else (place, location)
    if place == "body":
        return json_pointer(_steps(rest, body))
    name = str(rest[0]) if rest else ""
    return f"?{name}" if place == "query" else name


def field_errors(
    errors: Sequence[Mapping[str, Any]], sent: Any, *, place: str | None = None, prefix: str = ""
) -> list[FieldError]:
    """Pydantic's errors as ours, at most 100, each field and code once.

    `sent` is the parsed body. `place` is "body" where locations are relative to it; FastAPI's own
    begin with the place. `prefix` is put before every pointer.
    """
    found: dict[tuple[str, str], FieldError] = {}
    for error in errors[:_MOST]:
        pointer = prefix + _pointer(error["loc"], sent, place)
        code, params = code_of(error["type"], error.get("ctx") or {})
        found.setdefault((pointer, code), FieldError(pointer, code, params))
    return list(found.values())


def validated(adapter: TypeAdapter[T], sent: Any, *, prefix: str = "") -> T:
    """`sent`, judged by a Pydantic type. Raises Unprocessable, a pointer to each wrong field."""
    try:
        return adapter.validate_python(sent)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)
        errors = field_errors(details, sent, place="body", prefix=prefix)
    raise Unprocessable("validation_failed", errors=errors)
