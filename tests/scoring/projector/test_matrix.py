"""Value and activity: cells, windows, thresholds, and what would change them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.policies import DEFAULT_SCORING, MatrixRules, Population
from services.scoring.projector import State, derive
from services.scoring.projector.changes import Change
from services.scoring.projector.details import describe, profit
from services.scoring.projector.matrix import active, thresholds
from shared.codec import Event
from shared.language import MatrixReviewed, Settled, contribution
from shared.projection import Policy
from tests.scoring.projector.folding import folded
from tests.strategies import bought, event_id, histories, make_event

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
POPULATION = Population(
    customers=100,
    fitted_at="2026-11-20T00:00:00Z",
    spend_year={"CNY": list(range(1000, 20_000, 1000))},
    active_months=[*range(1, 13), *[12] * 7],
    orders=5,
    monetary={"CNY": 8000},
    order={"CNY": 2000},
)


def in_force(**bodies: msgspec.Struct) -> dict[str, Policy]:
    return {
        name: Policy(name, 1, msgspec.json.decode(msgspec.json.encode(body)))
        for name, body in bodies.items()
    }


def order(number: int, when: datetime, amount: int) -> Event:
    """`amount` in yuan."""
    data = bought(amount * 100, order_id=f"A-{number}")
    return make_event(data, number=number, time=when)


def monthly(months: int, amount: int, *, skip: int = 0) -> list[Event]:
    """An order every 30 days, the last of them `skip` times 30 days ago."""
    return [
        order(number, NOW - timedelta(days=30 * (number + skip)), amount)
        for number in range(months)
    ]


def seen(events: Iterable[Event], clock: datetime = NOW, **bodies: msgspec.Struct):
    state, policies = folded(events), in_force(**bodies)
    view = derive(state, clock, policies)
    [details] = describe([(state, view)], policies)
    assert view.matrix is not None
    assert details.matrix is not None
    return view.matrix, details.matrix


@pytest.mark.parametrize(
    ("events", "cell"),
    [
        (monthly(12, 100_000), "core"),
        (monthly(12, 83_333), "basic"),
        (monthly(1, 1_000_001), "potential"),
        (monthly(1, 1_000_000), "watch"),
        (monthly(12, 100_000, skip=1), "core"),
        (monthly(12, 100_000, skip=2), "potential"),
    ],
)
def test_core_is_over_a_million_a_year_and_an_order_every_month(events, cell):
    """There are no others to compare with: the absolute thresholds hold."""
    found, _ = seen(events)
    assert (found.cell, found.by) == (cell, "absolute")


def test_currencies_have_thresholds_of_their_own():
    rules = MatrixRules(by="absolute", value_from_by_currency={"JPY": "500"}, active_from=1)
    scoring = msgspec.structs.replace(DEFAULT_SCORING, matrix=rules)
    assert thresholds("JPY", scoring, None).spend == 501
    assert thresholds("CNY", scoring, None).spend == 100_000_001


def test_by_quantile_the_top_fifth_is_of_high_value():
    found, _ = seen(monthly(12, 10), population=POPULATION)
    assert (found.by, found.spend_from, found.active_from) == ("quantile", 16_000, 10)
    assert (found.cell, found.spend_year, found.active_months) == ("basic", 12_000, 12)
    better, _ = seen(monthly(12, 15), population=POPULATION)
    assert better.cell == "core"


def test_a_currency_of_few_goes_by_the_absolute_thresholds():
    data = bought(2_000_000_00, currency="EUR")
    found, _ = seen([make_event(data, time=NOW)], population=POPULATION)
    assert (found.by, found.cell) == ("absolute", "potential")


def test_a_month_that_has_just_begun_counts_against_nobody():
    """Ordered in every month to October; on the 1st of November nothing yet."""
    events = monthly(12, 100_000, skip=1)
    found, details = seen(events, datetime(2026, 11, 1, 4, 0, tzinfo=UTC))
    assert found.cell == "core"
    assert details.change == Change("silence", "potential", on=date(2026, 11, 30), days=29)
    later, _ = seen(events, datetime(2026, 12, 1, 4, 0, tzinfo=UTC))
    assert later.cell == "potential"


def test_one_order_missing_is_the_nearest_change():
    events = [one for one in monthly(12, 100_000, skip=1) if one.time.month != 11]
    found, details = seen(events)
    assert found.active_months == 11
    assert details.change == Change("purchase", "core", on=date(2026, 11, 30), days=10)


def test_an_amount_is_the_nearest_change_of_who_orders_every_month():
    _, details = seen(monthly(12, 80_000))
    assert details.change is not None
    assert (details.change.code, details.change.then) == ("spend", "core")
    assert details.change.amount == 4_000_001
    assert details.change.currency == "CNY"


def test_months_in_a_row_are_the_nearest_change_of_high_value():
    _, details = seen(monthly(1, 2_000_000))
    assert details.change == Change("purchases", "core", on=date(2027, 10, 31), number=12)


def decision(verdict: str, cell: str | None, number: int) -> Event:
    data = MatrixReviewed("2026-10", verdict, cell, "chen.li", "A contract")
    return make_event(data, number=number, time=NOW + timedelta(minutes=number), origin="scoring")


def test_a_person_has_the_last_word():
    found, details = seen([*monthly(1, 5), decision("overridden", "core", 90)])
    assert (found.cell, found.found, found.overridden) == ("core", "watch", True)
    assert details.verdict is not None
    assert (details.verdict.by, details.verdict.reason) == ("chen.li", "A contract")
    assert details.change == Change("withdrawn", "watch")


def test_confirming_takes_an_override_back():
    words = [decision("overridden", "core", 90), decision("confirmed", "watch", 91)]
    found, details = seen([*monthly(1, 5), *words])
    assert (found.cell, found.overridden) == ("watch", False)
    assert details.verdict is not None
    assert not details.verdict.overridden


@given(histories(), st.integers(0, 400), st.integers(1, 100_000))
def test_one_order_more_never_makes_it_worse(events, days, amount):
    """Neither value nor activity sinks by buying; where one was before, since the newest order
    also says which month it is for the customer."""
    clock = max((event.time for event in events), default=NOW) + timedelta(days=days)
    state = folded(events)
    order_more = make_event(
        bought(amount, currency="CNY", order_id="one more"),
        number=500,
        time=clock,
        utcoffset=state.newest[0][2] if state.newest else 480,
    )
    before = derive(state, clock, {}).matrix
    after = derive(folded([*events, order_more]), clock, {}).matrix
    assert after is not None
    if before is None or before.currency != after.currency:
        return
    assert before.spend_year is not None
    assert before.active_months is not None
    assert after.spend_year >= before.spend_year
    assert after.active_months >= before.active_months


@given(st.sets(st.integers(0, 30)), st.integers(0, 40))
def test_activity_is_the_better_of_two_windows(months, month):
    windows = [set(range(end - 11, end + 1)) for end in (month, month - 1)]
    assert active(months, month) == max(len(months & window) for window in windows)


def test_profit_goes_by_the_margin_of_each_category():
    """Half of the lines are tea; what has no category is at the default margin."""
    data = bought(10_000, categories=("Tea", "Milk"))
    part = contribution(event_id(1), NOW, 480, data)
    state = folded(
        [
            make_event(msgspec.structs.replace(data, settled=Settled(None, part)), time=NOW),
            make_event(bought(1000, order_id="A-2"), number=2, time=NOW),
        ]
    )
    margins = msgspec.structs.replace(
        DEFAULT_SCORING.margins, default=0.1, categories={"Tea": 0.5, "Milk": -0.2}
    )
    assert profit(state, "CNY", margins) == 2500 - 1000 + 100
    assert profit(State(), "CNY", margins) == 0
