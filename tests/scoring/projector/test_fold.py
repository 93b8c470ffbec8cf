"""What each event does to the state, and that facts may come in any order and in any pieces."""

import copy
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.projector import CONSUMES, SHOWS, State, evolve, item_keys, merge, settle
from services.scoring.projector.state import NEWEST, Item, Sums, keep_newest
from shared.language import (
    EVENT_TYPES,
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    Contribution,
    PurchaseCancelled,
    PurchaseRefunded,
    Settled,
    contribution,
)
from shared.moments import micros
from tests.scoring.projector.folding import fold, folded, settled
from tests.strategies import START, bought, divided, event_id, make_event, rearranged

DAY = START.toordinal()


def counts(number: int = 1, amount: int = 1000, *, day: int = 0, orders: int = 1) -> Contribution:
    part = contribution(event_id(number), START + timedelta(days=day), 480, bought(amount))
    return msgspec.structs.replace(part, orders=orders)


FIRST, LATER = counts(1), counts(2, 500, day=9)
KNOWN = (
    make_event(bought(), number=1),
    make_event(bought(500, order_id="A-2"), number=2, time=START + timedelta(days=9)),
)
"""1000 on the first day, 500 nine days later."""
OPENED = make_event(ComplaintOpened("K-1", category="quality"), number=10)
CASES = [
    ("purchase.completed", [], bought(), {"days": 1, "orders": 1, "first_day": DAY}),
    (
        "purchase.completed",
        KNOWN,
        bought(70, currency="USD"),
        {"money": {"CNY": Sums(2, 1500), "USD": Sums(1, 70)}, "days": 2, "orders": 3},
    ),
    (
        "purchase.corrected",
        KNOWN,
        bought(800, corrected=True, settled=Settled(LATER, counts(3, 800, day=4))),
        {"money": {"CNY": Sums(2, 1800)}, "days": 2, "orders": 2, "last_day": DAY + 4},
    ),
    (
        "purchase.cancelled",
        KNOWN,
        PurchaseCancelled("A-2", settled=Settled(LATER, None)),
        {"money": {"CNY": Sums(1, 1000)}, "days": 1, "orders": 1, "last_day": DAY},
    ),
    (
        "purchase.cancelled",
        KNOWN[:1],
        PurchaseCancelled("A-1", settled=Settled(FIRST, None)),
        {"days": 0, "orders": 0, "first_day": None, "last_day": None, "newest": []},
    ),
    (
        "purchase.refunded",
        KNOWN,
        PurchaseRefunded("A-2", settled=Settled(LATER, counts(2, 300, day=9))),
        {"money": {"CNY": Sums(2, 1300)}, "days": 2, "orders": 2},
    ),
    (
        "purchase.refunded",
        [],
        PurchaseRefunded("A-9", settled=Settled(None, counts(1, -300, orders=0))),
        {"money": {"CNY": Sums(0, -300)}, "days": 0, "orders": 0, "items": {}},
    ),
    ("complaint.opened", [], OPENED.data, {"complaints": 1, "open_complaints": 1}),
    ("complaint.answered", [OPENED], ComplaintAnswered("K-1"), {"open_complaints": 1}),
    ("complaint.escalated", [OPENED], ComplaintEscalated("K-1"), {"open_complaints": 1}),
    (
        "complaint.resolved",
        [OPENED],
        ComplaintResolved("K-1"),
        {"complaints": 1, "open_complaints": 0, "complained": []},
    ),
    ("complaint.reopened", [], ComplaintReopened("K-1"), {"complaints": 1, "open_complaints": 1}),
]


@pytest.mark.parametrize(("kind", "before", "data", "then"), CASES)
def test_each_event(kind, before, data, then):
    event = make_event(data, number=20)
    assert event.type == kind
    state = folded([*before, event])
    assert {name: getattr(state, name) for name in then} == then


def test_every_event_that_is_read_has_a_case():
    assert {kind for kind, *_ in CASES} == CONSUMES


@pytest.mark.parametrize("kind", sorted(set(EVENT_TYPES) - CONSUMES))
def test_other_events_change_nothing(kind):
    known = EVENT_TYPES[kind]
    event = make_event(msgspec.convert(known.example, known.struct, strict=False))
    assert evolve(State(), event) == State()
    assert item_keys(event) == ()


def test_who_never_bought_gets_a_row_too():
    assert "identifiers.added" in SHOWS


def test_several_purchases_on_a_local_day_are_one_day():
    """23:30 and 00:30 in Shanghai are two days, though one in UTC."""
    late = START.replace(hour=15, minute=30)
    events = [
        make_event(bought(), number=1, time=late),
        make_event(bought(), number=2, time=late + timedelta(hours=1)),
        make_event(bought(), number=3, time=late + timedelta(hours=2)),
    ]
    state = folded(events)
    assert (state.days, state.orders) == (2, 3)
    assert (state.first_day, state.last_day) == (DAY, DAY + 1)


