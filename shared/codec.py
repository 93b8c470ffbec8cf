"""The envelope: CloudEvents 1.0 in structured JSON on the log, an `Event` for whoever folds it.

Publishers' data was judged once, at the door, so decoding trusts it: one pass of msgspec over envelope
and `data` together, told by `dataschema` what `data` is. What that pass refuses goes through two, one
over the envelope, one over `data` into the type's Struct, which say what is wrong with it. Where a record
stands (origin, sequence, partition, offset, recorded time) is the log's to say and no part of the envelope.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import force_setattr
from orjson import dumps, loads

from shared.errors import Poison, UnknownType
from shared.language import EVENT_TYPES, Data, EventType
from shared.language.personal import joined

MAX_OFFSET_MINUTES = 24 * 60 - 1
_FIRST_YEAR, _LAST_YEAR = 1970, 2999

Moment = Annotated[datetime, Meta(tz=True)]
Offset = Annotated[int, Meta(ge=-MAX_OFFSET_MINUTES, le=MAX_OFFSET_MINUTES)]


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One event of the canonical stream, as a fold sees it."""

    id: str
    """UUIDv7 of ours."""
    source: str
    sourceid: str
    """The publisher's id of it; unique within `source`."""
    type: str
    subject: str
    """The customer's id; empty for events that concern the whole stream."""
    time: datetime
    """When it happened, UTC."""
    utcoffset: int
    """Minutes from UTC to the customer's local time then."""
    receivedtime: datetime
    """When our door took it, UTC."""
    correlationid: str | None = None
    causationid: str | None = None
    history: str | None = None
    """The import that it belongs to: it folds in silence until that is closed."""
    cause: str | None = None
    """`rebuild` where no fact changed anything, but what is made of the facts; None everywhere else."""
    sealed: str | None = None
    """What of `data` is personal, encrypted; it is missing there until somebody opens it (`shared/keyring`)."""
    data: Data
    origin: str
    """The service that wrote it."""
    sequence: int
    """Dense per origin and partition."""
    partition: int
    offset: int
    recordedtime: datetime
    """When the log took it, UTC."""

    @property
    def local(self) -> datetime:
        """The customer's local time, without a time zone."""
        return self.time.replace(tzinfo=None) + timedelta(minutes=self.utcoffset)

    @property
    def day(self) -> int:
        """The customer's local day as an ordinal (`date.toordinal`)."""
        return self.local.toordinal()


