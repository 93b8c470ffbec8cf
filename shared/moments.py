"""Moments inside a state: whole microseconds since 1970, UTC. Exact, ordered, short in JSON."""

from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()


def micros(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def moment(at: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(0, 0, at)


def said_after(last: int, now: datetime) -> datetime:
    """Return now, or the first moment after `last` (microseconds since 1970) where that is later: the clock of whoever
    spoke last may have been ahead of this one, and of two words the later one holds."""
    return max(now, moment(last + 1))


def whole_minute(at: int) -> int:
    """Round up to the minute: time moves by the minute on the log."""
    return -(-at // MINUTE) * MINUTE


def local_hour(at: int, utcoffset: int) -> int:
    """Return the hour of the day (0..23) at an offset of so many minutes from UTC."""
    return (at + utcoffset * MINUTE) // HOUR % 24


def midnight(day: int, utcoffset: int) -> datetime:
    """Return the first moment of a local day (its ordinal), in UTC; a whole minute, since offsets are."""
    return _EPOCH + timedelta(day - _EPOCH_DAY, -60 * utcoffset)


def local_day(at: int, utcoffset: int) -> int:
    """Return the local date as its proleptic Gregorian ordinal (1 = 1 January of year 1)."""
    return (at + utcoffset * MINUTE) // DAY + _EPOCH_DAY
