"""Rules: what they refuse and where, and what each operator means."""

from datetime import UTC, datetime, timedelta

import pytest

from services.campaign.projector.explain import explain
from services.campaign.projector.rules import (
    DEEPEST,
    MOST_CONDITIONS,
    Faults,
    compile_rule,
)
from services.campaign.projector.subject import Subject
from shared.language import (
    ConsentChanged,
    CustomerDescribed,
    IdentifiersAdded,
    InteractionRecorded,
    LifecycleChanged,
    SurveyAnswered,
    TagAdded,
    TagGained,
)
from tests.campaign.folding import ZONE, fold
from tests.strategies import bought, make_event

NOON = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
"""In Shanghai, where it is Monday."""


def days(number: float) -> timedelta:
    return timedelta(days=number)


HISTORY = fold(
    [
        make_event(bought(120_000, order_id="A"), time=NOON, number=1),
        make_event(bought(5_050, order_id="B", currency="USD"), time=NOON + days(1), number=2),
        make_event(bought(100, order_id="C"), time=NOON + days(2), number=3),
        make_event(
            CustomerDescribed(
                {
                    "region": "上海浦东",
                    "floors": 3,
                    "vip": True,
                    "preferences": ["tea"],
                    "gone": None,
                }
            ),
            time=NOON,
            number=4,
        ),
        make_event(IdentifiersAdded({"phone": "+8613800138000"}), time=NOON, number=5),
        make_event(TagAdded("vip", by="li.na"), time=NOON, number=6),
        make_event(TagGained("favourite:Tea", reason={}, policy="tags@1"), time=NOON, number=7),
        make_event(
            LifecycleChanged("growing", None, NOON, {}, [], "lifecycle@1"), time=NOON, number=8
        ),
        make_event(ConsentChanged("sms", granted=False), time=NOON, number=9),
        make_event(SurveyAnswered("s", "nps", 9.0), time=NOON, number=10),
        make_event(InteractionRecorded("call"), time=NOON, number=11),
    ]
)
SUBJECT = Subject(HISTORY, NOON + days(10), ZONE)


def leaf(field, op, *value, **more):
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


def counted(within, op, value, type_="purchase.completed"):
    window = {"within_days": within} if within else {}
    return {"count": {"type": type_, **window}, "op": op, "value": value}


