"""CloudEvents in binary mode: attributes in headers and the data as the body, made one structured event."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import orjson

from services.interaction.judging import Refused, parsed
from shared.log import Record

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_HTTP_PREFIX = b"ce-"
_KAFKA_PREFIX = "ce_"
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SHARED = frozenset({"data", "data_base64"})


def of_http(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The attributes in `ce-*` headers: unquoted, percent-decoded, UTF-8. Raises `Refused`."""
    found = {}
    for name, value in headers:
        if name.lower().startswith(_HTTP_PREFIX):
            attribute = name[len(_HTTP_PREFIX) :].lower().decode("latin-1")
            found[attribute] = _text(unquote_to_bytes(_unquoted(value.strip())))
    return found


def of_kafka(headers: Mapping[str, bytes]) -> dict[str, str]:
    """The attributes in `ce_*` headers, UTF-8. Raises `Refused`."""
    return {
        name[len(_KAFKA_PREFIX) :].lower(): _text(value)
        for name, value in headers.items()
        if name.lower().startswith(_KAFKA_PREFIX)
    }


def is_json(media_type: str) -> bool:
    """Whether a media type (lower case, without parameters) is JSON."""
    return media_type == "application/json" or media_type.endswith("+json")


def structured(attributes: Mapping[str, str], content_type: str, body: bytes) -> dict[str, Any]:
    """The event as its JSON format has it. Raises `Refused`."""
    event: dict[str, Any] = {n: v for n, v in attributes.items() if n not in _SHARED}
    if content_type:
        event["datacontenttype"] = content_type
    if not body:
        return event
    if not is_json(content_type.partition(";")[0].strip().lower() or "application/json"):
        raise Refused("unsupported_media_type", params={"accepted": "application/json"})
    return event | {"data": parsed(body)}


def as_structured(record: Record) -> Record:
    """A record in binary mode as the same event in structured mode; any other as it is. Raises `Refused`."""
    kind = record.content_type or ""
    if not record.attributes or kind.lower().startswith("application/cloudevents"):
        return record
    event = structured(of_kafka(record.attributes), kind, record.value)
    return msgspec.structs.replace(
        record, value=orjson.dumps(event), content_type=STRUCTURED, attributes=None
    )


def _unquoted(value: bytes) -> bytes:
    """Without the quotes of RFC 7230: some senders write them where they need not."""
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return _ESCAPED.sub(rb"\1", value[1:-1])
    return value


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Refused("invalid_text") from None
    if "\0" in text:
        raise Refused("invalid_text")
    return text
