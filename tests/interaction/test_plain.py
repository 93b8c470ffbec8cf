"""What is plain is judged as everything else is: read by msgspec or by orjson and Pydantic, the same becomes of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, get_args

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.interaction import plain
from services.interaction.judging import Refused
from services.interaction.plain import KINDS, Plain, read_plain
from services.interaction.sent import MOST_EVENTS, Unreadable, read_events, read_sent
from shared.errors import BadRequest, TooLarge
from shared.language import EVENT_TYPES
from tests.interaction.judged import JUDGE, NOW, sent


def became(event: object) -> Any:
    """What the judge makes of one event: an arrival with its data as values, or why it is refused."""
    try:
        if isinstance(event, Unreadable):
            return event.id, event.problem.code
        if isinstance(event, Plain):
            arrival = JUDGE.plain(event, "the-key", None, NOW)
        else:
            arrival = JUDGE.event(event, default_source="the-key", history=None, received=NOW)
    except Refused as refused:
        return refused.code, [asdict(error) for error in refused.errors], refused.params
    return msgspec.structs.asdict(arrival) | {"data": orjson.loads(bytes(arrival.data))}


def alike(body: bytes) -> int:
    """Hold both ways beside each other; answer how many of the events were plain."""
    quick, slow = read(read_sent, body), read(read_events, body)
    if isinstance(slow, str):
        assert quick == slow
        return 0
    assert quick[1] is slow[1]
    assert list(map(became, quick[0])) == list(map(became, slow[0]))
    return sum(isinstance(event, Plain) for event in quick[0])


def read(reader: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return reader(body)
    except (BadRequest, TooLarge) as refused:
        return f"{refused.code} {refused.params}"


# Values that publishers send, and such as they should not ---------------------------------------

_ODD = (
    *(None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e-7, 1e12, 1e13, 10**12, 10**12 + 1, 2**63, 1e16),
    *("", " ", "\t", "\x1c", "\x85", "\u3000", "\u200b", "\0", "0", "null", "x", "é", "零", "😀"),
    *("x" * 64, "é" * 64, "x" * 65, "x" * 256, "x" * 257, "x" * 512, "x" * 513, "x" * 4097),
    *("1", "01.00", "1.0", "1.00", "-1.00", "1e2", "99999999999999.99", "999999999999999.99"),
    *([], [""], [" "], ["x"], [1], [None], {}, {"amount": "1.00", "currency": "CNY"}, [[]], [{}]),
    *("Asia/Shanghai", "2026-11-20T12:03:11Z", "2026-11-20T12:03:11+08:00", "1969-12-31T00:00:00Z"),
)
_LONG = ("x" * 20_000, "x" * 20_001, ["x"] * 2_000, ["x"] * 2_001, [{}] * 2_000, [{}] * 2_001)
_LONG += (10**9, 10**9 + 1, 1e9, 1e9 + 0.5, [None] * 2, "EUR", "XXX", "JPY")
odd = st.sampled_from(_ODD)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
words = st.sampled_from(["P9", "Milk", "牛奶", 'a "quoted" \\ /\n', "\x7f", "😀"]) | text


def mostly(good: st.SearchStrategy[Any], share: int = 60) -> st.SearchStrategy[Any]:
    """Good, but now and then something odd; one of that many."""
    return st.integers(0, share).flatmap(lambda n: odd | text if n == share else good)


def fields(needed: dict[str, Any], **others: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object whose fields come in any order, now and then with a field too many."""
    extra = {"settled": odd, "more": odd, "timezone": mostly(st.just("Asia/Shanghai"), 3)}
    whole = st.fixed_dictionaries(needed, optional=others)
    besides = st.integers(0, 25).flatmap(
        lambda n: st.fixed_dictionaries({}, optional=extra) if n == 25 else st.just({})
    )
    both = st.tuples(whole, besides).map(lambda two: list((two[0] | two[1]).items()))
    return both.flatmap(st.permutations).map(dict)


