"""What purchases come to: differences that add up the same in any order."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec import Event
from shared.language import (
    Contribution,
    Item,
    Money,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    Settled,
    SurveyAnswered,
    contribution,
    effect,
)

NOON = datetime(2026, 11, 20, 4, 3, 11, tzinfo=UTC)


def event(data, **fields):
    return Event(
        **(
            {
                "id": "e-1",
                "source": "pos",
                "sourceid": "1",
                "type": "purchase.completed",
                "subject": "c-1",
                "time": NOON,
                "utcoffset": 480,
                "receivedtime": NOON,
                "data": data,
                "origin": "interaction",
                "sequence": 1,
                "partition": 0,
                "offset": 0,
                "recordedtime": NOON,
            }
            | fields
        )
    )


BASKET = PurchaseCompleted(
    order_id="A-1",
    total=Money("35.80", "CNY"),
    discount=Money("2.00", "CNY"),
    channel="store",
    store="7",
    items=(Item(category="Dairy"), Item(category="Dairy"), Item(), Item(category="")),
)
WORTH = Contribution(
    event_id="e-1",
    time=NOON,
    utcoffset=480,
    orders=1,
    spend={"CNY": 3580},
    discount={"CNY": 200},
    promoted=True,
    categories={"Dairy": 2},
    channel="store",
    store="7",
)


def test_what_a_purchase_counts_for():
    assert contribution("e-1", NOON, 480, BASKET) == WORTH


@pytest.mark.parametrize(
    ("discount", "coupons", "promoted"),
    [
        (None, (), False),
        (Money("0.00", "CNY"), (), False),
        (Money("0.01", "CNY"), (), True),
        (None, ("WELCOME",), True),
    ],
)
def test_promoted(discount, coupons, promoted):
    data = PurchaseCompleted("A", Money("1.00", "CNY"), discount=discount, coupons=coupons)
    assert contribution("e", NOON, 0, data).promoted is promoted


def test_a_first_purchase_settles_itself():
    assert effect(event(BASKET)) == Settled(None, WORTH)


@pytest.mark.parametrize(
    "data",
    [
        msgspec.structs.replace(BASKET, settled=Settled(WORTH, None)),
        PurchaseCancelled("A-1", settled=Settled(WORTH, None)),
        PurchaseRefunded("A-1", settled=Settled(WORTH, None)),
        PurchaseCorrected("A-1", Money("1.00", "CNY"), settled=Settled(WORTH, None)),
    ],
)
def test_what_the_resolver_settled_holds(data):
    assert effect(event(data)) == Settled(WORTH, None)


@pytest.mark.parametrize(
    "data",
    [
        PurchaseCancelled("A-1"),
        PurchaseRefunded("A-1", Money("1.00", "CNY")),
        PurchaseCorrected("A-1", Money("1.00", "CNY")),
        SurveyAnswered("s", "nps", 9),
    ],
)
def test_nothing_else_changes_anything(data):
    assert effect(event(data)) == Settled(None, None)


def test_settled_survives_the_log():
    settled = Settled(WORTH, msgspec.structs.replace(WORTH, orders=0, channel=None, store=None))
    assert msgspec.json.decode(msgspec.json.encode(settled), type=Settled) == settled


@settings(deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(0, 10_000), min_size=3, max_size=3))
def test_an_order_s_differences_telescope(order, spends):
    """Completed, corrected, refunded, cancelled: the sum is the end, whatever comes first."""
    steps = [None, *(msgspec.structs.replace(WORTH, spend={"CNY": s}) for s in spends), WORTH]
    events = [
        event(PurchaseCorrected("A-1", Money("1.00", "CNY"), settled=Settled(before, after)))
        for before, after in pairwise(steps)
    ]
    total: Counter[str] = Counter()
    for index in order:
        change = effect(events[index])
        if change.before:
            total.subtract(change.before.spend)
        if change.after:
            total.update(change.after.spend)
    assert total == WORTH.spend
