"""What is kept of how somebody came, and of whom never bought: what is to be expected of them."""

from datetime import datetime, timedelta

from services.scoring.projector.prospecting import contacts_within, first_contact, first_spend
from services.scoring.projector.state import State
from services.scoring.projector.view import Origin, Prospect
from services.scoring.screening.policy import (
    STAGES,
    WINDOWS,
    Like,
    Screening,
    chances,
    contact_level,
    prospect_class,
    worth_of,
)
from shared.moments import local_day, midnight, moment


def origin(state: State) -> Origin | None:
    """How somebody came; None of whom nothing was heard.

    Of what was said or done only after the first purchase the day is put behind it: it is known, but
    was not known before they bought.
    """
    came = state.came
    if came.seen is None:
        return None
    first_at, first_day = state.first_at, state.first_day
    contact = first_contact(came)
    source_day = contact_day = None
    if came.source is not None:
        source_day = local_day(came.source[0], came.seen[1])
        if first_at is not None and first_day is not None and came.source[0] >= first_at:
            source_day = max(source_day, first_day + 1)
    if contact is not None:
        contact_day = local_day(contact.at, contact.offset)
        if first_at is not None and first_day is not None and contact.at >= first_at:
            contact_day = max(contact_day, first_day + 1)
    return Origin(
        seen_day=local_day(*came.seen),
        source=None if came.source is None else came.source[2],
        source_day=source_day,
        kind=None if contact is None else contact.kind,
        channel=contact.channel or None if contact is not None else None,
        contact_day=contact_day,
        contacts=contacts_within(came, first_day) if came.days else (0, 0, 0),
        at_once=None if first_at is None else came.seen[0] >= first_at,
        spend=None if first_day is None else first_spend(came, first_day),
    )


def screened(
    state: State, known: Origin, clock: datetime | None, model: Screening | None
) -> tuple[Prospect, datetime | None]:
    """Of who never bought, and when time alone will change it. Days are those of where they were
    first seen."""
    assert state.came.seen is not None, "there is an origin"
    since, offset = state.came.seen
    first = moment(since)
    now = first if clock is None else max(clock, first)
    today = max((now + timedelta(minutes=offset)).toordinal(), known.seen_day)
    if model is None:
        return Prospect(first, (None, None), None, None), None
    like = like_of(known, today)
    found = chances(model, like)
    expected = found[-1] * worth_of(model.worth[0], like) if model.worth else None
    days = turns(known)
    turned = max((day for day in days if day <= today), default=known.seen_day)
    turn = min((day for day in days if day > today), default=None)
    at = max(first, midnight(turned, offset))
    due = None if turn is None else midnight(turn, offset)
    return Prospect(at, found, expected, prospect_class(model, found[-1])), due


def like_of(known: Origin, today: int) -> Like:
    """What is known of a prospect on a day (ordinal of the local date)."""
    said = known.source_day is not None and known.source_day <= today
    met = known.contact_day is not None and known.contact_day <= today
    days = None if known.contact_day is None or not met else today - known.contact_day
    return Like(
        today - known.seen_day,
        (
            (known.source if said else None) or "",
            (known.kind if met else None) or "",
            (known.channel if met else None) or "",
            contact_level(days, known.contacts),
        ),
    )


def turns(known: Origin) -> list[int]:
    """The days on which time alone changes what is expected, in any order."""
    days = [known.seen_day + age for age in STAGES]
    for day, ages in ((known.contact_day, (0, *WINDOWS)), (known.source_day, (0,))):
        if day is not None:
            days += [day + age for age in ages]
    return days