TRUE = [
    leaf("purchases.count", "=", 3),
    leaf("purchases.count", "between", [1, 3]),
    leaf("purchases.count", "in", [3, 5]),
    leaf("purchases.count", "not_in", [1, 2]),
    leaf("purchases.spend", "=", "1201"),
    leaf("purchases.spend", ">", "1200.999"),
    leaf("purchases.spend", ">=", "50.50", currency="USD"),
    leaf("purchases.spend", "=", "0", currency="JPY"),
    leaf("purchases.spend", "exists", False, currency="JPY"),
    leaf("purchases.spend", "between", ["1000", "2000"]),
    leaf("purchases.average_basket", "=", "600.50"),
    leaf("purchases.currency", "=", "CNY"),
    leaf("tags", "contains", "vip"),
    leaf("tags", "=", "vip"),
    leaf("tags", "!=", "vi"),
    leaf("tags", "in", ["no", "favourite:Tea"]),
    leaf("tags", "not_in", ["no"]),
    leaf("tags", "starts_with", "favourite:"),
    leaf("tags", "not_contains", "behaviour:complained"),
    leaf("lifecycle.state", "in", ["growing", "lost"]),
    leaf("lifecycle.state", "!=", "lost"),
    leaf("lifecycle.since", "within_days", 11),
    leaf("scores.churn_band", "!=", "high"),
    leaf("scores.churn_band", "exists", False),
    leaf("identifiers.phone", "exists"),
    leaf("identifiers.phone", "starts_with", "+86138"),
    leaf("identifiers.phone", "!=", "+86138"),
    leaf("identifiers.email", "!=", "a@b.c"),
    leaf("identifiers.email", "exists", False),
    leaf("attributes.region", "starts_with", "上海"),
    leaf("attributes.region", "contains", "浦东"),
    leaf("attributes.floors", ">=", 3),
    leaf("attributes.floors", "not_in", ["3", True]),
    leaf("attributes.vip", "=", True),
    leaf("attributes.vip", "!=", 1),
    leaf("attributes.preferences", "contains", "tea"),
    leaf("attributes.gone", "exists", False),
    leaf("consents.sms", "=", False),
    leaf("consents.email", "!=", True),
    leaf("satisfaction.nps", ">=", 9),
    leaf("last_purchase_at", "within_days", 9),
    leaf("last_purchase_at", "before", "2026-01-08"),
    leaf("last_purchase_at", "after", "2026-01-07T03:59:59Z"),
    leaf("last_purchase_at", "between", ["2026-01-07", "2026-01-07"]),
    leaf("first_purchase_at", "before", "2026-01-05T12:00:01+08:00"),
    leaf("last_interaction_at", "exists"),
    counted(9, "=", 1),
    counted(11, "=", 3),
    counted(None, ">", 2),
    counted(None, "=", 1, "interaction.recorded"),
    counted(90, "=", 0, "complaint.opened"),
]
FALSE = [
    leaf("purchases.count", "<", 3),
    leaf("purchases.spend", "<", "1201.00"),
    leaf("purchases.average_basket", ">", "0", currency="JPY"),
    leaf("tags", "contains", "vi"),
    leaf("tags", "=", "vi"),
    leaf("tags", "!=", "vip"),
    leaf("lifecycle.state", "=", "lost"),
    leaf("scores.churn_band", "=", "high"),
    leaf("scores.rfm_class", "in", ["lost"]),
    leaf("scores.matrix", "=", "core"),
    leaf("identifiers.email", "contains", "a@b.c"),
    leaf("identifiers.email", "=", "a@b.c"),
    leaf("attributes.floors", "=", "3"),
    leaf("attributes.floors", "<", "4"),
    leaf("attributes.vip", "=", 1),
    leaf("attributes.unheard", "=", "x"),
    leaf("consents.email", "=", True),
    leaf("last_purchase_at", "within_days", 8),
    leaf("last_purchase_at", "after", "2026-01-07"),
    counted(8, ">", 0),
    counted(90, ">", 0, "complaint.opened"),
]


@pytest.mark.parametrize("rule", TRUE, ids=str)
def test_what_holds(rule):
    made = compile_rule(rule)
    assert made.test(SUBJECT)
    assert not compile_rule({"not": rule}).test(SUBJECT)
    [finding] = explain(made, SUBJECT)
    assert finding.holds


@pytest.mark.parametrize("rule", FALSE, ids=str)
def test_what_does_not(rule):
    assert not compile_rule(rule).test(SUBJECT)


def test_all_any_and_not_nest():
    yes, no = TRUE[0], FALSE[0]
    assert compile_rule({"all": [yes, {"any": [no, {"not": no}]}]}).test(SUBJECT)
    assert not compile_rule({"all": [yes, {"any": [no, {"not": yes}]}]}).test(SUBJECT)


def nested(depth: int):
    rule = TRUE[0]
    for _ in range(depth - 1):
        rule = {"not": rule}
    return rule


