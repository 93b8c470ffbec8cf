import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.http import json_text
from shared.http.json_text import DEPTH, parse_json


def refusal(body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse_json(body)
    return caught.value


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(values)
def test_what_json_can_say_comes_back(value):
    text = json.dumps(value, ensure_ascii=False).encode()
    if b"\\u0000" not in text:
        assert parse_json(text) == json.loads(text)


@given(st.binary(max_size=60) | st.text('[]{},:"\\u0dx1 -', max_size=40).map(str.encode))
def test_it_takes_what_orjson_takes_and_nothing_else(body):
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        assert refusal(body).code in {"invalid_json", "invalid_text", "number_out_of_range"}
        return
    try:
        assert parse_json(body) == expected
    except BadRequest as exc:
        assert exc.code in {"invalid_text", "number_out_of_range"}  # noqa: PT017


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"nope", "invalid_json"),
        (b"NaN", "invalid_json"),
        (b'{"amount": NaN}', "invalid_json"),
        (b"Infinity", "invalid_json"),
        (b"1e999", "number_out_of_range"),
        (b"{'a': 1}", "invalid_json"),
        (b'{"a": 1', "invalid_json"),
        (b"1 2", "invalid_json"),
        (b"1],[2", "invalid_json"),
        (b" " * 70_000 + b"1],[2", "invalid_json"),
        (b"]" * 2000 + b"," + b"[" * 2000, "invalid_json"),
        (b"]", "invalid_json"),
        (b"[", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'"\x00"', "invalid_json"),
        (b'"\\u0000"', "invalid_text"),
        (b'{"a\\u0000": 1}', "invalid_text"),
        (b'[{"a": ["x\\u0000y"]}]', "invalid_text"),
        (b'"\\ud800"', "invalid_text"),
        (b'"\\udc00\\ud800"', "invalid_text"),
        (b'"\xed\xa0\x80"', "invalid_text"),
        (b'"\xff"', "invalid_text"),
        (b"1180591620717411303424", "number_out_of_range"),
        (b"[9223372036854775808]", "number_out_of_range"),
        (b'{"a": -9223372036854775809}', "number_out_of_range"),
        (b'{"a":18446744073709551615}', "number_out_of_range"),
        (b"[1,\n" + b"9" * 5000 + b"]", "number_out_of_range"),
    ],
)
def test_what_is_refused(body, code):
    assert refusal(body).code == code


@pytest.mark.parametrize(
    "body",
    [
        b"0",
        b'"\\ud83d\\ude00"',
        b'"\\\\u0000"',
        b"9223372036854775807",
        b"-9223372036854775808",
        b'{"order_id": "12345678901234567890123"}',
        b'{"a": ":1234567890123456789012"}',
        b"[0.12345678901234567890123]",
        b"[12345678901234567890.5]",
        b" [1] \n",
    ],
)
def test_what_only_looks_suspicious(body):
    assert parse_json(body) == json.loads(body)


def test_the_position_of_a_mistake_is_told():
    problem = refusal(b'{"a": 1,\n "b":}')
    assert problem.params == {"line": 2, "column": 6}
    assert refusal(b'{"a": 1').params == {"line": 1, "column": 8}


def nested(depth: int, kind: str) -> bytes:
    if kind == "lists":
        return b"[" * depth + b"]" * depth
    if kind == "objects":
        return b'{"a":' * depth + b"1" + b"}" * depth
    return (
        b'[1,{"a":' * (depth // 2)
        + b"[]" * (depth % 2)
        + (b"1" * (1 - depth % 2))
        + b"}]" * (depth // 2)
    )


@pytest.mark.parametrize("kind", ["lists", "objects", "mixed"])
def test_depth(kind):
    parse_json(nested(DEPTH, kind))
    assert refusal(nested(DEPTH + 1, kind)).code == "too_deep"
    assert refusal(nested(1_000_000, kind)).code == "too_deep"
    assert refusal(nested(DEPTH + 1, kind)).params == {"limit": DEPTH}


def test_depth_counts_levels_and_not_brackets():
    parse_json(b"[" + b",".join([b"[[]]"] * 10_000) + b"]")
    parse_json(b'["' + b"[" * 10_000 + b'"]')


def test_a_clean_body_is_walked_by_nobody(monkeypatch):
    line = {"product_id": "P9", "name": "Milk 牛奶", "quantity": 2, "id": "1234567890123456789"}
    body = orjson.dumps([{"id": "pos-7-1", "data": {"items": [line] * 16}}] * 500)

    def never(*_args, **_kwargs):
        raise AssertionError

    monkeypatch.setattr(json_text, "_refuse_nul", never)
    monkeypatch.setattr(json_text.json, "loads", never)
    assert parse_json(body)[0]["data"]["items"][15] == line
