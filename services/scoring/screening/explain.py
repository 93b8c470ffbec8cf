"""Why somebody who never bought is as likely to as they are, and what would change it. Pure; made
when it is read, of the same things that the kept probability was made of."""

from dataclasses import dataclass
from datetime import date

import msgspec

from services.scoring.projector.screen import like_of, turns
from services.scoring.projector.state import State
from services.scoring.projector.view import Origin, Prospect
from services.scoring.screening.policy import (
    CLASSES,
    FACTORS,
    HORIZONS,
    WINDOWS,
    Level,
    Like,
    Screening,
    chance,
    chances,
    interval,
    known_levels,
    prospect_class,
    worth_of,
)
from shared.moments import local_day, micros

AHEAD = 400
"""Days ahead that a change is looked for."""
ENOUGH_CONTACTS = (1, 2, 5)
"""From how many contacts on a level begins."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that makes the probability what it is: `effect` is it less what it would be, were
    this as with the others (of the age: as on the first day)."""

    feature: str
    value: str | int | None
    usual: str | float | None
    effect: float
    level: Level | None = None
    days: int | None = None
    """Of contacts: on the first so many days."""


@dataclass(frozen=True, slots=True)
class Change:
    """The nearest thing that would alter the class. `code`: `contacts` (`number` more by `on`),
    `silence` (no purchase by `on`), or `none`."""

    code: str
    then: str
    probability: float
    on: date | None = None
    days: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Screened:
    """Everything there is to say of a prospect. Money in minor units."""

    origin: Origin
    kept: Prospect
    age: int | None
    """Days since first seen; None before there is anything to judge by: nothing turns by time then."""
    intervals: tuple[tuple[float, float], ...] | None
    usual: tuple[float, ...] | None
    """What the overall rate says."""
    worth: list[tuple[str, float, int]]
    """Currency, what such a customer spends at first, of how many customers that is known."""
    reasons: list[Reason]
    evidence: list[str]
    change: Change | None
    model: Screening | None
    label: str


def explain(
    state: State, origin: Origin, kept: Prospect, model: Screening | None, label: str
) -> Screened:
    """`model`: what is in force; `label`: its name, such as `prospects@3`."""
    assert state.came.seen is not None, "there is an origin"
    today = max(local_day(micros(kept.at), state.came.seen[1]), origin.seen_day)
    evidence = _evidence(state)
    if model is None:
        return Screened(origin, kept, None, None, None, [], [], evidence, None, None, label)
    like = like_of(origin, today)
    sure = [interval(model, like, days) for days in HORIZONS]
    return Screened(
        origin=origin,
        kept=kept,
        age=today - origin.seen_day,
        intervals=tuple(one for one in sure if one is not None) or None,
        usual=model.overall,
        worth=[(one.currency, worth_of(one, like), one.customers) for one in model.worth],
        reasons=_reasons(model, origin, like),
        evidence=evidence,
        change=_nearest(model, origin, today) if model.method == "rates" else None,
        model=model,
        label=label,
    )


def _evidence(state: State) -> list[str]:
    """The word on their source, and the earliest contacts."""
    came = state.came
    said = [] if came.source is None else [came.source[1]]
    return said + [first.id for first in came.firsts if first.count > 0]


def _reasons(model: Screening, origin: Origin, like: Like) -> list[Reason]:
    """Greatest effect first; by the overall rate nothing has any."""
    levels = known_levels(model, like)
    ratio = 1.0
    for level in levels:
        ratio *= level.ratio
    days = HORIZONS[-1]

    def effect_of(without: float) -> float:
        if model.method == "overall":
            return 0.0
        return chance(model, like.age, days, ratio) - chance(model, like.age, days, without)

    found = []
    for name, level in zip(FACTORS, levels, strict=True):
        effect = round(effect_of(ratio / level.ratio), 6)
        if name == "contacts":
            found.append(_contacts(model, origin, like, level, effect))
        else:
            value = dict(zip(FACTORS, like.levels, strict=True))[name] or None
            found.append(Reason(name, value, model.usual.get(name), effect, level))
    young = 0.0
    if model.method == "rates":
        young = chance(model, like.age, days, ratio) - chance(model, 0, days, ratio)
    found.append(Reason("days_since_seen", like.age, model.usual_days, round(young, 6)))
    return sorted(found, key=lambda reason: -abs(reason.effect))


def _contacts(model: Screening, origin: Origin, like: Like, level: Level, effect: float) -> Reason:
    window = like.levels[FACTORS.index("contacts")].partition(":")[0]
    if not window:
        return Reason("contacts", None, None, effect, level)
    place = WINDOWS.index(int(window))
    usual = model.usual_contacts[place]
    return Reason("contacts", origin.contacts[place], usual, effect, level, days=int(window))


def _nearest(model: Screening, origin: Origin, today: int) -> Change:
    """Contacts that can still be had, or the first day on which silence alone changes the class."""
    now = prospect_class(model, chances(model, like_of(origin, today))[-1])
    more = _with_contacts(model, origin, today, now)
    later = sorted(day for day in turns(origin) if today < day <= today + AHEAD)
    for day in later:
        found = chances(model, like_of(origin, day))[-1]
        then = prospect_class(model, found)
        if then != now:
            if more is not None and more.days is not None and more.days <= day - today:
                return more
            return Change("silence", then, found, date.fromordinal(day), day - today)
    return more or Change("none", now, chances(model, like_of(origin, today))[-1])


def _with_contacts(model: Screening, origin: Origin, today: int, now: str) -> Change | None:
    """How many contacts more, while they still count, would raise the class once the days are over."""
    if origin.contact_day is None:
        return None
    for place, window in enumerate(WINDOWS):
        over = origin.contact_day + window
        if over <= today:
            continue
        for enough in ENOUGH_CONTACTS:
            more = enough - origin.contacts[place]
            if more <= 0:
                continue
            counts = [number + more * (at >= place) for at, number in enumerate(origin.contacts)]
            had = msgspec.structs.replace(origin, contacts=(counts[0], counts[1], counts[2]))
            found = chances(model, like_of(had, over))[-1]
            then = prospect_class(model, found)
            if CLASSES.index(then) < CLASSES.index(now):
                on = date.fromordinal(over - 1)
                return Change("contacts", then, found, on, over - 1 - today, more)
    return None
