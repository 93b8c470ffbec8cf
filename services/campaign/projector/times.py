"""A customer's local time. Local days are proleptic ordinals, moments microseconds since 1970."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.moments import DAY, MINUTE, local_day, micros, moment

_FIRST = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


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
