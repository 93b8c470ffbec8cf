"""One message of Segment's in, one event of ours out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from services.interaction.judging import Refused
from services.interaction.segment import people
from services.interaction.segment.fields import (
    Fields,
    fields_of,
    invalid,
    present,
    text_of,
    words_of,
)
from services.interaction.segment.timing import time_of
from services.interaction.segment.tracking import Told, event_name, is_of_an_email, track
from services.interaction.sent import Translated, Unreadable
from shared.language.timezones import is_timezone

TYPES = ("identify", "track", "page", "screen", "group", "alias")
MAX_EVENT_BYTES = 32 * 1024
MAX_MESSAGE_ID = 100

_NOT_CONTENT = frozenset({"writeKey", "sentAt", "receivedAt", "_metadata"})
"""What a client sets anew on every attempt, and its key."""
_MONEY = re.compile(r"/data/(total|amount|discount|tax|shipping)(?:/(amount|currency))?")
_PLACES = (
    (re.compile(r"/data/items(/\d+)?/unit_price"), r"/properties/products\1/price"),
    (re.compile(r"/data/items"), "/properties/products"),
    (re.compile(r"/data/traits"), "/traits"),
    (re.compile(r"/data/(subject|kind)"), "/event"),
    (re.compile(r"/data/identifiers.*"), "/userId"),
    (re.compile(r"/data(/properties)?"), "/properties"),
    (re.compile(r"/customer/anonymous_id"), "/anonymousId"),
    (re.compile(r"/customer.*"), "/userId"),
    (re.compile(r"/time"), "/timestamp"),
    (re.compile(r"/id"), "/messageId"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a message does not say itself. `received` in UTC; `currency` "" where none is assumed."""

    received: datetime
    source: str
    currency: str
    history: bool
    new_id: Callable[[], str]


def translate(
    message: object, type_: str | None, context: Fields, sent_at: object, given: Circumstances
) -> Translated | Unreadable:
    """A message as an event of ours. `type_`: None where the message says it; `context` and `sent_at`: the batch's."""
    shown = message.get("messageId") if isinstance(message, dict) else None
    try:
        return _translated(message, type_, context, sent_at, given)
    except Refused as refused:
        return Unreadable(shown if isinstance(shown, str) else None, refused)


def place(pointer: str) -> str:
    """Where in the message stands what is at this place of our event."""
    money = _MONEY.fullmatch(pointer)
    if money:
        return f"/properties/{'currency' if money[2] == 'currency' else money[1]}"
    for pattern, replacement in _PLACES:
        if pattern.match(pointer):
            return pattern.sub(replacement, pointer, count=1)
    return pointer


def _translated(
    sent: object, type_: str | None, context: Fields, sent_at: object, given: Circumstances
) -> Translated:
    if not isinstance(sent, dict):
        raise invalid("", "not_an_object")
    content = {name: value for name, value in sent.items() if name not in _NOT_CONTENT}
    content["type"] = type_ or _type(sent)
    if len(orjson.dumps(sent)) > MAX_EVENT_BYTES:
        raise Refused("event_too_large", params={"limit": MAX_EVENT_BYTES})
    own = fields_of(sent.get("context"), "/context")
    message = sent | {"context": {**context, **own}, "type": content["type"]}
    time = time_of(
        message, sent.get("sentAt") or sent_at, given.received, correct=not given.history
    )
    customer, (event_type, data) = _told(message, given.currency)
    event = {
        "id": _id(sent, content, given.new_id),
        "source": given.source,
        "type": event_type,
        "customer": customer,
        "data": data | present(timezone=_timezone(message["context"])),
    }
    return Translated(event | present(time=time), content, place)


def _type(sent: Fields) -> str:
    type_ = sent.get("type")
    if type_ not in TYPES:
        raise invalid("/type", "not_allowed", allowed=", ".join(TYPES))
    return str(type_)


def _id(sent: Fields, content: Fields, new_id: Callable[[], str]) -> str:
    """`messageId`. Without one the same content at the same time is the same event; without a time too, nothing
    says that two are one."""
    id_ = text_of(sent.get("messageId"), "/messageId")
    if id_ is not None and len(id_) > MAX_MESSAGE_ID:
        raise invalid("/messageId", "too_long", limit=MAX_MESSAGE_ID)
    if id_ is not None:
        return id_
    if sent.get("timestamp") is None and sent.get("originalTimestamp") is None:
        return new_id()
    content = {name: value for name, value in content.items() if name != "messageId"}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _timezone(context: Fields) -> str | None:
    name = context.get("timezone")
    return name if isinstance(name, str) and is_timezone(name) else None


def _told(message: Fields, currency: str) -> tuple[dict[str, str], Told]:
    match message["type"]:
        case "identify":
            traits = people.traits_of(message)
            customer = people.identifiers(message, traits)
            return customer, _identify(customer, traits)
        case "track":
            event = event_name(message)
            properties = fields_of(message.get("properties"), "/properties")
            told = track(event, properties, currency)
            contact = people.traits_of(message) if is_of_an_email(event) else {}
            return people.identifiers(message, contact), told
        case "page" | "screen":
            return people.identifiers(message, {}), _view(message)
        case "group":
            return people.identifiers(message, {}), _group(message)
        case _:
            return _alias(message)


def _identify(customer: dict[str, str], traits: Fields) -> Told:
    if not traits and customer:
        return "customer.identified", {"identifiers": dict(customer)}
    return "customer.described", {"traits": people.person(traits)}


def _view(message: Fields) -> Told:
    properties = fields_of(message.get("properties"), "/properties")
    page = message["context"].get("page")
    page = page if isinstance(page, dict) else {}
    category = present(category=message.get("category"))
    data = present(
        kind="page_view",
        channel="web" if message["type"] == "page" else "app",
        subject=words_of(message.get("name")) or words_of(properties.get("title")),
        url=words_of(properties.get("url")) or words_of(page.get("url")),
        properties={**category, **properties} or None,
    )
    return "interaction.recorded", data


def _group(message: Fields) -> Told:
    group_id = text_of(message.get("groupId"), "/groupId")
    if group_id is None:
        raise invalid("/groupId", "missing")
    traits = fields_of(message.get("traits"), "/traits")
    return "customer.described", {"traits": people.group(group_id, traits)}


def _alias(message: Fields) -> tuple[dict[str, Any], Told]:
    """`previousId` is what the customer was called before they had a user id."""
    customer = people.identifiers(message, {})
    previous = text_of(message.get("previousId"), "/previousId")
    for pointer, value in (("/previousId", previous), ("/userId", customer.get("user_id"))):
        if value is None:
            raise invalid(pointer, "missing")
    customer = customer | {"anonymous_id": str(previous)}
    return customer, ("customer.identified", {"identifiers": dict(customer)})
