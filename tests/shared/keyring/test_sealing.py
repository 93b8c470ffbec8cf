"""The personal part of an event is encrypted with the customer's key, bound to customer and event."""

import json
from base64 import b64decode, b64encode

import pytest

from shared.codec import encode, with_hidden
from shared.keyring.sealing import Unreadable, cipher, hidden_in, new_key, opened, seal
from shared.language import CustomerDescribed, IdentifiersAdded, InteractionRecorded
from tests.shared.test_codec import TIME, read

CUSTOMER = "01934b5c-7a00-7000-8000-00000000000c"
EVENT = "01934b5c-7a00-7000-8000-00000000000b"
KEY = cipher(new_key())
TRAITS = {"traits": {"name": "李雷", "region": "Shanghai", "wechat_nick": "lei"}}


def event(type_: str, data: dict) -> bytes:
    return encode(
        id=EVENT,
        type=type_,
        subject=CUSTOMER,
        time=TIME,
        receivedtime=TIME,
        source="crm",
        sourceid="1",
        data=json.dumps(data).encode(),
    )


def test_there_and_back():
    value = event("customer.described", TRAITS)
    sealed = seal(value, KEY)
    assert json.loads(sealed)["data"] == {"traits": {"region": "Shanghai"}}
    for said in ("李雷", "lei", json.dumps("李雷")):
        assert said.encode() not in sealed
    assert json.loads(opened(sealed, KEY)) == json.loads(value)


def test_the_same_twice_is_not_the_same():
    value = event("customer.described", TRAITS)
    assert seal(value, KEY) != seal(value, KEY)


def test_what_holds_nothing_personal_is_not_sealed():
    value = event("interaction.recorded", {"kind": "call", "channel": "phone"})
    assert json.loads(seal(value, KEY)) == json.loads(value)
    assert opened(value, KEY) == value


def test_without_a_key_it_is_left_out():
    sealed = json.loads(seal(event("customer.described", TRAITS), None))
    assert sealed["data"] == {"traits": {"region": "Shanghai"}}
    assert "sealed" not in sealed


def test_with_another_key_it_is_not_there():
    sealed = seal(event("customer.described", TRAITS), KEY)
    for other in (None, cipher(new_key())):
        read_ = json.loads(opened(sealed, other))
        assert read_["data"] == {"traits": {"region": "Shanghai"}}
        assert "sealed" not in read_


@pytest.mark.parametrize("changed", ["subject", "id", "text"])
def test_it_says_nothing_for_another_customer_or_event(changed: str):
    text = json.loads(seal(event("customer.described", TRAITS), KEY))["sealed"]
    assert hidden_in(text, CUSTOMER, EVENT, KEY)
    other = "01934b5c-7a00-7000-8000-0000000000ff"
    flipped = bytearray(b64decode(text))
    flipped[20] ^= 1
    args = {
        "subject": (text, other, EVENT),
        "id": (text, CUSTOMER, other),
        "text": (b64encode(flipped).decode(), CUSTOMER, EVENT),
    }[changed]
    with pytest.raises(Unreadable):
        hidden_in(*args, KEY)


@pytest.mark.parametrize("text", ["", "!", "AAAA", "é"])
def test_what_is_no_ciphertext_is_unreadable(text: str):
    with pytest.raises(Unreadable):
        hidden_in(text, CUSTOMER, EVENT, KEY)


@pytest.mark.parametrize(
    ("type_", "data", "clear", "whole"),
    [
        (
            "customer.described",
            TRAITS,
            CustomerDescribed(traits={"region": "Shanghai"}),
            CustomerDescribed(traits=TRAITS["traits"]),
        ),
        (
            "identifiers.added",
            {"identifiers": {"phone": "+8613800138000"}},
            IdentifiersAdded(),
            IdentifiersAdded(identifiers={"phone": "+8613800138000"}),
        ),
        (
            "interaction.recorded",
            {"kind": "call", "content": "About the fridge."},
            InteractionRecorded(kind="call"),
            InteractionRecorded(kind="call"),
        ),
    ],
)
def test_what_a_fold_sees(type_: str, data: dict, clear: object, whole: object):
    sealed = seal(event(type_, data), KEY)
    seen = read(sealed)
    assert seen.data == clear
    assert seen.sealed is not None
    assert with_hidden(sealed, hidden_in(seen.sealed, CUSTOMER, EVENT, KEY)) == whole
