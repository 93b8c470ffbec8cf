"""JSON Schema that is made from what judges, for people to read: bodies that no Pydantic model describes."""

from typing import Any

Schema = dict[str, Any]

NAMED = "x-component"
"""Under which name a schema stands in the document's components."""
REFERS = "x-refers"
"""To a schema that has a name, where it speaks of itself."""

TIME: Schema = {"type": "string", "format": "date-time"}
"""RFC 3339, with its offset."""


def named(name: str, schema: Schema) -> Schema:
    """The schema, with a name."""
    return {NAMED: name, **schema}


def refers(name: str) -> Schema:
    """What stands under a name."""
    return {REFERS: name}


def text(longest: int, shortest: int = 0) -> Schema:
    """A text; not blank where it may not be empty."""
    least = {"minLength": shortest, "pattern": r"\S"} if shortest else {}
    return {"type": "string", **least, "maxLength": longest}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: Schema, **optional: Schema) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


def a_list(of: Schema, most: int) -> Schema:
    """At least one, at most so many."""
    return {"type": "array", "minItems": 1, "maxItems": most, "items": of}
