"""Events that say something about the record: traits, identifiers, consents, tags, contacts, and that it is erased.

What identifies somebody who was erased is not taken any more: an event sealed just before may stand behind the erasure
and still be opened for a while. So a row folded then is the same as one folded when nothing can be opened.
"""

import msgspec

from services.profile.projector.state import (
    CONSENTS,
    RESPONSE,
    Consent,
    Profile,
    TagMark,
    add_contact,
    later_consent,
    later_mark,
    trim_fields,
    trim_identifiers,
)
from shared.bounded import Register, Stamp, first_of, latest, retain
from shared.language import (
    ConsentChanged,
    IdentifiersAdded,
    InteractionRecorded,
    TagAdded,
    TagRemoved,
)

MOST_OF_A_VALUE = 4096
"""Bytes of JSON of one field; what is larger stays on the timeline only."""
LONGEST_NAME = 100


def met(state: Profile, stamp: Stamp, *, touched: bool = False) -> None:
    """Note that customer and company met; `touched`: in an interaction rather than a purchase."""
    at = stamp[0]
    contacts = state.contacts
    state.latest_fact = max(state.latest_fact, at)
    if contacts.first is None or at < contacts.first:
        contacts.first = at
    if touched and (contacts.last is None or at > contacts.last):
        contacts.last = at


def interaction(state: Profile, stamp: Stamp, data: InteractionRecorded) -> None:
    """Count a contact by its kind."""
    contacts = state.contacts
    add_contact(contacts, data.kind, data.direction, 1)
    if data.kind == RESPONSE:
        contacts.response = first_of(contacts.response, stamp)


def describe(state: Profile, stamp: Stamp, values: dict[str, object]) -> None:
    """Take fields of the record; null clears one."""
    if state.erased is not None:
        return
    for name, value in values.items():
        small = not isinstance(value, str | list | dict) or _size(value) <= MOST_OF_A_VALUE
        if small and len(name) <= LONGEST_NAME:
            state.fields[name] = latest(state.fields.get(name), Register(*stamp, value))
    trim_fields(state.fields)


def edit(state: Profile, stamp: Stamp, values: dict[str, object]) -> None:
    """Take what somebody wrote into the record."""
    describe(state, stamp, values)
    state.created = state.erased is None


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def identify(state: Profile, stamp: Stamp, data: IdentifiersAdded) -> None:
    """Note since when an identifier is the customer's."""
    if state.erased is not None:
        return
    at = stamp[0]
    for type_, value in data.identifiers.items():
        key = f"{type_}:{value}"
        state.identifiers[key] = min(state.identifiers.get(key, at), at)
    trim_identifiers(state.identifiers)


def consent(state: Profile, stamp: Stamp, data: ConsentChanged) -> None:
    """Take the customer's word about a channel and topic."""
    if state.erased is not None:
        return
    key = f"{data.channel}\x1f{data.topic or ''}"
    word = Consent(*stamp, data.granted)
    state.consents[key] = later_consent(state.consents.get(key), word)
    retain(state.consents, CONSENTS)


def mark(state: Profile, stamp: Stamp, data: TagAdded | TagRemoved) -> None:
    """Take a decision about a tag."""
    if state.erased is not None:
        return
    on = isinstance(data, TagAdded)
    decided = TagMark(*stamp, on=on, by=data.by, reason=data.reason)
    state.tags[data.tag] = later_mark(state.tags.get(data.tag), decided)


def erase(state: Profile, stamp: Stamp) -> None:
    """Forget whatever identifies the person. Purchases, amounts, counts, times and the number stay."""
    at = stamp[0]
    state.erased = at if state.erased is None else min(state.erased, at)
    state.fields, state.identifiers, state.consents, state.tags = {}, {}, {}, {}
    state.created = False
