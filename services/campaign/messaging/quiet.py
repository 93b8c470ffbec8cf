"""Hours of the day in which nobody is written to who did not ask for it."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` until `end`, local time of day; over midnight where it ends before it starts."""

    start: time
    end: time
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        """Whether it is quiet at a moment."""
        local = now.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def over(self, now: datetime) -> datetime:
        """The first end of quiet after a moment (UTC). A clock that is put forward or back may move it."""
        day = now.astimezone(self.zone).date()
        ends = (
            datetime.combine(day + timedelta(days=days), self.end, self.zone)
            .replace(fold=fold)
            .astimezone(UTC)
            for days in range(3)
            for fold in (0, 1)
        )
        return next(end for end in sorted(ends) if end > now and not self.holds(end))


def quiet_hours(text: str, timezone: str) -> Quiet | None:
    """`21:00-08:00` in an IANA zone; None where it is empty, or lasts no time."""
    if not text:
        return None
    start, _, end = text.partition("-")
    found = Quiet(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo(timezone))
    return None if found.start == found.end else found
