"""Purchase days of customers as columns: the facts that every prediction is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_DAY_BITS = 32


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to customers, besides purchases: in any order."""

    customer: Integers
    day: Integers
    value: Floats
    """How much of it: a discount's share, a complaint's severity, an answer; 1 if it only is."""


@dataclass(frozen=True, slots=True)
class Visits:
    """One row per customer and day with a purchase, sorted by customer, then day.

    A customer is a number from 0; a day is a number that grows by one each day.
    """

    customer: Integers
    day: Integers
    money: Floats
    """What the purchases of the day cost; 0 where it is not known."""
    lines: Floats
    kinds: Floats
    """Different categories bought that day (products, where there are no categories)."""
    refunds: Fact
    """`value` is what was given back, negative."""
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def key(self) -> Integers:
        """Customer and day in one sortable number."""
        return pack(self.customer, self.day)

    def before(self, day: int) -> "Visits":
        """Everything that had happened when `day` began."""
        return self._kept(lambda _, days: days < day)

    def of(self, chosen: Mask) -> "Visits":
        """Everything of the chosen customers, by their numbers."""
        return self._kept(lambda customers, _: chosen[customers])

    def _kept(self, which: Callable[[Integers, Integers], Mask]) -> "Visits":
        def kept(fact: Fact) -> Fact:
            rows = which(fact.customer, fact.day)
            return Fact(fact.customer[rows], fact.day[rows], fact.value[rows])

        rows = which(self.customer, self.day)
        return replace(
            self,
            customer=self.customer[rows],
            day=self.day[rows],
            money=self.money[rows],
            lines=self.lines[rows],
            kinds=self.kinds[rows],
            refunds=kept(self.refunds),
            facts={name: kept(fact) for name, fact in self.facts.items()},
        )


def pack(customer: Integers, day: Integers | int) -> Integers:
    """Customer and day in one number that sorts as the pair does; |day| < 2^31."""
    packed: Integers = (np.asarray(customer, np.int64) << _DAY_BITS) + day + (1 << 31)
    return packed


def visits(
    customer: Integers,
    day: Integers,
    amount: Floats,
    kind: Integers | None = None,
    bought: Mask | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> Visits:
    """Purchase lines, in any order, as purchase days.

    `amount` may be nan (unknown); `bought` is False for refunds, by default where the amount is
    negative; `kind` is a number per category, negative where it is not known.
    """
    customer, day = np.asarray(customer, np.int64), np.asarray(day, np.int64)
    known = np.where(np.isfinite(amount), amount, 0.0)
    bought = ~(known < 0) if bought is None else bought
    key = pack(customer, day)[bought]
    distinct, row = np.unique(key, return_inverse=True)
    count = len(distinct)
    return Visits(
        customer=distinct >> _DAY_BITS,
        day=(distinct & ((1 << _DAY_BITS) - 1)) - (1 << 31),
        money=np.bincount(row, weights=known[bought], minlength=count).astype(np.float64),
        lines=np.bincount(row, minlength=count).astype(np.float64),
        kinds=_kinds(row, None if kind is None else kind[bought], count),
        refunds=Fact(customer[~bought], day[~bought], np.minimum(known[~bought], 0.0)),
        facts=facts or {},
    )


def _kinds(row: Integers, kind: Integers | None, count: int) -> Floats:
    """Different kinds per row; 1 where none is known."""
    if kind is None or not (kind >= 0).any():
        return np.ones(count)
    known = kind >= 0
    pairs = np.unique(row[known] * (int(kind.max()) + 1) + kind[known])
    found = np.bincount(pairs // (int(kind.max()) + 1), minlength=count).astype(np.float64)
    return np.maximum(found, 1.0)
