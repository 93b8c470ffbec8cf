"""Whatever comes, a state stays bounded, and what is kept does not depend on the order."""

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.projector import Profile, evolve, walk
from services.profile.projector.items import Item, bought
from services.profile.projector.state import IDENTIFIERS, OTHER_FIELDS
from shared.bounded import ENDS, insert, retain
from shared.language import (
    ComplaintReopened,
    ComplaintResolved,
    CustomerDescribed,
    IdentifiersAdded,
)
from tests.profile.folding import DAY_0, Rows, day, fold
from tests.strategies import bought as basket
from tests.strategies import make_event

entries = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from("ab"), st.sampled_from((1, -1)))
) | st.randoms(use_true_random=False).map(
    lambda dice: [
        (dice.randrange(200), dice.choice("ab"), dice.choice((1, -1))) for _ in range(150)
    ]
)


@given(entries, st.randoms())
def test_entries_keep_both_ends_in_any_order(added, dice: random.Random) -> None:
    shuffled = list(added)
    dice.shuffle(shuffled)
    one: list[tuple[int, str, int]] = []
    other: list[tuple[int, str, int]] = []
    for entry in added:
        insert(one, *entry)
    for entry in shuffled:
        insert(other, *entry)
    assert one == other
    assert len(one) <= 2 * ENDS
    stamps = sorted({entry[:2] for entry in added})
    if len(stamps) > 2 * ENDS:
        stamps = stamps[:ENDS] + stamps[-ENDS:]
    assert [entry[:2] for entry in one] == stamps
    for at, by, number in one:
        assert number == sum(entry[2] for entry in added if entry[:2] == (at, by))


@given(st.lists(st.text(max_size=3), unique=True, max_size=40), st.randoms())
def test_retained_keys_do_not_depend_on_the_order(keys, dice: random.Random) -> None:
    shuffled = list(keys)
    dice.shuffle(shuffled)
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    for key in keys:
        one[key] = 1
        retain(one, 8)
    for key in shuffled:
        other[key] = 1
        retain(other, 8)
    assert one == other
    assert len(one) == min(8, len(keys))


def test_a_day_whose_kept_purchases_were_cancelled_is_still_a_day() -> None:
    item = Item(entries=[(1, "a", 0), (2, "b", 0), (3, "c", 0)], orders=5)
    assert bought(item) == ((2, "b"), (2, "b"))
    assert bought(Item(entries=[(1, "a", 1)], orders=0)) is None


@pytest.mark.slow
def test_a_hundred_thousand_events_leave_a_small_state() -> None:
    """Everything unbounded about one customer: purchases, days, categories, traits, identifiers."""
    state = Profile()
    for number in range(100_000):
        data = basket(
            100, order_id=f"A{number}", categories=[f"category {number}"] if number < 3000 else []
        )
        at = DAY_0 + timedelta(seconds=number)
        state = evolve(state, make_event(data, time=at, number=number))
    for number in range(1000):
        told = CustomerDescribed({f"trait {number}": number})
        state = evolve(state, make_event(told, time=day(2), number=100_000 + number))
        added = IdentifiersAdded({"cookie": f"c{number}", "phone": f"+86{number}"})
        state = evolve(state, make_event(added, time=day(2), number=200_000 + number))
    assert len(state.items) == 2
    assert max(len(msgspec.msgpack.encode(item)) for item in state.items.values()) < 5_000
    assert state.purchases.orders == 100_000
    assert state.purchases.currencies["CNY"].spend == 10_000_000
    assert len(state.identifiers) == IDENTIFIERS
    assert len(state.fields) == OTHER_FIELDS
    state.items = {}
    assert len(msgspec.msgpack.encode(state)) < 16_000


def test_many_purchases_a_day_walk_the_same_in_any_order() -> None:
    dice = random.Random(7)
    events = [
        make_event(
            basket(100, order_id=f"A{number}"),
            time=day(number // 90 * 10) + timedelta(seconds=dice.randrange(3600)),
            number=number + 1,
        )
        for number in range(270)
    ]
    shuffled = dice.sample(events, len(events))
    rows = Rows()
    rows.batch(shuffled[:100])
    rows.batch(shuffled[100:])
    assert rows.whole() == fold(events)


def test_a_complaint_without_end_walks_the_same_in_any_order() -> None:
    kinds = (ComplaintResolved, ComplaintReopened)
    purchases = [
        make_event(basket(100, order_id=f"A{number}"), time=day(number), number=1000 + number)
        for number in range(5)
    ]
    steps = [
        make_event(kinds[number % 2]("K"), time=day(4 + number / 100), number=number + 1)
        for number in range(150)
    ]
    events = purchases + steps
    shuffled = random.Random(3).sample(events, len(events))
    rows = Rows()
    for start in range(0, len(events), 7):
        rows.batch(shuffled[start : start + 7])
    whole = fold(events)
    assert rows.whole() == whole
    whole.stale = True
    assert walk(whole).walker == rows.whole().walker
