"""Who bought what on which day, from columns of purchases; items in the order of popularity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.recommend.arrays import Floats, Ints, count, starts

RECENT = 56
"""Days that popularity looks back."""
LARGEST_QUANTITY = 1e6


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All items, the most popular first: buyers in the last 56 days, then buyers ever, then
    purchases, then by name, so that an item's index settles ties.

    `category` points into `categories`, -1 where an item has none; `price` is the mean of one
    unit, nan where no amount is known.
    """

    items: Sequence[str]
    category: Ints
    categories: Sequence[str]
    price: Floats

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Log:
    """One entry per customer, item and local day with a purchase, sorted by these.

    Customers are numbered by what they bought, not by their ids: `code` is who they were outside.
    Days are local, since 1970-01-01.
    """

    customer: Ints
    item: Ints
    day: Ints
    quantity: Floats
    catalogue: Catalogue
    code: Ints

    @property
    def customers(self) -> int:
        return len(self.code)

    def __len__(self) -> int:
        return len(self.customer)

    def before(self, today: int) -> "Log":
        """What was known in the morning of a day."""
        known = self.day < today
        return Log(
            self.customer[known],
            self.item[known],
            self.day[known],
            self.quantity[known],
            self.catalogue,
            self.code,
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Columns of purchase lines, in any order. -1: no such item or category; nan: no amount."""

    customer: Ints
    item: Ints
    day: Ints
    quantity: Floats
    amount: Floats
    category: Ints
    """Of products only: -1 everywhere where the items are categories themselves."""


def make_log(
    lines: Lines, items: Sequence[str], categories: Sequence[str], today: int, codes: Ints
) -> Log:
    """The log of all lines, with popularity as of `today`; `codes`: customers that shall be in it.

    Lines without an item say nothing here, but whoever has no other line is a customer as well.
    """
    named = lines.item >= 0
    item, day = lines.item[named], lines.day[named]
    codes = np.unique(codes).astype(np.int64)
    customer = np.searchsorted(codes, lines.customer[named])
    quantity = np.clip(np.nan_to_num(lines.quantity[named], nan=1.0), 0.0, LARGEST_QUANTITY)

    present, item = np.unique(item, return_inverse=True)
    entries = _order(customer, item, day)
    customer, item, day = customer[entries], item[entries], day[entries]
    # Entries of one customer, item and day are one, however many lines it was written in.
    first = starts(customer) | starts(item) | starts(day)
    total = count(np.cumsum(first) - 1, int(first.sum()), quantity[entries])
    customer, item, day = customer[first], item[first], day[first]

    order = _popular_first(customer, item, day, today, [items[code] for code in present])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    item = rank[item]
    place = _place(customer, item, day, total, len(codes))
    customer = place[customer]
    entries = _order(customer, item, day)
    present = present[order]
    catalogue = Catalogue(
        items=[items[code] for code in present],
        category=_category(lines, present),
        categories=list(categories),
        price=_price(lines, present),
    )
    code = np.empty_like(codes)
    code[place] = codes
    return Log(
        customer[entries], item[entries], day[entries], total[entries].round(6), catalogue, code
    )


def _order(customer: Ints, item: Ints, day: Ints) -> Ints:
    return np.asarray(np.lexsort((day, item, customer)), dtype=np.int64)


def _popular_first(customer: Ints, item: Ints, day: Ints, today: int, names: Sequence[str]) -> Ints:
    size = len(names)
    ever = starts(customer) | starts(item)
    recent = day >= today - RECENT
    buyers_now = starts(customer[recent]) | starts(item[recent])
    by_name = np.empty(size, dtype=np.int64)
    by_name[np.argsort(np.array(names, dtype=object), kind="stable")] = np.arange(size)
    keys = (
        by_name,
        -count(item, size),
        -count(item[ever], size),
        -count(item[recent][buyers_now], size),
    )
    return np.asarray(np.lexsort(keys), dtype=np.int64)


def _place(customer: Ints, item: Ints, day: Ints, quantity: Floats, customers: int) -> Ints:
    """A number for each customer that comes from their purchases, whatever their id.

    Sums of mixed integers, which no order of the entries changes. Where a sum over customers is
    rounded, and where a part of them is drawn, renaming them then changes nothing.
    """
    mixed = (item.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= day.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    print_ = np.zeros(customers, dtype=np.uint64)
    np.add.at(print_, customer, mixed)
    order = np.lexsort((count(customer, customers, quantity).round(3), print_))
    place = np.empty(customers, dtype=np.int64)
    place[order] = np.arange(customers)
    return place


def _category(lines: Lines, present: Ints) -> Ints:
    """Of each item the category that most of its lines name, the first among equals."""
    named = (lines.item >= 0) & (lines.category >= 0)
    pairs = np.stack((lines.item[named], lines.category[named]))
    found, times = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((found[1], -times, found[0]))
    item, category = found[0][order], found[1][order]
    first = starts(item)
    whole = np.full(int(max(present.max(initial=-1), item.max(initial=-1))) + 1, -1, dtype=np.int64)
    whole[item[first]] = category[first]
    return whole[present]


def _price(lines: Lines, present: Ints) -> Floats:
    known = (lines.item >= 0) & (lines.amount > 0) & (lines.quantity > 0)
    size = int(max(present.max(initial=-1), lines.item.max(initial=-1))) + 1
    # Whole hundredths, so that no order of the lines changes the sum.
    amount = count(lines.item[known], size, np.rint(lines.amount[known] * 100.0))
    units = count(lines.item[known], size, np.rint(lines.quantity[known] * 1000.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(units > 0, amount * 10.0 / units, np.nan)[present])
