"""How contacts change the state: sums by local month, whoever began them."""

import msgspec

from services.scoring.projector.state import (
    TOUCH_MONTHS,
    State,
    Touches,
    month_at,
    newest_months,
    slot,
)
from shared.bounded import joined
from shared.codec import Event
from shared.language import (
    InteractionRecorded,
    InteractionRetracted,
    MessageClicked,
    MessageDelivered,
)
from shared.moments import local_day, micros

CAMPAIGN, RESPONSE = "campaign_sent", "campaign_response"
OURS = frozenset({"call", "meeting", "email", "sms"})
"""Kinds that the company is taken to have begun where nothing says who did."""


class Touch(msgspec.Struct, frozen=True, gc=False):
    """What one event counts for, and when: microseconds since 1970, ordinal of the local date."""

    at: int
    day: int
    came: int = 0
    sent: int = 0
    answered: int = 0

    @property
    def month(self) -> int:
        """12 x year + month - 1."""
        return month_at(self.day)


def touch_of(event: Event) -> Touch | None:
    """None where an event is no contact that counts. That a message was opened does not: most are
    opened by machines."""
    match event.data:
        case InteractionRecorded(kind=kind, direction=direction):
            return _contact(micros(event.time), event.utcoffset, kind, direction, 1)
        case InteractionRetracted(at=at, utcoffset=utcoffset, kind=kind, direction=direction):
            return _contact(micros(at), utcoffset, kind, direction, -1)
        case MessageDelivered():
            return _message(event, sent=1)
        case MessageClicked():
            return _message(event, answered=1)
        case _:
            return None


def _message(event: Event, *, sent: int = 0, answered: int = 0) -> Touch:
    at = micros(event.time)
    return Touch(at, local_day(at, event.utcoffset), 0, sent, answered)


def _contact(at: int, utcoffset: int, kind: str, direction: str | None, sign: int) -> Touch:
    day = local_day(at, utcoffset)
    if kind == RESPONSE:
        return Touch(at, day, 0, 0, sign)
    ours = direction == "outbound" or (direction != "inbound" and kind in OURS)
    return Touch(at, day, 0, sign) if ours or kind == CAMPAIGN else Touch(at, day, sign)


def touch(state: State, found: Touch) -> State:
    """Take in one contact, or take one back."""
    month = slot(state.touches, found.month, Touches)
    month.came += found.came
    month.sent += found.sent
    month.answered += found.answered
    newest_months(state.touches, TOUCH_MONTHS)
    return state


def merge_touches(one: dict[int, Touches], other: dict[int, Touches]) -> dict[int, Touches]:
    """Of both histories."""
    merged = dict(sorted(joined(one, other, _add).items()))
    newest_months(merged, TOUCH_MONTHS)
    return merged


def _add(one: Touches, other: Touches) -> Touches:
    return Touches(one.came + other.came, one.sent + other.sent, one.answered + other.answered)
