"""From all customers to what is usual among them."""

from datetime import UTC, datetime

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.policies import Population
from services.scoring.population import Everybody, fit_population, is_same_population, quantiles

CLOCK = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def everybody(customers: int = 200) -> Everybody:
    chance = np.random.default_rng(5)
    days = chance.integers(1, 30, customers)
    each = chance.gamma(6, 200, customers)
    return Everybody(
        currency=["CNY"] * (customers - 5) + ["JPY"] * 5,
        days=days,
        orders=days,
        monetary=(days * each).astype(np.int64),
        spend_year=(days * each).astype(np.int64),
        active_months=np.minimum(days, 12),
    )


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
def test_so_many_percent_are_at_the_top(values):
    """At least; more only where others are tied with the last of them."""
    found = quantiles(np.array(values, dtype=np.int64))
    for index, cut in enumerate(found):
        percent = 95 - 5 * index
        reached = sum(value >= cut for value in values)
        above = sum(value > cut for value in values)
        assert reached * 100 >= percent * len(values)
        assert above * 100 <= percent * len(values)


def test_what_is_usual_survives_the_log():
    found = fit_population(everybody(), (40, 30_000), CLOCK)
    wire = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(found)))
    assert msgspec.convert(wire, Population) == found
    assert set(found.spend_year) == {"CNY"}, "5 of a currency are too few"
    assert found.satisfaction == 75.0
    assert found.spend["CNY"].customers == 195
    mean = found.spend["CNY"].p * found.spend["CNY"].v / (found.spend["CNY"].q - 1)
    assert 1000 < mean < 1400


def test_few_answers_say_nothing():
    assert fit_population(everybody(), (19, 19_000), CLOCK).satisfaction is None


def test_a_day_without_news_publishes_nothing():
    one = fit_population(everybody(), (0, 0), CLOCK)
    other = msgspec.structs.replace(one, fitted_at="later", customers=7)
    assert is_same_population(one, other)
    assert not is_same_population(one, msgspec.structs.replace(one, satisfaction=70.0))
    assert not is_same_population(one, fit_population(everybody(150), (0, 0), CLOCK))


def test_who_spent_nothing_has_no_value_of_a_purchase():
    nobody = everybody(40)
    free = Everybody(
        nobody.currency, nobody.days, nobody.orders, nobody.days * 0, nobody.days * 0, nobody.days
    )
    assert fit_population(free, (0, 0), CLOCK).spend == {}
