"""What each event does to the state, and that facts may come in any order and in any pieces."""

import copy
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.projector import (
    CONSUMES,
    SHOWS,
    State,
    complaints,
    evolve,
    item_keys,
    merge,
    settle,
)
from services.scoring.projector.state import (
    NEWEST,
    Item,
    Month,
    Points,
    Sums,
    Touches,
    Verdict,
    keep_newest,
)
from services.scoring.projector.surveys import points_of
from shared.codec import Event
from shared.language import (
    EVENT_TYPES,
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    Contribution,
    InteractionRecorded,
    MatrixReviewed,
    MessageClicked,
    MessageDelivered,
    PurchaseCancelled,
    PurchaseRefunded,
    Settled,
    SurveyAnswered,
    contribution,
)
from shared.moments import micros
from tests.scoring.projector.folding import fold, folded, settled
from tests.strategies import (
    START,
    bought,
    divided,
    event_id,
    histories,
    make_event,
    rearranged,
    retraction,
    times,
)

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
JANUARY = 12 * 2026
OVERRIDDEN = MatrixReviewed("2026-01", "overridden", "core", "chen.li", "A contract")
OPENED = make_event(ComplaintOpened("K-1", category="quality"), number=10)
CALLED = make_event(InteractionRecorded("call", direction="outbound"), number=11, commanded=True)
ANSWERED = InteractionRecorded("campaign_response", direction="outbound")
TAKEN_BACK = retraction(CALLED, 12, START + timedelta(days=70)).data
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
    (
        "survey.answered",
        [],
        SurveyAnswered("s1", "nps", 7.0),
        {"answers": {JANUARY: Points(1, 700)}, "heard": micros(START)},
    ),
    (
        "interaction.recorded",
        [],
        InteractionRecorded("page_view"),
        {"touches": {JANUARY: Touches(came=1)}, "heard": micros(START)},
    ),
    ("interaction.recorded", [CALLED], ANSWERED, {"touches": {JANUARY: Touches(0, 1, 1)}}),
    ("interaction.retracted", [CALLED], TAKEN_BACK, {"touches": {JANUARY: Touches()}}),
    ("message.delivered", [], MessageDelivered("m-1"), {"touches": {JANUARY: Touches(sent=1)}}),
    ("message.clicked", [], MessageClicked("m-1"), {"touches": {JANUARY: Touches(answered=1)}}),
    (
        "score.matrix_reviewed",
        [],
        OVERRIDDEN,
        {
            "verdict": Verdict(
                micros(START), event_id(20), "2026-01", True, "core", "chen.li", "A contract"
            )
        },
    ),
]


@pytest.mark.parametrize(("kind", "before", "data", "then"), CASES)
def test_each_event(kind, before, data, then):
    event = make_event(data, number=20)
    assert event.type == kind
    state = folded([*before, event])
    assert {name: getattr(state, name) for name in then} == then


def test_every_event_that_is_read_has_a_case():
    assert {kind for kind, *_ in CASES} == CONSUMES


@pytest.mark.parametrize("kind", sorted(set(EVENT_TYPES) - CONSUMES - SHOWS))
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


def test_a_complaint_is_as_severe_as_its_newest_opening():
    """Half of its points are gone after 72 hours."""
    severe = make_event(ComplaintOpened("K-1", category="quality", severity="high"), number=12)
    assert folded([OPENED, severe]).open_by == {"high": 1}
    resolved = make_event(ComplaintResolved("K-1"), number=13, time=START + timedelta(hours=72))
    state = folded([OPENED, severe, resolved])
    assert (state.open_by, state.handled) == ({}, {JANUARY: Points(1, 225)})


