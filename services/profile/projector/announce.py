"""announce(told, view, at): changes of lifecycle state and of derived tags, never numbers."""

from datetime import datetime
from typing import Any

import msgspec

from services.profile.projector.view import Reason, View
from shared.language import LifecycleChanged, TagDropped, TagGained
from shared.projection import Announcement


class Told(msgspec.Struct, omit_defaults=True, gc=False):
    """What was announced last. `tags`: since when each derived tag was told (RFC 3339, UTC)."""

    state: str | None = None
    tags: dict[str, str] = {}


NOTHING = Told()


def announce(told: Told, view: View, at: datetime | None = None) -> list[Announcement]:
    """The difference between what was told and what is so; nothing before the first fact. `at`: when what was told of
    who has no fact (any more) is taken back."""
    at = view.changed_at or (None if told == NOTHING else at)
    if at is None:
        return []
    said = []
    lifecycle = view.lifecycle
    if lifecycle.state != told.state:
        since = lifecycle.since or at
        data = LifecycleChanged(
            state=lifecycle.state,
            previous=told.state,
            since=since,
            reason=_reason(lifecycle.reason),
            evidence=lifecycle.evidence,
            policy=lifecycle.policy,
        )
        said.append(Announcement("lifecycle.changed", data, since))
    held = {tag.tag: tag for tag in view.derived}
    for code, tag in held.items():
        if code not in told.tags:
            gained = TagGained(tag=code, reason=_reason(tag.reason), policy=tag.by)
            said.append(Announcement("tag.gained", gained, tag.since or at))
    for code in sorted(told.tags.keys() - held.keys()) if told.tags else ():
        dropped = TagDropped(tag=code, policy=view.tags_policy)
        said.append(Announcement("tag.dropped", dropped, at))
    return said


def tell(told: Told, announcement: Announcement) -> Told:
    """Fold one announcement."""
    match announcement.data:
        case LifecycleChanged(state=state):
            told.state = state
        case TagGained(tag=tag):
            told.tags[tag] = announcement.time.isoformat()
        case TagDropped(tag=tag):
            told.tags.pop(tag, None)
        case _:
            raise TypeError(f"profile never announces {announcement.type}")
    return told


def _reason(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "params": reason.params}
