"""Counts by local day, bounded; numbers that may be unknown."""

import msgspec

KEPT_DAYS = 370
"""Local days counted by themselves: a year, and some for events that are ahead of the clock."""


class Days(msgspec.Struct, array_like=True, gc=False):
    """How often something happened: ever, and on each of the last local days on which it did."""

    total: int = 0
    days: dict[int, int] = {}


def least(one: int | None, other: int | None) -> int | None:
    """The smaller; what is None does not count."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def greatest(one: int | None, other: int | None) -> int | None:
    """The greater; what is None does not count."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def count(counts: dict[str, Days], name: str, day: int, number: int) -> None:
    """Count on a local day. A day that comes to 0 stays, so that the order of counting does not matter."""
    of = counts.get(name)
    if of is None:
        of = counts[name] = Days()
    of.total += number
    of.days[day] = of.days.get(day, 0) + number
    if len(of.days) > KEPT_DAYS:
        del of.days[min(of.days)]


def add_days(one: Days, other: Days) -> Days:
    """The counts of both."""
    days = dict(one.days)
    for day, number in other.days.items():
        days[day] = days.get(day, 0) + number
    kept = sorted(days)[-KEPT_DAYS:]
    return Days(one.total + other.total, {day: days[day] for day in kept})
