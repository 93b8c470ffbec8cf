"""One customer at one moment, as rules look at them."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from services.campaign.projector.state import Audience
from services.campaign.projector.times import Zone, zone
from shared.moments import micros, moment


class Ordered(NamedTuple):
    """Local days on which something happened, and how often before each: `sums` has one more than `days`."""

    days: list[int]
    sums: list[int]


class Subject:
    """A state, the present, and what most rules ask for, worked out once."""

    __slots__ = ("_days", "_identifiers", "_tags", "currency", "now", "state", "today", "zone")

    def __init__(self, state: Audience, clock: datetime | None, timezone: str) -> None:
        """`clock` in UTC. Where it is None or behind the facts, the last fact's time is the present;
        `timezone` holds for whom no event says how late it is there."""
        self.state = state
        at = 0 if clock is None else micros(clock)
        heard = state.last_fact
        self.now = at if heard is None else max(at, heard)
        self.zone: Zone = zone(state.utcoffset, timezone)
        self.today = self.zone.day(self.now)
        self.currency = main_currency(state)
        self._tags: frozenset[str] | None = None
        self._identifiers: Mapping[str, list[str]] | None = None
        self._days: dict[str, Ordered] = {}

    @property
    def tags(self) -> frozenset[str]:
        """Tags that hold, by hand or derived."""
        if self._tags is None:
            state = self.state
            self._tags = frozenset(
                [tag for tag, mark in state.marks.items() if mark.value]
                + [tag for tag, told in state.derived.items() if told.value]
            )
        return self._tags

    def identifiers(self, type_: str) -> list[str]:
        """The values of one type of identifier, sorted."""
        if self._identifiers is None:
            found: dict[str, list[str]] = {}
            for key in sorted(self.state.identifiers):
                kind, _, value = key.partition(":")
                found.setdefault(kind, []).append(value)
            self._identifiers = found
        return self._identifiers.get(type_, [])

    def attribute(self, name: str) -> Any:
        """What is known under a name; None where nothing is."""
        write = self.state.fields.get(name)
        return None if write is None else write.value

    def first_purchase(self) -> int | None:
        """When the first order that still stands was bought.

        Exact unless the customer's first 32 and last 32 orders were all cancelled: then a moment between.
        """
        return self._bought(0)

    def last_purchase(self) -> int | None:
        """When the last order that still stands was bought; as exact as the first."""
        return self._bought(-1)

    def _bought(self, end: int) -> int | None:
        if self.state.orders <= 0:
            return None
        stamps = self.state.stamps
        standing = [at for at, _, number in stamps if number > 0]
        return standing[end] if standing else stamps[len(stamps) // 2][0]

    def counted(self, type_: str, within_days: int | None) -> int:
        """How often something happened, ever or within the last local days, today included."""
        of = self.state.counts.get(type_)
        if of is None:
            return 0
        if within_days is None:
            return of.total
        ordered = self.days(type_)
        until = bisect_right(ordered.days, self.today)
        return (
            ordered.sums[until] - ordered.sums[bisect_right(ordered.days, self.today - within_days)]
        )

    def days(self, type_: str) -> "Ordered":
        """The local days on which something happened, put in order once."""
        found = self._days.get(type_)
        if found is None:
            of = self.state.counts.get(type_)
            pairs = sorted((day, number) for day, number in of.days.items() if number) if of else []
            sums = [0, *accumulate(number for _, number in pairs)]
            found = self._days[type_] = Ordered([day for day, _ in pairs], sums)
        return found

    def time(self) -> datetime:
        """The present (UTC)."""
        return moment(self.now)


def main_currency(state: Audience) -> str | None:
    """The currency of most orders, ties by code; None before the first amount."""
    if not state.money:
        return None
    return min(state.money, key=lambda code: (-state.money[code].orders, code))


def average(total: int, number: int) -> int:
    """The mean of minor units, rounded half away from zero to a whole minor unit."""
    rounded = (2 * abs(total) + number) // (2 * number)
    return rounded if total >= 0 else -rounded
