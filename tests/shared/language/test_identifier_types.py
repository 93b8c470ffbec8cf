"""One customer, many spellings: normalising says which are the same, and which name nobody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.language.identifiers import NUMBERED, TYPES, normalise


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("member_no", " M42 ", "M42"),
        ("member_no", "0042", "0042"),
        ("user_id", "Ada", "Ada"),
        ("email", " Li@Example.COM ", "li@example.com"),
        ("email", "li＠example.com", "li@example.com"),
        ("phone", "13800138000", "+8613800138000"),
        ("phone", "138 0013-8000", "+8613800138000"),
        ("phone", "+86 138 0013 8000", "+8613800138000"),
        ("phone", "１３８００１３８０００", "+8613800138000"),
        ("phone", "010-62345678", "+861062345678"),
        ("phone", "010-62345678 ext. 12", "+861062345678;ext=12"),
        ("phone", "+1 (206) 555-0100", "+12065550100"),
    ],
)
def test_spellings(type_, value, expected):
    assert normalise(type_, value) == expected


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    "value",
    [
        *("", "  ", "null", "NULL", " None ", "undefined", "nan", "n/a", "0", "0000000000", "-"),
        *("00000000-0000-0000-0000-000000000000", "[object Object]", "a\0b", "a\nb", "x" * 257),
    ],
)
def test_the_worthless_names_nobody(type_, value):
    assert normalise(type_, value) is None


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("email", "li"),
        ("email", "@example.com"),
        ("email", "li@"),
        ("email", "li li@example.com"),
        ("phone", "call me"),
        ("phone", "123"),
        ("phone", "11111111111"),
        ("phone", "+86 000 0000 0000"),
        ("phone", "138001380001380013800"),
    ],
)
def test_what_can_be_no_address_or_number_names_nobody(type_, value):
    assert normalise(type_, value) is None


@settings(deadline=None)
@given(st.sampled_from(TYPES), st.text(max_size=40))
def test_normalising_twice_is_normalising_once(type_, value):
    once = normalise(type_, value)
    if once is not None:
        assert normalise(type_, once) == once


def test_strength_and_numbers():
    assert TYPES[0] == "member_no"
    assert TYPES[-1] == "anonymous_id"
    assert set(TYPES) - NUMBERED == {"device_id", "cookie", "anonymous_id"}