ids = mostly(st.sampled_from(["A-1", "零", "x" * 256]))
label = mostly(st.none() | words)
amount = mostly(st.sampled_from(["0.00", "12.50", "35.80", "99999999999999.00"]))
money = mostly(fields({"amount": amount, "currency": mostly(st.just("CNY"))}))
number = st.integers(0, 12) | st.floats(0, 1e12) | st.sampled_from([0.5, 2.0, 1e-9])
line = fields(
    {},
    product_id=label,
    sku=label,
    name=label,
    category=label,
    quantity=mostly(number),
    unit_price=mostly(st.none() | amount),
    amount=mostly(st.none() | amount),
)
several = mostly(st.lists(ids, max_size=3))
DATA = {
    "purchase.completed": fields(
        {"order_id": ids, "total": money},
        discount=mostly(st.none() | money),
        tax=money,
        shipping=money,
        channel=label,
        store=label,
        coupons=several,
        items=mostly(st.lists(mostly(line), max_size=3)),
    ),
    "interaction.recorded": fields(
        {"kind": mostly(st.sampled_from(["call", "page_view", "other"]))},
        channel=label,
        direction=label,
        subject=label,
        content=label,
        feedback=label,
        outcome=label,
        product_ids=several,
        handled_by=mostly(st.none() | ids),
        duration_s=mostly(number),
        url=label,
    ),
    "survey.answered": fields(
        {"survey_id": ids, "kind": mostly(st.sampled_from(["csat", "nps", "ces", "form"]))},
        score=mostly(st.none() | st.integers(-1, 11) | st.floats(-1, 11)),
        comment=label,
        order_id=mostly(st.none() | ids),
    ),
}
whom = fields({}, member_no=mostly(words), phone=mostly(st.just("138 0013 8000")), email=words)


def event_of(type_: str) -> st.SearchStrategy[dict[str, Any]]:
    return fields(
        {
            "id": ids,
            "type": mostly(st.just(type_)),
            "customer": mostly(whom | st.just({"member_no": "M1"})),
            "data": mostly(DATA[type_]),
        },
        source=mostly(st.just("store-7/pos")),
        time=mostly(st.sampled_from(["2026-11-20T12:03:11Z", "2026-11-20T12:03:11.25+08:00"])),
    )


event = st.sampled_from(sorted(DATA)).flatmap(event_of)


def test_every_kind_is_tried():
    assert set(DATA) == set(KINDS)


@settings(max_examples=100)
@given(st.lists(event, max_size=4) | event)
@example(sent(time=""))
@example(sent(source=""))
@example(sent(source=None))
@example(sent(time=None))
@example(sent(customer={"member_no": ""}))
@example(sent(customer={"fax": "1"}))
@example(sent(customer={"id": "nobody"}))
@example(sent(data={"order_id": "\x85", "total": {"amount": "1.00", "currency": "CNY"}}))
@example(sent(data={"order_id": "1", "total": {"amount": "1.00", "currency": "XXX"}}))
@example(sent(data={"order_id": "1", "total": {"amount": "1", "currency": "JPY"}}))
@example([sent(), sent(sentAt="2026-11-20T12:03:11Z")])
@example([sent(), sent(data={"kind": "call", "loyalty": 2**63})])
def test_both_ways_say_the_same(value):
    alike(orjson.dumps(value) if _fits(value) else json.dumps(value).encode())


def _fits(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return False
    return True


_MONEY = {"amount": "1.00", "currency": "CNY"}
_WHOLE = {
    "purchase.completed": {
        "order_id": "1",
        "total": _MONEY,
        **dict.fromkeys(("discount", "tax", "shipping"), _MONEY),
        **dict.fromkeys(("channel", "store"), "7"),
        "coupons": ["x"],
        "items": [
            {
                **dict.fromkeys(("product_id", "sku", "name", "category"), "x"),
                **dict.fromkeys(("amount", "unit_price"), "1.00"),
                "quantity": 2,
            }
        ],
    },
    "interaction.recorded": {
        "kind": "call",
        **dict.fromkeys(("channel", "direction", "subject", "content", "feedback"), "x"),
        **dict.fromkeys(("outcome", "handled_by", "url"), "x"),
        "product_ids": ["x"],
        "duration_s": 1,
    },
    "survey.answered": {
        "survey_id": "1",
        "kind": "nps",
        "score": 9,
        "comment": "x",
        "order_id": "1",
    },
}
"""Data with every field that plain data may have."""


def with_each_place(value: Any, odd_one: Any) -> Iterator[Any]:
    """The value with something odd in each place, one at a time; ... leaves the place out."""
    yield odd_one
    if isinstance(value, dict):
        for name, field in value.items():
            for changed in with_each_place(field, odd_one):
                left_out = {key: one for key, one in value.items() if key != name}
                yield left_out if changed is ... else {**left_out, name: changed}
    elif isinstance(value, list):
        for changed in with_each_place(value[0], odd_one):
            yield [] if changed is ... else [changed]


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_something_odd_in_each_place(type_):
    whole = sent(type=type_, data=_WHOLE[type_])
    assert alike(orjson.dumps(whole)) == 1
    assert set(_WHOLE[type_]) == set(KINDS[type_][0].__self__.type.__struct_fields__)
    found = 0
    for odd_one in (*_ODD, *_LONG, ...):
        for event in with_each_place(whole, odd_one):
            if event is not ...:
                found += alike(orjson.dumps(event))
    assert found > 100


@pytest.mark.parametrize("kind", ["csat", "nps", "ces", "form"])
def test_every_score_of_every_scale(kind):
    for score in (None, *range(-1, 13), 0.5, 4.5, 10.5, 1e9, 10**9, 10**9 + 1, -(10**9) - 1, 1e10):
        data = {"survey_id": "1", "kind": kind, "score": score}
        alike(orjson.dumps(sent(type="survey.answered", data=data)))


_PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\n", b"0", b"-", b".", b"e5", b"1e400"),
    *(b"null", b"true", b"NaN", b'"x"', b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\\/", b"\\"),
    *(b"\xff", b"\xed\xa0\x80", b"\x00", b"\x1f", b"\x7f", b"9" * 20, b"\\u0061", b"\xef\xbb\xbf"),
    *(b',"data":{}', b',"id":"other"', b'"order_id":5,', b'"total":{},', b"[" * 70),
)


@settings(max_examples=100)
@given(
    st.lists(event, min_size=1, max_size=2).filter(_fits).map(orjson.dumps),
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 2), st.sampled_from(_PIECES)), max_size=2
    ),
)
@example(b'{"id":"1"}', [])
def test_bytes_that_nobody_meant(body, changes):
    for at, gone, piece in changes:
        at = min(at, len(body))  # noqa: PLW2901
        body = body[:at] + piece + body[at + gone :]
    alike(body)


