"""announce(told, view, at): who came into a segment, who went."""

from datetime import datetime

import msgspec

from services.campaign.projector.view import View
from shared.language import SegmentEntered, SegmentLeft
from shared.moments import micros, moment
from shared.projection import Announcement

ENTERED, LEFT = "segment.entered", "segment.left"
EMITS = frozenset({ENTERED, LEFT})


class Since(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A membership that was told: since when (microseconds since 1970), of what."""

    at: int
    name: str
    version: int


class Told(msgspec.Struct, omit_defaults=True, gc=False):
    """What was said: memberships by the segment's id."""

    segments: dict[str, Since] = {}


def announce(told: Told, view: View, at: datetime | None = None) -> list[Announcement]:
    """The difference between what was told and what is so. `at`: when, where neither a fact nor a clock says it."""
    now = view.at or at
    if now is None:
        return []
    by, said = "rule" if view.by_rule else "facts", []
    for member in view.members:
        if member.id not in told.segments:
            entered = SegmentEntered(member.id, member.name, member.version, view.policy, by)
            said.append(Announcement(ENTERED, entered, now))
    held = {member.id for member in view.members}
    for id_ in sorted(told.segments.keys() - held):
        since = told.segments[id_]
        # A fact may come late: nobody leaves before they entered.
        left = SegmentLeft(id_, since.name, since.version, view.policy, by)
        said.append(Announcement(LEFT, left, max(now, moment(since.at))))
    return said


def leave(told: Told, at: datetime) -> list[Announcement]:
    """Who goes up in another customer leaves every segment; the other one enters by what is known of both."""
    said = []
    for id_, since in sorted(told.segments.items()):
        left = SegmentLeft(id_, since.name, since.version, "", "facts")
        said.append(Announcement(LEFT, left, max(at, moment(since.at))))
    return said


def tell(told: Told, announcement: Announcement) -> Told:
    """Fold one announcement."""
    match announcement.data:
        case SegmentEntered() as entered:
            at = micros(announcement.time)
            told.segments[entered.segment] = Since(at, entered.name, entered.version)
        case SegmentLeft(segment=segment):
            told.segments.pop(segment, None)
        case other:
            raise TypeError(f"not said by campaign: {type(other).__name__}")
    return told
