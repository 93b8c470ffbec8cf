"""What is personal is taken out of an event, and put back as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language import EVENT_TYPES, PUBLISHABLE
from shared.language.personal import holds_personal, joined, personal_paths, split

every_type = pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def at(data: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        data = data.get(name) if isinstance(data, dict) else None
    return data


@every_type
def test_the_marked_fields_are_hidden_and_no_others(type_: str):
    data = dict(EVENT_TYPES[type_].example)
    clear, hidden = split(type_, data)
    assert joined(clear, hidden) == data
    for pointer in personal_paths(type_):
        assert at(clear, pointer) is None
        assert at(hidden, pointer) == at(data, pointer)
    assert bool(hidden) == any(at(data, pointer) is not None for pointer in personal_paths(type_))
    assert holds_personal(type_, json.dumps(data).encode()) == bool(hidden)


@every_type
@given(extra=st.dictionaries(st.text(min_size=1, max_size=5), _values, max_size=3))
def test_whatever_there_is_comes_back(type_: str, extra: dict[str, Any]):
    data = dict(EVENT_TYPES[type_].example) | extra
    clear, hidden = split(type_, data)
    assert joined(clear, hidden) == data
    assert holds_personal(type_, json.dumps(data).encode()) == bool(hidden)
    assert not split(type_, clear)[1], "what is clear stays clear"


@pytest.mark.parametrize("type_", sorted(PUBLISHABLE))
def test_what_nobody_declared_is_taken_for_personal(type_: str):
    data = dict(EVENT_TYPES[type_].example) | {"delivered_to": "Li Lei, 12 Nanjing Road"}
    clear, hidden = split(type_, data)
    assert "delivered_to" not in clear
    assert hidden["delivered_to"] == "Li Lei, 12 Nanjing Road"


def test_also_among_traits_and_beside_an_amount():
    clear, hidden = split(
        "customer.described", {"traits": {"region": "Shanghai", "wechat_nick": "lei", "name": None}}
    )
    assert clear == {"traits": {"region": "Shanghai"}}
    assert hidden == {"traits": {"wechat_nick": "lei", "name": None}}
    total = {"amount": "12.50", "currency": "CNY", "card": "6222 0200"}
    clear, hidden = split("purchase.completed", {"order_id": "A-1", "total": total})
    assert clear == {"order_id": "A-1", "total": {"amount": "12.50", "currency": "CNY"}}
    assert hidden == {"total": {"card": "6222 0200"}}


@pytest.mark.parametrize("traits", [None, "Li Lei", ["Li Lei"], 3])
def test_another_shape_than_the_declared_one_is_hidden_whole(traits: Any):
    assert split("customer.described", {"traits": traits}) == ({}, {"traits": traits})
