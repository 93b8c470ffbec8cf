"""A year of shop time, moved by whole weeks to the year that ends now.

The package's timestamps are UTC of shops in New York. What a customer's habits hang on is the
clock on the shop's wall, so that is what moves: the wall clock of every event goes forward by the
same number of weeks and is written with the offset that New York has on the new date. Weekday and
hour stay what they were; the distance of two events may change by the hour of a clock change.
A wall clock that a spring night skips is written with the offset from before the change, and one
that an autumn night shows twice means the first.

Wall clocks are carried as seconds since 1970-01-01T00:00 of the same wall.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.source import Integers

SHOPS = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
HOUR, WEEK = 3600, 7 * 24 * 3600


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def wall_clock(utc: Integers) -> Integers:
    """The shops' wall clocks at instants (seconds of UTC); offsets change on the hour only."""
    hours, where = np.unique(utc // HOUR, return_inverse=True)
    offsets = [_offset(datetime.fromtimestamp(hour * HOUR, SHOPS)) for hour in hours.tolist()]
    return utc + np.array(offsets, dtype=np.int64)[where]


def seconds(wall: datetime) -> int:
    """A naive wall clock as seconds."""
    return int((wall - EPOCH).total_seconds())


@dataclass(frozen=True)
class Shift:
    """The number of weeks by which all dates move."""

    weeks: int

    def offsets(self, wall: Integers) -> Integers:
        """New York's offset from UTC, in seconds, at moved wall clocks."""
        hours, where = np.unique((wall + self.weeks * WEEK) // HOUR, return_inverse=True)
        walls = [EPOCH + timedelta(hours=hour) for hour in hours.tolist()]
        offsets = [_offset(wall.replace(tzinfo=SHOPS)) for wall in walls]
        return np.array(offsets, dtype=np.int64)[where]

    def instants(self, wall: Integers) -> Integers:
        """When moved wall clocks are, in seconds of UTC."""
        return wall + self.weeks * WEEK - self.offsets(wall)

    def texts(self, wall: Integers) -> Any:
        """Moved wall clocks as RFC 3339 with New York's offset: a pyarrow array of strings."""
        offsets, where = np.unique(self.offsets(wall), return_inverse=True)
        names = pa.array([str(timezone(timedelta(seconds=o)))[3:] for o in offsets.tolist()])
        moved = pa.array(wall + self.weeks * WEEK, pa.timestamp("s"))
        clock = pc.strftime(moved, format="%Y-%m-%dT%H:%M:%S")
        return pc.binary_join_element_wise(clock, names.take(pa.array(where)), "")

    def moved(self, wall: datetime) -> datetime:
        """One naive wall clock, moved and aware."""
        return (wall + timedelta(weeks=self.weeks)).replace(tzinfo=SHOPS)


def choose(last_wall: int, now: datetime) -> Shift:
    """The shift after which the last event lies within the seven days before today (UTC)."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last = EPOCH + timedelta(seconds=last_wall)
    weeks = math.ceil((today - last.replace(tzinfo=UTC)) / timedelta(weeks=1))
    while Shift(weeks).moved(last).astimezone(UTC) >= today:
        weeks -= 1
    return Shift(weeks)


def kept(path: Path, last_wall: int, now: datetime) -> Shift:
    """The shift kept in a file; chosen and written there the first time."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"weeks": choose(last_wall, now).weeks}) + "\n")
        fresh.replace(path)
    return Shift(int(json.loads(path.read_text())["weeks"]))
