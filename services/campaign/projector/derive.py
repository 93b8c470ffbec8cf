"""derive(state, clock, policies) -> view, and how long it stays so."""

from datetime import datetime

from services.campaign.projector.segments import Segments, segments_in_force
from services.campaign.projector.state import Audience
from services.campaign.projector.subject import Subject
from services.campaign.projector.view import View
from shared.moments import moment
from shared.projection import Policies


def derive(state: Audience, clock: datetime | None, policies: Policies) -> View:
    """The segments at `clock` (UTC). None, or a clock behind the facts: at the last fact instead.

    Days are local, by the offset of the customer's latest fact; where no fact says one, of the
    installation's time zone. So a view holds at least from midnight to midnight. Who was erased is in no
    segment, whatever its rule asks and however much time passes.
    """
    segments = segments_in_force(policies)
    subject = Subject(state, clock, segments.timezone)
    heard = state.last_fact
    if clock is None and heard is None:
        return View(policy=segments.label)
    if state.erased:
        assert heard is not None, "the erasure was heard"
        return View(policy=segments.label, at=moment(heard), erased=True)
    natural = subject.zone.midnight(subject.today)
    if heard is not None:
        natural = max(natural, heard)
    by_rule = segments.at is not None and segments.at > natural
    return View(
        policy=segments.label,
        members=segments.members(subject),
        at=moment(segments.at if by_rule and segments.at is not None else natural),
        by_rule=by_rule,
        due_at=due_at(subject, segments),
    )


def due_at(subject: Subject, segments: Segments) -> datetime | None:
    """The first midnight at which time alone may change an answer; a whole minute, since offsets are."""
    first = None
    for turn in segments.turns:
        day = turn(subject)
        if day is not None and (first is None or day < first):
            first = day
            if first == subject.today + 1:  # nothing comes sooner
                break
    return None if first is None else moment(subject.zone.midnight(first))
