"""The plain form in which most events come: read and found right in one go.

Purchases, contacts and answers to surveys that have no field but those we know, each written as we would write it
ourselves. Nothing is refused here: whatever is not certain to be right is left to `judging`, which alone says what is
wrong and in which words. What is plain to both is the same to both (`tests/interaction/test_plain.py`), but that a
number stays as it was written: 2, where Pydantic makes 2.0 of it.

The structs have their fields in the order of the alphabet, so that their JSON is at once what is kept and what a repeat
is known by: the same text as orjson writes with sorted keys.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from shared.language.currencies import DECIMALS
from shared.language.interaction import Kind
from shared.language.money import canonical_form
from shared.language.survey import SCALES

MOST_BYTES = 64 * 1024
"""Of an event's data; more than that is weighed to the byte elsewhere."""

_Id = Annotated[str, Meta(min_length=1, max_length=256)]
_Label = Annotated[str, Meta(max_length=64)]
_Name = Annotated[str, Meta(max_length=512)]
_Text = Annotated[str, Meta(max_length=20_000)]
_Url = Annotated[str, Meta(max_length=4_096)]
_Ids = Annotated[list[_Id], Meta(max_length=2_000)]
_Quantity = Annotated[int, Meta(ge=0, le=10**12)] | Annotated[float, Meta(ge=0, le=1e12)]
_Seconds = Annotated[int, Meta(ge=0, le=10**9)] | Annotated[float, Meta(ge=0, le=1e9)]
_Score = Annotated[int, Meta(ge=-(10**9), le=10**9)] | Annotated[float, Meta(ge=-1e9, le=1e9)]


class Plain(Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    """An event as it was sent. `data` is what is kept of it, once `read_plain` has answered it."""

    customer: dict[str, str]
    data: Raw
    id: _Id
    source: _Id | UnsetType = UNSET
    time: str | UnsetType = UNSET
    type: str

    def content(self) -> str:
        """What a repeat is known by: the hash of what was sent, whatever the order of its fields."""
        return blake2b(_encode(self), digest_size=16).hexdigest()


class _Money(Struct, gc=False, forbid_unknown_fields=True):
    amount: str
    currency: str


class _Line(Struct, gc=False, forbid_unknown_fields=True):
    amount: str | UnsetType | None = UNSET
    category: _Name | UnsetType | None = UNSET
    name: _Name | UnsetType | None = UNSET
    product_id: _Name | UnsetType | None = UNSET
    quantity: _Quantity | UnsetType | None = UNSET
    sku: _Name | UnsetType | None = UNSET
    unit_price: str | UnsetType | None = UNSET


class _Purchase(Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    channel: _Label | UnsetType | None = UNSET
    coupons: _Ids | UnsetType = UNSET
    discount: _Money | UnsetType | None = UNSET
    items: Annotated[list[_Line], Meta(max_length=2_000)] | UnsetType = UNSET
    order_id: _Id
    shipping: _Money | UnsetType | None = UNSET
    store: _Name | UnsetType | None = UNSET
    tax: _Money | UnsetType | None = UNSET
    total: _Money


class _Contact(Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    channel: _Label | UnsetType | None = UNSET
    content: _Text | UnsetType | None = UNSET
    direction: _Label | UnsetType | None = UNSET
    duration_s: _Seconds | UnsetType = UNSET
    feedback: _Text | UnsetType | None = UNSET
    handled_by: _Id | UnsetType | None = UNSET
    kind: Kind
    outcome: _Name | UnsetType | None = UNSET
    product_ids: _Ids | UnsetType = UNSET
    subject: _Name | UnsetType | None = UNSET
    url: _Url | UnsetType | None = UNSET


class _Answer(Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    comment: _Text | UnsetType | None = UNSET
    kind: Literal["csat", "nps", "ces", "form"]
    order_id: _Id | UnsetType | None = UNSET
    score: _Score | UnsetType | None = UNSET
    survey_id: _Id


def _is_purchase(data: _Purchase) -> bool:
    total = data.total
    currency = total.currency
    if currency not in DECIMALS or data.order_id.isspace():
        return False
    is_amount = canonical_form(currency).fullmatch
    if not is_amount(total.amount):
        return False
    for money in (data.discount, data.tax, data.shipping):
        if money and not (money.currency == currency and is_amount(money.amount)):
            return False
    for line in data.items or ():
        amount, price = line.amount, line.unit_price
        if not (amount is UNSET or amount is None or is_amount(amount)):
            return False
        if not (price is UNSET or price is None or is_amount(price)):
            return False
    return not data.coupons or _are_visible(data.coupons)


def _is_contact(data: _Contact) -> bool:
    if data.handled_by and data.handled_by.isspace():
        return False
    return not data.product_ids or _are_visible(data.product_ids)


def _is_answer(data: _Answer) -> bool:
    if data.survey_id.isspace() or (data.order_id and data.order_id.isspace()):
        return False
    scale = SCALES.get(data.kind)
    if scale is None:
        return True
    lowest, highest = scale
    return isinstance(data.score, int | float) and lowest <= data.score <= highest


def _are_visible(ids: Sequence[str]) -> bool:
    return not any(map(str.isspace, ids))


def _kind(
    struct: type[Struct], is_right: Callable[[Any], bool]
) -> tuple[Any, Callable[[Any], bool]]:
    return msgspec.json.Decoder(struct).decode, is_right


KINDS: Mapping[str, tuple[Any, Callable[[Any], bool]]] = {
    "purchase.completed": _kind(_Purchase, _is_purchase),
    "interaction.recorded": _kind(_Contact, _is_contact),
    "survey.answered": _kind(_Answer, _is_answer),
}
"""By type: what reads the data, and what else must hold of it."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_one = msgspec.json.Decoder(Plain).decode
_list = msgspec.json.Decoder(list[Plain]).decode


def read_plain(body: bytes) -> Sequence[Plain | None]:
    """The events of a body, None for each whose data is not plain; none at all where their envelopes are not."""
    if b"\\u0000" in body:
        return ()
    try:
        events = _list(body) if body[:1] == b"[" else [_one(body)]
        return [_plain(event) for event in events]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _plain(event: Plain) -> Plain | None:
    found = KINDS.get(event.type)
    if found is None or event.id.isspace() or (event.source and event.source.isspace()):
        return None
    decode, is_right = found
    try:
        data = decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not is_right(data):
        return None
    text = _encode(data)
    if len(text) > MOST_BYTES:
        return None
    event.data = Raw(text)
    return event
