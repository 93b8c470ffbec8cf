"""What profile accepts: tags by hand, records by hand. Unknown fields are an error that names them."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from shared.http.shapes import Schema, named, record, text
from shared.http.texts import Words
from shared.language.identifiers import TYPES

Text = Annotated[str, Words(200, 1)]
LongText = Annotated[str, Words(2000)]
TAG_FAMILIES = {
    "behaviour": (
        *("frequent", "infrequent", "night-owl", "promotion-joiner"),
        *("not-repurchased", "complained"),
    ),
    "need": ("price-sensitive", "quality-first", "service-demanding"),
}
"""Families of tags with a closed list of values; any other text is a tag of the house's own."""
TagCode = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\s\x00-\x1f](.*\S)?$"
    ),
]
_LEAP_YEAR = "2000"
_DAY29 = "(0[1-9]|[12][0-9])"
_DAY = "(0[1-9]|[12][0-9]|3[01])"
_WRITTEN = re.compile(r"(?:[0-9]{4}|-)-[0-9]{2}-[0-9]{2}")


def _birthday(value: str) -> str:
    """`YYYY-MM-DD`, or `--MM-DD` where the year is not known."""
    try:
        date.fromisoformat(_LEAP_YEAR + value[1:] if value.startswith("--") else value)
        known = _WRITTEN.fullmatch(value)  # Python also takes 20261120 and 2026-W47-5
    except ValueError:
        known = None
    if known is None:
        raise PydanticCustomError("not_a_date", "not a date") from None
    return value


Birthday = Annotated[
    str,
    StringConstraints(min_length=7, max_length=10),
    AfterValidator(_birthday),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [
                {"format": "date", "pattern": "^[0-9]{4}-"},
                {"pattern": f"^--((0[13578]|1[02])-{_DAY}|(0[469]|11)-({_DAY29}|30)|02-{_DAY29})$"},
            ],
        }
    ),
]


def _by_type(value: object) -> object:
    """Identifiers may come as they are answered: a list of type and value."""
    if not isinstance(value, list):
        return value
    known = [one for one in value if isinstance(one, dict) and isinstance(one.get("type"), str)]
    if len(known) < len(value):
        return value
    return {one["type"]: one.get("value") for one in known}


def _known_types(value: dict[str, str]) -> dict[str, str]:
    if unknown := [name for name in value if name not in TYPES]:
        context = {"allowed": ", ".join(TYPES), "found": unknown[0]}
        raise PydanticCustomError("not_allowed", "unknown type of identifier", context)
    return value


def _shape() -> Schema:
    """By type, or a list as they are answered."""
    value = text(200, 1)
    one = {"type": {"type": "string", "enum": list(TYPES)}, "value": value}
    by_type = record({}, **dict.fromkeys(TYPES, value))
    return named("Identifiers", {"anyOf": [by_type, {"type": "array", "items": record(one)}]})


Identifiers = Annotated[
    dict[str, Text],
    AfterValidator(_known_types),
    BeforeValidator(_by_type),
    WithJsonSchema(_shape()),
]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddTag(_Command):
    """Give a customer a tag; who gave it is the caller."""

    tag: TagCode
    reason: LongText = ""


class RemoveTag(_Command):
    """Take away a tag that somebody gave."""

    tag: str
    reason: LongText = ""


class Attributes(_Command):
    """What is known about a customer. Null clears a field."""

    gender: Text | None = None
    birthday: Birthday | None = None
    occupation: Text | None = None
    company: Text | None = None
    industry: Text | None = None
    size: Text | None = None
    region: Text | None = None
    source: Text | None = None
    key_need: LongText | None = None
    remark: LongText | None = None
    preferences: dict[str, Any] | list[Any] | LongText | None = None


class EditCustomer(Attributes):
    """Change a record: what is named changes, what is not stays. Attributes may stand in
    `attributes`, as they are answered, or beside the other fields."""

    name: Text | None = None
    kind: Annotated[str, StringConstraints(pattern="^(person|company)$")] | None = None
    status: Text | None = None
    owner: Text | None = None
    attributes: Attributes | None = None
    identifiers: Identifiers = {}
    """Given to the customer beside those that are known."""

    def changes(self) -> dict[str, Any]:
        """The fields that the caller named, flat."""
        named = self.model_dump(include=self.model_fields_set - {"attributes", "identifiers"})
        inner = self.attributes
        if inner is not None:
            named |= inner.model_dump(include=inner.model_fields_set)
        return named


class CreateCustomer(EditCustomer):
    """Make a record by hand. With an identifier that is known already, its customer is changed."""

    name: Text


Command = AddTag | RemoveTag | CreateCustomer | EditCustomer
