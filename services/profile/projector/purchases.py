"""What a customer's orders come to: signed sums, so that corrections may arrive in any order."""

import msgspec

from shared.bounded import add, joined, retain
from shared.language.purchase import Contribution, orders_by_currency
from shared.moments import local_hour

CATEGORIES = 256
"""Categories counted per customer; of more, a fair sample (by hash of the name), exactly."""


class Sums(msgspec.Struct, array_like=True, gc=False):
    """Of one currency; money in minor units."""

    orders: int = 0
    spend: int = 0
    discount: int = 0

    def plus(self, other: "Sums") -> "Sums":
        return Sums(
            self.orders + other.orders, self.spend + other.spend, self.discount + other.discount
        )


NOTHING = Sums()


class Purchases(msgspec.Struct, omit_defaults=True, gc=False):
    """Net of cancellations and refunds."""

    orders: int = 0
    currencies: dict[str, Sums] = {}
    promoted: int = 0
    """Orders that carried a coupon or a discount."""
    hours: list[int] = []
    """Orders by local hour of the day: 24 counts, or none before the first order."""
    categories: dict[str, int] = {}
    """Basket lines by category."""
    lines: int = 0
    """Basket lines of any category."""


def apply(sums: Purchases, part: Contribution, sign: int, at: int) -> None:
    """Add (sign 1) or take away (-1) what an order counts for. `at`: its time in microseconds since 1970."""
    orders = sign * part.orders
    sums.orders += orders
    for currency, number in orders_by_currency(part).items():
        of = sums.currencies.get(currency)
        if of is None:
            of = sums.currencies[currency] = Sums()
        of.orders += sign * number
        of.spend += sign * part.spend[currency]
    for currency, amount in part.discount.items():
        sums.currencies.setdefault(currency, Sums()).discount += sign * amount
    for currency in (*part.spend, *part.discount):
        # An order that was taken away leaves no trace, as if it had been cancelled before it came.
        of = sums.currencies.get(currency)
        if of is not None and not (of.orders or of.spend or of.discount):
            del sums.currencies[currency]
    if part.promoted:
        sums.promoted += orders
    if part.orders:
        if not sums.hours:
            sums.hours = [0] * 24
        sums.hours[local_hour(at, part.utcoffset)] += orders
    add(sums.categories, part.categories, sign)
    sums.lines += sign * sum(part.categories.values())
    retain(sums.categories, CATEGORIES)


def merged(mine: Purchases, theirs: Purchases) -> Purchases:
    """The sums of both."""
    hours = [*mine.hours, *theirs.hours]
    if len(hours) > 24:
        hours = [sum(pair) for pair in zip(mine.hours, theirs.hours, strict=True)]
    currencies = joined(mine.currencies, theirs.currencies, Sums.plus)
    categories = dict(mine.categories)
    add(categories, theirs.categories)
    retain(categories, CATEGORIES)
    return Purchases(
        orders=mine.orders + theirs.orders,
        currencies={code: of for code, of in currencies.items() if of != NOTHING},
        promoted=mine.promoted + theirs.promoted,
        hours=hours,
        categories=categories,
        lines=mine.lines + theirs.lines,
    )


def main_currency(sums: Purchases) -> str | None:
    """The currency of most orders, ties by code; None before the first amount."""
    if len(sums.currencies) < 2:
        return next(iter(sums.currencies), None)
    return min(sums.currencies, key=lambda code: (-sums.currencies[code].orders, code))


def average(total: int, count: int) -> int:
    """The mean of minor units, rounded half away from zero to a whole minor unit."""
    rounded = (2 * abs(total) + count) // (2 * count)
    return rounded if total >= 0 else -rounded
