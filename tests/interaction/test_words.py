"""Every code that interaction can answer has words, and every event of the timeline its line."""

import ast
import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from services.interaction.api.events import WORDS
from services.interaction.words import ERRORS, KINDS, SUMMARIES, summary
from shared.language import EVENT_TYPES
from shared.language.interaction import Kind
from shared.language.validation import _CODES, _LIMITS

ROOT = Path(__file__).parents[2]
STREAM_WIDE = {"clock.ticked", "history.closed", "policy.published"}

PLACES = dict.fromkeys(
    (
        "BadRequest", "Unauthorised", "Forbidden", "NotFound", "Conflict", "PreconditionFailed",
        "TooLarge", "UnsupportedMediaType", "Unprocessable", "TooManyRequests", "Unavailable",
        "Refused", "fault", "AmountError", "PydanticCustomError",
    ),
    0,
) | dict.fromkeys(("FieldError", "_invalid", "Parked"), 1)  # fmt: skip
"""Which argument of a call is a code."""


def codes_in(source: str) -> set[str]:
    """Codes in calls, and those that are assigned to something's `code`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
                place = PLACES.get(name, len(args))
                found += args[place : place + 1]
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                found += [
                    value
                    for target, value in zip(targets, values, strict=True)
                    if isinstance(target, ast.Attribute) and target.attr == "code"
                ]
            case ast.Assign(targets=[ast.Attribute(attr="code")], value=value):
                found += list(ast.walk(value))
    return {
        node.value
        for node in found
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_search_finds_codes():
    source = """
raise Refused("one", [FieldError("/a", "two")])
raise errors.NotFound("three")
verdict.status, verdict.code = "rejected", "four"
verdict.code = None if same else "five"
code = "not this"
"""
    assert codes_in(source) == {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize("folder", ["services/interaction", "shared/language", "shared/http"])
def test_every_code_has_words(folder):
    used = {code for path in (ROOT / folder).rglob("*.py") for code in codes_in(path.read_text())}
    assert used
    assert used - set(WORDS) == set()


def test_every_fault_that_the_door_translates_has_words():
    codes = set(_CODES.values()) | {code for code, _ in _LIMITS.values()}
    assert codes - set(WORDS) == set()


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("table", [ERRORS, SUMMARIES, KINDS], ids=["errors", "lines", "kinds"])
def test_both_languages_say_the_same(table):
    for texts in table.values():
        assert set(texts) == {"zh", "en"}
        assert placeholders(texts["zh"]) == placeholders(texts["en"])
        assert re.search(r"[\u4e00-\u9fff]", texts["zh"])


def test_every_kind_of_contact_has_a_name():
    assert set(KINDS) == set(get_args(Kind))


def test_every_event_of_a_customer_has_a_line():
    assert set(SUMMARIES) == set(EVENT_TYPES) - STREAM_WIDE


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_the_line_of_an_example_is_whole(name, language):
    line = summary(name, dict(EVENT_TYPES[name].example), language)
    assert line
    assert "{" not in line


@pytest.mark.parametrize(
    ("name", "data", "zh", "en"),
    [
        (
            "purchase.completed",
            {"order_id": "A", "total": {"amount": "35.80", "currency": "CNY"}, "amount": 3},
            "购买 35.80 CNY（订单 A）",
            "Bought for 35.80 CNY (order A)",
        ),
        (
            "purchase.refunded",
            {
                "order_id": "A",
                "total": {"amount": "99.00", "currency": "CNY"},
                "amount": {"amount": "5.00", "currency": "CNY"},
            },
            "订单 A 退款 5.00 CNY",
            "Refunded 5.00 CNY of order A",
        ),
        ("interaction.recorded", {"kind": "call"}, "互动：电话", "Contact: call"),
        (
            "interaction.recorded",
            {"kind": "other", "total": {"of": "something"}, "amount": {"more": 1}, "order_id": []},
            "互动：其他",
            "Contact: other",
        ),
        (
            "survey.answered",
            {"kind": "nps", "score": 9.0},
            "满意度调查（NPS）：9",
            "Survey (NPS): 9",
        ),
        ("survey.answered", {"kind": "form"}, "满意度调查（FORM）：-", "Survey (FORM): -"),
        ("lifecycle.changed", {"state": "won_back"}, "生命周期：赢回", "Lifecycle: Won back"),
        ("tag.gained", {"tag": "favourite:Tea"}, "获得标签 偏爱：Tea", "Gained tag Favourite: Tea"),
        ("score.churn_band_changed", {"band": None}, "流失风险：-", "Churn risk: -"),
        ("score.rfm_class_changed", {"rfm_class": "lost"}, "RFM 类别：已流失客户", "RFM class: Lost"),
        ("score.matrix_changed", {"matrix": "core"}, "价值矩阵：核心", "Value matrix: Core"),
        (
            "score.matrix_reviewed",
            {"matrix": "watch", "by": "Li"},
            "Li 复核价值矩阵：待观察",
            "Value matrix reviewed by Li: Watch",
        ),
    ],
)  # fmt: skip
def test_lines(name, data, zh, en):
    assert summary(name, data, "zh") == zh
    assert summary(name, data, "en") == en


def test_a_type_of_tomorrow_is_shown_by_its_name():
    assert summary("purchase.exchanged", {"order_id": "A"}, "en") == "purchase.exchanged"


def test_what_a_publisher_wrote_is_never_a_template():
    line = summary("complaint.opened", {"category": "{order} {total.__class__}"}, "en")
    assert line == "Complained: {order} {total.__class__}"