class _Attributes(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    specversion: Literal["1.0"]
    id: str
    source: str
    sourceid: str
    type: str
    subject: str = ""
    time: Moment
    utcoffset: Offset
    receivedtime: Moment
    correlationid: str | None = None
    causationid: str | None = None
    history: str | None = None
    cause: str | None = None
    sealed: str | None = None


class _Envelope(_Attributes, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    dataschema: str
    datacontenttype: Literal["application/json"]
    data: Raw


class _Written(_Attributes, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """An envelope that is to be written in one pass with its `data`."""

    dataschema: str
    datacontenttype: Literal["application/json"]
    data: Raw | Struct


class _Whole(Event, frozen=True, gc=False, kw_only=True):
    """An event of a type that is known, read in one pass; `dataschema` says which of the subclasses it is."""

    specversion: Literal["1.0"]
    datacontenttype: Literal["application/json"]
    subject: str = ""
    time: Moment
    utcoffset: Offset
    receivedtime: Moment
    # Whatever a text says of these is put right before anybody sees it.
    origin: Any = None
    sequence: Any = None
    partition: Any = None
    offset: Any = None
    recordedtime: Any = None


def _whole(kind: EventType) -> type[_Whole]:
    return msgspec.defstruct(  # type: ignore[return-value]
        kind.name,
        [("data", kind.struct)],
        bases=(_Whole,),
        tag_field="dataschema",
        tag=kind.dataschema,
        frozen=True,
        gc=False,
        kw_only=True,
    )


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(_Envelope)
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    kind.dataschema: msgspec.json.Decoder(kind.struct) for kind in EVENT_TYPES.values()
}
_kinds = {_whole(kind): (kind.name, kind.dataschema) for kind in EVENT_TYPES.values()}
_wholes: msgspec.json.Decoder[_Whole] = msgspec.json.Decoder(reduce(or_, _kinds))
_NOT_YET = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
_BACKSLASH = 0x5C  # looked for by itself it is found ten times as fast, and most texts have none
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def encode(
    *,
    id: str,  # noqa: A002  (CloudEvents' own words)
    type: str,  # noqa: A002
    subject: str,
    time: datetime,
    receivedtime: datetime,
    source: str,
    sourceid: str,
    data: Struct | bytes,
    utcoffset: int = 0,
    correlationid: str | None = None,
    causationid: str | None = None,
    history: str | None = None,
    cause: str | None = None,
) -> bytes:
    """Return the event as structured JSON. `data` as bytes is JSON already and is pasted as it is.

    Times must be aware; `utcoffset` in minutes. Raises ValueError for what could not be read back:
    an unknown type, a naive time or one out of range, a NUL character in a text.
    """
    kind = EVENT_TYPES.get(type)
    if kind is None:
        raise ValueError(f"no such event type: {type}")
    if abs(utcoffset) > MAX_OFFSET_MINUTES:
        raise ValueError("a UTC offset of more than a day")
    value = _encoder.encode(
        _Written(
            specversion="1.0",
            id=id,
            source=source,
            sourceid=sourceid,
            type=type,
            subject=subject,
            time=_utc(time),
            utcoffset=utcoffset,
            receivedtime=_utc(receivedtime),
            correlationid=correlationid,
            causationid=causationid,
            history=history,
            cause=cause,
            dataschema=kind.dataschema,
            datacontenttype="application/json",
            data=Raw(data) if isinstance(data, bytes) else data,
        )
    )
    if _has_nul(value):
        raise ValueError("a text contains a NUL character")
    return value


def decode(
    value: bytes,
    *,
    origin: str,
    sequence: int,
    partition: int,
    offset: int,
    recordedtime: datetime,
) -> Event:
    """Return the event that a record of `customers` holds.

    Raises UnknownType where this code does not know the type or its version, Poison where nothing
    can be made of the bytes.
    """
    if _has_nul(value):
        raise Poison("nul_character")
    event = _at_once(value)
    if event is None:
        event = _in_two_passes(value)
    # It was made here, and nobody has it yet: the rest is filled in, where a copy would cost as much as reading did.
    force_setattr(event, "origin", origin)
    force_setattr(event, "sequence", sequence)
    force_setattr(event, "partition", partition)
    force_setattr(event, "offset", offset)
    force_setattr(event, "recordedtime", recordedtime)
    return event


def _at_once(value: bytes) -> Event | None:
    """An event of a known type; None where anything is the matter. Where it stands is still to be said."""
    try:
        event = _wholes.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    type_, dataschema = _kinds[type(event)]
    if event.type != type_ or dataschema not in _decoders:
        return None
    return event if _is_plain(event.time) and _is_plain(event.receivedtime) else None


def _is_plain(moment: datetime) -> bool:
    """Whether it is as we write it."""
    return moment.tzinfo is UTC and _FIRST_YEAR <= moment.year <= _LAST_YEAR


def _in_two_passes(value: bytes) -> Event:
    """The same, or what is the matter: raises UnknownType, Poison."""
    try:
        envelope = _envelopes.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"bad_envelope: {error}") from error
    return Event(
        id=envelope.id,
        source=envelope.source,
        sourceid=envelope.sourceid,
        type=envelope.type,
        subject=envelope.subject,
        time=_read(envelope.time),
        utcoffset=envelope.utcoffset,
        receivedtime=_read(envelope.receivedtime),
        correlationid=envelope.correlationid,
        causationid=envelope.causationid,
        history=envelope.history,
        cause=envelope.cause,
        sealed=envelope.sealed,
        data=_data(envelope),
        origin="",
        sequence=0,
        partition=0,
        offset=0,
        recordedtime=_NOT_YET,
    )


def _data(envelope: _Envelope) -> Data:
    decoder = _decoders.get(envelope.dataschema)
    if decoder is None:
        raise UnknownType(envelope.type, envelope.dataschema)
    if envelope.dataschema.partition("/")[0] != envelope.type:
        raise Poison("bad_envelope: dataschema names another type")
    try:
        data: Data = decoder.decode(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"bad_data: {error}") from error
    return data


def with_hidden(value: bytes, hidden: bytes) -> Data:
    """The data of an event that `decode` has read, with what was sealed (JSON) in its place."""
    envelope = _envelopes.decode(value)
    clear = bytes(envelope.data)
    whole = hidden if clear == b"{}" else dumps(joined(loads(clear), loads(hidden)))
    data: Data = _decoders[envelope.dataschema].decode(whole)
    return data


def _read(moment: datetime) -> datetime:
    try:
        return _utc(moment)
    except ValueError as error:
        raise Poison(f"bad_envelope: {error}") from error


def _utc(moment: datetime) -> datetime:
    """Return the moment in UTC; years out of range would break arithmetic and columns later."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("a time without a UTC offset")
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("a time out of range") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError("a time out of range")
    return moment


def _has_nul(value: bytes) -> bool:
    """Say whether a JSON text holds an escaped NUL (a bare one is no JSON): PostgreSQL cannot store
    it."""
    return _BACKSLASH in value and b"\\u0000" in value and _NUL.search(value) is not None
