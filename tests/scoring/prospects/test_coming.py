"""How somebody came and what they did first: the same in any order, and only what was before."""

import copy
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.projector import State, derive, merge
from services.scoring.projector.prospecting import CONTACT_DAYS, FIRSTS, WEEKS
from services.scoring.projector.screen import origin
from services.scoring.projector.view import Origin
from shared.codec import Event
from shared.language import (
    CustomerDescribed,
    CustomerEdited,
    IdentifiersAdded,
    InteractionRecorded,
    PurchaseCancelled,
    Settled,
    contribution,
)
from shared.moments import micros
from tests.scoring.projector.folding import fold, folded, settled
from tests.strategies import (
    START,
    bought,
    event_id,
    interactions,
    make_event,
    retraction,
    times,
    traits,
)

DAY = START.toordinal()


def said(source: str | None, *, day: float = 0, number: int = 1) -> Event:
    data = CustomerDescribed({"source": source})
    return make_event(data, time=START + timedelta(days=day), number=number)


def met(kind: str = "visit", *, day: float = 0, number: int = 2, **more) -> Event:
    data = InteractionRecorded(kind, **more)
    return make_event(data, time=START + timedelta(days=day), number=number, commanded=True)


def purchase(
    day: float = 0, amount: int = 1000, *, number: int = 3, currency: str = "CNY"
) -> Event:
    time = START + timedelta(days=day)
    data = bought(amount, currency=currency, order_id=f"A-{number}")
    part = contribution(event_id(number), time, 480, data)
    data = msgspec.structs.replace(data, settled=Settled(None, part))
    return make_event(data, time=time, number=number)


def cancelled(event: Event, *, number: int) -> Event:
    part = contribution(event.id, event.time, 480, event.data)
    data = PurchaseCancelled(event.data.order_id, settled=Settled(part, None))
    return make_event(data, time=event.time + timedelta(days=1), number=number)


def came(*events: Event) -> Origin:
    found = origin(folded(events))
    assert found is not None
    return found


def test_nobody_was_seen():
    assert origin(State()) is None
    assert derive(State(), START, {}).prospect is None


def test_somebody_is_seen_with_the_first_thing_that_is_heard_of_them():
    named = make_event(IdentifiersAdded({"cookie": "1"}), time=START - timedelta(days=3), number=9)
    assert came(met(), named).seen_day == DAY - 3
    assert came(said(None)).source is None


def test_the_first_word_on_the_source_holds():
    later = make_event(CustomerEdited({"source": "advert"}, by="li.na"), number=5, time=START)
    found = came(said(" ", number=3), later, said("  big   expo ", day=-1, number=7))
    assert (found.source, found.source_day) == ("big expo", DAY - 1)


def test_the_first_contact_and_what_followed():
    days = (0, 0, 1, 6, 7, 13, 14, 40)
    own = [met("page_view", day=day, number=10 + at) for at, day in enumerate(days)]
    ours = [met("campaign_sent", day=2, number=60), met("call", direction="outbound", number=61)]
    found = came(*own, *ours)
    assert (found.kind, found.contact_day, found.contacts) == ("page_view", DAY, (2, 4, 6))
    found = came(met("chat", channel=" web  site "), *own[2:])
    assert (found.kind, found.channel) == ("chat", "web site")


def test_what_was_recorded_by_mistake_counts_no_more():
    wrong, right = met("call", number=4, direction="inbound"), met("visit", day=1, number=5)
    found = came(wrong, right, retraction(wrong, 6, START + timedelta(days=9)))
    assert (found.kind, found.contact_day) == ("visit", DAY + 1)
    assert found.contacts == (0, 1, 1)


