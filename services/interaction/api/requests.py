"""JSON Schema of what interaction's doors and commands take, made of what judges: the event types."""

from collections.abc import Sequence

from services.interaction.judging import MAX_CUSTOMER, MAX_ID
from shared.http.shapes import TIME, Schema, named, nullable, record, text
from shared.language import EVENT_TYPES, PUBLISHABLE
from shared.language.identifiers import TYPES

HISTORY_NAME = r"^[A-Za-z0-9._:-]{1,100}$"
"""What a backfill may be called."""
SOURCE = text(MAX_ID, 1)
_ONE = (
    rf"(({'|'.join(TYPES)}):\S+|[Cc][0-9]{{1,20}}|"
    r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})"
)
CUSTOMER = named(
    "CustomerNamed",
    {
        "description": "Identifiers by type, or our own `id` or `number`; or references: a UUID, a number or"
        " `type:value`, several separated by a space.",
        "anyOf": [
            {
                "type": "string",
                "pattern": rf"^\s*{_ONE}(\s+{_ONE})*\s*$",
                "maxLength": MAX_CUSTOMER,
            },
            {
                "type": "object",
                "minProperties": 1,
                "properties": dict.fromkeys(
                    (*TYPES, "id", "number"), nullable(text(MAX_CUSTOMER, 1))
                ),
                "additionalProperties": False,
            },
        ],
    },
)
AT = {**TIME, "description": "When it happened; now, where it is missing."}
_LIST: Schema = {
    "type": "array",
    "description": "Each gets a verdict of its own, whatever it is. At most 2,500; more: 413.",
}
_DATA = "As `GET /v1/event-types` says for its type."
_TYPE = {"type": "string", "enum": sorted(PUBLISHABLE)}
_ID = text(MAX_ID, 1)

EVENT = named(
    "Event",
    {
        "type": "object",
        "required": ["id", "type", "customer", "data"],
        "properties": {
            "id": _ID,
            "source": {**SOURCE, "description": "The key's name, where it is missing."},
            "type": _TYPE,
            "time": nullable(AT),
            "customer": CUSTOMER,
            "data": {"type": "object", "description": _DATA},
        },
    },
)
EVENTS = {"anyOf": [EVENT, _LIST]}
CLOUD_EVENT = named(
    "CloudEvent",
    {
        "type": "object",
        "description": "Its customer stands in the attribute `customer`, as references, or in `data.customer`; its"
        " data in `data` or `data_base64`.",
        "required": ["specversion", "id", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _ID,
            "type": _TYPE,
            "time": nullable(AT),
            "data": {"description": _DATA},
        },
    },
)
BATCH = _LIST
SEGMENT: Schema = {"type": "object", "description": "A message of Segment's API."}
SEGMENT_BATCH: Schema = {"type": "object", "required": ["batch"], "properties": {"batch": _LIST}}


def command(
    name: str,
    type_: str,
    required: Schema,
    *,
    optional: Schema,
    left_out: frozenset[str],
    any_of: Sequence[str] = (),
) -> Schema:
    """The data of an event with fields beside it, and no others. `left_out`: fields of the data that need not be
    sent, or stand elsewhere; `any_of`: fields of which one must be there."""
    schema = EVENT_TYPES[type_].json_schema()
    fields = {key: one for key, one in schema["properties"].items() if key not in left_out}
    needed = [key for key in schema.get("required", ()) if key not in left_out]
    whole = record(
        required | {key: fields[key] for key in needed},
        **optional,
        **{key: one for key, one in fields.items() if key not in needed},
    )
    if any_of:
        whole["anyOf"] = [{"required": [key]} for key in any_of]
    return named(name, {**whole, "$defs": schema.get("$defs", {})})
