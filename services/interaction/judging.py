"""Judging what publishers send: an event in our own spelling or a CloudEvent becomes an `Arrival`, or is refused.

Nothing here touches a database; the clock that it is handed is the edge's.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import orjson
from msgspec import UNSET
from pydantic import ValidationError

from services.interaction.arrivals import CUSTOMER_ID, NUMBER, Arrival
from services.interaction.plain import Plain
from shared.clock import Clock
from shared.errors import BadRequest, FieldError, TenureError
from shared.http.json_text import parse_json
from shared.language import EVENT_TYPES, UnknownEventType, field_errors, validated
from shared.language.identifiers import TYPES, normalise
from shared.settings import KernelSettings

MAX_EVENT_BYTES = 128 * 1024
MAX_ID = 256
MAX_CUSTOMER = 4096
FUTURE = timedelta(hours=24)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)

_IGNORED = frozenset(
    {
        *("sentAt", "sent_at", "sentat"),
        *("receivedAt", "received_at", "receivedat"),
        *("originalTimestamp", "original_timestamp", "originaltimestamp"),
    }
)
"""What a client sets anew on every attempt (CloudEvents knows lower case only): no part of an
event's content."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"[Cc]\d{1,20}", re.ASCII)
_CLOUDEVENTS = "application/cloudevents+json"