WRONG = [
    ({}, "", "no_condition"),
    ({"all": []}, "/all", "too_short"),
    ({"all": {}}, "/all", "not_a_list"),
    ({"any": [1]}, "/any/0", "not_an_object"),
    ({"not": [TRUE[0]]}, "/not", "not_an_object"),
    ({"all": [TRUE[0]], "any": [TRUE[0]]}, "/any", "unknown_field"),
    ({"all": [leaf("x", "=", 1)]}, "/all/0/field", "unknown_field"),
    (leaf("identifiers.fax", "=", "1"), "/field", "unknown_field"),
    (leaf("attributes.", "=", "1"), "/field", "unknown_field"),
    (leaf(7, "=", "1"), "/field", "not_a_string"),
    ({"field": "tags", "value": "x"}, "/op", "missing"),
    (leaf("tags", "<", "x"), "/op", "not_allowed"),
    (leaf("tags", ["contains"], "x"), "/op", "not_allowed"),
    (leaf("tags", "contains"), "/value", "missing"),
    (leaf("tags", "contains", 1), "/value", "not_a_string"),
    (leaf("tags", "contains", ""), "/value", "too_short"),
    (leaf("tags", "contains", "x" * 257), "/value", "too_long"),
    (leaf("tags", "in", ["a", 1]), "/value/1", "not_a_string"),
    (leaf("tags", "in", ["a"] * 201), "/value", "too_long"),
    (leaf("tags", "contains", "x", colour="red"), "/colour", "unknown_field"),
    (leaf("tags", "contains", "x", currency="CNY"), "/currency", "unknown_field"),
    (leaf("purchases.count", "=", "1"), "/value", "not_a_number"),
    (leaf("purchases.count", "=", True), "/value", "not_a_number"),
    (leaf("purchases.count", "between", [3, 1]), "/value/1", "too_small"),
    (leaf("purchases.count", "between", [3]), "/value", "too_short"),
    (leaf("purchases.spend", "=", 1000), "/value", "not_a_string"),
    (leaf("purchases.spend", "=", "1,000"), "/value", "invalid_amount"),
    (leaf("purchases.spend", "=", "1", currency="XXQ"), "/currency", "unknown_currency"),
    (leaf("lifecycle.state", "=", "asleep"), "/value", "not_allowed"),
    (leaf("lifecycle.state", "in", ["new", "asleep"]), "/value/1", "not_allowed"),
    (leaf("last_purchase_at", "before", "yesterday"), "/value", "not_a_time"),
    (leaf("last_purchase_at", "before", "2026-01-01T00:00:00"), "/value", "not_a_time"),
    (leaf("last_purchase_at", "within_days", 0), "/value", "too_small"),
    (leaf("last_purchase_at", "within_days", 1.5), "/value", "not_an_integer"),
    (leaf("consents.sms", "=", "yes"), "/value", "not_a_boolean"),
    (leaf("tags", "exists", "yes"), "/value", "not_a_boolean"),
    (leaf("attributes.x", "between", [1, "2"]), "/value", "invalid"),
    ({"count": {"within_days": 1}, "op": "=", "value": 1}, "/count/type", "missing"),
    (counted(1, "=", 1, "purchase.made"), "/count/type", "not_allowed"),
    (counted(367, "=", 1), "/count/within_days", "too_big"),
    (counted(1, "in", [1]), "/op", "not_allowed"),
    ({"count": {"type": "x", "by": 1}, "op": "=", "value": 1}, "/count/by", "unknown_field"),
    (nested(DEEPEST + 1), "/not" * DEEPEST, "rule_too_deep"),
    (
        {"all": [{"any": [TRUE[0]] * 40}, {"any": [TRUE[0]] * (MOST_CONDITIONS - 39)}]},
        "",
        "too_many_conditions",
    ),
]


@pytest.mark.parametrize(("rule", "pointer", "code"), WRONG, ids=lambda value: str(value)[:60])
def test_what_is_wrong_and_where(rule, pointer, code):
    with pytest.raises(Faults) as refused:
        compile_rule(rule)
    assert [(one.pointer, one.code) for one in refused.value.faults] == [(pointer, code)]


def test_all_mistakes_are_told_at_once():
    with pytest.raises(Faults) as refused:
        compile_rule({"all": [leaf("x", "=", 1), TRUE[0], leaf("tags", "<", "1")]})
    assert [one.pointer for one in refused.value.faults] == ["/all/0/field", "/all/2/op"]


def test_as_deep_as_may_be():
    assert compile_rule(nested(DEEPEST)).conditions
