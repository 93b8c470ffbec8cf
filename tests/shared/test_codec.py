"""The envelope: CloudEvents out, events in, and everything else is poison."""

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import codec
from shared.codec import Event, decode, encode
from shared.errors import Poison, UnknownType
from shared.language import EVENT_TYPES, ClockTicked, Money, PurchaseCompleted, TagGained

TIME = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
RECORDED = datetime(2026, 11, 20, 23, 31, tzinfo=UTC)
DATA = b'{"order_id":"A-1","total":{"amount":"12.50","currency":"CNY"},"extra":{"kept":[1,2]}}'
WRITTEN = {
    "id": "01934b5c-7a00-7000-8000-00000000000b",
    "type": "purchase.completed",
    "subject": "01934b5c-7a00-7000-8000-00000000000c",
    "time": TIME,
    "receivedtime": TIME,
    "source": "store-7/pos",
    "sourceid": "1",
    "data": DATA,
}


def written(**fields) -> bytes:
    return encode(**(WRITTEN | fields))


def envelope(**fields) -> bytes:
    """A record with some of its attributes replaced, or taken away (...)."""
    changed = json.loads(written()) | fields
    return json.dumps({name: v for name, v in changed.items() if v is not ...}).encode()


def read(value: bytes) -> Event:
    return decode(
        value, origin="interaction", sequence=7, partition=3, offset=41, recordedtime=RECORDED
    )


PLACE = {"origin", "sequence", "partition", "offset", "recordedtime"}
"""Where an event stands: the log says so."""


def fields(event: Event) -> dict[str, Any]:
    """Everything that is known of an event, whatever class reads it."""
    return {name: getattr(event, name) for name in Event.__struct_fields__}


def said(event: Event) -> dict[str, Any]:
    """All that its bytes say."""
    return {name: value for name, value in fields(event).items() if name not in PLACE}


def test_an_event_comes_back():
    event = read(written(utcoffset=480, correlationid="a", causationid="b", history="h"))
    expected = Event(
        id=WRITTEN["id"],
        source="store-7/pos",
        sourceid="1",
        type="purchase.completed",
        subject=WRITTEN["subject"],
        time=TIME,
        utcoffset=480,
        receivedtime=TIME,
        correlationid="a",
        causationid="b",
        history="h",
        data=PurchaseCompleted("A-1", Money("12.50", "CNY")),
        origin="interaction",
        sequence=7,
        partition=3,
        offset=41,
        recordedtime=RECORDED,
    )
    assert fields(event) == fields(expected)


def test_the_record_is_a_cloud_event():
    """CloudEvents 1.0: required attributes, names of [a-z0-9], no nulls, 32-bit integers."""
    value = json.loads(written(utcoffset=-300))
    assert value["specversion"] == "1.0"
    assert all(value[name] for name in ("id", "source", "type", "subject", "time", "data"))
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in value)
    assert None not in value.values()
    assert value["utcoffset"] == -300
    assert value["datacontenttype"] == "application/json"


def test_data_is_pasted_as_it_was_sent():
    assert DATA in written()


def test_structs_are_data_too():
    gained = TagGained("behaviour:frequent", {"code": "often", "params": {"n": 3}}, "tags@1")
    assert read(written(type="tag.gained", data=gained)).data == gained


def test_stream_wide_events_have_no_subject():
    value = written(type="clock.ticked", subject="", data=ClockTicked(TIME))
    assert "subject" not in json.loads(value)
    event = read(value)
    assert event.subject == ""
    assert event.data == ClockTicked(TIME)
    assert event.data.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("utcoffset", "local", "day"),
    [
        (0, "2026-11-20T23:30", date(2026, 11, 20)),
        (480, "2026-11-21T07:30", date(2026, 11, 21)),
        (-1410, "2026-11-20T00:00", date(2026, 11, 20)),
        (-1411, "2026-11-19T23:59", date(2026, 11, 19)),
    ],
)
def test_the_customer_s_day(utcoffset, local, day):
    event = read(written(utcoffset=utcoffset))
    assert event.local == datetime.fromisoformat(local)
    assert event.day == day.toordinal()