@settings(max_examples=40)
@given(st.lists(event, min_size=1, max_size=3).filter(_fits))
def test_how_it_is_written_does_not_matter(events):
    """Escaped and indented it is the same event: the same kept, the same known by."""
    first, second = orjson.dumps(events), json.dumps(events, indent=1).encode()
    if b"\\u0000" in second:
        return
    told = [list(map(became, read_sent(body)[0])) for body in (first, second)]
    assert told[0] == told[1]


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_what_most_publishers_send_is_plain(type_):
    example = dict(EVENT_TYPES[type_].example)
    assert alike(orjson.dumps([sent(type=type_, data=example)] * 2)) == 2
    assert alike(json.dumps(sent(type=type_, data=example, time=...), indent=2).encode()) == 1


def test_what_is_kept_is_what_was_sent():
    """Not a byte is added: 2 stays 2, null stays null, and what was left out stays out."""
    data = b'{"items":[{"quantity":2},{"amount":null,"quantity":0.5}],"order_id":"1","store":null,"total":%s}'
    data %= b'{"amount":"1.00","currency":"CNY"}'
    [found] = read_plain(
        b'{"id":"1","type":"purchase.completed","customer":{"phone":"1"},"data":%s}' % data
    )
    assert found is not None
    assert bytes(found.data) == data


def test_one_that_is_not_plain_leaves_the_others_plain():
    events = [sent(id="1"), sent(id="2", data={"order_id": "1"}), sent(id="3", type="dream")]
    assert alike(orjson.dumps(events)) == 1
    assert alike(orjson.dumps([*events, 5])) == 0


def test_too_many_are_too_many():
    assert alike(orjson.dumps([sent()] * MOST_EVENTS)) == MOST_EVENTS
    alike(orjson.dumps([sent()] * (MOST_EVENTS + 1)))


def test_large_data_is_weighed_where_all_is():
    line = {"name": "x" * 500, "quantity": 1}
    total = {"amount": "1.00", "currency": "CNY"}
    for lines in (100, 252, 254, 255, 260):
        data = {"order_id": "1", "total": total, "items": [line] * lines}
        assert alike(orjson.dumps(sent(data=data))) == (1 if lines == 100 else 0)


def structs() -> list[type[msgspec.Struct]]:
    found = [value for value in vars(plain).values() if isinstance(value, type)]
    return [one for one in found if issubclass(one, msgspec.Struct) and one is not msgspec.Struct]


@pytest.mark.parametrize("struct", structs(), ids=lambda struct: struct.__name__)
def test_fields_stand_in_the_order_of_the_alphabet(struct):
    """A repeat is known by JSON with sorted keys."""
    names = struct.__struct_encode_fields__
    assert list(names) == sorted(names)
    assert struct.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_no_field_but_those_of_the_door(type_):
    decoder = KINDS[type_][0].__self__
    assert set(decoder.type.__struct_fields__) <= EVENT_TYPES[type_].fields


def test_the_words_of_a_choice_are_those_of_the_door():
    kinds = EVENT_TYPES["survey.answered"].json_schema()["properties"]["kind"]["enum"]
    hints = get_args(plain._Answer.__annotations__["kind"])
    assert set(hints) == set(kinds)