class Refused(TenureError):  # noqa: N818 - what has become of the event
    """An event that cannot be used; `code` is stable, `errors` say where."""

    def __init__(
        self, code: str, errors: Sequence[FieldError] = (), params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.errors = tuple(errors)
        self.params = dict(params or {})

    def detail(self) -> dict[str, Any]:
        """What the quarantine keeps: places and codes, no values."""
        return {"errors": [{"pointer": e.pointer, "code": e.code} for e in self.errors]}


def _invalid(pointer: str, code: str, **params: Any) -> Refused:
    return Refused("validation_failed", [FieldError(pointer, code, params)])


def _out_of_range() -> Refused:
    return Refused("time_out_of_range", [FieldError("/time", "time_out_of_range", {})])


class Judge:
    """Holds what judging needs of the settings."""

    def __init__(self, settings: KernelSettings, clock: Clock) -> None:
        self._zone = ZoneInfo(settings.timezone)
        self._clock = clock

    def event(
        self,
        sent: object,
        *,
        default_source: str,
        history: str | None,
        received: datetime,
        content: Mapping[str, Any] | None = None,
    ) -> Arrival:
        """An event in our own spelling; `content` is what was sent, where that was in another. Raises `Refused`."""
        if not isinstance(sent, dict):
            raise _invalid("", "not_an_object")
        return self._arrival(
            sent,
            customer=sent.get("customer"),
            data=sent.get("data", {}),
            source=sent.get("source", default_source),
            history=history,
            received=received,
            content=content,
        )

    def plain(
        self, sent: Plain, default_source: str, history: str | None, received: datetime
    ) -> Arrival:
        """An event of which nothing can be wrong any more but its customer and its time. Raises `Refused`."""
        source = sent.source or _text(default_source, "/source")
        identifiers = _customer(sent.customer)
        time, offset = self._time(None if sent.time is UNSET else sent.time, None, received)
        return Arrival(
            id=sent.id,
            source=source,
            type=sent.type,
            time=time,
            utcoffset=offset,
            receivedtime=received,
            contenthash=sent.content(),
            customer=identifiers,
            history=history,
            data=sent.data,
        )

    def cloudevent(self, value: bytes, content_type: str | None, recorded_at: datetime) -> Arrival:
        """A structured CloudEvent that someone else produced to `inbound`. Raises `Refused`."""
        kind = (content_type or _CLOUDEVENTS).partition(";")[0].strip().lower()
        if kind != _CLOUDEVENTS:
            raise Refused("unsupported_media_type")
        if len(value) > MAX_EVENT_BYTES:
            raise Refused("event_too_large", params={"limit": MAX_EVENT_BYTES})
        sent = parsed(value)
        return self.attributes(sent, default_source=None, history=None, received=recorded_at)

    def attributes(
        self, sent: object, *, default_source: str | None, history: str | None, received: datetime
    ) -> Arrival:
        """A CloudEvent as its JSON format has it. Raises `Refused`."""
        if not isinstance(sent, dict):
            raise _invalid("", "not_an_object")
        if sent.get("specversion") != "1.0":
            raise _invalid("/specversion", "not_allowed", allowed="1.0")
        data = _unpacked(sent["data_base64"]) if "data_base64" in sent else sent.get("data", {})
        customer = sent.get("customer")
        if customer is None and isinstance(data, dict):
            customer = data.get("customer")
            data = {name: field for name, field in data.items() if name != "customer"}
        return self._arrival(
            sent,
            customer=customer,
            data=data,
            source=sent.get("source", default_source),
            history=history,
            received=received,
        )

    def _arrival(
        self,
        sent: Mapping[str, Any],
        *,
        customer: object,
        data: object,
        source: object,
        history: str | None,
        received: datetime,
        content: Mapping[str, Any] | None = None,
    ) -> Arrival:
        id_ = _text(sent.get("id"), "/id")
        source_ = _text(source, "/source")
        type_ = _text(sent.get("type"), "/type")
        identifiers = _customer(customer)
        judged = _data(type_, data)
        time, offset = self._time(sent.get("time"), judged.get("timezone"), received)
        raw = orjson.dumps(judged)
        if len(raw) > MAX_EVENT_BYTES:
            raise Refused("event_too_large", params={"limit": MAX_EVENT_BYTES})
        if type_ == "customer.identified":
            identifiers = {**_identified(judged), **identifiers}
        return Arrival(
            id=id_,
            source=source_,
            type=type_,
            time=time,
            utcoffset=offset,
            receivedtime=received,
            contenthash=_content_hash(sent if content is None else content),
            customer=identifiers,
            history=history,
            data=msgspec.Raw(raw),
        )

    def _time(self, sent: object, timezone: object, received: datetime) -> tuple[datetime, int]:
        """UTC and the minutes to local time: as written, else the event's zone, else the setting."""
        if sent is None:
            at, local = received, None
        elif not isinstance(sent, str) or _TIME.fullmatch(sent) is None:
            raise _invalid("/time", "not_a_time")
        else:
            at, local = _parse_time(sent)
        # The clock is looked at only where it decides.
        if at < FIRST or (at > received + FUTURE and at > self._clock() + FUTURE):
            raise _out_of_range()
        if local is None:
            zone = ZoneInfo(timezone) if isinstance(timezone, str) else self._zone
            # Offsets change at full seconds.
            return at, _minutes(zone, at.replace(microsecond=0))
        return at, int(local.total_seconds() // 60)


@lru_cache(maxsize=64)
def _minutes(zone: ZoneInfo, at: datetime) -> int:
    """From UTC to local time. Events that say nothing of their time ask for the same few moments."""
    local = at.astimezone(zone).utcoffset() or timedelta()
    return int(local.total_seconds() // 60)


def parsed(value: bytes) -> Any:
    """The JSON of a stranger. Raises `Refused`."""
    try:
        return parse_json(value)
    except BadRequest as problem:
        raise Refused(problem.code, params=problem.params) from problem


def _unpacked(sent: object) -> Any:
    """Data that came as bytes: what is read here is JSON all the same."""
    try:
        value = base64.b64decode(sent, validate=True) if isinstance(sent, str) else None
    except ValueError:
        value = None
    if value is None:
        raise _invalid("/data_base64", "wrong_format")
    return parsed(value)


def _parse_time(sent: str) -> tuple[datetime, timedelta | None]:
    """The moment, and the offset where one was written (`Z` says nothing about where)."""
    text = sent.upper().replace(" ", "T")
    whole, dot, rest = text.partition(".")
    if dot:  # Python reads six digits of a second
        digits = re.match(r"\d+", rest)
        assert digits is not None, "checked by the pattern"
        fraction = digits.group()[:6]
        text = f"{whole}.{fraction:0<6}{rest[digits.end() :]}"
    try:
        moment = datetime.fromisoformat(text)
        at = moment.astimezone(UTC)
    except OverflowError:  # the first or last day of all, in another zone
        raise _out_of_range() from None
    except ValueError:
        raise _invalid("/time", "not_a_time") from None
    return at, None if text.endswith("Z") else moment.utcoffset()


def _text(value: object, pointer: str) -> str:
    if value is None:
        raise _invalid(pointer, "missing")
    if not isinstance(value, str):
        raise _invalid(pointer, "not_a_string")
    if not value.strip():
        raise _invalid(pointer, "too_short", limit=1)
    if len(value) > MAX_ID:
        raise _invalid(pointer, "too_long", limit=MAX_ID)
    if "\0" in value:
        raise _invalid(pointer, "invalid_text")
    return value


def _customer(sent: object) -> dict[str, str]:
    """Identifiers by type, normalised; those that name nobody are left out."""
    if sent is None:
        raise Refused("no_customer", [FieldError("/customer", "missing", {})])
    if isinstance(sent, str):
        found = _references(sent)
    elif isinstance(sent, dict):
        found = _identifiers(sent)
    else:
        raise _invalid("/customer", "not_an_object")
    if not found:
        raise Refused("no_customer", [FieldError("/customer", "no_customer", {})])
    return found


def _identifiers(sent: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for type_, value in sent.items():
        if type_ not in TYPES and type_ not in {CUSTOMER_ID, NUMBER}:
            raise _invalid(_place(type_), "unknown_identifier_type")
        if value is None:
            continue
        if not isinstance(value, str):
            raise _invalid(_place(type_), "not_a_string")
        if type_ in TYPES:
            normal = normalise(type_, value)
            if normal is not None:
                found[type_] = normal
        elif value.strip():
            found.update(_own_reference(value.strip(), _place(type_)))
    return found


def _place(type_: str) -> str:
    """The pointer to an identifier, cut where a publisher wrote a novel."""
    step = type_[:64].replace("~", "~0").replace("/", "~1")
    return f"/customer/{step}"


def _references(sent: str) -> dict[str, str]:
    """`member_no:M42`, several separated by a space; or our own id or number of a customer."""
    if len(sent) > MAX_CUSTOMER:
        raise _invalid("/customer", "too_long", limit=MAX_CUSTOMER)
    found = {}
    for reference in sent.split():
        type_, colon, value = reference.partition(":")
        if colon:
            found.update(_identifiers({type_: value}))
        else:
            found.update(_own_reference(reference, "/customer"))
    return found


def _own_reference(reference: str, pointer: str) -> dict[str, str]:
    """Our own id or number of a customer."""
    if _NUMBER.fullmatch(reference):
        return {NUMBER: reference.upper()}
    try:
        return {CUSTOMER_ID: str(UUID(reference))}
    except ValueError:
        raise _invalid(pointer, "wrong_format") from None


def _identified(data: Mapping[str, Any]) -> dict[str, str]:
    """The identifiers that a `customer.identified` says are one customer's."""
    found = {}
    for type_, value in data["identifiers"].items():
        normal = normalise(type_, value)
        if normal is not None:
            found[type_] = normal
    return found


def _data(type_: str, data: object) -> dict[str, Any]:
    try:
        return validated(type_, data)
    except UnknownEventType:
        allowed = ", ".join(name for name, kind in EVENT_TYPES.items() if kind.door is not None)
        error = FieldError("/type", "unknown_type", {"type": type_, "allowed": allowed})
        raise Refused("unknown_type", [error], {"type": type_}) from None
    except ValidationError as error:
        faults = [FieldError(*fault) for fault in field_errors(error)]
        raise Refused("validation_failed", faults) from None


def _content_hash(sent: Mapping[str, Any]) -> str:
    """What was sent, whatever the order of its fields."""
    content = sent
    if not _IGNORED.isdisjoint(sent):
        content = {name: value for name, value in sent.items() if name not in _IGNORED}
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(text, digest_size=16).hexdigest()
