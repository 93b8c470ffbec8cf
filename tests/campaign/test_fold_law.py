"""Facts fold in any order, in any chunks, in any two halves, to the same state and view."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.campaign.projection import AUDIENCE
from services.campaign.projector import (
    EMITS,
    Audience,
    Item,
    View,
    announce,
    derive,
    evolve,
    item_keys,
    merge,
    needs_items,
    walk,
)
from services.campaign.projector.announce import Told, tell
from services.campaign.projector.bounded import KEPT_DAYS, Days, add_days, count
from shared.language import EVENT_TYPES, ConsentChanged
from tests.campaign.folding import fold, rules, segments, whole_histories
from tests.strategies import clocks, make_event

SOME = settings(max_examples=60)


@given(whole_histories(), st.randoms(use_true_random=False), rules, clocks)
@SOME
def test_any_order_gives_the_same_state_and_view(events, random, rule, clock):
    shuffled = random.sample(events, len(events))
    one, other = fold(events), fold(shuffled)
    assert one == other
    policies = segments(rule)
    assert derive(one, clock, policies) == derive(other, clock, policies)


@given(whole_histories(), st.randoms(use_true_random=False))
@SOME
def test_two_halves_merge_to_the_whole(events, random):
    first = [event for event in events if random.random() < 0.5]
    second = [event for event in events if event not in first]
    whole = fold(random.sample(events, len(events)))
    assert merge(fold(first), fold(second)) == whole
    assert merge(fold(second), fold(first)) == whole


@given(whole_histories(), st.lists(st.integers(1, 5), max_size=30))
@SOME
def test_any_chunks_through_rows_give_the_same(events, sizes):
    """Between batches a state is bytes, and of the child rows only those are there that a batch names."""
    state, items, rest = b"", {}, list(events)
    for size in [*sizes, len(events)]:
        chunk, rest = rest[:size], rest[size:]
        held = msgspec.msgpack.decode(state, type=Audience) if state else Audience()
        for key in {key for event in chunk for key in item_keys(event)} & items.keys():
            held.items[key] = msgspec.msgpack.decode(items[key], type=Item)
        for event in chunk:
            held = evolve(held, event)
        if needs_items(held, {}):
            for key in items.keys() - held.items.keys():
                held.items[key] = msgspec.msgpack.decode(items[key], type=Item)
            held = walk(held, {})
        items |= {key: msgspec.msgpack.encode(item) for key, item in held.items.items()}
        held.items = {}
        state = msgspec.msgpack.encode(held)
    whole = msgspec.msgpack.decode(state, type=Audience)
    whole.items = {key: msgspec.msgpack.decode(item, type=Item) for key, item in items.items()}
    assert whole == fold(events)


@given(whole_histories(), rules, clocks)
@SOME
def test_what_was_said_is_what_is_so(events, rule, clock):
    """However often it was said before, after one more announcement nothing is left to say."""
    told, policies = Told(), segments(rule)
    for most in (len(events) // 2, len(events)):
        view = derive(fold(events[:most]), clock, policies)
        for said in announce(told, view):
            told = tell(told, said)
        assert announce(told, view) == []
        assert set(told.segments) == {member.id for member in view.members} or view.at is None
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=View) == view


@given(st.lists(st.integers(1, 600), max_size=900), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_days_are_bounded_by_their_age_whatever_came_first(days, random):
    def counted(order: list[int]) -> dict[str, Days]:
        made: dict[str, Days] = {}
        for day in order:
            count(made, "x", day, 1)
        return made

    whole = counted(days)
    assert whole == counted(random.sample(days, len(days)))
    if days:
        assert len(whole["x"].days) <= KEPT_DAYS
        halves = counted(days[::2] or days[:1]), counted(days[1::2])
        if halves[1]:
            assert add_days(halves[0]["x"], halves[1]["x"]) == whole["x"]


@pytest.mark.parametrize("name", sorted(set(EVENT_TYPES) - AUDIENCE.consumes))
def test_what_is_not_read_changes_nothing(name):
    kind = EVENT_TYPES[name]
    data = msgspec.convert(kind.example, kind.struct, strict=False)
    assert evolve(Audience(), make_event(data)) == Audience()


def test_announcements_rank_above_all_that_they_follow_from():
    consumed = max(EVENT_TYPES[name].rank for name in AUDIENCE.consumes)
    assert all(EVENT_TYPES[name].rank > consumed for name in EMITS)
    assert all("campaign" in EVENT_TYPES[name].emitters for name in EMITS)


@pytest.mark.parametrize("words", [(True, False), (False, True)])
def test_of_two_consents_at_one_moment_the_revoked_wins(words):
    events = [make_event(ConsentChanged("sms", word), number=n) for n, word in enumerate(words, 1)]
    for whole in (fold(events), merge(fold(events[:1]), fold(events[1:]))):
        assert whole.consents["sms"].value is False
