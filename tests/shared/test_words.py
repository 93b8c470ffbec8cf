import ast
import re
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.words import LABELS, MESSAGES, _Lenient, error_catalogue, label, say

ROOT = Path(__file__).parents[2]
PROBLEMS = {
    "BadRequest", "Unauthorised", "Forbidden", "NotFound", "Conflict", "PreconditionFailed",
    "TooLarge", "UnsupportedMediaType", "Unprocessable", "TooManyRequests", "Unavailable",
    "NotCaughtUp",
}  # fmt: skip


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("code", sorted(MESSAGES))
def test_both_languages_say_the_same(code):
    texts = MESSAGES[code]
    assert re.fullmatch(r"[a-z0-9_]+", code)
    assert set(texts) == {"zh", "en"}
    assert placeholders(texts["zh"]) == placeholders(texts["en"])
    assert texts["en"].endswith(".")
    assert texts["zh"].endswith("。")
    assert re.search(r"[\u4e00-\u9fff]", texts["zh"])


def codes_in(path: Path) -> set[str]:
    """First arguments of problems and of field errors in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        place = 0 if node.func.id in PROBLEMS else 1 if node.func.id == "FieldError" else None
        if place is not None and len(node.args) > place:
            argument = node.args[place]
            if isinstance(argument, ast.Constant):
                found.add(argument.value)
    return found


def test_every_code_that_the_kernel_raises_has_words():
    used = {code for path in (ROOT / "shared").rglob("*.py") for code in codes_in(path)}
    assert "invalid_json" in used
    assert used - set(MESSAGES) == set()


def test_a_message_is_filled_in():
    assert say(MESSAGES, "too_deep", "en", limit=64) == (
        "JSON may be nested at most 64 levels deep."
    )
    assert "64" in say(MESSAGES, "too_deep", "zh", limit=64)


def test_a_missing_parameter_and_an_unknown_code_are_no_errors():
    assert "{limit}" in say(MESSAGES, "too_deep", "en")
    assert say(MESSAGES, "unheard_of", "zh", limit=1) == "unheard_of"


def test_numbers_are_written_as_the_text_says():
    words = {"part": {"en": "{share:.0%} of {lines}, {days:g} days.", "zh": "{share!r:>5}。"}}
    said = say(words, "part", "en", share=0.5, lines=4, days=3.0)
    assert said == "50% of 4, 3 days."
    assert say(words, "part", "en", lines=4) == "{share} of 4, {days} days."
    assert say(words, "part", "zh", share=0.5) == "  0.5。"


def test_a_value_is_never_a_template():
    text = say(MESSAGES, "unknown_type", "en", type="{allow} {limit.__class__}")
    assert text == "The event type {allow} {limit.__class__} is not known."


def test_labels():
    assert label("lifecycle", "won_back", "zh") == "赢回"
    assert label("lifecycle", "won_back", "en") == "Won back"
    assert label("tag", "behaviour:night-owl", "zh") == "夜猫子"
    assert label("tag", "favourite:Dairy", "zh") == "偏爱：Dairy"
    assert label("tag", "region:{value}", "en") == "Region: {value}"
    assert label("tag", "vip", "zh") == "vip"
    assert label("tag", "own:family", "zh") == "own:family"
    assert label("churn_band", "high", "zh") == "高"
    assert label("unheard of", "x", "en") == "x"
    for kind in LABELS.values():
        for texts in kind.values():
            assert set(texts) == {"zh", "en"}


def test_the_catalogue_is_sorted_and_whole():
    own = {409: {"plan_closed": {"en": "The plan is closed.", "zh": "计划已关闭。"}}}
    rows = error_catalogue(own)
    assert ("plan_closed", 409, "The plan is closed.", "计划已关闭。") in rows
    assert [(status, code) for code, status, _, _ in rows] == sorted(
        (status, code) for code, status, _, _ in rows
    )
    statuses = {code: status for code, status, _, _ in rows}
    assert statuses["invalid_json"] == 400
    assert statuses["customer_not_found"] == 404
    assert statuses["validation_failed"] == 422


_literals = st.text("ab {}客", max_size=6).map(
    lambda text: text.replace("{", "{{").replace("}", "}}")
)
_fields = st.sampled_from(
    ["{name}", "{limit}", "{absent}", "{limit!r}", "{name:>5}", "{name.real}", "{list[0]}"]
)
_values = st.one_of(st.text(max_size=4), st.integers(), st.floats(), st.none(), st.decimals())


@given(st.lists(st.one_of(_literals, _fields), max_size=5).map("".join), _values, _values)
def test_a_text_is_filled_in_as_a_formatter_does(text, name, limit):
    words = {"code": {"en": text, "zh": text}}
    params = {"name": name, "limit": limit, "list": [limit]}

    def outcome(say_it):
        try:
            return say_it()
        except Exception as error:  # noqa: BLE001
            return type(error)

    if "{" not in text:
        return  # such a text is said as it stands
    expected = outcome(lambda: _Lenient().vformat(text, (), params))
    assert outcome(lambda: say(words, "code", "en", **params)) == expected