def test_money_is_kept_by_local_month_and_by_category():
    """The 31st at 16:30 UTC is February in Shanghai. Lines share an order's money out."""
    late = START.replace(day=31, hour=16, minute=30)
    data = bought(1000, categories=("Tea", "Tea", "Milk"))
    part = contribution(event_id(1), late, 480, data)
    whole = msgspec.structs.replace(data, settled=Settled(None, part))
    state = folded([make_event(whole, number=1, time=late)])
    assert state.months == {"CNY": {JANUARY + 1: Month(1, 1000)}}
    assert state.categories == {"CNY": {"Milk": 333, "Tea": 666}}


def test_answers_of_any_scale_are_points():
    points = [
        points_of(SurveyAnswered("s", kind, score))
        for kind, score in (("csat", 1), ("csat", 4.5), ("nps", 10), ("ces", 4), ("form", 9))
    ]
    assert points == [0, 875, 1000, 500, None]
    assert points_of(SurveyAnswered("s", "nps")) is None


months = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(("resolved", "reopened")), st.integers(0, 3)),
    max_size=12,
)


@given(months, st.randoms(use_true_random=False))
def test_the_months_of_handling_are_the_newest_whatever_came_first(steps, chance):
    """More months than are kept, some of which come and go again."""
    events = [
        make_event(
            (ComplaintResolved if kind == "resolved" else ComplaintReopened)(f"K-{complaint}"),
            number=number,
            time=START + timedelta(days=31 * month),
        )
        for number, (month, kind, complaint) in enumerate(steps, start=1)
    ]
    shuffled = list(events)
    chance.shuffle(shuffled)
    with few_months(2):
        assert folded(events) == folded(shuffled)
        assert settle(copy.deepcopy(folded(events))) == folded(events)


@contextmanager
def few_months(number: int):
    """Fewer months are kept, so that they run over."""
    kept = complaints.ANSWER_MONTHS
    complaints.ANSWER_MONTHS = number
    try:
        yield
    finally:
        complaints.ANSWER_MONTHS = kept


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


verdicts = st.lists(
    st.builds(
        MatrixReviewed,
        month=st.just("2026-01"),
        verdict=st.sampled_from(("confirmed", "overridden")),
        matrix=st.sampled_from(("core", "watch")),
        by=st.just("chen.li"),
    ),
    max_size=2,
)


@st.composite
def judged(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """What happened and what people decided, and both in another order."""
    events = draw(histories())
    for data in draw(verdicts):
        number = len(events) + 1
        events.append(make_event(data, number=number, time=draw(times), origin="scoring"))
    return events, draw(st.permutations(events))


@given(judged())
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
        data = bought(order_id=str(number), categories=(f"Category {number % 500}",))
        part = contribution(event_id(number), time, 480, data)
        data = msgspec.structs.replace(data, settled=Settled(None, part))
        event = make_event(data, number=number, time=time)
        for key in item_keys(event):  # only the last days' items are at hand
            state.items = {key: state.items[key]} if key in state.items else {}
        state = evolve(state, event)
        largest = max(largest, *(len(msgspec.msgpack.encode(i)) for i in state.items.values()))
    assert state.orders == 100_000
    assert not state.stale
    assert len(msgspec.msgpack.encode(msgspec.structs.replace(state, items={}))) < 1300
    assert largest < 3_000


def test_a_state_of_before_is_still_read():
    """Written when there were neither months nor answers."""
    old = msgspec.msgpack.encode({"days": 1, "orders": 1, "money": {"CNY": [1, 1000]}, "heard": 5})
    state = msgspec.msgpack.decode(old, type=State)
    assert (state.money, state.months, state.verdict) == ({"CNY": Sums(1, 1000)}, {}, None)
    item = msgspec.msgpack.decode(msgspec.msgpack.encode({"case": [5, "e", True]}), type=Item)
    assert complaints.standing(item) == (True, "medium", (5, "e"), 12 * 1970, 0)


def test_what_happened_to_somebody_else_is_not_heard_of():
    taken = PurchaseCancelled("A-1", settled=Settled(FIRST, None, elsewhere=True))
    state = fold([KNOWN[0], make_event(taken, number=3, time=START + timedelta(days=90))])
    assert (state.orders, state.heard) == (0, micros(START))
