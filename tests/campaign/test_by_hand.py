"""Contacts that people record and take back: rules see what is left, as if nobody had recorded them."""

import msgspec
import pytest
from hypothesis import given

from services.campaign.projector import Audience, Item, derive, evolve, item_keys, merge
from services.campaign.projector.rules import compile_rule
from services.campaign.projector.subject import Subject
from shared.codec import Event
from shared.language import InteractionRecorded
from shared.moments import micros
from tests.campaign.folding import ZONE, fold, rules, segments, settled, whole_histories
from tests.campaign.test_fold_law import SOME
from tests.profile.folding import day
from tests.strategies import clocks, make_event, retraction


def recorded(number: int, at: float, utcoffset: int = 480) -> Event:
    data = InteractionRecorded(kind="call")
    return make_event(data, time=day(at), number=number, utcoffset=utcoffset, commanded=True)


def counted(state: Audience) -> dict[int, int]:
    """How many contacts stand, by local day."""
    days = state.counts["interaction.recorded"].days
    found = {at: number for at, number in days.items() if number}
    assert state.counts["interaction.recorded"].total == sum(found.values())
    return found


@given(whole_histories(), rules, clocks)
@SOME
def test_what_is_taken_back_leaves_nothing_behind(events, rule, clock):
    """At a clock that is ahead of all: taking back is heard, and nobody is before what was heard last."""
    back = [event for event in events if event.type == "interaction.retracted"]
    gone = {event.data.interaction_id for event in back}
    states = [
        fold(events),
        fold([event for event in events if event.id not in gone and event not in back]),
    ]
    now = max([event.time for event in events], default=day(0))
    now = now if clock is None else max(now, clock)
    one, other = (derive(state, now, segments(rule)).members for state in states)
    assert one == other


@pytest.mark.parametrize("end", [0, 1, 2])
def test_whichever_end_is_taken_back_the_next_one_stands(end):
    contacts = [recorded(n, n, utcoffset=60 * n) for n in range(3)]
    state = fold([*contacts, retraction(contacts[end], 9, day(2))])
    left = [n for n in range(3) if n != end]
    assert (state.first_fact, state.last_touch) == tuple(micros(day(n)) for n in left)
    assert state.utcoffset == 60 * left[1]
    assert state.last_fact == micros(day(2))
    assert counted(state) == {contacts[n].day: 1 for n in left}


def test_only_an_end_makes_all_child_rows_be_read():
    contacts = [recorded(n, n) for n in range(3)]
    state = fold(contacts)
    assert not evolve(state, retraction(contacts[1], 9)).stale
    assert evolve(state, retraction(contacts[0], 10)).stale


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)])
def test_before_its_record_and_twice(order):
    contact = recorded(1, 4)
    events = [contact, retraction(contact, 2, day(5)), retraction(contact, 3, day(6))]
    told = [events[n] for n in order]
    whole = fold(told)
    assert whole == fold(events)
    assert (whole.first_fact, whole.last_touch, counted(whole)) == (None, None, {})
    halves = [fold(told[:1]), fold(told[1:])]
    assert merge(*halves) == merge(*halves[::-1]) == whole


def test_only_what_can_be_taken_back_has_a_child_row():
    contact = recorded(1, 4)
    assert item_keys(contact) == item_keys(retraction(contact, 2)) == (f"contact:{contact.id}",)
    published = make_event(InteractionRecorded(kind="call"))
    assert item_keys(published) == ()
    assert fold([published]).items == {}


def test_rows_from_before_there_were_child_rows():
    """A complaint as it was written then; a contact that was counted then is counted back."""
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode([7, "a", True]), type=Item)
    assert kept == Item(7, "a", True)
    contact = recorded(2, 4)
    old = {"touched": 7, "counts": {"interaction.recorded": [2, {contact.day: 2}]}}
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Audience)
    state = settled(evolve(state, retraction(contact, 3, day(5))))
    assert counted(state) == {contact.day: 1}
    assert state.last_touch == 7


def test_complaints_are_counted_without_contacts():
    whole = merge(fold([recorded(1, 1)]), Audience())
    assert whole.complaints == 0
    rule = compile_rule({"field": "complaints.total", "op": "=", "value": 0})
    assert rule.test(Subject(whole, day(9), ZONE))
