"""Orders: money as exact strings with the currency's decimals, products as lines of a basket."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from services.interaction.segment.fields import (
    Fields,
    as_text,
    fields_of,
    invalid,
    present,
    text_of,
    words_of,
)
from shared.language.currencies import DECIMALS
from shared.language.money import LIMIT, MAX_DECIMALS

_PLACE = "/properties"
_MAPPED = frozenset(
    {
        "order_id",
        "total",
        "discount",
        "tax",
        "shipping",
        "coupon",
        "coupons",
        "currency",
        "products",
    }
    | {"affiliation", "channel", "refund_id", "reason"}
)


def completed(properties: Fields, default_currency: str) -> dict[str, Any]:
    """`purchase.completed`. Raises `Refused`."""
    currency = _currency(properties, default_currency)
    discount, tax, shipping = (
        _amount(properties, name, currency) for name in ("discount", "tax", "shipping")
    )
    total = _total(properties, currency, (shipping or 0) + (tax or 0), discount or Decimal())
    return present(
        order_id=order_id(properties),
        total=_money(total, currency),
        discount=_money(discount, currency),
        tax=_money(tax, currency),
        shipping=_money(shipping, currency),
        channel=words_of(properties.get("channel")),
        store=words_of(properties.get("affiliation")),
        coupons=_coupons(properties),
        items=_items(properties),
        properties=_rest(properties),
    )


def refunded(properties: Fields, default_currency: str) -> dict[str, Any]:
    """`purchase.refunded`: the amount is the `total`, else what its products come to. Raises `Refused`."""
    currency = _currency(properties, default_currency)
    named = (
        _amount(properties, name, currency) for name in ("total", "amount", "value", "revenue")
    )
    amount = next((one for one in named if one is not None), None)
    if amount is None:
        amount = _sum(properties, currency)
    if amount is None:
        raise invalid(f"{_PLACE}/total", "missing")
    return present(
        order_id=order_id(properties),
        amount=_money(amount, currency),
        refund_id=text_of(properties.get("refund_id"), f"{_PLACE}/refund_id"),
        items=_items(properties),
        reason=words_of(properties.get("reason")),
        properties=_rest(properties),
    )


def cancelled(properties: Fields) -> dict[str, Any]:
    """`purchase.cancelled`. Raises `Refused`."""
    reason = words_of(properties.get("reason"))
    kept = {name: value for name, value in properties.items() if name not in {"order_id", "reason"}}
    return present(order_id=order_id(properties), reason=reason, properties=kept or None)


def order_id(properties: Fields) -> str:
    """The order's id, also where it was written as a number. Raises `Refused`."""
    found = text_of(properties.get("order_id", properties.get("orderId")), f"{_PLACE}/order_id")
    if found is None:
        raise invalid(f"{_PLACE}/order_id", "missing")
    return found


def product_ids(properties: Fields) -> list[str] | None:
    """Of a product, or of a list of them; what is no id is left out."""
    listed = properties.get("products")
    lines = listed if isinstance(listed, list) else [properties]
    found = (_product_id(line) for line in lines if isinstance(line, dict))
    return list(dict.fromkeys(one for one in found if one and len(one) <= 256)) or None


def _product_id(line: Fields) -> str | None:
    return words_of(line.get("product_id")) or words_of(line.get("sku"))


def _currency(properties: Fields, default: str) -> str:
    place = f"{_PLACE}/currency"
    found = text_of(properties.get("currency"), place) or default
    if not found:
        raise invalid(place, "missing")
    if found.upper() not in DECIMALS:
        raise invalid(place, "unknown_currency")
    return found.upper()


def _total(properties: Fields, currency: str, charges: Decimal | int, discount: Decimal) -> Decimal:
    """What was paid: `total`; else the subtotal (discounts taken off) or the revenue (not taken off) with
    shipping and tax; else `value`."""
    total = _amount(properties, "total", currency)
    if total is not None:
        return total
    subtotal = _amount(properties, "subtotal", currency)
    if subtotal is not None:
        return subtotal + charges
    revenue = _amount(properties, "revenue", currency)
    if revenue is not None:
        return revenue + charges - discount
    value = _amount(properties, "value", currency)
    if value is None:
        raise invalid(f"{_PLACE}/total", "missing")
    return value


def _amount(properties: Fields, name: str, currency: str) -> Decimal | None:
    value = properties.get(name)
    if value is None or value == "":
        return None
    return _exact(value, DECIMALS[currency], f"{_PLACE}/{name}")


def _exact(value: object, places: int, pointer: str) -> Decimal:
    """A number or its text, to so many decimals. A float is what its shortest form says: 12.1 is 12.1."""
    number = _number(value)
    if number is None:
        raise invalid(pointer, "invalid_amount")
    if not -LIMIT < number < LIMIT:
        raise invalid(pointer, "not_below", limit=LIMIT)
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _number(value: object) -> Decimal | None:
    """None for what is no finite number, or one of more digits than anybody means."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value.strip() if isinstance(value, str) else repr(value)
    try:
        number = Decimal(text) if len(text) <= 40 else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _money(amount: Decimal | None, currency: str) -> dict[str, str] | None:
    return None if amount is None else {"amount": _plain(amount), "currency": currency}


def _plain(amount: Decimal) -> str:
    return f"{amount:f}" if amount else f"{abs(amount):f}"  # -0.00 is nothing


def _coupons(properties: Fields) -> list[str] | None:
    listed = properties.get("coupons")
    found = [properties.get("coupon"), *(listed if isinstance(listed, list) else [])]
    return list(dict.fromkeys(text for one in found if (text := words_of(one)))) or None


def _products(properties: Fields) -> list[Any]:
    products = properties.get("products")
    if products is None:
        return []
    if not isinstance(products, list):
        raise invalid(f"{_PLACE}/products", "not_a_list")
    return products


def _items(properties: Fields) -> list[Any] | None:
    lines = [_item(line, number) for number, line in enumerate(_products(properties))]
    return lines or None


def _item(line: object, number: int) -> dict[str, Any]:
    place = f"{_PLACE}/products/{number}"
    fields = fields_of(line, place)
    kept = {name: value for name, value in fields.items() if name not in {"price", "unit_price"}}
    for name in ("product_id", "sku", "name", "category"):
        if name in kept:
            kept[name] = as_text(kept[name])
    if "id" in kept and "product_id" not in kept:
        kept["product_id"] = as_text(kept["id"])
    if isinstance(kept.get("quantity"), str):
        kept["quantity"] = float(_exact(kept["quantity"], MAX_DECIMALS, f"{place}/quantity"))
    kept.pop("amount", None)  # nothing of Segment's, and ours has a meaning
    price = _price(fields, place)
    return kept if price is None else kept | {"unit_price": _plain(price)}


def _price(fields: Fields, place: str) -> Decimal | None:
    price = fields.get("price")
    if price is None or price == "":
        return None
    return _exact(price, MAX_DECIMALS, f"{place}/price")


def _sum(properties: Fields, currency: str) -> Decimal | None:
    """What the products cost, where each says so."""
    total = Decimal()
    products = _products(properties)
    for number, line in enumerate(products):
        place = f"{_PLACE}/products/{number}"
        fields = fields_of(line, place)
        price = _price(fields, place)
        if price is None:
            return None
        total += price * _exact(fields.get("quantity", 1), MAX_DECIMALS, f"{place}/quantity")
    return _exact(str(total), DECIMALS[currency], f"{_PLACE}/products") if products else None


def _rest(properties: Fields) -> dict[str, Any] | None:
    kept = {name: value for name, value in properties.items() if name not in _MAPPED}
    return kept or None
