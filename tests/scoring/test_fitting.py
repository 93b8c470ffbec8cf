"""From the population to policies."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.fitting import (
    Population,
    cut_points,
    fit_churn,
    fit_rfm,
    is_same_cuts,
    is_same_model,
)
from services.scoring.models.bgnbd import Parameters, log_likelihood
from services.scoring.policies import ChurnModel, RfmCuts, Usual
from services.scoring.projector.rfm import score

CLOCK = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = CLOCK.toordinal()


def integers(values) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def population(customers: int = 200, *, utcoffset: int = 480, seed: int = 3) -> Population:
    """Customers who bought on 1 to 40 days of the last year."""
    chance = np.random.default_rng(seed)
    first = TODAY - chance.integers(30, 365, customers)
    repeats = chance.integers(0, 40, customers)
    last = np.where(repeats > 0, first + np.maximum(chance.integers(1, 365, customers), 1), first)
    last = np.minimum(last, TODAY)
    repeats = np.minimum(repeats, last - first)
    return Population(
        days=repeats + 1,
        first_day=first,
        last_day=last,
        utcoffset=np.full(customers, utcoffset),
        last_at=(last - 719_163) * 86_400_000_000,
        orders=repeats + 1,
        monetary=chance.integers(0, 100_000, customers),
        currency=["CNY"] * (customers - 30) + ["USD"] * 25 + ["JPY"] * 5,
    )


@given(st.lists(st.integers(-5, 30), min_size=1, max_size=60))
def test_cut_points_score_as_the_rule_says(values):
    """score = 1 + floor(5 W / N), W = how many are strictly worse."""
    cuts = cut_points(integers(values))
    for value in values:
        worse = sum(other < value for other in values)
        assert score(value, cuts) == 1 + 5 * worse // len(values)


def test_without_ties_a_fifth_gets_each_score():
    values = list(range(1000))
    cuts = cut_points(integers(values))
    assert cuts == [200, 400, 600, 800]
    assert [sum(score(v, cuts) == s for v in values) for s in (1, 2, 3, 4, 5)] == [200] * 5


def test_where_many_are_tied_at_the_top_nobody_gets_a_five():
    assert cut_points(integers([1] * 70 + [2] * 30)) == [2, 2, 2, None]
    assert cut_points(integers([1] * 100)) == [None] * 4


def test_money_is_ranked_within_its_currency():
    body = fit_rfm(population(), CLOCK)
    assert set(body.monetary) == {"CNY", "USD"}, "5 of a currency are too few"
    usd = population().monetary[-30:-5]
    assert body.monetary["USD"] == cut_points(usd)
    assert body.customers == 200


def test_the_fit_is_at_a_peak():
    people = population()
    model = fit_churn(people, CLOCK)
    x = (people.days - 1).astype(float)
    t_x = (people.last_day - people.first_day) / 7
    age = (TODAY - people.first_day) / 7

    def likelihood(parameters: Parameters) -> float:
        return float(log_likelihood(parameters, x, t_x, age).sum())

    best = likelihood(model.parameters)
    assert best == pytest.approx(model.log_likelihood)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.98, 1.02):
            value = getattr(model.parameters, name) * factor
            assert likelihood(replace(model.parameters, **{name: value})) < best
    assert model.customers == 200
    assert model.fitted_at == "2026-11-20T12:00:00Z"


def test_usual_is_the_median_of_these_customers():
    people = population()
    model = fit_churn(people, CLOCK)
    repeats = people.days - 1
    again = repeats > 0
    gaps = (people.last_day - people.first_day)[again] / repeats[again]
    assert model.usual.gap_days == pytest.approx(np.median(gaps), abs=0.01)
    assert model.usual.repeats_per_week > 0


def test_today_is_the_customers_local_day():
    """At 20:00 UTC it is tomorrow in Shanghai, today in New York: a day more to have bought on."""
    evening = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
    shanghai, new_york = (
        fit_churn(population(utcoffset=offset), evening) for offset in (480, -300)
    )
    noon = fit_churn(population(), CLOCK)
    assert is_same_model(new_york, noon)
    assert not is_same_model(shanghai, noon)


def test_a_clock_behind_the_facts_makes_no_negative_age():
    model = fit_churn(population(), datetime(2020, 1, 1, tzinfo=UTC))
    assert np.isfinite(model.log_likelihood)


@pytest.mark.parametrize("fitted", [fit_churn, fit_rfm])
def test_a_policy_survives_the_log(fitted):
    body = fitted(population(), CLOCK)
    wire = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(body)))
    assert msgspec.convert(wire, type(body)) == body


def test_an_unchanged_fit_is_the_same():
    model = ChurnModel(
        parameters=Parameters(1, 2, 3, 4),
        log_likelihood=-1,
        customers=100,
        usual=Usual(gap_days=9, repeats_per_week=1),
    )
    nearly = msgspec.structs.replace(model, parameters=Parameters(1 + 1e-8, 2, 3, 4), customers=9)
    changed = msgspec.structs.replace(model, parameters=Parameters(1.001, 2, 3, 4))
    assert is_same_model(model, nearly)
    assert not is_same_model(model, changed)
    cuts = RfmCuts(customers=1, fitted_at="a", recency=[1], frequency=[1], monetary={})
    assert is_same_cuts(cuts, msgspec.structs.replace(cuts, fitted_at="b"))
    assert not is_same_cuts(cuts, msgspec.structs.replace(cuts, recency=[2]))
