"""Whether a message is sent, waits or is not sent: pure, by the rules and what is known of the customer when it is
due; and what becomes of it by what the mail server said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.campaign.messaging.quiet import Quiet
from shared.bounded import Register

SCHEDULED, SENDING, SENT, UNCERTAIN = "scheduled", "sending", "sent", "uncertain"
FAILED, WITHHELD, CANCELLED = "failed", "withheld", "cancelled"
STATUSES = (SCHEDULED, SENDING, SENT, UNCERTAIN, FAILED, WITHHELD, CANCELLED)
COUNTED = (SENDING, SENT, UNCERTAIN)
"""What counts towards the cap: whoever may have read it."""
MARKETING, SERVICE = "marketing", "service"

BEHIND = timedelta(minutes=10)
"""How old what is known may be: a consent that was taken back since is not known yet."""
BEHIND_PAUSE = timedelta(minutes=1)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))
"""After the first, second, ... try that led to nothing; then as after the last."""
GIVEN_UP = timedelta(hours=24)
"""After the first try."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What kind of message somebody wants sent."""

    purpose: str
    channel: str = "email"
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the customer, all parts of them together."""

    erased: bool = False
    address: str | None = None
    consents: Mapping[str, Register]
    """By channel, or `channel.topic`."""
    open_complaints: int = 0
    sent_lately: int = 0
    """Marketing within the days that the cap speaks of."""
    as_of: datetime | None = None
    """Up to when everything is known (UTC); None where nobody says."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for everybody."""

    quiet: Quiet | None
    cap: int
    """0: none."""


@dataclass(frozen=True, slots=True)
class Send:
    """To this address, now."""

    address: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Decide again then (UTC)."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Withhold:
    """Never."""

    reason: str


Verdict = Send | Wait | Withhold


def decide(wish: Wish, facts: Facts, rules: Rules, now: datetime) -> Verdict:  # noqa: PLR0911  (one line a rule)
    """What is to become of a message that is due at `now` (UTC)."""
    if facts.erased:
        return Withhold("erased")
    if facts.address is None:
        return Withhold("no_address")
    if wish.purpose != MARKETING:
        return Send(facts.address)
    if not allows(facts.consents, wish.channel, wish.topic):
        return Withhold("no_consent")
    if facts.open_complaints:
        return Withhold("open_complaint")
    if rules.quiet is not None and rules.quiet.holds(now):
        return Wait(rules.quiet.over(now), "quiet_hours")
    if facts.as_of is not None and now - facts.as_of > BEHIND:
        return Wait(now + BEHIND_PAUSE, "not_up_to_date")
    if rules.cap and facts.sent_lately >= rules.cap:
        return Withhold("capped")
    return Send(facts.address)


def allows(consents: Mapping[str, Register], channel: str, topic: str | None) -> bool:
    """Whether the customer's last word is yes: that on the topic, else that on the channel. Who takes the channel back
    takes back every topic that was not granted after it; at the same moment what is taken back wins."""
    general = consents.get(channel)
    special = consents.get(f"{channel}.{topic}") if topic else None
    if special is None:
        return general is not None and bool(general.value)
    revoked_since = general is not None and not general.value and general.at >= special.at
    return bool(special.value) and not revoked_since


@dataclass(frozen=True, slots=True)
class Reply:
    """How handing over ended. `code`: what the server answered, where it did."""

    status: str
    """sent, failed, uncertain, or scheduled: nothing was handed over, and it may be tried again."""
    reason: str | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """What a message becomes. `due_at`: of one that is scheduled."""

    status: str
    reason: str | None = None
    code: int | None = None
    due_at: datetime | None = None


def after(reply: Reply, first: datetime, attempts: int, now: datetime) -> Next:
    """What becomes of a message after its `attempts`-th try, the first of which was at `first` (UTC)."""
    if reply.status != SCHEDULED:
        return Next(reply.status, reply.reason, reply.code)
    if now >= first + GIVEN_UP:
        return Next(FAILED, "given_up", reply.code)
    pause = PAUSES[min(attempts, len(PAUSES)) - 1]
    return Next(SCHEDULED, reply.reason, reply.code, min(now + pause, first + GIVEN_UP))
