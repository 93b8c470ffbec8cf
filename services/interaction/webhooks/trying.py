"""When a delivery is tried, how often, and what becomes of it. No I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from services.interaction.webhooks.patterns import TEST

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""After each attempt that failed; after the last of them there is one more."""
JITTER = 0.2
"""By how much of itself a delay may be longer, so that what failed together does not come back together."""
LONGEST = timedelta(hours=24)
"""Of what an endpoint asks for."""
GIVEN_UP = timedelta(days=5)
"""So long nothing is taken, then an endpoint is disabled."""

TESTED_AT = datetime(1969, 12, 31, tzinfo=UTC)
"""When a test is due: before whatever else is due at once."""

OK, GONE = 200, 410
Status = Literal["delivered", "pending", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt came to."""

    why: str
    status: int | None = None
    """Of HTTP, where there was an answer."""
    retry_after: str = ""

    @property
    def taken(self) -> bool:
        return self.status is not None and OK <= self.status < 300

    @property
    def gone(self) -> bool:
        """It wants nothing any more."""
        return self.status == GONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery."""

    status: Status
    next_at: datetime | None = None


def answered(status: int, retry_after: str = "") -> Answer:
    """Something came back."""
    if OK <= status < 300:
        return Answer("accepted", status)
    return Answer("gone" if status == GONE else "status", status, retry_after)


def most_attempts(type_: str) -> int:
    """A test is tried once: somebody looks at it."""
    return 1 if type_ == TEST else len(DELAYS) + 1


def judge(type_: str, attempts: int, answer: Answer, now: datetime, chance: float) -> Verdict:
    """After so many attempts, this one counted. `chance`: at random, from 0 to 1."""
    if answer.taken:
        return Verdict("delivered")
    if answer.gone or attempts >= most_attempts(type_):
        return Verdict("failed")
    delay = DELAYS[attempts - 1] * (1 + JITTER * chance)
    return Verdict("pending", now + max(delay, asked_for(answer.retry_after, now)))


def asked_for(retry_after: str, now: datetime) -> timedelta:
    """How long to wait, as `Retry-After` has it: seconds, or a date. Nothing where it cannot be read."""
    text = retry_after.strip()
    try:
        if text.isascii() and text.isdigit():
            wait = timedelta(seconds=min(int(text[:9]), LONGEST.total_seconds()))
        else:
            wait = parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)
    return max(timedelta(0), min(wait, LONGEST))