def test_the_newest_purchases_are_the_evidence():
    events = [
        make_event(bought(), number=number, time=START + timedelta(days=number))
        for number in (5, 1, 4, 2, 3)
    ]
    state = folded(events)
    assert [entry[1] for entry in state.newest] == [event_id(n) for n in (5, 4, 3)]


def test_a_cancelled_newest_purchase_makes_room_for_an_older_one():
    events = [
        make_event(bought(), number=number, time=START + timedelta(days=number))
        for number in (1, 2, 3, 4)
    ]
    gone = Settled(counts(4, day=4), None)
    state = fold([*events, make_event(PurchaseCancelled("A-1", settled=gone), number=9)])
    assert state.stale
    state = settled(state)
    assert [entry[1] for entry in state.newest] == [event_id(n) for n in (3, 2, 1)]
    assert state.last_day == DAY + 3


def test_an_older_event_of_a_complaint_changes_nothing():
    resolved = make_event(ComplaintResolved("K-1"), number=2, time=START + timedelta(hours=5))
    state = folded([resolved, OPENED])
    assert (state.complaints, state.open_complaints) == (1, 0)
    assert state.heard == micros(resolved.time)


def test_a_resolved_newest_complaint_makes_room_for_an_older_one():
    opened = [
        make_event(ComplaintOpened(f"K-{n}", category="quality"), number=n, time=START)
        for n in (1, 2, 3, 4)
    ]
    resolved = make_event(ComplaintResolved("K-4"), number=9, time=START + timedelta(hours=1))
    state = fold([*opened, resolved])
    assert state.stale
    state = settled(state)
    assert [entry[1] for entry in state.complained] == [event_id(n) for n in (3, 2, 1)]
    assert (state.complaints, state.open_complaints) == (4, 3)


moments = st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.just(0))


def test_an_old_newcomer_does_not_take_the_place_of_what_is_not_kept():
    """Of 9, 8, 7 and 6 (not kept) 9 goes and 1 comes: 6 belongs there, not 1."""
    kept = [(9, "a", 0), (8, "a", 0), (7, "a", 0)]
    assert keep_newest(kept, {(1, "a", 0)}, {(9, "a", 0)}, total=4) is None
    assert keep_newest(kept, {(8, "b", 0)}, {(9, "a", 0)}, total=4) == [
        (8, "b", 0),
        (8, "a", 0),
        (7, "a", 0),
    ]


@given(st.lists(st.tuples(st.sets(moments, max_size=2), st.sets(moments, max_size=2)), max_size=9))
def test_the_newest_kept_are_the_newest_or_it_is_said_that_they_may_not_be(changes):
    kept: list = []
    everything: set = set()
    for wanted, unwanted in changes:
        come = wanted - everything
        gone = (unwanted & everything) - come
        everything = (everything - gone) | come
        found = keep_newest(kept, come, gone, len(everything))
        truth = sorted(everything, reverse=True)[:NEWEST]
        assert found in (None, truth)
        assert found is not None or gone
        kept = truth


@given(rearranged())
def test_the_order_of_facts_does_not_matter(pair):
    one, other = (folded(events) for events in pair)
    assert one == other
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(
        msgspec.structs.replace(other, items={key: other.items[key] for key in one.items})
    )


@given(divided())
def test_merged_parts_are_the_whole(parts):
    one, other, whole = parts
    assert settled(merge(fold(one), fold(other))) == settled(fold(whole))


@given(rearranged())
def test_what_is_kept_is_what_the_items_say(pair):
    """`settle` recomputes from items; a state that is not stale already says the same."""
    state = folded(pair[1])
    assert settle(copy.deepcopy(state)) == state


@given(rearranged())
def test_only_the_announced_items_are_touched(pair):
    """The loop loads what `item_keys` names, and nothing else (C3: another's row would be lost)."""
    state = State()
    loaded: dict[str, Item] = {}
    for event in pair[1]:
        keys = item_keys(event)
        state.items = {key: loaded[key] for key in keys if key in loaded}
        state = evolve(state, event)
        assert set(state.items) <= set(keys)
        loaded |= state.items
    state.items = loaded
    assert settled(state) == folded(pair[1])


def test_the_row_stays_small():
    """A hundred thousand purchases over ten years: one row of constant size, bounded items."""
    state = State()
    largest = 0
    for number in range(100_000):
        time = START + timedelta(minutes=50 * number)
        event = make_event(bought(order_id=str(number)), number=number, time=time)
        for key in item_keys(event):  # only the last days' items are at hand
            state.items = {key: state.items[key]} if key in state.items else {}
        state = evolve(state, event)
        largest = max(largest, *(len(msgspec.msgpack.encode(i)) for i in state.items.values()))
    assert state.orders == 100_000
    assert not state.stale
    assert len(msgspec.msgpack.encode(msgspec.structs.replace(state, items={}))) < 500
    assert largest < 3_000


def test_what_happened_to_somebody_else_is_not_heard_of():
    taken = PurchaseCancelled("A-1", settled=Settled(FIRST, None, elsewhere=True))
    state = fold([KNOWN[0], make_event(taken, number=3, time=START + timedelta(days=90))])
    assert (state.orders, state.heard) == (0, micros(START))
