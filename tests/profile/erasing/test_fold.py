"""What an erasure makes of a customer's state and view, and that a row folded while a key was still there is the same
as one folded when nothing can be opened any more."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.projection import COLUMNS, PROFILE
from services.profile.projector import Profile, derive, evolve, merge
from services.profile.projector.announce import Told, announce, tell
from shared.codec import Event
from shared.language import (
    EVENT_TYPES,
    ConsentChanged,
    CustomerDescribed,
    CustomerEdited,
    CustomerErased,
    CustomerNumbered,
    Data,
    IdentifiersAdded,
    InteractionRecorded,
    TagAdded,
    TagRemoved,
)
from shared.language.personal import split
from shared.moments import micros
from tests.profile.folding import Rows, Story, codes, day, fold, settled
from tests.profile.test_fold_law import SLOW
from tests.strategies import clocks, histories, make_event

ERASED = CustomerErased(erasure="01934b5c-7a00-7000-8000-0000000000ee", by="privacy.office")
PERSONAL: list[Data] = [
    CustomerDescribed({"name": "李雷", "region": "Shanghai", "key_need": "price"}),
    CustomerEdited({"owner": "chen.li", "remark": "tall"}, "chen.li"),
    IdentifiersAdded({"member_no": "M42", "phone": "+8613800138000"}),
    ConsentChanged("sms", granted=True),
    TagAdded("vip", "chen.li", "his wife called"),
    TagRemoved("vip", "chen.li", "or was it his sister"),
]


def told() -> Story:
    """Somebody of whom everything is known."""
    story = Story()(0, *PERSONAL[:-1], InteractionRecorded("call"), CustomerNumbered("C2026000001"))
    return story.buys(1, 8)


def test_what_identifies_goes_and_what_was_bought_stays() -> None:
    before, after = told().view(9), told()(9, ERASED).view(9)
    assert (after.status, after.erased, before.erased) == ("erased", True, False)
    assert (after.name, after.owner, after.identifiers, after.consents) == (None, None, [], [])
    assert not any(after.attributes.values())
    assert [tag for tag in codes(before) if tag not in codes(after)] == [
        *("vip", "need:price-sensitive", "region:Shanghai")
    ]
    for name in ("number", "orders", "spend", "lifecycle", "last_purchase_at", "first_contact_at"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.last_interaction_at == before.last_interaction_at is not None


@pytest.mark.parametrize("data", PERSONAL, ids=lambda data: type(data).__name__)
def test_what_is_said_of_the_person_later_is_not_kept(data: Data) -> None:
    quiet, later = told()(9, ERASED), told()(9, ERASED)(10, data)
    kept = later.state()
    assert (kept.fields, kept.identifiers, kept.consents, kept.tags) == ({}, {}, {}, {})
    assert not kept.created
    assert later.view(20).tags == quiet.view(20).tags


def test_what_is_bought_later_counts() -> None:
    view = told()(9, ERASED).buys(15).view(16)
    assert (view.orders, view.status, view.name) == (3, "erased", None)


def test_nobody_gets_a_number_by_being_erased() -> None:
    assert Story()(0, IdentifiersAdded({"member_no": "M1"})).view(1).needs_number
    assert not Story()(0, IdentifiersAdded({"member_no": "M1"}), ERASED).view(1).needs_number
    assert not Story()(0, CustomerEdited({"name": "A"}, "x"), ERASED).view(1).needs_number


def test_a_customer_is_erased_once_all_parts_are() -> None:
    one, other = Story().buys(1)(9, ERASED).state(), Story().buys(2)(10, ERASED).state()
    living = Story()(0, CustomerDescribed({"name": "Li"})).buys(3).state()
    assert merge(one, other).erased == micros(day(10))
    for pair in ((one, living), (living, one)):
        both = settled(merge(*pair))
        view = derive(both, day(11), {})
        assert (view.erased, view.status, view.name, view.orders) == (False, "active", "Li", 2)


def test_a_customer_left_over_goes_by_a_number_of_who_is_left() -> None:
    gone = Story()(0, CustomerNumbered("C2026000001"))(9, ERASED).state()
    left = Story()(0, CustomerNumbered("C2026000007")).state()
    for pair in ((gone, left), (left, gone)):
        assert derive(settled(merge(*pair)), day(10), {}).number == "C2026000007"
    for pair in ((gone, Story().state()), (Story().state(), gone)):
        assert derive(settled(merge(*pair)), day(10), {}).number == "C2026000001"


def test_tags_of_what_was_known_are_dropped_and_nothing_is_begun() -> None:
    """The difference says so, at the moment of the erasure; of somebody without a fact nothing is said."""
    before = told().view(9)
    said = Told()
    for one in announce(said, before, None):
        said = tell(said, one)
    after = told()(9, ERASED).view(9)
    assert [(one.type, one.data.tag, one.time) for one in announce(said, after, day(9))] == [
        ("tag.dropped", "need:price-sensitive", day(9)),
        ("tag.dropped", "region:Shanghai", day(9)),
    ]
    unknown = Story()(0, IdentifiersAdded({"cookie": "c"}))(9, ERASED).view(9)
    assert announce(Told(), unknown, day(9)) == []


def test_the_row_is_found_by_nothing_but_the_number() -> None:
    row = dict(zip(COLUMNS, PROFILE.row(told()(9, ERASED).view(9)), strict=True))
    assert (row["erased"], row["search"], row["sort_name"]) == (True, "c2026000001", None)
    assert (row["owner"], row["region"], row["industry"]) == (None, None, None)
    assert PROFILE.row(told().view(9))[COLUMNS.index("erased")] is False


def unsealed(event: Event) -> Event:
    """The event as it is read once the key is destroyed."""
    kind = EVENT_TYPES[event.type]
    clear, _ = split(event.type, msgspec.to_builtins(event.data))
    return msgspec.structs.replace(event, data=msgspec.convert(clear, kind.struct))


@st.composite
def erased_lives(draw: st.DrawFn) -> list[Event]:
    """A history with things said by people, and somewhere in it the erasure."""
    events = draw(histories())
    said = draw(st.lists(st.sampled_from(PERSONAL), max_size=6))
    for data in said:
        place = draw(st.integers(0, len(events)))
        event = make_event(data, time=day(draw(st.integers(0, 90))), number=900 + len(events))
        events.insert(place, event)
    place = draw(st.integers(0, len(events)))
    events.insert(place, make_event(ERASED, time=day(draw(st.integers(0, 90))), number=2000))
    return events


@given(erased_lives(), clocks, st.lists(st.integers(1, 5), max_size=30))
@SLOW
def test_folded_with_the_key_or_without_it_is_the_same(events, clock, sizes) -> None:
    live, late = fold(events), fold(map(unsealed, events))
    assert live == late
    assert derive(live, clock, {}) == derive(late, clock, {})
    rows = Rows()
    rest = list(events)
    for size in [*sizes, len(rest)]:
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            rows.batch(chunk)
    assert rows.whole() == late


@given(erased_lives(), st.randoms(use_true_random=False))
@SLOW
def test_of_one_part_it_may_come_in_any_order(events, dice) -> None:
    """Two halves of one part do not merge to the whole, though: a decision is about a part, and a customer is erased
    once all parts are."""
    assert fold(dice.sample(events, len(events))) == fold(events)


def test_a_name_is_read_until_then() -> None:
    """The law above would hold of a fold that reads no names at all."""
    event = make_event(PERSONAL[0])
    assert fold([event]) != fold([unsealed(event)])
    edited: Any = unsealed(make_event(PERSONAL[1])).data
    assert edited.changes == {}


def test_a_second_erasure_changes_nothing() -> None:
    once = evolve(Profile(), make_event(ERASED, time=day(3)))
    twice = evolve(
        evolve(Profile(), make_event(ERASED, time=day(3))), make_event(ERASED, time=day(5))
    )
    assert once == twice
