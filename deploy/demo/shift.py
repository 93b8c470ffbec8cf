"""A year of shop time, moved by whole weeks to the year that ends now.

The package's timestamps are UTC of shops in New York. Every instant moves by exactly the same
number of weeks and is written with the offset from UTC that New York had at the original instant.
So the distance of any two events stays what it was, and so do weekday and hour on the shop's wall,
on which a customer's habits hang.

New York's clock changes do not fall on the same days every year, and a year may move by any number
of weeks, from summer into winter too. The written offset is therefore not always the one that is
legal in New York on the new date. With the legal one, wherever the two differ, either the instant
or the wall clock would be an hour off, and some wall clocks would not exist or exist twice.

Instants are carried as seconds of UTC since 1970, before the shift unless said otherwise.
"""

import json
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
HOUR, WEEK = 3600, 7 * 24 * 3600


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    assert offset is not None
    return offset


def on_the_wall(utc: int) -> datetime:
    """An instant as the shops' clock shows it, aware."""
    return datetime.fromtimestamp(utc, SHOPS)


def offsets(utc: Integers) -> Integers:
    """New York's offsets from UTC at instants, in seconds; they change on the hour only."""
    hours, where = np.unique(utc // HOUR, return_inverse=True)
    found = [_offset(on_the_wall(hour * HOUR)).total_seconds() for hour in hours.tolist()]
    return np.array(found, dtype=np.int64)[where]


@dataclass(frozen=True)
class Shift:
    """The number of weeks by which all instants move."""

    weeks: int

    def instants(self, utc: Integers) -> Integers:
        """Instants after the shift."""
        return utc + self.weeks * WEEK

    def texts(self, utc: Integers) -> Any:
        """Moved instants as RFC 3339 with their original offsets: a pyarrow array of strings."""
        offset = offsets(utc)
        found, where = np.unique(offset, return_inverse=True)
        names = pa.array([str(timezone(timedelta(seconds=o)))[3:] for o in found.tolist()])
        wall = pa.array(self.instants(utc) + offset, pa.timestamp("s"))
        clock = pc.strftime(wall, format="%Y-%m-%dT%H:%M:%S")
        return pc.binary_join_element_wise(clock, names.take(pa.array(where)), "")

    def moved(self, at: datetime) -> datetime:
        """One aware time, moved; it keeps the offset that it had."""
        return at.replace(tzinfo=timezone(_offset(at))) + timedelta(weeks=self.weeks)


def choose(last_utc: int, now: datetime) -> Shift:
    """The shift after which the last event lies within the seven days before today (UTC)."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Shift((int(today.timestamp()) - 1 - last_utc) // WEEK)


def kept(path: Path, last_utc: int, now: datetime) -> Shift:
    """The shift kept in a file; chosen and written there the first time."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"weeks": choose(last_utc, now).weeks}) + "\n")
        fresh.replace(path)
    return Shift(int(json.loads(path.read_text())["weeks"]))
