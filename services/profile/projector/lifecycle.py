"""The walk along a customer's purchase days: which state, since when, why.

A `Walker` holds what is needed to go on from the last step, so an event that comes in order costs
the same however long the history is. A fact from before the walker's position makes the walk start
anew from all child rows; both ways give the same walker. Time alone moves it too: `advance` fires
what falls due up to a moment.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, assert_never

import msgspec

from services.profile.projector.items import Item, bought, turns
from services.profile.projector.rules import BUILT_IN_LIFECYCLE, LifecycleRules
from shared.bounded import Stamp
from shared.moments import DAY, whole_minute

PROSPECT, NEW, GROWING, MATURE = "prospect", "new", "growing", "mature"
SILENT, LOST, WON_BACK = "silent", "lost", "won_back"
STATES = (PROSPECT, NEW, GROWING, MATURE, SILENT, LOST, WON_BACK)

_BEFORE = (-1, "")


class Step(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One state on the path. `since` in microseconds since 1970."""

    state: str
    since: int
    code: str
    params: dict[str, Any] = {}
    evidence: list[str] = []


class Day(msgspec.Struct, frozen=True, gc=False):
    """A local day with at least one purchase that stands."""

    ordinal: int
    last: Stamp


class Turn(msgspec.Struct, frozen=True, gc=False):
    """A complaint opened (1) or closed (-1)."""

    change: int


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A survey answered with a score."""

    kind: str
    score: float


Thing = Day | Turn | Answer
Entry = tuple[Stamp, Thing]


class Walker(msgspec.Struct, omit_defaults=True, gc=False):
    """Where the walk stands. Days are counted by the customer's local dates, moments are UTC."""

    rules: LifecycleRules | None = None
    """None: the built-in version."""
    position: Stamp = _BEFORE
    days: int = 0
    first_day: int = 0
    last_day: int = 0
    day: int = 0
    """The purchase day that was walked last."""
    last: Stamp = _BEFORE
    """The latest purchase."""
    quiet: int = 0
    """1: silent, 2: lost."""
    recovering: int = 0
    """Purchase days still missing until somebody won back is an ordinary customer again."""
    open: int = 0
    """Open complaints."""
    unhappy_until: int = 0
    """0: no low score counts."""
    step: Step | None = None
    """None: a prospect so far."""


def usual_interval(walker: Walker) -> float | None:
    """Mean gap between purchase days, in days; None below two."""
    if walker.days < 2:
        return None
    return (walker.last_day - walker.first_day) / (walker.days - 1)


def walk(
    items: Mapping[str, Item], rules: LifecycleRules, trail: list[Step] | None = None
) -> Walker:
    """Walk from the beginning over all child rows; `trail` collects the steps."""
    walker = Walker(rules=None if rules == BUILT_IN_LIFECYCLE else rules)
    for stamp, thing in sorted(_entries(items), key=lambda entry: entry[0]):
        apply(walker, stamp, thing, trail)
    return walker


def apply(walker: Walker, stamp: Stamp, thing: Thing, trail: list[Step] | None = None) -> None:
    """Take one entry from after the walker's position."""
    advance(walker, stamp[0], trail)
    walker.position = stamp
    match thing:
        case Day():
            _buy(walker, stamp, thing, trail)
        case Turn(change):
            walker.open += change
            _show(walker, stamp, "complaint_open" if change > 0 else "satisfied_again", {}, trail)
        case Answer():
            _answer(walker, stamp, thing, trail)
        case _:
            assert_never(thing)


def advance(walker: Walker, upto: int, trail: list[Step] | None = None) -> None:
    """Let time pass up to a moment, which counts as passed."""
    while (timer := _timer(walker)) is not None and timer[0] <= upto:
        _fire(walker, *timer, trail)


def now(walker: Walker, clock: int | None) -> tuple[Walker, int | None]:
    """The walker at the clock, and the moment at which time alone changes its state. The walker itself is answered
    where nothing has fallen due."""
    current, timer = walker, _timer(walker)
    if clock is not None and timer is not None and timer[0] <= clock:
        current = copy(walker)
        advance(current, clock)
        timer = _timer(current)
    if timer is None:
        return current, None
    at, what = timer
    if what == "calm" and not _waits_for_calm(current):
        return current, _quiet_at(current)
    return current, at  # silent, and then lost, is always another state than before


def _waits_for_calm(walker: Walker) -> bool:
    """Whether the customer would be mature, did no low score count any more."""
    return (
        state(walker) == GROWING and walker.days >= _rules(walker).mature_after and walker.open <= 0
    )


def state(walker: Walker) -> str:
    """The state that the walker is in."""
    if walker.quiet:
        return SILENT if walker.quiet == 1 else LOST
    if walker.days == 0:
        return PROSPECT
    if walker.recovering:
        return WON_BACK
    if walker.days == 1:
        return NEW
    if walker.days >= _rules(walker).mature_after and satisfied(walker):
        return MATURE
    return GROWING


