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
    """What one event counts for, in which local month (12 x year + month - 1)."""

    month: int
    came: int = 0
    sent: int = 0
    answered: int = 0


def touch_of(event: Event) -> Touch | None:
    """None where an event is no contact that counts. That a message was opened does not: most are
    opened by machines."""
    match event.data:
        case InteractionRecorded(kind=kind, direction=direction):
            return _contact(_month(event), kind, direction, 1)
        case InteractionRetracted(at=at, utcoffset=utcoffset, kind=kind, direction=direction):
            month = month_at(local_day(micros(at), utcoffset))
            return _contact(month, kind, direction, -1)
        case MessageDelivered():
            return Touch(_month(event), sent=1)
        case MessageClicked():
            return Touch(_month(event), answered=1)
        case _:
            return None


def _month(event: Event) -> int:
    return month_at(local_day(micros(event.time), event.utcoffset))


def _contact(month: int, kind: str, direction: str | None, sign: int) -> Touch:
    if kind == RESPONSE:
        return Touch(month, answered=sign)
    ours = direction == "outbound" or (direction != "inbound" and kind in OURS)
    return Touch(month, sent=sign) if ours or kind == CAMPAIGN else Touch(month, came=sign)


def touch(state: State, found: Touch | None) -> State:
    """Take in one contact, or take one back."""
    if found is not None:
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
