"""Reading a request's events: in a list, what cannot be read harms only itself."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interaction.sent import MOST_EVENTS, Unreadable, read_events
from shared.errors import BadRequest, TooLarge

GOOD = b'{"id":"good","n":1.5}'


def read(body: bytes) -> list[Any]:
    """The list's events, codes in the place of those that cannot be read."""
    events, listed = read_events(body)
    assert listed
    return [one.problem.code if isinstance(one, Unreadable) else one for one in events]


def test_one_event_or_a_list():
    assert read_events(GOOD) == ([{"id": "good", "n": 1.5}], False)
    assert read_events(b"[%s]" % GOOD) == ([{"id": "good", "n": 1.5}], True)
    assert read_events(b"[]") == ([], True)
    assert read_events(b"5") == ([5], False)


DEEP = b"[" * 100 + b"]" * 100


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"id": "x\\u0000"}', "invalid_text"),
        (b'{"id": "x", "a": "\\ud800"}', "invalid_text"),
        (b'{"\\udc00": 1}', "invalid_text"),
        (b'{"id": "x", "a": 1180591620717411303424}', "number_out_of_range"),
        (b'{"a": -%s}' % (b"9" * 10_000), "number_out_of_range"),
        (b'{"a": 1e999}', "number_out_of_range"),
        (b'{"id": "x", "a": %s}' % DEEP, "too_deep"),
        (b"1180591620717411303424", "number_out_of_range"),
    ],
)
def test_in_a_list_it_harms_only_itself(bad, code):
    good = orjson.loads(GOOD)
    assert read(b"[%s,%s,%s]" % (GOOD, bad, GOOD)) == [good, code, good]
    with pytest.raises(BadRequest) as caught:
        read_events(bad)
    assert caught.value.code == code


def test_it_is_named_where_its_name_can_be_shown():
    events, _ = read_events(
        b'[{"id":"x","a":"\\u0000"},{"id":"x\\u0000"},{"id":"\\ud800"},{"a":1e999}]'
    )
    assert [one.id for one in events] == ["x", None, None, None]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"[%s,]" % GOOD, "invalid_json"),
        (b"[%s, NaN, 1e999]" % GOOD, "invalid_json"),
        (b'[%s, "\xff"]' % GOOD, "invalid_text"),
        (b'[%s, "\\u0000", Infinity]' % GOOD, "invalid_json"),
        (b'{"a": "\\u0000"}', "invalid_text"),
        (b"[" * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        ('["\0"]'.encode("utf-16"), "invalid_text"),
    ],
)
def test_what_is_no_list_of_json_is_refused_as_a_whole(body, code):
    with pytest.raises(BadRequest) as caught:
        read_events(body)
    assert caught.value.code == code


@pytest.mark.parametrize("event", [b"1", b"1e999"])
def test_a_list_has_a_limit(event):
    assert len(read(b"[" + b",".join([event] * MOST_EVENTS) + b"]")) == MOST_EVENTS
    with pytest.raises(TooLarge):
        read_events(b"[" + b",".join([event] * (MOST_EVENTS + 1)) + b"]")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(values, max_size=4))
def test_its_neighbours_are_read_as_if_it_were_not_there(events):
    alone, _ = read_events(json.dumps(events).encode())
    beside, _ = read_events(json.dumps([*events, 2**70]).encode())
    assert beside[:-1] == alone
    assert orjson.dumps(beside[:-1]) == orjson.dumps(alone)