def test_times_are_utc_whatever_they_were_written_in():
    east = timezone(timedelta(hours=8))
    event = read(written(time=TIME.astimezone(east), receivedtime=TIME.astimezone(east)))
    assert (event.time, event.receivedtime) == (TIME, TIME)
    assert event.time.tzinfo is event.receivedtime.tzinfo is UTC
    assert read(envelope(time="2026-11-21T07:30:00+08:00")).time.tzinfo is UTC


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "purchase.exchanged"},
        {"time": TIME.replace(tzinfo=None)},
        {"receivedtime": TIME.replace(tzinfo=None)},
        {"time": datetime(1, 1, 1, tzinfo=UTC)},
        {"time": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8)))},
        {"time": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8)))},
        {"time": datetime(3000, 1, 1, tzinfo=UTC)},
        {"utcoffset": 1440},
        {"sourceid": "a\0b"},
        {"sourceid": "\ud800"},
        {"data": rb'{"order_id":"a\u0000"}'},
    ],
)
def test_what_could_not_be_read_back_is_not_written(fields):
    with pytest.raises(ValueError):
        written(**fields)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        written()[:-1],
        written() + b"}",
        written().replace(b"A-1", b"A\\u0000"),
        written().replace(b"A-1", b"A\xff"),
        written().replace(b'"A-1"', b'"\\ud800"'),
        written().replace(b'"A-1"', b"1"),
        envelope(id=...),
        envelope(id=None),
        envelope(id=7),
        envelope(source=...),
        envelope(type=...),
        envelope(time=...),
        envelope(data=...),
        envelope(data=None),
        envelope(data=[]),
        envelope(data={}),
        envelope(specversion="0.3"),
        envelope(datacontenttype="text/xml"),
        envelope(time="yesterday"),
        envelope(time="2026-11-20T23:30:00"),
        envelope(time="0001-01-01T00:00:00Z"),
        envelope(time="0001-01-01T00:00:00+08:00"),
        envelope(time="9999-12-31T23:00:00-08:00"),
        envelope(time="3000-01-01T00:00:00Z"),
        envelope(receivedtime="1969-12-31T23:59:59Z"),
        envelope(utcoffset=1440),
        envelope(utcoffset=2**70),
        envelope(utcoffset="8"),
        envelope(type="tag.gained"),
    ],
)
def test_poison(value):
    with pytest.raises(Poison) as caught:
        read(value)
    assert caught.value.reason
    assert not isinstance(caught.value, UnknownType)


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        ("purchase.exchanged", "purchase.exchanged/1"),
        ("purchase.completed", "purchase.completed/2"),
        ("purchase.completed", "purchase.completed"),
    ],
)
def test_unknown_types_and_versions_are_told_apart(type_, schema):
    with pytest.raises(UnknownType) as caught:
        read(envelope(type=type_, dataschema=schema))
    assert (caught.value.type, caught.value.dataschema) == (type_, schema)


def test_a_text_about_nul_is_no_nul():
    data = rb'{"order_id":"\\u0000","total":{"amount":"1.00","currency":"CNY"}}'
    assert read(written(data=data)).data.order_id == r"\u0000"


def test_unknown_attributes_are_ignored():
    assert read(envelope(traceparent="00-ab-cd-01", data_base64=None)).id == WRITTEN["id"]


def test_reasons_carry_no_values():
    with pytest.raises(Poison) as caught:
        read(envelope(data={"order_id": ["secret"], "total": {}}))
    assert "secret" not in caught.value.reason


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_poison_at_worst(value):
    with pytest.raises(Poison):
        read(value)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_comes_back(text):
    data = json.dumps({"order_id": text, "total": {"amount": "1.00", "currency": "CNY"}}).encode()
    event = read(written(sourceid=text, source=text, data=data))
    assert (event.sourceid, event.source, event.data.order_id) == (text, text, text)


@settings(deadline=None)
@given(
    st.datetimes(datetime.fromisoformat("1970-01-03"), datetime.fromisoformat("2999-12-29")),
    st.integers(-1439, 1439),
)
def test_any_moment_comes_back(moment, utcoffset):
    zone = timezone(timedelta(minutes=utcoffset))
    event = read(written(time=moment.replace(tzinfo=zone), utcoffset=utcoffset))
    assert event.local == moment
    assert event.day == moment.toordinal()


_EXAMPLES = [
    envelope(type=kind.name, dataschema=kind.dataschema, data=dict(kind.example))
    for kind in EVENT_TYPES.values()
]


def test_no_text_says_where_an_event_stands():
    place = {"origin": "campaign", "sequence": 9, "partition": 9, "offset": 9}
    value = envelope(**place, recordedtime="2020-01-01T00:00:00Z")
    assert codec._at_once(value) is not None
    assert fields(read(value)) == fields(read(envelope()))


@pytest.mark.parametrize("value", _EXAMPLES, ids=list(EVENT_TYPES))
def test_one_pass_reads_what_two_passes_read(value):
    """The first is only faster: every type goes through it, and it says the same."""
    at_once = codec._at_once(value)
    assert at_once is not None
    assert said(at_once) == said(codec._in_two_passes(value))


@settings(deadline=None)
@given(st.sampled_from(_EXAMPLES), st.data())
def test_one_pass_refuses_what_two_passes_refuse(value, draw):
    """Bytes changed anywhere: never does the first read what the second does not."""
    at = draw.draw(st.integers(0, len(value) - 1))
    length = draw.draw(st.integers(0, 8))
    changed = value[:at] + draw.draw(st.binary(max_size=3)) + value[at + length :]
    at_once = codec._at_once(changed)
    if at_once is not None:
        assert said(at_once) == said(codec._in_two_passes(changed))
