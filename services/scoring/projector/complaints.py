"""How complaints change the state: each is what its newest event (by time, then id) says."""

from typing import NamedTuple

from services.scoring.projector.state import (
    ANSWER_MONTHS,
    NEWEST,
    Case,
    Item,
    Opening,
    Points,
    State,
    count,
    keep_newest,
    month_of,
    slot,
)
from shared.language import ComplaintOpened
from shared.moments import HOUR, moment

CASE = "case:"
SEVERITIES = ("low", "medium", "high", "critical")
UNSAID = "medium"
"""How severe a complaint is of which nobody said it."""
HANDLED = {"low": 700, "medium": 600, "high": 450, "critical": 300}
"""Points (of 1000) of a complaint that was resolved at once."""
HALF_HOURS = 72
"""After so many hours until it is resolved, it is half of them."""


class Standing(NamedTuple):
    """What one complaint counts for."""

    is_open: bool
    severity: str
    entry: tuple[int, str]
    """Time and id of its newest event."""
    month: int
    points: int


def case_key(complaint_id: str) -> str:
    """Key of the item of a complaint."""
    return f"{CASE}{complaint_id}"


def severity_of(said: str | None) -> str:
    """One of `SEVERITIES`."""
    return said if said in SEVERITIES else UNSAID


def handled(severity: str, hours: int) -> int:
    """Points of a resolved complaint: less the more severe it was and the longer it took."""
    return HANDLED[severity] * HALF_HOURS // (HALF_HOURS + max(hours, 0))


def complain(state: State, complaint_id: str, case: Case, opened: ComplaintOpened | None) -> State:
    """Take in one event of a complaint; `opened`: what it says, where it opens the complaint."""
    item = state.items.setdefault(case_key(complaint_id), Item())
    before = standing(item)
    item.case = case if item.case is None else max(item.case, case)
    item.began = case.time if item.began is None else min(item.began, case.time)
    if opened is not None:
        opening = Opening(case.time, case.event_id, severity_of(opened.severity))
        item.opening = opening if item.opening is None else max(item.opening, opening)
    after = standing(item)
    state.complaints += before is None
    if before != after:
        _change(state, before, after)
    return state


def standing(item: Item) -> Standing | None:
    """What an item counts for; None where it is no complaint."""
    case = item.case
    if case is None:
        return None
    severity = item.opening.severity if item.opening else UNSAID
    began = case.time if item.began is None else item.began
    return Standing(
        is_open=case.is_open,
        severity=severity,
        entry=(case.time, case.event_id),
        month=month_of(moment(case.time)),
        points=0 if case.is_open else handled(severity, (case.time - began) // HOUR),
    )


def _change(state: State, before: Standing | None, after: Standing | None) -> None:
    gone, come = _entry(before, is_open=True), _entry(after, is_open=True)
    state.open_complaints += len(come) - len(gone)
    kept = keep_newest(state.complained, come, gone, state.open_complaints)
    gone, come = _entry(before, is_open=False), _entry(after, is_open=False)
    settled = state.complaints - state.open_complaints
    resolved = keep_newest(state.resolved, come, gone, settled)
    state.stale = state.stale or kept is None or resolved is None
    state.complained = state.complained if kept is None else kept
    state.resolved = state.resolved if resolved is None else resolved
    for one, sign in ((before, -1), (after, 1)):
        if one is not None and one.is_open:
            _count_open(state, one.severity, sign)
        elif one is not None:
            _count_handled(state, one, sign)


def _entry(one: Standing | None, *, is_open: bool) -> set[tuple[int, str]]:
    return {one.entry} if one is not None and one.is_open == is_open else set()


def _count_open(state: State, severity: str, sign: int) -> None:
    count(state.open_by, severity, sign)
    if not state.open_by[severity]:
        del state.open_by[severity]


def _count_handled(state: State, one: Standing, sign: int) -> None:
    """A month of which nothing is left makes room for one that may not be kept: then only the items
    know."""
    months = state.handled
    full = len(months) >= ANSWER_MONTHS
    if one.month not in months and (sign < 0 or (full and one.month < next(iter(months)))):
        return
    points = slot(months, one.month, Points)
    points.number += sign
    points.total += sign * one.points
    if not points.number:
        del months[one.month]
        state.stale = state.stale or full
    elif len(months) > ANSWER_MONTHS:
        del months[next(iter(months))]


def settle_complaints(state: State) -> None:
    """Read off all items what complaints come to."""
    all_of_them = [one for one in map(standing, state.items.values()) if one is not None]
    still_open = sorted((one.entry for one in all_of_them if one.is_open), reverse=True)
    resolved = sorted((one.entry for one in all_of_them if not one.is_open), reverse=True)
    state.complaints, state.open_complaints = len(all_of_them), len(still_open)
    state.complained, state.resolved = still_open[:NEWEST], resolved[:NEWEST]
    state.open_by, state.handled = {}, {}
    for one in sorted(all_of_them, key=lambda one: one.entry, reverse=True):
        if one.is_open:
            _count_open(state, one.severity, 1)
        else:
            _count_handled(state, one, 1)
