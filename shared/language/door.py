"""What every door model shares: how JSON is judged, kinds of text, the mark of personal data.

Door models are Pydantic-validated TypedDicts: what comes out is what the publisher sent (fields
left out stay out, unknown ones stay in), normalised only where a validator says so, and nothing has
to be dumped again.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError
from typing_extensions import TypedDict

from shared.language.timezones import is_timezone

JUDGED = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, use_attribute_docstrings=True)
"""Strict, since the consumers' decoders are: a number is no string and "2" is no number."""

_NO_NUL = r"^[^\x00]*$"
_VISIBLE = r"^[^\x00]*[^\s\x00][^\x00]*$"


def _shown(longest: int, shortest: int = 0) -> WithJsonSchema:
    """Keep the pattern out of what publishers read: no JSON text of theirs has a NUL in it."""
    least = {"minLength": shortest} if shortest else {}
    return WithJsonSchema({"type": "string", **least, "maxLength": longest})


Id = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=_VISIBLE), _shown(256, 1)
]
"""A publisher's identifier of something: an order, a complaint, a message."""
Label = Annotated[str, StringConstraints(max_length=64, pattern=_NO_NUL), _shown(64)]
Name = Annotated[str, StringConstraints(max_length=512, pattern=_NO_NUL), _shown(512)]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=_NO_NUL), _shown(20_000)]
Url = Annotated[str, StringConstraints(max_length=4_096, pattern=_NO_NUL), _shown(4_096)]
Quantity = Annotated[float, Field(ge=0, le=1e12)]


class PersonalMark:
    """Says that a field identifies a person: the codec is to encrypt it with the customer's key."""


T = TypeVar("T")
Personal = Annotated[T, PersonalMark()]


def _listed(value: object) -> object:
    """Take null as no entries and a bare string as one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


Ids = Annotated[list[Id], Field(max_length=2_000), BeforeValidator(_listed)]
"""A list of identifiers; one of them bare, or null, will do."""


def _known_timezone(name: str) -> str:
    if not is_timezone(name):
        raise PydanticCustomError("unknown_timezone", "unknown time zone")
    return name


TimeZone = Annotated[str, AfterValidator(_known_timezone)]


class Fact(TypedDict, total=False):
    """What any publisher's event may carry besides its own fields."""

    __pydantic_config__ = JUDGED  # type: ignore[misc]

    timezone: TimeZone | None
    """IANA name; says what the customer's local time was where `time` was written in UTC."""


def fault(code: str, *path: str | int, **params: Any) -> InitErrorDetails:
    """One thing that is wrong with a value, at `path` inside of it."""
    kind = PydanticCustomError(code, code, params or None)
    return InitErrorDetails(type=kind, loc=path, input=None)


def refuse(*faults: InitErrorDetails) -> ValidationError:
    """Return the error to raise in a validator; Pydantic puts the outer path before each fault's
    own."""
    return ValidationError.from_exception_data("data", list(faults))
