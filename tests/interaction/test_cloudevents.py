"""CloudEvents that others produce to `inbound`."""

from typing import Any

import orjson
import pytest

from services.interaction.arrivals import Arrival
from services.interaction.judging import Refused
from tests.interaction.judged import JUDGE, NOW, data_of


def cloudevent(**changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/crm",
        "type": "interaction.recorded",
        "time": "2026-11-20T12:03:11+08:00",
        "customer": "member_no:M42",
        "data": {"kind": "call"},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def judge(event: object, content_type: str | None = None) -> Arrival:
    value = event if isinstance(event, bytes) else orjson.dumps(event)
    return JUDGE.cloudevent(value, content_type, NOW)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/cloudevents+json",
        "Application/CloudEvents+JSON; charset=UTF-8",
    ],
)
def test_structured(content_type):
    arrival = judge(cloudevent(), content_type)
    assert (arrival.id, arrival.source) == ("e-1", "/crm")
    assert arrival.customer == {"member_no": "M42"}
    assert (arrival.utcoffset, arrival.receivedtime, arrival.history) == (480, NOW, None)
    assert data_of(arrival) == {"kind": "call"}


@pytest.mark.parametrize(
    "customer", ["member_no:M42", {"member_no": "M42"}, "member_no:M42 cookie:null"]
)
def test_the_customer_may_stand_in_data_and_is_no_part_of_it(customer):
    event = cloudevent(customer=..., data={"kind": "call", "customer": customer})
    arrival = judge(event)
    assert arrival.customer == {"member_no": "M42"}
    assert data_of(arrival) == {"kind": "call"}


@pytest.mark.parametrize(
    ("event", "code", "pointer"),
    [
        (b"", "invalid_json", None),
        (b"\x00\xff\xfe", "invalid_text", None),
        (b"\x1f\x8b\x08\x00", "invalid_text", None),
        (b"\x00\x01\x02", "invalid_json", None),
        (b"[]", "validation_failed", ""),
        (cloudevent(specversion="0.3"), "validation_failed", "/specversion"),
        (cloudevent(specversion=...), "validation_failed", "/specversion"),
        (cloudevent(source=...), "validation_failed", "/source"),
        (cloudevent(customer=...), "no_customer", "/customer"),
        (cloudevent(customer=..., data=[]), "no_customer", "/customer"),
        (cloudevent(data="<call/>"), "validation_failed", "/data"),
        (cloudevent(type="nope"), "unknown_type", "/type"),
        (cloudevent(time="2999-01-01T00:00:00Z"), "time_out_of_range", "/time"),
        (cloudevent(data={"kind": "call", "content": "x\0"}), "invalid_text", None),
        (cloudevent(pad="x" * 131_072), "event_too_large", None),
        (b"[" * 70 + b"]" * 70, "too_deep", None),
        (b'{"a": 99999999999999999999}', "number_out_of_range", None),
    ],
)
def test_refused(event, code, pointer):
    with pytest.raises(Refused) as caught:
        judge(event)
    assert caught.value.code == code
    assert [error.pointer for error in caught.value.errors] == (
        [] if pointer is None else [pointer]
    )


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/avro", "text/plain", ";"]
)
def test_other_contents(content_type):
    with pytest.raises(Refused) as caught:
        judge(cloudevent(), content_type)
    assert caught.value.code == "unsupported_media_type"


def test_sent_again_it_is_the_same():
    again = judge(cloudevent(sentat="2026-11-20T12:03:12Z"))
    assert again.contenthash == judge(cloudevent()).contenthash
