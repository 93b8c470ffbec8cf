"""Money: an amount as a string with the currency's decimals, and its minor units as an int.

Folding adds minor units (`12.50 CNY` = 1250 fen), so that sums are exact; nothing here touches
floating point.
"""

import re
from decimal import Decimal

from msgspec import Struct

from shared.language.currencies import DECIMALS

MAX_MINOR = 2**63 - 1
"""Minor units fit a signed 64-bit integer (a PostgreSQL bigint)."""
LIMIT = 10**15
"""Amounts are below it, in major units."""
MAX_DECIMALS = 6
"""Of a unit price, which need not be a whole number of minor units."""

_NUMBER = re.compile(r"(-?)([0-9]{1,40})(?:\.([0-9]{1,40}))?")
# Most amounts already are what we want: one match and no arithmetic. With 14 digits before the
# point they fit 64 bits, whatever the decimals.
_CANONICAL = {
    places: re.compile(r"(?:0|[1-9][0-9]{0,13})" + (rf"\.[0-9]{{{places}}}" if places else ""))
    for places in set(DECIMALS.values())
}

_FORMS = {currency: _CANONICAL[places].fullmatch for currency, places in DECIMALS.items()}


class Money(Struct, frozen=True, gc=False):
    """An amount in major units ("12.50") of an ISO 4217 currency ("CNY")."""

    amount: str
    currency: str


class AmountError(ValueError):
    """An amount that cannot be money; `code` and `params` say why."""

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def decimals(currency: str) -> int:
    """Return how many decimals the currency has (ISO 4217); KeyError when there is no such
    currency."""
    return DECIMALS[currency]


def minor(money: Money) -> int:
    """Return the amount in minor units: 12.50 CNY -> 1250, 1250 JPY -> 1250, 1.250 KWD -> 1250.

    Raises AmountError when the amount is no number or has more decimals than the currency.
    """
    return _minor(money.amount, money.currency)


def major(amount: int, currency: str) -> str:
    """Return minor units as the canonical string of major units: (1250, "CNY") -> "12.50"."""
    return _point(amount, DECIMALS[currency])


def canonical_form(currency: str) -> re.Pattern[str]:
    """Return the pattern of amounts that need no work; KeyError when there is no such currency."""
    return _CANONICAL[DECIMALS[currency]]


def is_canonical(amount: object, currency: str) -> bool:
    """Say whether the amount needs no work: a string of a known currency, without a sign, that `canonical` would
    return as it is."""
    form = _FORMS.get(currency)
    return form is not None and type(amount) is str and form(amount) is not None


def canonical(amount: object, currency: str) -> str:
    """Return a publisher's amount (string or JSON number) as its canonical string.

    Raises AmountError: `unknown_currency`, `invalid_amount`, `too_many_decimals`, `not_below` (a
    limit).
    """
    places = DECIMALS.get(currency)
    if places is None:
        raise AmountError("unknown_currency")
    if type(amount) is str and _CANONICAL[places].fullmatch(amount):
        return amount
    return _point(_minor(amount, currency), places)


def canonical_price(amount: object, currency: str) -> str:
    """Return a unit price, which may have up to six decimals, as its canonical string.

    It has at least the currency's decimals: 1.5 CNY -> "1.50", 1.66660 CNY -> "1.6666".
    """
    try:
        return canonical(amount, currency)
    except AmountError as error:
        if error.code != "too_many_decimals":
            raise
    sign, whole, fraction = _parts(amount)
    if len(fraction) > MAX_DECIMALS:
        raise AmountError("too_many_decimals", limit=MAX_DECIMALS)
    if int(whole) >= LIMIT:
        raise AmountError("not_below", limit=LIMIT)
    return f"{sign}{whole}.{fraction}"


def _minor(amount: object, currency: str) -> int:
    places = DECIMALS[currency]
    sign, whole, fraction = _parts(amount)
    if len(fraction) > places:
        raise AmountError("too_many_decimals", limit=places)
    value = int(whole + fraction.ljust(places, "0"))
    if int(whole) >= LIMIT or value > MAX_MINOR:
        raise AmountError("not_below", limit=LIMIT)
    return -value if sign else value


def _parts(amount: object) -> tuple[str, str, str]:
    """Split a number into sign, whole part and fraction, without needless zeros."""
    found = _NUMBER.fullmatch(_written(amount))
    if found is None:
        raise AmountError("invalid_amount")
    sign, whole, fraction = found.groups()
    return sign, whole.lstrip("0") or "0", (fraction or "").rstrip("0")


def _written(amount: object) -> str:
    """Return the number as it is written; a JSON number is taken as its shortest decimal form."""
    if isinstance(amount, str):
        return amount
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise AmountError("invalid_amount")
    if abs(amount) >= LIMIT:  # also infinity; NaN is caught by the pattern
        raise AmountError("not_below", limit=LIMIT)
    text = repr(amount)
    return f"{Decimal(text):f}" if "e" in text else text  # 0.00001, not 1e-05


def _point(value: int, places: int) -> str:
    sign = "-" if value < 0 else ""
    if not places:
        return f"{value}"
    digits = str(abs(value)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
