"""What the door lets through, consumers decode, with equal values: two models, one language."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.language import EVENT_TYPES, PUBLISHABLE, Money, validated
from shared.language.identifiers import TYPES
from shared.language.money import decimals, minor

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ids = texts.filter(lambda text: text.strip() != "")
maybe = lambda strategy: st.none() | strategy
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
numbers = st.integers(0, 10**6) | st.floats(0, 1e6, allow_nan=False)
listed = maybe(st.lists(ids, max_size=3) | ids)


@st.composite
def amounts(draw, currency: str, least: int = 0):
    """An amount in any spelling that a publisher may choose."""
    places = decimals(currency)
    value = Decimal(draw(st.integers(least, 10**9))).scaleb(-places)
    spelling = draw(st.sampled_from(["plain", "padded", "number", "short"]))
    if spelling == "padded":
        return f"00{value}" + ("000" if places else "")
    if spelling == "number":
        return float(value) if places else int(value)
    return f"{value:f}".rstrip("0").rstrip(".") if spelling == "short" and places else f"{value:f}"


def money(currency: str, least: int = 0):
    return st.fixed_dictionaries(
        {"amount": amounts(currency, least), "currency": st.just(currency)},
        optional={"note": values},
    )


def line(currency: str):
    return st.fixed_dictionaries(
        {},
        optional={
            "product_id": maybe(texts),
            "sku": maybe(texts),
            "name": maybe(texts),
            "category": maybe(texts),
            "quantity": maybe(numbers),
            "unit_price": maybe(amounts(currency)),
            "amount": maybe(amounts(currency) | money(currency)),
            "shelf": values,
        },
    )


def purchase(currency: str):
    return st.fixed_dictionaries(
        {"order_id": ids, "total": money(currency)},
        optional={
            "discount": maybe(money(currency)),
            "tax": maybe(money(currency)),
            "channel": maybe(texts),
            "store": maybe(texts),
            "coupons": listed,
            "items": maybe(st.lists(line(currency), max_size=4)),
            "timezone": maybe(st.sampled_from(["Asia/Shanghai", "America/New_York"])),
            "loyalty": values,
        },
    )


def refund(currency: str):
    named = st.sampled_from(["amount", "total"]).flatmap(
        lambda name: st.fixed_dictionaries({name: money(currency, 1)})
    )
    rest = st.fixed_dictionaries(
        {"order_id": ids},
        optional={"refund_id": maybe(ids), "reason": maybe(texts), "why": values},
    )
    return st.builds(lambda first, second: first | second, named, rest)


def record(required=None, **optional):
    return st.fixed_dictionaries(required or {}, optional=optional | {"unknown": values})


currencies = st.sampled_from(["CNY", "USD", "JPY", "KWD"])
step = record({"complaint_id": ids}, by=maybe(ids), note=maybe(texts), resolution=maybe(texts))
message = record({"message_id": ids}, channel=maybe(texts), campaign=maybe(texts), url=maybe(texts))
DOORS = {
    "purchase.completed": currencies.flatmap(purchase),
    "purchase.cancelled": record({"order_id": ids}, reason=maybe(texts)),
    "purchase.refunded": currencies.flatmap(refund),
    "interaction.recorded": record(
        {"kind": st.sampled_from(["call", "visit", "page_view", "campaign_sent", "other"])},
        channel=maybe(texts),
        direction=maybe(texts),
        outcome=maybe(texts),
        content=maybe(texts),
        product_ids=listed,
        duration_s=maybe(numbers),
    ),
    "complaint.opened": record(
        {"complaint_id": ids, "category": texts},
        severity=maybe(st.sampled_from(["low", "medium", "high", "critical"])),
        order_id=maybe(ids),
        product_ids=listed,
        description=maybe(texts),
    ),
    **{f"complaint.{verb}": step for verb in ("answered", "escalated", "resolved", "reopened")},
    "survey.answered": st.one_of(
        record({"survey_id": ids, "kind": st.just(kind), "score": st.integers(low, high)})
        for kind, low, high in (("csat", 1, 5), ("nps", 0, 10), ("ces", 1, 7))
    )
    | record({"survey_id": ids, "kind": st.just("form")}, score=maybe(numbers), answers=values),
    "customer.described": record(
        {"traits": record(name=maybe(texts), region=maybe(texts), preferences=values)}
    ),
    "customer.identified": record(
        {"identifiers": st.dictionaries(st.sampled_from(TYPES), ids, min_size=1)}
    ),
    "consent.changed": record({"channel": texts, "granted": st.booleans()}, topic=maybe(texts)),
    **{
        f"message.{verb}": message
        for verb in ("delivered", "opened", "clicked", "bounced", "complained")
    },
}


def agrees(struct: object, data: object) -> bool:
    """Whether each field of the Struct has the value that it has in the JSON, or its default."""
    if not isinstance(struct, msgspec.Struct):
        if isinstance(struct, tuple):
            return len(struct) == len(data) and all(map(agrees, struct, data))
        return struct == data
    empty = msgspec.json.decode(
        msgspec.json.encode(struct), type=type(struct)
    )  # defaults are read from the class, not trusted here
    return empty == struct and all(
        agrees(getattr(struct, field.name), data[field.name])
        if field.name in data
        else getattr(struct, field.name) == field.default
        for field in msgspec.structs.fields(struct)
    )


def test_every_door_is_tried():
    assert set(DOORS) == set(PUBLISHABLE)


@pytest.mark.parametrize("type_", sorted(DOORS))
@settings(deadline=None)
@given(st.data())
def test_door_and_struct_agree(type_, data):
    sent = data.draw(DOORS[type_])
    kept = validated(type_, sent)
    wire = json.dumps(kept, ensure_ascii=False).encode()
    assert agrees(msgspec.json.decode(wire, type=EVENT_TYPES[type_].struct), kept)


@pytest.mark.parametrize("type_", sorted(DOORS))
@settings(deadline=None)
@given(st.data())
def test_judging_twice_changes_nothing(type_, data):
    kept = validated(type_, data.draw(DOORS[type_]))
    assert validated(type_, kept) == kept


@pytest.mark.parametrize("type_", sorted(DOORS))
@settings(deadline=None)
@given(st.data())
def test_nothing_is_lost(type_, data):
    sent = data.draw(DOORS[type_])
    kept = validated(type_, sent)
    assert set(sent) <= set(kept)
    assert set(kept) - set(sent) <= {"amount"}
    changed = {name for name in sent if kept[name] != sent[name]}
    assert changed <= {"total", "amount", "discount", "tax", "items", "coupons", "product_ids"}


@settings(deadline=None)
@given(currencies.flatmap(purchase))
def test_amounts_keep_their_value(sent):
    kept = validated("purchase.completed", sent)
    currency = kept["total"]["currency"]
    total = Decimal(str(sent["total"]["amount"]))
    assert minor(Money(kept["total"]["amount"], currency)) == total.scaleb(decimals(currency))
    for before, after in zip(sent.get("items") or [], kept.get("items", []), strict=True):
        for field in ("amount", "unit_price"):
            was = before.get(field)
            was = was["amount"] if isinstance(was, dict) else was
            now = after.get(field)
            assert now == was if was is None else Decimal(now) == Decimal(str(was))


@settings(deadline=None)
@given(values)
def test_any_json_is_judged_not_crashed_on(data):
    from pydantic import ValidationError

    for type_ in PUBLISHABLE:
        try:
            validated(type_, data)
        except ValidationError:
            continue
