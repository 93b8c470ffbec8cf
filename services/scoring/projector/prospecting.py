"""What a customer came by, and what they did before they bought.

Everything here is kept by rules that look at keys alone (the earliest of all, the days that follow
it), so it is the same whatever came first: a day or a contact that was once touched stays, also at 0.
What was so "before they bought" is read off by days, when it is asked for: the first purchase may
still turn out to be an earlier or a later one.
"""

from collections.abc import Mapping
from operator import add
from typing import Any

import msgspec

from services.scoring.projector.state import Came, First, State, count, slot
from services.scoring.projector.touches import Touch
from services.scoring.screening.policy import WINDOWS
from shared.bounded import joined
from shared.codec import Event
from shared.language import Contribution, InteractionRecorded, InteractionRetracted
from shared.moments import micros

FIRSTS = 4
"""The earliest contacts that are kept: people may take back what they recorded."""
CONTACT_DAYS = WINDOWS[-1]
"""Days from the first contact on whose contacts are counted."""
WEEKS = 13
"""Weeks from that of the first purchase on whose money is kept."""
LONGEST = 120
"""Characters of a source or channel that are kept."""


def see(state: State, time: int, utcoffset: int) -> State:
    """Somebody was there at the time (microseconds since 1970) of an event."""
    seen = state.came.seen
    if seen is None or (time, utcoffset) < seen:
        state.came.seen = (time, utcoffset)
    return state


def come_by(state: State, event: Event, said: Mapping[str, Any]) -> State:
    """The first word on where the customer came from; later ones do not change how it began. None is kept of who was
    erased: what was sealed before may stand behind that and still be opened for a moment."""
    source = None if state.erased else _text(said.get("source"))
    if source:
        word = (micros(event.time), event.id, source)
        state.came.source = word if state.came.source is None else min(state.came.source, word)
    return state


def contact(state: State, event: Event, found: Touch) -> State:
    """Count a contact, or take one back. `found`: what it counts for."""
    match event.data:
        case InteractionRecorded(kind=kind, channel=channel):
            id_, offset, sign = event.id, event.utcoffset, 1
        case InteractionRetracted(kind=kind, channel=channel) as back:
            id_, offset, sign = back.interaction_id, back.utcoffset, -1
        case _:
            return state
    came = state.came
    firsts = came.firsts
    if len(firsts) < FIRSTS or (found.at, id_) <= (firsts[-1].at, firsts[-1].id):
        first = First(found.at, id_, offset, kind, _text(channel) or "", sign)
        came.firsts = _earliest([*firsts, first]) if firsts else [first]
    began = next(iter(came.days), found.day)
    if found.day < began + CONTACT_DAYS:
        # What the company did touches a day, but is no contact of theirs.
        count(came.days, found.day, found.came + found.answered)
        if found.day < began:
            _first_days(came.days)
    return state


def _text(said: object) -> str | None:
    return " ".join(said.split())[:LONGEST] if isinstance(said, str) else None


def _earliest(firsts: list[First]) -> list[First]:
    """Each once, with its count, the earliest of them."""
    known: dict[tuple[int, str], First] = {}
    for first in firsts:
        key = (first.at, first.id)
        before = known.get(key)
        if before is not None:
            kept = min(before, first, key=lambda one: (one.offset, one.kind, one.channel))
            known[key] = msgspec.structs.replace(kept, count=before.count + first.count)
        else:
            known[key] = first
    return [known[key] for key in sorted(known)][:FIRSTS]


def _first_days(days: dict[int, int]) -> None:
    """Let go of days too long after the first, of sorted ones."""
    end = next(iter(days), 0) + CONTACT_DAYS
    while days and next(reversed(days)) >= end:
        days.popitem()


def earn(weeks: dict[str, dict[int, int]], part: Contribution, day: int, sign: int) -> None:
    """Money of an order comes or goes, in the week (Monday to Sunday) of its local day (ordinal)."""
    week, first = week_of(day), _first_week(weeks)
    if first is not None and week >= first + WEEKS:
        return
    for currency, net in part.spend.items():
        count(slot(weeks, currency, dict), week, sign * net)
    if first is not None and week < first:
        _first_weeks(weeks)


def week_of(day: int) -> int:
    """Number of the week of a day (ordinal); 0 begins on Monday, 0001-01-01."""
    return (day - 1) // 7


def _first_week(weeks: dict[str, dict[int, int]]) -> int | None:
    return min([next(iter(sums)) for sums in weeks.values()], default=None)


def _first_weeks(weeks: dict[str, dict[int, int]]) -> None:
    """Let go of weeks too long after the first."""
    end = (_first_week(weeks) or 0) + WEEKS
    for currency, sums in list(weeks.items()):
        while sums and next(reversed(sums)) >= end:
            sums.popitem()
        if not sums:
            del weeks[currency]


def merge_came(one: Came, other: Came) -> Came:
    """Of both histories."""
    days = dict(sorted(joined(one.days, other.days, add).items()))
    _first_days(days)
    mine, theirs = (_copied(came.weeks) for came in (one, other))
    weeks = dict(sorted(joined(mine, theirs, _add).items()))
    _first_weeks(weeks)
    return Came(
        seen=min((seen for seen in (one.seen, other.seen) if seen is not None), default=None),
        source=min((word for word in (one.source, other.source) if word is not None), default=None),
        firsts=_earliest([*one.firsts, *other.firsts]),
        days=days,
        weeks=weeks,
    )


def _copied(weeks: dict[str, dict[int, int]]) -> dict[str, dict[int, int]]:
    """States that are joined stay as they are."""
    return {currency: dict(sums) for currency, sums in weeks.items()}


def _add(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    return dict(sorted(joined(one, other, add).items()))


def first_contact(came: Came) -> First | None:
    """The earliest contact that was not taken back, of the few that are kept."""
    for first in came.firsts:
        if first.count > 0:
            return first
    return None


def contacts_within(came: Came, before: int | None) -> tuple[int, int, int]:
    """Their own contacts on the first days, by `WINDOWS`, from the day of the first contact on; with
    `before`, only those before that day."""
    one = seven = fourteen = 0
    first = next(iter(came.days), 0)
    for day, number in came.days.items():
        if number > 0 and (before is None or day < before):
            fourteen += number
            if day < first + WINDOWS[1]:
                seven += number
            if day < first + WINDOWS[0]:
                one += number
    return one, seven, fourteen


def first_spend(came: Came, first_day: int) -> dict[str, int] | None:
    """Net money by currency of the weeks that begin with that of the first purchase; None where not
    all of them are kept (an earlier order was taken back)."""
    if week_of(first_day) != _first_week(came.weeks):
        return None
    return {currency: sum(sums.values()) for currency, sums in came.weeks.items()}
