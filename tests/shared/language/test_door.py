"""What the door refuses, where it points, and what it lets through."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared import language
from shared.errors import Poison
from shared.language import UnknownEventType, field_errors, validated, validation
from shared.language.identifiers import TYPES
from shared.language.validation import MOST_FAULTS, pointer
from shared.language.words import DOOR
from shared.words import MESSAGES, say

YUAN = {"amount": "1.00", "currency": "CNY"}
EURO = {"amount": "1.00", "currency": "EUR"}
BOUGHT = {"order_id": "A-1", "total": YUAN}


def faults(type_, data):
    with pytest.raises(ValidationError) as caught:
        validated(type_, data)
    return field_errors(caught.value)


@pytest.mark.parametrize(
    ("type_", "data", "at", "code"),
    [
        ("purchase.completed", {"total": YUAN}, "/data/order_id", "missing"),
        ("purchase.completed", {"order_id": "A-1"}, "/data/total", "missing"),
        ("purchase.completed", [], "/data", "not_an_object"),
        ("purchase.completed", None, "/data", "not_an_object"),
        ("purchase.completed", "text", "/data", "not_an_object"),
        ("purchase.completed", BOUGHT | {"order_id": 7}, "/data/order_id", "not_a_string"),
        ("purchase.completed", BOUGHT | {"order_id": ""}, "/data/order_id", "too_short"),
        ("purchase.completed", BOUGHT | {"order_id": " "}, "/data/order_id", "wrong_format"),
        ("purchase.completed", BOUGHT | {"order_id": "x" * 257}, "/data/order_id", "too_long"),
        ("purchase.completed", BOUGHT | {"order_id": "a\0"}, "/data/order_id", "invalid_text"),
        ("purchase.completed", BOUGHT | {"store": "\ud800"}, "/data/store", "invalid_text"),
        ("purchase.completed", BOUGHT | {"channel": "x" * 65}, "/data/channel", "too_long"),
        ("purchase.completed", BOUGHT | {"total": "1.00"}, "/data/total", "not_an_object"),
        ("purchase.completed", BOUGHT | {"total": None}, "/data/total", "not_an_object"),
        ("purchase.completed", BOUGHT | {"tax": EURO}, "/data/tax/currency", "other_currency"),
        ("purchase.completed", BOUGHT | {"coupons": [1]}, "/data/coupons/0", "not_a_string"),
        ("purchase.completed", BOUGHT | {"items": {}}, "/data/items", "not_a_list"),
        ("purchase.completed", BOUGHT | {"items": [1]}, "/data/items/0", "not_an_object"),
        ("purchase.completed", BOUGHT | {"items": [{}] * 2001}, "/data/items", "too_long"),
        (
            "purchase.completed",
            BOUGHT | {"timezone": "../etc"},
            "/data/timezone",
            "unknown_timezone",
        ),
        ("purchase.completed", BOUGHT | {"settled": {}}, "/data/settled", "reserved_field"),
        ("purchase.cancelled", {"order_id": "1", "settled": 1}, "/data/settled", "reserved_field"),
        (
            "purchase.refunded",
            {"order_id": "1", "amount": YUAN, "settled": 1},
            "/data/settled",
            "reserved_field",
        ),
        ("purchase.refunded", {"order_id": "1"}, "/data/amount", "missing"),
        (
            "purchase.refunded",
            {"order_id": "1", "amount": YUAN | {"amount": "0"}},
            "/data/amount/amount",
            "not_above",
        ),
        (
            "purchase.refunded",
            {"order_id": "1", "total": YUAN | {"amount": "-1"}},
            "/data/total/amount",
            "too_small",
        ),
        ("interaction.recorded", {"kind": "dance"}, "/data/kind", "not_allowed"),
        (
            "interaction.recorded",
            {"kind": "call", "duration_s": -1},
            "/data/duration_s",
            "too_small",
        ),
        ("complaint.opened", {"complaint_id": "1"}, "/data/category", "missing"),
        (
            "complaint.opened",
            {"complaint_id": "1", "category": "x", "severity": "huge"},
            "/data/severity",
            "not_allowed",
        ),
        ("complaint.answered", {}, "/data/complaint_id", "missing"),
        ("survey.answered", {"survey_id": "1", "kind": "nps"}, "/data/score", "missing"),
        (
            "survey.answered",
            {"survey_id": "1", "kind": "nps", "score": "9"},
            "/data/score",
            "not_a_number",
        ),
        ("survey.answered", {"survey_id": "1", "kind": "quiz"}, "/data/kind", "not_allowed"),
        ("customer.described", {"traits": None}, "/data/traits", "not_an_object"),
        ("customer.described", {"traits": {"name": 5}}, "/data/traits/name", "not_a_string"),
        ("customer.identified", {"identifiers": {}}, "/data/identifiers", "too_short"),
        (
            "customer.identified",
            {"identifiers": {"fax/~": "1"}},
            "/data/identifiers/fax~1~0",
            "not_allowed",
        ),
        (
            "customer.identified",
            {"identifiers": {"email": 1}},
            "/data/identifiers/email",
            "not_a_string",
        ),
        ("consent.changed", {"channel": "sms", "granted": "yes"}, "/data/granted", "not_a_boolean"),
        ("consent.changed", {"channel": "sms", "granted": 1}, "/data/granted", "not_a_boolean"),
        ("message.opened", {}, "/data/message_id", "missing"),
    ],
)
def test_refused(type_, data, at, code):
    assert [(where, what) for where, what, _ in faults(type_, data)] == [(at, code)]


@pytest.mark.parametrize(
    ("amount", "currency", "at", "code"),
    [
        ("12.345", "CNY", "amount", "too_many_decimals"),
        (float("nan"), "CNY", "amount", "invalid_amount"),
        ("NaN", "CNY", "amount", "invalid_amount"),
        (float("inf"), "CNY", "amount", "not_below"),
        (2**70, "CNY", "amount", "not_below"),
        ("-0.01", "CNY", "amount", "too_small"),
        (None, "CNY", "amount", "invalid_amount"),
        (True, "CNY", "amount", "invalid_amount"),
        ("1", "XXX", "currency", "unknown_currency"),
        ("1", 156, "currency", "not_a_string"),
    ],
)
@pytest.mark.parametrize("field", ["total", "discount"])
def test_money_that_is_none(field, amount, currency, at, code):
    data = BOUGHT | {field: {"amount": amount, "currency": currency}}
    assert [fault[:2] for fault in faults("purchase.completed", data)] == [
        (f"/data/{field}/{at}", code)
    ]


@pytest.mark.parametrize(
    ("line", "at", "code"),
    [
        ({"quantity": -1}, "/quantity", "too_small"),
        ({"quantity": "2"}, "/quantity", "not_a_number"),
        ({"quantity": True}, "/quantity", "not_a_number"),
        ({"quantity": float("nan")}, "/quantity", "not_finite"),
        ({"quantity": float("inf")}, "/quantity", "not_finite"),
        ({"quantity": 1e13}, "/quantity", "too_big"),
        ({"amount": "1.234"}, "/amount", "too_many_decimals"),
        ({"amount": "one"}, "/amount", "invalid_amount"),
        ({"amount": EURO}, "/amount", "other_currency"),
        ({"unit_price": "0.0000001"}, "/unit_price", "too_many_decimals"),
        ({"unit_price": []}, "/unit_price", "invalid_amount"),
        ({"name": 1}, "/name", "not_a_string"),
    ],
)
@pytest.mark.parametrize("type_", ["purchase.completed", "purchase.refunded"])
def test_the_pointer_names_the_line(type_, line, at, code):
    data = {"order_id": "1", "total": YUAN, "items": [{}, line]}
    assert [fault[:2] for fault in faults(type_, data)] == [(f"/data/items/1{at}", code)]


def test_lines_as_the_world_writes_them():
    lines = [
        {"quantity": 0, "amount": "0"},
        {"quantity": 0.5, "amount": 12, "unit_price": "23.999999"},
        {"amount": None, "unit_price": None, "product_id": None, "category": ""},
        {"amount": -1.5, "shelf": {"row": 3}},
        {"amount": YUAN},
        {},
    ]
    assert validated("purchase.completed", BOUGHT | {"items": lines})["items"] == [
        {"quantity": 0, "amount": "0.00"},
        {"quantity": 0.5, "amount": "12.00", "unit_price": "23.999999"},
        {"amount": None, "unit_price": None, "product_id": None, "category": ""},
        {"amount": "-1.50", "shelf": {"row": 3}},
        {"amount": "1.00"},
        {},
    ]


def test_several_faults_are_told_at_once():
    data = {"total": YUAN | {"amount": "x"}, "items": [{"quantity": -1}, {"quantity": -1}]}
    assert [fault[:2] for fault in faults("purchase.completed", data)] == [
        ("/data/order_id", "missing"),
        ("/data/total/amount", "invalid_amount"),
        ("/data/items/0/quantity", "too_small"),
        ("/data/items/1/quantity", "too_small"),
    ]


def test_not_thousands_of_faults():
    data = BOUGHT | {"items": [{"quantity": -1}] * 2000}
    assert len(faults("purchase.completed", data)) == MOST_FAULTS


@pytest.mark.parametrize(
    ("kind", "score", "expected"),
    [
        *(("nps", 0, None), ("nps", 10, None), ("nps", -1, "too_small"), ("nps", 11, "too_big")),
        *(("csat", 1, None), ("csat", 5, None), ("csat", 0, "too_small"), ("csat", 6, "too_big")),
        *(("ces", 1, None), ("ces", 7, None), ("ces", 0.5, "too_small"), ("ces", 8, "too_big")),
        *(("form", 42, None), ("form", None, None)),
    ],
)
def test_scales(kind, score, expected):
    data = {"survey_id": "s", "kind": kind, "score": score}
    if expected is None:
        assert validated("survey.answered", data) == data
    else:
        assert [fault[1] for fault in faults("survey.answered", data)] == [expected]


def test_parameters_for_the_words():
    assert faults("interaction.recorded", {"kind": 1})[0][2]["allowed"].startswith("call, visit")
    assert faults("purchase.completed", BOUGHT | {"channel": "x" * 65})[0][2] == {"limit": 64}
    refused = faults("customer.identified", {"identifiers": {"fax": "1"}})
    assert refused[0][2] == {"allowed": ", ".join(TYPES)}
    refused = faults("purchase.completed", BOUGHT | {"total": YUAN | {"amount": "1.234"}})
    assert refused[0][2] == {"limit": 2}


def test_what_was_sent_stays_what_it_was():
    sent = BOUGHT | {"coupons": "WELCOME", "loyalty": {"points": 12}, "store": None, "items": None}
    before = repr(sent)
    assert validated("purchase.completed", sent) == {
        **BOUGHT,
        "coupons": ["WELCOME"],
        "loyalty": {"points": 12},
        "store": None,
        "items": [],
    }
    assert repr(sent) == before


def test_a_refund_may_say_total():
    data = validated("purchase.refunded", {"order_id": "1", "amount": None, "total": YUAN})
    assert data["amount"] == YUAN


def test_a_total_of_nothing_is_a_purchase():
    data = validated("purchase.completed", {"order_id": "1", "total": YUAN | {"amount": 0}})
    assert data["total"]["amount"] == "0.00"


@pytest.mark.parametrize("type_", ["purchase.exchanged", "", "clock.ticked", "purchase.corrected"])
def test_types_that_no_publisher_may_send(type_):
    with pytest.raises(UnknownEventType) as caught:
        validated(type_, {})
    assert caught.value.type == type_
    assert isinstance(caught.value, Poison)
    assert type_ not in caught.value.reason or not type_


def test_pointers_are_escaped():
    assert pointer(("traits", "a/b~c", 0)) == "/data/traits/a~1b~0c/0"


def codes_in_the_source():
    """Codes are literals: of the translation of Pydantic's, and of `fault`s and `AmountError`s."""
    raised = re.compile(r'(?:fault|AmountError|PydanticCustomError)\(\s*"([a-z_]+)"')
    sources = Path(language.__file__).parent.glob("*.py")
    ours = {code for source in sources for code in raised.findall(source.read_text())}
    translated = {*validation._CODES.values(), *(code for code, _ in validation._LIMITS.values())}
    return ours | translated | {"missing", "not_allowed", "wrong_format"}


def test_every_code_has_words_and_every_word_its_code():
    assert codes_in_the_source() <= set(MESSAGES) | set(DOOR)
    assert set(DOOR) <= codes_in_the_source()
    assert all(texts["en"] and texts["zh"] for texts in DOOR.values())


@pytest.mark.parametrize(
    "data",
    [
        BOUGHT | {"channel": "x" * 65, "order_id": ""},
        BOUGHT | {"items": [{"quantity": -1}, {"quantity": 1e13}, {}] * 700},
        BOUGHT | {"tax": EURO, "discount": YUAN | {"amount": "1.234"}},
        BOUGHT | {"tax": EURO},
        BOUGHT | {"tax": YUAN | {"amount": "-1"}},
        BOUGHT | {"tax": YUAN | {"amount": 2**70}},
    ],
)
def test_the_words_are_filled_in(data):
    for _, code, params in faults("purchase.completed", data):
        for tongue in ("en", "zh"):
            assert "{" not in say(MESSAGES | DOOR, code, tongue, **params)
