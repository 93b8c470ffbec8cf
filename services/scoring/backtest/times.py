"""Times as people write them in files, as one wall clock."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from services.scoring.backtest.data import Times
from services.scoring.backtest.errors import BacktestError

Order = Literal["dmy", "mdy"]

NOT_A_TIME = np.datetime64("NaT", "us")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1900, 2200)
"""A year outside is a slip of the pen, or a number that is no date."""

_PARTS = re.compile(
    r"^(\d{1,4})[/.\- ](\d{1,2})[/.\- ](\d{1,4})"
    r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([AaPp][Mm])?)?$"
)
_NUMBER = re.compile(r"^\d{10}(\d{3})?(\.\d+)?$")
_CHINESE = str.maketrans({"年": "-", "月": "-", "日": " ", "时": ":", "分": ":", "秒": " "})
_WRITTEN = ("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y")


def zone(name: str) -> ZoneInfo:
    """Raises BacktestError for a name that is no time zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise BacktestError(f"There is no time zone {name!r}.") from None


def read_times(texts: Sequence[str], local: ZoneInfo, order: Order | None = None) -> Times:
    """The wall clock of `local` for each text; NaT where it is no time.

    A time with an offset is converted; one without is taken as `local` already. Dates are their
    midnight; whole numbers of ten or thirteen digits are seconds or milliseconds since 1970 UTC.
    `order` says whether 03/04/2017 is the third of April; without it the texts themselves must
    say so: raises BacktestError where they do not.
    """
    found = [_standard(text, local) for text in texts]
    left = [index for index, time in enumerate(found) if time is None]
    if left:
        read = _by_parts([texts[index] for index in left], order)
        for index in left:
            found[index] = read(texts[index])
    times = [NOT_A_TIME if time is None else np.datetime64(time, "us") for time in found]
    return np.array(times, dtype="datetime64[us]")


def read_time(text: str, local: ZoneInfo, order: Order | None = None) -> datetime:
    """One time, as `read_times` has it. Raises BacktestError where it is none."""
    time = read_times([text], local, order)[0]
    if np.isnat(time):
        raise BacktestError(f"{text!r} is not a time; write it like 2017-10-01.")
    moment: datetime = time.item()
    return moment


def _standard(text: str, local: ZoneInfo) -> datetime | None:
    """ISO 8601, or a number of seconds."""
    if number := _NUMBER.match(text):
        seconds = float(text) / (1000 if number[1] else 1)
        return _local(EPOCH + timedelta(seconds=seconds), local)
    bare = text.removesuffix(" UTC")
    try:
        time = datetime.fromisoformat(bare if bare == text else f"{bare}+00:00")
        return _local(time, local)
    except (ValueError, OverflowError):
        return None


def _local(time: datetime, local: ZoneInfo) -> datetime | None:
    if time.year not in YEARS:
        return None
    if time.tzinfo is None:
        return time
    return time.astimezone(local).replace(tzinfo=None)


def _by_parts(texts: Sequence[str], order: Order | None) -> Callable[[str], datetime | None]:
    """A reader of dates that are not ISO 8601, in the order that all of them agree on."""
    matches = [match for text in texts if (match := _match(text))]
    ambiguous = [match for match in matches if len(match[1]) < 3]
    if order is None and ambiguous:
        first = any(int(match[1]) > 12 for match in ambiguous)
        second = any(int(match[2]) > 12 for match in ambiguous)
        if first == second:
            raise BacktestError(
                f"{ambiguous[0][0]!r} may be a day and a month or a month and a day; "
                "say which with --date-order dmy or mdy."
            )
        order = "dmy" if first else "mdy"

    def read(text: str) -> datetime | None:
        match = _match(text)
        return _written(text) if match is None else _assemble(match, order or "dmy")

    return read


def _match(text: str) -> re.Match[str] | None:
    return _PARTS.match(text.translate(_CHINESE).strip())


def _assemble(match: re.Match[str], order: Order) -> datetime | None:
    one, two, three = int(match[1]), int(match[2]), int(match[3])
    if len(match[1]) >= 3:
        year, month, day = one, two, three
    else:
        day, month = (one, two) if order == "dmy" else (two, one)
        year = three if len(match[3]) > 2 else 2000 + three if three < 70 else 1900 + three
    hour = int(match[4] or 0)
    if match[7]:
        hour = hour % 12 + (12 if match[7].lower() == "pm" else 0)
    try:
        time = datetime(year, month, day, hour, int(match[5] or 0), int(match[6] or 0))  # noqa: DTZ001 - a wall clock
    except ValueError:
        return None
    return time if year in YEARS else None


def _written(text: str) -> datetime | None:
    """A month by its English name."""
    for form in _WRITTEN:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - a wall clock
        except ValueError:
            continue
    return None
