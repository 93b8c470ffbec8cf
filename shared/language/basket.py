"""Door models of money and basket lines."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Required

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import InitErrorDetails
from typing_extensions import TypedDict

from shared.language.door import JUDGED, Label, Name, Quantity, fault, refuse
from shared.language.money import (
    AmountError,
    canonical,
    canonical_form,
    canonical_price,
    is_canonical,
)

Amount = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, {"type": "number"}],
            "description": "Best as a string; with no more decimals than the currency has.",
        }
    ),
]


class MoneyIn(TypedDict, total=False):
    """An amount in an ISO 4217 currency."""

    __pydantic_config__ = JUDGED  # type: ignore[misc]

    amount: Required[Amount]
    currency: Required[Label]


def _canonical(money: MoneyIn) -> MoneyIn:
    try:
        money["amount"] = canonical(money["amount"], money["currency"])
    except AmountError as error:
        field = "currency" if error.code == "unknown_currency" else "amount"
        raise refuse(fault(error.code, field, **error.params)) from None
    return money


def _not_negative(money: MoneyIn) -> MoneyIn:
    if money["amount"].startswith("-"):
        raise refuse(fault("too_small", "amount", limit=0))
    return money


def _sum(money: MoneyIn) -> MoneyIn:
    if is_canonical(money["amount"], money["currency"]):
        return money  # as nearly all are; a canonical form has no sign
    return _not_negative(_canonical(money))


def _positive(money: MoneyIn) -> MoneyIn:
    if not money["amount"].strip("0."):
        raise refuse(fault("not_above", "amount", limit=0))
    return _not_negative(money)


Sum = Annotated[MoneyIn, AfterValidator(_sum)]
"""Money of zero or more."""
Refund = Annotated[MoneyIn, AfterValidator(_canonical), AfterValidator(_positive)]
"""Money above zero."""


class LineIn(TypedDict, total=False):
    """One line of a basket. Its amounts are in the currency of the basket's total."""

    __pydantic_config__ = JUDGED  # type: ignore[misc]

    product_id: Name | None
    sku: Name | None
    name: Name | None
    category: Name | None
    quantity: Quantity | None
    unit_price: Amount | None
    """What one costs; it may have up to six decimals."""
    amount: Amount | None
    """What the line costs, after its discounts; below zero where it takes something back."""


def _none_is_empty(value: object) -> object:
    return [] if value is None else value


Lines = Annotated[list[LineIn], Field(max_length=2_000), BeforeValidator(_none_is_empty)]


def priced(lines: Sequence[LineIn], currency: str, path: str) -> list[InitErrorDetails]:
    """Bring the lines' amounts into their canonical form, in place; return what is wrong."""
    faults: list[InitErrorDetails] = []
    is_canonical = canonical_form(currency).fullmatch
    for number, line in enumerate(lines):
        amount, price = line.get("amount"), line.get("unit_price")
        field = "amount"
        try:
            if amount is not None and not (type(amount) is str and is_canonical(amount)):
                line["amount"] = canonical(_bare(amount, currency), currency)
            field = "unit_price"
            if price is not None and not (type(price) is str and is_canonical(price)):
                line["unit_price"] = canonical_price(_bare(price, currency), currency)
        except AmountError as error:
            faults.append(fault(error.code, path, number, field, **error.params))
    return faults


def _bare(value: object, currency: str) -> object:
    """Return the amount of a line that was written as money, if it is in the basket's currency."""
    if type(value) is not dict:
        return value
    if value.get("currency") != currency:
        raise AmountError("other_currency", currency=currency)
    return value.get("amount")


def same_currency(amounts: Mapping[str, MoneyIn | None], currency: str) -> list[InitErrorDetails]:
    """Return a fault for each named amount that is in another currency than the total."""
    return [
        fault("other_currency", field, "currency", currency=currency)
        for field, money in amounts.items()
        if money is not None and money["currency"] != currency
    ]
