"""Moments inside a state: whole microseconds since 1970, UTC. Local days: proleptic ordinals."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def local_day(at: int, utcoffset: int) -> int:
    """The local date at an offset of so many minutes from UTC."""
    return (at + utcoffset * MINUTE) // DAY + _FIRST


class Zone:
    """A customer's local time: a fixed offset, which is what their events say, or an IANA zone."""

    __slots__ = ("_offset", "_zone")

    def __init__(self, offset: int | None, timezone: str) -> None:
        self._offset = offset
        self._zone = None if offset is not None else ZoneInfo(timezone)

    def day(self, at: int) -> int:
        """The local date of a moment."""
        if self._offset is not None:
            return local_day(at, self._offset)
        return moment(at).astimezone(self._zone).toordinal()

    def midnight(self, day: int) -> int:
        """The first moment of a local date."""
        if self._offset is not None:
            return (day - _FIRST) * DAY - self._offset * MINUTE
        return micros(datetime.fromordinal(day).replace(tzinfo=self._zone).astimezone(UTC))


@lru_cache(maxsize=4096)
def zone(offset: int | None, timezone: str) -> Zone:
    """The zone of an offset in minutes; of `timezone` where there is none."""
    return Zone(offset, timezone)
