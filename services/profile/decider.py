"""decide(command, state) -> events: what may be done to a customer's record, and what it amounts to."""

from typing import Any, assert_never

import msgspec

from services.profile.commands import (
    TAG_FAMILIES,
    AddTag,
    Command,
    CreateCustomer,
    EditCustomer,
    RemoveTag,
)
from services.profile.projector import Profile
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.language import CustomerEdited, TagAdded, TagRemoved

TAGS = 200
"""Codes of tags that people ever gave one customer, those taken away again included."""


def decide(
    command: Command, state: Profile, *, by: str, derived: frozenset[str] = frozenset()
) -> list[msgspec.Struct]:
    """The events that a command amounts to; none where everything is so already.

    `by`: who decides. `derived`: tags that the policy finds. Raises Conflict, NotFound or
    Unprocessable.
    """
    if state.erased is not None:
        raise Conflict("customer_erased")
    match command:
        case AddTag():
            return _add_tag(command, state, by)
        case RemoveTag():
            return _remove_tag(command, state, by, derived)
        case CreateCustomer():
            return _edit(command, state, by) or [CustomerEdited(changes={}, by=by)]
        case EditCustomer():
            return _edit(command, state, by)
        case _:
            assert_never(command)


def _add_tag(command: AddTag, state: Profile, by: str) -> list[msgspec.Struct]:
    family, colon, value = command.tag.partition(":")
    if colon and not value.strip():
        raise _wrong_tag("missing", {})
    known = TAG_FAMILIES.get(family) if colon else None
    if known is not None and value not in known:
        allowed = ", ".join(f"{family}:{name}" for name in sorted(known))
        raise _wrong_tag("not_allowed", {"allowed": allowed})
    held = state.tags.get(command.tag)
    if held is None and len(state.tags) >= TAGS:
        raise Conflict("too_many_tags", params={"limit": TAGS})
    if held is not None and held.on and held.reason == command.reason:
        return []
    return [TagAdded(tag=command.tag, by=by, reason=command.reason)]


def _wrong_tag(code: str, params: dict[str, Any]) -> Unprocessable:
    return Unprocessable("validation_failed", errors=[FieldError("/tag", code, params)])


def _remove_tag(
    command: RemoveTag, state: Profile, by: str, derived: frozenset[str]
) -> list[msgspec.Struct]:
    held = state.tags.get(command.tag)
    if held is not None and held.on:
        return [TagRemoved(tag=command.tag, by=by, reason=command.reason)]
    if command.tag in derived:
        raise Conflict("tag_is_derived", params={"tag": command.tag})
    raise NotFound("tag_not_found")


def _edit(command: EditCustomer, state: Profile, by: str) -> list[msgspec.Struct]:
    now = {name: write.value for name, write in state.fields.items()}
    changes = {name: value for name, value in command.changes().items() if now.get(name) != value}
    return [CustomerEdited(changes=changes, by=by)] if changes else []
