"""When it happened: the client's clock may be wrong, and it says what time it took it to be when it sent.

time = received - (sentAt - timestamp)
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.interaction.judging import Refused
from services.interaction.segment.fields import Fields, invalid
from shared.errors import FieldError

JITTER = timedelta(seconds=5)
"""A difference as small as this is the way through the network, no wrong clock: the time holds as written."""
FUTURE = timedelta(hours=24)


def time_of(message: Fields, sent_at: object, received: datetime, *, correct: bool) -> str | None:
    """The event's time as RFC 3339; None where the message has none. Raises `Refused`.

    Not corrected: a message that was corrected before (it has both `originalTimestamp` and `timestamp`), and
    where `sentAt` is missing or cannot be (before the event, or more than a day ahead when the event is not).
    """
    original, timestamp = message.get("originalTimestamp"), message.get("timestamp")
    if timestamp is None:
        timestamp, original = original, None
    if timestamp is None:
        return None
    written = _moment(timestamp)
    at = written
    sent = _moment_or_none(sent_at) if correct and original is None else None
    if sent is not None and _is_sane(written, sent, received):
        at = _corrected(written, sent, received)
    if not written.utcoffset():
        return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return at.astimezone(written.tzinfo).isoformat()


def _is_sane(written: datetime, sent: datetime, received: datetime) -> bool:
    if abs(received - sent) <= JITTER or sent < written - JITTER:
        return False
    return sent - received <= FUTURE or written - received > FUTURE


def _corrected(written: datetime, sent: datetime, received: datetime) -> datetime:
    elapsed = max(sent - written, timedelta())
    try:
        at = received - elapsed
    except OverflowError:
        return written
    return at if at.year >= 1970 else written


def _moment(value: Any) -> datetime:
    """A moment with its offset, UTC where none was written. Raises `Refused`."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)
    except OverflowError:
        where = [FieldError("/timestamp", "time_out_of_range", {})]
        raise Refused("time_out_of_range", where) from None
    except (TypeError, ValueError):
        raise invalid("/timestamp", "not_a_time") from None
    return moment


def _moment_or_none(value: Any) -> datetime | None:
    try:
        return _moment(value)
    except Refused:
        return None