def satisfied(walker: Walker) -> bool:
    """No open complaint, and no low score that still counts."""
    return walker.open <= 0 and not walker.unhappy_until


def _rules(walker: Walker) -> LifecycleRules:
    return walker.rules or BUILT_IN_LIFECYCLE


def _entries(items: Mapping[str, Item]) -> Iterable[Entry]:
    for key, item in items.items():
        family, _, rest = key.partition(":")
        if family == "day":
            stands = bought(item)
            if stands is not None:
                yield stands[0], Day(int(rest), stands[1])
        elif family == "case":
            for stamp, change in turns(item):
                yield stamp, Turn(change)
        elif family == "survey":
            yield item.entries[0][:2], Answer(item.kind, item.score)


def _judged_interval(walker: Walker) -> float:
    """The usual interval within the policy's bounds, in days."""
    rules = walker.rules or BUILT_IN_LIFECYCLE
    if walker.days < 2:
        return rules.default_interval_days
    usual = (walker.last_day - walker.first_day) / (walker.days - 1)
    return min(max(usual, rules.shortest_interval_days), rules.longest_interval_days)


def _silence(walker: Walker) -> float:
    """Days without a purchase until the next state: silent, then lost."""
    rules = walker.rules or BUILT_IN_LIFECYCLE
    return _judged_interval(walker) * (rules.lost_after if walker.quiet else rules.silent_after)


def _quiet_at(walker: Walker) -> int | None:
    """When silence makes the next state; None before the first purchase, and where it has made the last."""
    if not walker.days or walker.quiet >= 2:
        return None
    return whole_minute(walker.last[0] + round(_silence(walker) * DAY))


def _timer(walker: Walker) -> tuple[int, str] | None:
    """What time alone brings next: when, and what."""
    calm, quiet = walker.unhappy_until, _quiet_at(walker)
    if calm and (quiet is None or calm <= quiet):
        return calm, "calm"
    return None if quiet is None else (quiet, "quiet")


def _fire(walker: Walker, at: int, what: str, trail: list[Step] | None) -> None:
    walker.position = max(walker.position, (at, ""))
    if what == "calm":
        walker.unhappy_until = 0
        _show(walker, (at, ""), "satisfied_again", {}, trail)
        return
    params = {"days": round(_silence(walker), 1), "usual": round(_judged_interval(walker), 1)}
    walker.quiet += 1
    code = SILENT if walker.quiet == 1 else LOST
    _show(
        walker,
        (at, walker.last[1]),
        code if walker.days > 1 else f"{code}_after_one",
        params,
        trail,
    )


def _buy(walker: Walker, stamp: Stamp, day: Day, trail: list[Step] | None) -> None:
    gap = day.ordinal - walker.last_day
    walker.first_day = min(walker.first_day, day.ordinal) if walker.days else day.ordinal
    walker.last_day = max(walker.last_day, day.ordinal)
    walker.days += 1
    walker.day = day.ordinal
    walker.last = max(walker.last, day.last)
    if walker.quiet:
        walker.quiet, walker.recovering = 0, _rules(walker).recovery
        _turn(walker, stamp, "came_back", {"days": gap}, trail)
        return
    was_recovering = walker.recovering > 0
    walker.recovering = max(0, walker.recovering - 1)
    if was_recovering:
        _show(walker, stamp, "recovered", {"days": _rules(walker).recovery}, trail)
        return
    code = {NEW: "first_purchase", GROWING: "bought_again"}.get(state(walker), "loyal")
    _show(walker, stamp, code, {"days": walker.days} if walker.days > 1 else {}, trail)


def _answer(walker: Walker, stamp: Stamp, answer: Answer, trail: list[Step] | None) -> None:
    rules = _rules(walker)
    low = rules.low(answer.kind)
    if low is None:
        return
    if answer.score <= low:
        walker.unhappy_until = whole_minute(stamp[0] + round(rules.unhappy_days * DAY))
        params = {"kind": answer.kind, "score": answer.score}
        _show(walker, stamp, "low_score", params, trail)
    else:
        walker.unhappy_until = 0
        _show(walker, stamp, "satisfied_again", {}, trail)


def _show(
    walker: Walker, stamp: Stamp, code: str, params: dict[str, Any], trail: list[Step] | None
) -> None:
    """Take the step, if there is one."""
    if state(walker) != (walker.step.state if walker.step else PROSPECT):
        _turn(walker, stamp, code, params, trail)


def _turn(
    walker: Walker, stamp: Stamp, code: str, params: dict[str, Any], trail: list[Step] | None
) -> None:
    evidence = [stamp[1]] if stamp[1] else []
    walker.step = Step(state(walker), stamp[0], code, params, evidence)
    if trail is not None:
        trail.append(walker.step)
