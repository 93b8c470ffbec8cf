"""Reading what Segment's clients write: loosely typed, and refused with a pointer into what was sent."""

from collections.abc import Mapping
from typing import Any

from services.interaction.judging import Refused
from shared.errors import FieldError

Fields = Mapping[str, Any]


def invalid(pointer: str, code: str, **params: Any) -> Refused:
    """The refusal of one field."""
    return Refused("validation_failed", [FieldError(pointer, code, params)])


def fields_of(value: object, pointer: str) -> dict[str, Any]:
    """An object; null and nothing are an empty one. Raises `Refused`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(pointer, "not_an_object")
    return value


def text_of(value: object, pointer: str) -> str | None:
    """A text, also where it was written as a whole number; None where it says nothing. Raises `Refused`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise invalid(pointer, "not_a_string")
    return value.strip() or None if value is not None else None


def as_text(value: object) -> object:
    """A number as text; anything else as it is, for the event's own door to judge."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def words_of(value: object) -> str | None:
    """What can be shown as words, else nothing: for fields that are welcome and never a reason to refuse."""
    shown = as_text(value)
    return shown if isinstance(shown, str) and shown.strip() else None


def present(**values: object) -> dict[str, Any]:
    """Those that are there."""
    return {name: value for name, value in values.items() if value is not None}