def test_what_came_after_the_first_purchase_was_not_before_it():
    """Known it is; but on no day before they bought, so nobody learns from it."""
    found = came(purchase(5), said("club", day=5.1), met(day=8), met(day=9, number=4))
    assert found.source_day == DAY + 6
    assert found.contact_day == DAY + 8
    assert found.contacts == (0, 0, 0)
    assert found.at_once is True
    before = came(purchase(5), said("club", day=4), met(day=3), met(day=9, number=4))
    assert (before.source_day, before.contact_day) == (DAY + 4, DAY + 3)
    assert before.contacts == (1, 1, 1)
    assert before.at_once is False


def test_who_takes_the_first_purchase_back_is_a_prospect_again():
    first = purchase(5)
    found = came(met(), met(day=7, number=4), first, cancelled(first, number=9))
    assert (found.at_once, found.spend, found.contacts) == (None, None, (1, 1, 2))


def test_money_of_the_first_weeks_by_currency():
    """The thirteen weeks begin on the Monday of the first purchase's week."""
    spent = [purchase(day, number=20 + day) for day in (0, 6, 7 * WEEKS - 1, 7 * WEEKS)]
    found = came(*spent, purchase(8, 70, number=50, currency="USD"))
    assert found.spend == {"CNY": 3000, "USD": 70}
    # The first one is taken back: the weeks behind the ones that are kept are not known.
    assert came(*spent, cancelled(spent[0], number=90)).spend == {"CNY": 2000}
    assert came(*spent, *(cancelled(one, number=90) for one in spent[:2])).spend is None


def test_the_first_purchase_is_known_whatever_goes_and_comes():
    one, other = purchase(5, number=3), purchase(9, number=4)
    assert folded([other, one]).first_at == micros(one.time)
    assert folded([other, one, cancelled(one, number=5)]).first_at == micros(other.time)
    assert folded([one, cancelled(one, number=5)]).first_at is None


@st.composite
def beginnings(draw: st.DrawFn) -> list[Event]:
    """More contacts than are kept, some taken back, words on the source, orders that come and go."""
    events: list[Event] = []
    for data in draw(st.lists(interactions, max_size=12)):
        recorded = make_event(
            data, time=draw(times), number=len(events) + 1, commanded=draw(st.booleans())
        )
        events.append(recorded)
        if recorded.sourceid == recorded.id and draw(st.booleans()):
            events.append(retraction(recorded, len(events) + 1, draw(times)))
    for data in draw(st.lists(traits, max_size=3)):
        events.append(make_event(data, time=draw(times), number=len(events) + 1))
    for day in draw(st.lists(st.integers(0, 130), max_size=4)):
        events.append(purchase(day, number=len(events) + 1))
        if draw(st.booleans()):
            events.append(cancelled(events[-1], number=len(events) + 1))
    return events


@given(beginnings(), st.data())
def test_the_order_makes_no_difference(events, data):
    shuffled = data.draw(st.permutations(events))
    one, other = folded(events), folded(shuffled)
    assert one == other
    assert msgspec.msgpack.encode(one.came) == msgspec.msgpack.encode(other.came)


@given(beginnings(), st.data())
def test_merged_parts_are_one_customer_with_all_events(events, data):
    sides = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    halves = [
        [event for event, side in zip(events, sides, strict=True) if side is which]
        for which in (True, False)
    ]
    one, other = (fold(half) for half in halves)
    kept = copy.deepcopy((one, other))
    whole = settled(merge(one, other))
    assert whole == folded(events)
    assert origin(whole) == origin(folded(events))
    assert (one, other) == kept


@given(beginnings())
def test_what_is_kept_is_bounded(events):
    state = fold(events * 3)
    assert len(state.came.firsts) <= FIRSTS
    assert len(state.came.days) <= CONTACT_DAYS
    assert all(len(weeks) <= WEEKS for weeks in state.came.weeks.values())


@pytest.mark.parametrize("value", [7, None, {"a": 1}, "", " \t"])
def test_a_source_that_is_no_text_is_none(value):
    event = make_event(CustomerDescribed({"source": value}))
    assert came(event).source is None
