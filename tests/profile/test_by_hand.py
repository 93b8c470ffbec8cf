"""Contacts that people record and take back: what is left is as if nobody had recorded them."""

import msgspec
import pytest
from hypothesis import given

from services.profile.projector import Profile, View, derive, evolve, item_keys, merge
from services.profile.projector.state import Contacts
from shared.codec import Event
from shared.language import InteractionRecorded
from shared.moments import moment
from tests.profile.folding import Rows, codes, day, fold, settled
from tests.profile.test_fold_law import SLOW
from tests.strategies import clocks, make_event, rearranged, retraction


def recorded(number: int, at: float, kind: str = "call", direction: str = "inbound") -> Event:
    data = InteractionRecorded(kind=kind, direction=direction)
    return make_event(data, time=day(at), number=number, commanded=True)


def published(number: int, at: float, kind: str = "call") -> Event:
    return make_event(InteractionRecorded(kind=kind), time=day(at), number=number)


def seen(state: Profile) -> View:
    """The view, but for when it last changed: taking back is news, too."""
    return msgspec.structs.replace(derive(state, day(50), {}), changed_at=None)


@given(rearranged(), clocks)
@SLOW
def test_what_is_taken_back_leaves_nothing_behind(pair, clock):
    events, shuffled = pair
    gone = {event.data.interaction_id for event in events if event.type == "interaction.retracted"}
    left = [e for e in events if e.id not in gone and e.type != "interaction.retracted"]
    views = [derive(fold(some), clock, {}) for some in (shuffled, left)]
    one, other = (msgspec.structs.replace(view, changed_at=None) for view in views)
    assert one == other


@pytest.mark.parametrize("end", [0, 1, 2])
def test_whichever_end_is_taken_back_the_next_one_stands(end):
    contacts = [recorded(n, n, "campaign_response") for n in range(3)]
    state = fold([*contacts, retraction(contacts[end], 9, day(20))])
    left = [n for n in range(3) if n != end]
    assert state.contacts.earliest() == fold([contacts[left[0]]]).contacts.earliest()
    view = derive(state, day(30), {})
    assert (view.first_contact_at, view.last_interaction_at) == (day(left[0]), day(left[1]))
    [tag] = view.tags
    assert (tag.since, tag.evidence) == (day(left[0]), [contacts[left[0]].id])
    assert view.changed_at == day(20)


def test_only_an_end_makes_the_walk_start_anew():
    contacts = [recorded(n, n) for n in range(3)]
    state = fold(contacts)
    assert not evolve(state, retraction(contacts[1], 9)).stale
    assert evolve(state, retraction(contacts[2], 10)).stale


def test_what_a_publisher_sent_stands_beside_it():
    mistake = recorded(2, 9, "service")
    state = fold([published(1, 3), mistake, retraction(mistake, 3, day(10))])
    assert (state.contacts.kinds, state.contacts.served) == ({"call": 1, "service": 0}, 0)
    assert seen(state) == seen(fold([published(1, 3)]))


def test_service_contacts_support_their_tag_only_while_they_stand():
    contacts = [recorded(n, n) for n in range(5)]
    assert "need:service-demanding" in codes(derive(fold(contacts), day(9), {}))
    fewer = fold([*contacts, *(retraction(one, 10 + n) for n, one in enumerate(contacts))])
    assert codes(derive(fewer, day(9), {})) == []
    assert seen(fewer) == seen(Profile())


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)])
def test_before_its_record_and_twice(order):
    contact = recorded(1, 4)
    events = [contact, retraction(contact, 2, day(5)), retraction(contact, 3, day(6))]
    told = [events[n] for n in order]
    whole = fold(told)
    assert whole == fold(events)
    assert whole.contacts == Contacts(kinds={"call": 0})
    rows = Rows()
    for event in told:
        rows.batch([event])
    assert rows.whole() == whole
    halves = [fold(told[:1]), fold(told[1:])]
    assert settled(merge(*halves)) == whole
    assert settled(merge(*halves[::-1])) == whole


def test_only_what_can_be_taken_back_has_a_child_row():
    contact = recorded(1, 4)
    assert item_keys(contact) == item_keys(retraction(contact, 2)) == (f"contact:{contact.id}",)
    assert item_keys(published(1, 4)) == ()
    assert fold([published(1, 4)]).items == {}


def test_a_contact_from_before_there_were_child_rows_is_counted_back():
    """A row as it was written then: its counts go, the ends of what it knew stay."""
    contact = recorded(2, 4)
    old = {
        "latest_fact": 1,
        "contacts": {"first": 1, "last": 7, "kinds": {"call": 2}, "served": 2},
    }
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Profile)
    state = settled(evolve(state, retraction(contact, 3, day(5))))
    assert (state.contacts.kinds, state.contacts.served) == ({"call": 1}, 1)
    assert derive(state, None, {}).last_interaction_at == moment(7)
