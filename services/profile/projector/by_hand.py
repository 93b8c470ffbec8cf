"""Contacts that people recorded by hand and may take back, in any order of the two events.

Each is a child row. Sums take what is known of it with its sign. The ends of those that stand are kept beside the
sums; where one of them is taken back, the next one lies in rows that may not be loaded: then the state is marked
`stale`, and the walk reads them off all rows.
"""

from collections.abc import Mapping

from services.profile.projector.items import Contact, Item, both_told, contact_key
from services.profile.projector.recorded import interaction as count_interaction
from services.profile.projector.recorded import met
from services.profile.projector.state import RESPONSE, ByHand, Profile, count_contact
from shared import language
from shared.bounded import Stamp, first_of
from shared.codec import Event
from shared.moments import micros


def interaction(state: Profile, event: Event, stamp: Stamp) -> None:
    """Count a contact: a publisher's stays what it is, one that somebody recorded may be taken back."""
    told = language.contact_of(event)
    if told is not None:
        _take(state, stamp, told)
    elif isinstance(event.data, language.InteractionRecorded):
        met(state, stamp, touched=True)
        count_interaction(state, stamp, event.data)


def _take(state: Profile, stamp: Stamp, told: language.Contact) -> None:
    """Fold what an event says of a contact. That it is taken back is news of the moment when it is."""
    if told.retracted:
        state.latest_fact = max(state.latest_fact, stamp[0])
    item = state.items.setdefault(contact_key(told.id), Item())
    was = item.contact
    now = item.contact = both_told(was, _contact(told))
    count_contact(state.contacts, was, -1)
    count_contact(state.contacts, now, 1)
    stood, stands = _standing(was), _standing(now)
    ends = state.contacts.by_hand
    if stands and not stood:
        state.contacts.by_hand = _joined(ends, stands)
    elif stood and not stands and _is_end(ends, stood):
        state.stale = True


def by_hand(items: Mapping[str, Item]) -> ByHand | None:
    """The ends of all contacts that stand; all child rows must be there."""
    found: ByHand | None = None
    for item in items.values():
        stands = _standing(item.contact)
        if stands:
            found = _joined(found, stands)
    return found


def _contact(told: language.Contact) -> Contact:
    return Contact(
        at=micros(told.time),
        id=told.id,
        kind=told.kind,
        direction=told.direction,
        recorded=not told.retracted,
        retracted=told.retracted,
    )


def _standing(contact: Contact | None) -> ByHand | None:
    """What one contact is to the ends: both of them; None where it does not stand."""
    if contact is None or not contact.stands:
        return None
    response = (contact.at, contact.id) if contact.kind == RESPONSE else None
    return ByHand(contact.at, contact.at, response)


def _joined(mine: ByHand | None, theirs: ByHand) -> ByHand:
    if mine is None:
        return theirs
    response = first_of(mine.response, theirs.response)
    return ByHand(min(mine.first, theirs.first), max(mine.last, theirs.last), response)


def _is_end(ends: ByHand | None, one: ByHand) -> bool:
    """Whether one of the ends goes with this contact."""
    return ends is None or (
        one.first == ends.first
        or one.last == ends.last
        or (one.response is not None and one.response == ends.response)
    )
