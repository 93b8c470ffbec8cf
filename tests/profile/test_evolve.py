"""One case for each type of event: what it changes in the view."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.profile.projection import PROFILE
from services.profile.projector import Profile, evolve
from shared.language import (
    EVENT_TYPES,
    ChurnBandChanged,
    ComplaintAnswered,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    ConsentChanged,
    CustomerDescribed,
    CustomerEdited,
    CustomerIdentified,
    CustomerNumbered,
    Data,
    IdentifiersAdded,
    InteractionRecorded,
    MatrixChanged,
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageOpened,
    Money,
    PurchaseCancelled,
    PurchaseCorrected,
    PurchaseRefunded,
    RfmClassChanged,
    Settled,
    SurveyAnswered,
    TagAdded,
    TagRemoved,
    contribution,
)
from shared.moments import micros
from tests.profile.folding import Story, codes, day
from tests.strategies import bought, event_id, make_event


def counted(number: int, amount: int, at: float = 0, **how: Any):
    """What the purchase of event `number` counts for."""
    return contribution(event_id(number), day(at), 480, bought(amount, **how))


CASES: list[tuple[list[Data], dict[str, Any]]] = [
    ([bought(1250)], {"orders": 1, "spend": {"CNY": 1250}, "average_basket": 1250}),
    ([bought(1000)], {"currency": "CNY", "last_purchase_at": day(0)}),
    (
        [
            bought(1000),
            PurchaseCorrected(
                order_id="A-1",
                total=Money("7.00", "CNY"),
                settled=Settled(counted(1, 1000), counted(2, 700)),
            ),
        ],
        {"orders": 1, "spend": {"CNY": 700}},
    ),
    (
        [bought(1000), PurchaseCancelled("A-1", settled=Settled(counted(1, 1000), None))],
        {"orders": 0, "spend": {}, "currency": None, "last_purchase_at": None},
    ),
    (
        [
            bought(1000),
            PurchaseRefunded("A-1", settled=Settled(counted(1, 1000), counted(1, 250))),
        ],
        {"orders": 1, "spend": {"CNY": 250}},
    ),
    ([InteractionRecorded("call")], {"last_interaction_at": day(0), "first_contact_at": day(0)}),
    ([ComplaintOpened("K", "quality")], {"complaints_open": 1, "complaints_total": 1}),
    ([ComplaintOpened("K", "x"), ComplaintAnswered("K")], {"complaints_open": 1}),
    ([ComplaintOpened("K", "x"), ComplaintEscalated("K")], {"complaints_open": 1}),
    (
        [ComplaintOpened("K", "x"), ComplaintResolved("K")],
        {"complaints_open": 0, "complaints_total": 1},
    ),
    (
        [ComplaintOpened("K", "x"), ComplaintResolved("K"), ComplaintReopened("K")],
        {"complaints_open": 1, "complaints_total": 1},
    ),
    ([SurveyAnswered("s", "csat", 5.0)], {"satisfaction": {"csat": 5.0}}),
    ([SurveyAnswered("s", "form")], {"satisfaction": {}, "last_interaction_at": day(0)}),
    ([CustomerDescribed({"name": "Li", "kind": "company"})], {"name": "Li", "kind": "company"}),
    ([CustomerDescribed({"company": "Acme"})], {"name": "Acme"}),
    ([CustomerDescribed({"name": "Li"}), CustomerDescribed({"name": None})], {"name": None}),
    ([CustomerIdentified({"cookie": "c"})], {"first_contact_at": day(0), "needs_number": False}),
    ([IdentifiersAdded({"member_no": "1"})], {"needs_number": True, "first_contact_at": None}),
    ([IdentifiersAdded({"cookie": "c", "device_id": "d"})], {"needs_number": False}),
    (
        [IdentifiersAdded({"phone": "+86"}), CustomerNumbered("C2026000001")],
        {"number": "C2026000001", "needs_number": False},
    ),
    (
        [CustomerEdited({"owner": "li.na", "status": "inactive"}, by="x")],
        {"owner": "li.na", "status": "inactive", "needs_number": True},
    ),
    ([TagAdded("vip", "li.na", "why")], {"due_at": None}),
    ([ChurnBandChanged("high", None, "churn@1")], {"churn_band": "high"}),
    (
        [ChurnBandChanged("high", None, "m"), ChurnBandChanged(None, "high", "m")],
        {"churn_band": None},
    ),
    ([RfmClassChanged("champion", None, "rfm@1")], {"rfm_class": "champion"}),
    ([MatrixChanged("core", None, "scoring@1")], {"matrix": "core"}),
    ([MessageDelivered("m")], {"last_interaction_at": None, "first_contact_at": day(0)}),
    ([MessageBounced("m")], {"last_interaction_at": None}),
    ([MessageOpened("m")], {"last_interaction_at": day(0)}),
    ([MessageClicked("m")], {"last_interaction_at": day(0)}),
    ([MessageComplained("m")], {"last_interaction_at": day(0)}),
]


@pytest.mark.parametrize(("happened", "expected"), CASES)
def test_what_an_event_changes(happened: list[Data], expected: dict[str, Any]) -> None:
    view = Story()(0, *happened).view()
    assert {name: getattr(view, name) for name in expected} == expected


def test_every_type_that_is_consumed_folds() -> None:
    """The examples of the published language, each on an empty state: total, and never empty-handed."""
    for name in PROFILE.consumes | PROFILE.shows:
        kind = EVENT_TYPES[name]
        data = msgspec.convert(kind.example, kind.struct)
        state = evolve(Profile(), make_event(data))
        if name not in ("purchase.cancelled", "purchase.refunded", "purchase.corrected"):
            assert state != Profile(), name


def test_types_of_the_stream_and_of_our_own_say_nothing() -> None:
    for name in set(EVENT_TYPES) - PROFILE.consumes - PROFILE.shows:
        kind = EVENT_TYPES[name]
        data = msgspec.convert(kind.example, kind.struct, strict=False)
        assert evolve(Profile(), make_event(data)) == Profile(), name


def test_consents_by_channel_and_topic() -> None:
    told = Story()(0, ConsentChanged("sms", True), ConsentChanged("sms", False, "news"))
    word, news = told.view().consents
    assert (word.channel, word.topic, word.granted) == ("sms", None, True)
    assert (news.channel, news.topic, news.granted) == ("sms", "news", False)


@pytest.mark.parametrize("words", [(True, False), (False, True)])
def test_of_two_consents_at_one_moment_the_revoked_wins(words: tuple[bool, bool]) -> None:
    told = Story()(0, *(ConsentChanged("sms", word) for word in words))
    assert [one.granted for one in told.view().consents] == [False]


def test_the_last_write_of_a_trait_wins_by_its_time_not_its_arrival() -> None:
    told = Story()(5, CustomerDescribed({"region": "B"}))(2, CustomerDescribed({"region": "A"}))
    assert told.view().attributes["region"] == "B"


def test_an_edit_and_a_trait_share_one_field() -> None:
    told = Story()(5, CustomerEdited({"region": "by hand"}, by="x"))
    told(6, CustomerDescribed({"region": "by the shop"}))
    assert told.view().attributes["region"] == "by the shop"


def test_tags_by_hand_come_and_go() -> None:
    told = Story()(0, TagAdded("vip", "li.na", "spends"))
    (tag,) = told.view().tags
    assert (tag.tag, tag.origin, tag.by, tag.reason.params) == (
        "vip",
        "manual",
        "li.na",
        {"text": "spends"},
    )
    assert codes(told(1, TagRemoved("vip", "li.na")).view()) == []
    assert codes(told(2, TagAdded("vip", "li.na")).view()) == ["vip"]


def test_identifiers_keep_their_first_day_and_stand_strongest_first() -> None:
    told = Story()(3, IdentifiersAdded({"cookie": "c", "phone": "+861"}))
    told(1, IdentifiersAdded({"phone": "+861"}))(4, IdentifiersAdded({"member_no": "M"}))
    found = [(one.type, one.value, one.first_seen_at) for one in told.view().identifiers]
    assert found == [("member_no", "M", day(4)), ("phone", "+861", day(1)), ("cookie", "c", day(3))]


def test_a_cancelled_order_leaves_no_habit_behind() -> None:
    how: dict[str, Any] = {"discount": 100, "categories": ["Dairy"] * 3}
    told = Story()(0, bought(1000, **how))
    told(1, PurchaseCancelled("A-1", settled=Settled(counted(1, 1000, **how), None)))
    purchases = told.state().purchases
    assert (purchases.promoted, sum(purchases.hours), purchases.lines) == (0, 0, 0)
    assert purchases.categories == {"Dairy": 0}
    assert purchases.currencies == {}
    assert codes(told.view()) == []


def test_the_main_currency_has_most_purchases_ties_by_code() -> None:
    told = Story().buys(1, currency="USD", amount=5000).buys(2, amount=100)
    assert told.view().currency == "CNY"
    assert told.buys(3, currency="USD").view().currency == "USD"
    assert told.view().spend == {"CNY": 100, "USD": 6000}


@pytest.mark.parametrize(("total", "orders", "mean"), [(80310, 12, 6693), (5, 2, 3), (10, 3, 3)])
def test_the_average_basket_is_rounded_half_up(total: int, orders: int, mean: int) -> None:
    told = Story().buys(*range(orders - 1), amount=0).buys(40, amount=total)
    assert told.view().average_basket == mean


def test_a_refund_of_an_unknown_order_is_no_purchase() -> None:
    back = msgspec.structs.replace(counted(1, 0), orders=0, spend={"CNY": -500}, promoted=False)
    view = Story()(0, PurchaseRefunded("A-9", settled=Settled(None, back))).view()
    assert (view.orders, view.spend, view.last_purchase_at) == (0, {"CNY": -500}, None)
    assert view.lifecycle.state == "prospect"


def test_an_order_that_was_completed_again_on_another_day_leaves_its_old_day() -> None:
    told = Story().buys(0, 10)
    moved = Settled(
        contribution(event_id(2), day(10), 480, bought(1000, order_id="A-2")),
        contribution(event_id(3), day(20), 480, bought(1000, order_id="A-2")),
    )
    told(20, PurchaseCorrected("A-2", Money("10.00", "CNY"), settled=moved))
    view = told.view()
    assert (view.orders, view.usual_interval_days, view.last_purchase_at) == (2, 20.0, day(20))


@pytest.mark.parametrize(
    ("utc", "offset", "days"),
    [
        (("2026-03-08T04:59:00Z", "2026-03-08T05:01:00Z"), (-300, -300), 2),  # midnight in New York
        (
            ("2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"),
            (-300, -240),
            1,
        ),  # the clocks go forward
        (("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"), (-240, -300), 1),  # and back
        (("2026-01-01T15:59:00Z", "2026-01-01T16:00:00Z"), (480, 480), 2),
        (("2026-01-01T23:30:00Z", "2026-01-02T00:30:00Z"), (480, 480), 1),
    ],
)
def test_days_are_local(utc: tuple[str, str], offset: tuple[int, int], days: int) -> None:
    told = Story()
    for number, (at, minutes) in enumerate(zip(utc, offset, strict=True)):
        told(datetime.fromisoformat(at), bought(100, order_id=str(number)), utcoffset=minutes)
    assert told.state().walker.days == days


def test_large_values_and_strange_names_stay_out_of_the_record() -> None:
    told = Story()(0, CustomerDescribed({"preferences": "x" * 5000, "n" * 101: 1, "age": 42}))
    attributes = told.view().attributes
    assert attributes["preferences"] is None
    assert attributes["age"] == 42
    assert len([name for name in attributes if len(name) > 100]) == 0


def test_events_newer_than_the_clock_are_no_negative_ages() -> None:
    told = Story().buys(0, 7, 14, 21)
    view = told.view(day(3))
    assert view.lifecycle.state == "mature"
    assert view.due_at is not None
    assert view.due_at > day(21) + timedelta(days=20)


def test_what_happened_to_somebody_else_moves_the_order_and_is_no_contact():
    """Another customer bought it, with a coupon: this one loses the order and was not there."""
    story = Story()(0, bought(1250))
    taken = Settled(counted(1, 1250), None, elsewhere=True)
    story(9, bought(1250, corrected=True, coupons=("WELCOME",), settled=taken))
    state, view = story.state(), story.view(10)
    assert (view.orders, view.last_purchase_at) == (0, None)
    assert (view.first_contact_at, state.latest_fact) == (day(0), micros(day(0)))
    assert state.contacts.coupon is None
