"""What stands of orders, whatever comes first; what a shop's sums are made of."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.scoring.baskets.orders import (
    EPOCH,
    Grievance,
    complained_of,
    known_of,
    standing,
)
from services.scoring.baskets.rows import COLUMNS, basket_in, grievance_row, row
from services.scoring.baskets.shop import OTHERS, UNSORTED, Shop, week_of
from services.scoring.offering.making import LEVELS, forecast_in, make_forecasts, make_model
from shared.codec import Event
from shared.language import (
    ComplaintOpened,
    Item,
    Money,
    PurchaseCompleted,
    PurchaseRefunded,
    Settled,
    effect,
)
from tests.strategies import CUSTOMER, START, bought, histories, make_event


def rows_of(events: list[Event]):
    """(gone, basket) of what is kept of events."""
    made = [
        dict(zip(COLUMNS, found, strict=True)) for found in (row(e, b"") for e in events) if found
    ]
    return [(one["gone"], basket_in(one["body"])) for one in made]


def counted(events: list[Event]) -> set[str]:
    """The orders that count, by the differences that the scores add up."""
    numbers: dict[str, int] = {}
    for event in events:
        settled = effect(event)
        for part, sign in ((settled.before, -1), (settled.after, 1)):
            if part is not None:
                numbers[part.event_id] = numbers.get(part.event_id, 0) + sign * part.orders
    return {version for version, number in numbers.items() if number > 0}


@settings(max_examples=50)
@given(histories(), st.randoms())
def test_the_orders_that_stand_are_those_that_count(events, random):
    expected = counted(events)
    shuffled = list(events)
    random.shuffle(shuffled)
    assert {order.version for order in standing(rows_of(events))} == expected
    assert standing(rows_of(shuffled)) == standing(rows_of(events))


def test_lines_are_those_of_the_version_that_holds_and_names_are_cut():
    long = Item(product_id="x" * 500, category=" ", quantity=float("1e9"), department=7)
    event = make_event(
        PurchaseCompleted("A-1", Money("1.00", "CNY"), items=(long, Item(amount="2.50")))
    )
    [(_, basket)] = rows_of([event])
    first, second = basket.lines
    assert (len(first.product), first.category, first.quantity) == (120, None, 1.0)
    assert (first.department, second.amount, second.product) == (None, 2.5, None)


def test_a_refund_without_lines_changes_no_basket():
    order = make_event(bought(1000, categories=["Tea"]), number=1)
    after = effect(order).after
    settled = Settled(after, replace(after, spend={"CNY": 500}))
    money = Money("5.00", "CNY")
    plain = make_event(PurchaseRefunded("A-1", money, settled=settled), number=2)
    assert rows_of([plain]) == []
    lines = (Item(category="Tea", quantity=1.0),)
    returned = make_event(PurchaseRefunded("A-1", money, items=lines, settled=settled), number=3)
    [(gone, basket)] = rows_of([returned])
    assert (gone, basket.version, basket.refund) == (None, order.id, returned.id)
    same = Settled(after, after)  # the refund came a second time
    again = make_event(PurchaseRefunded("A-1", money, items=lines, settled=same), number=4)
    assert rows_of([again]) == []


def test_a_history_has_days_evidence_and_no_future():
    events = [
        make_event(
            PurchaseCompleted(f"A-{n}", Money("1.00", "CNY"), items=(Item("tea", None, "Drinks"),)),
            number=n,
            time=START + timedelta(days=day),
        )
        for n, day in enumerate((0, 0, 7, 30), start=1)
    ]
    today = START.toordinal() + 10 - EPOCH
    known = known_of(standing(rows_of(events)), "product", today)
    [tea] = known.history.items
    assert (tea.item, tea.times, tea.quantity) == ("tea", 3, 4.0)
    assert tea.newest == [today - 10, today - 3, today]
    assert (known.history.visits, known.last) == (3, {"tea": today})
    assert known.evidence["tea"] == [events[3].id, events[2].id, events[0].id]


def test_a_complaint_about_an_order_is_about_its_lines():
    event = make_event(
        PurchaseCompleted("A-1", Money("1.00", "CNY"), items=(Item("tea"), Item("jam"), Item()))
    )
    orders = standing(rows_of([event]))
    opened = ComplaintOpened("K", "taste", order_id="A-1")
    assert grievance_row(make_event(opened), b"")[4:] == ("A-1", [])
    assert grievance_row(make_event(ComplaintOpened("K", "taste")), b"") is None
    found = complained_of([Grievance("K", "e", "A-1", [])], orders)
    assert found == {"tea": "e", "jam": "e"}
    assert complained_of([Grievance("K", "e", "A-1", ["milk"])], orders) == {"milk": "e"}


def shop_of(events: list[Event], today: int, **changes) -> Shop:
    rows = rows_of(events)
    shop = Shop(today=today, gone={gone for gone, _ in rows if gone}, **changes)
    for _, basket in rows:
        shop.add(UUID(CUSTOMER), basket)
    shop.close()
    return shop


@settings(max_examples=50)
@given(histories())
def test_a_shop_counts_the_orders_that_stand(events):
    today = START.toordinal() + 900
    shop = shop_of(events, today)
    orders = standing(rows_of(events))
    assert shop.orders == len(orders)
    wanted: dict[tuple[str, int], float] = {}
    for order in orders:
        for line in order.lines or (None,):
            category = (line.category if line else None) or UNSORTED
            key = (category, week_of(min(order.day + EPOCH, today)))
            wanted[key] = wanted.get(key, 0.0) + 1
    assert shop.demand("lines") == wanted
    log = shop.log("category", today - EPOCH + 1)
    assert log.customers == min(1, len(orders))


def test_beyond_so_many_categories_the_lesser_ones_are_one(monkeypatch):
    monkeypatch.setattr("services.scoring.baskets.shop.MOST_CATEGORIES", 3)
    lines = tuple(Item(category=f"k{n}", quantity=float(n)) for n in range(1, 6))
    event = make_event(PurchaseCompleted("A-1", Money("1.00", "CNY"), items=lines))
    sums = shop_of([event], START.toordinal()).demand("units")
    week = week_of(START.toordinal())
    assert sums == {("k5", week): 5.0, ("k4", week): 4.0, (OTHERS, week): 6.0}


def test_no_sum_and_no_country_keeps_the_rest_from_being_forecast():
    events = [
        make_event(
            PurchaseCompleted(
                f"A-{n}",
                Money("9000000000000.00", "CNY"),
                items=(Item("tea", None, "Drinks", 1.0, "9000000000000.00"),),
            ),
            number=n,
            time=START + timedelta(days=7 * n),
        )
        for n in range(4)
    ]
    made = make_forecasts(shop_of(events, START.toordinal() + 30), [], "XX")
    assert [one.measure for one in made] == ["units", "lines"]
    assert made[0].about["country"] is None
    nothing = make_forecasts(shop_of([], START.toordinal()), [], "CN")
    assert [forecast_in(one.body).lines for one in nothing] == [(), ()]
    models = [make_model(shop_of([], START.toordinal()), level) for level in LEVELS]
    assert [model.audiences for model in models] == [[], []]
