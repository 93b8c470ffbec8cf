"""derive(state, clock, policies) -> view, and how long it stays so."""

from datetime import datetime

from services.campaign.projector.segments import Segments, segments_in_force
from services.campaign.projector.state import Audience
from services.campaign.projector.subject import Subject
from services.campaign.projector.view import Member, View
from shared.moments import moment
from shared.projection import Policies


def derive(state: Audience, clock: datetime | None, policies: Policies) -> View:
    """The segments at `clock` (UTC). None, or a clock behind the facts: at the last fact instead.

    Days are local, by the offset of the customer's latest fact; where no fact says one, of the
    installation's time zone. So a view holds at least from midnight to midnight.
    """
    segments = segments_in_force(policies)
    subject = Subject(state, clock, segments.timezone)
    if clock is None and state.heard is None:
        return View(policy=segments.label)
    natural = subject.zone.midnight(subject.today)
    if state.heard is not None:
        natural = max(natural, state.heard)
    by_rule = segments.at is not None and segments.at > natural
    return View(
        policy=segments.label,
        members=[
            Member(segment.id, segment.name, segment.version)
            for segment in segments.segments
            if segment.rule.test(subject)
        ],
        at=moment(segments.at if by_rule and segments.at is not None else natural),
        by_rule=by_rule,
        due_at=due_at(subject, segments),
    )


def due_at(subject: Subject, segments: Segments) -> datetime | None:
    """The first midnight at which time alone may change an answer; a whole minute, since offsets are."""
    days = [day for turn in segments.turns if (day := turn(subject)) is not None]
    return moment(subject.zone.midnight(min(days))) if days else None
