"""What is foretold: each by itself, within what is possible, and surer where more is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.models import gammagamma
from services.scoring.models.bgnbd import Parameters
from services.scoring.policies import (
    CDNOW,
    ChurnModel,
    Population,
    SpendModel,
    Usual,
    ValueRules,
)
from services.scoring.projector.churn import History
from services.scoring.projector.future import Buyer, foretell

GROCER = ChurnModel(
    parameters=Parameters(r=1.41, alpha=1.38, a=0.19, b=20),
    log_likelihood=-84597.0,
    customers=2469,
    usual=Usual(gap_days=8.7, repeats_per_week=0.75),
)
POPULATION = Population(
    customers=100,
    fitted_at="2026-11-20T00:00:00Z",
    spend_year={},
    active_months=[1] * 19,
    orders=5,
    monetary={},
    order={},
    spend={"CNY": SpendModel(6.2, 3.7, 15_000, 100)},
)
RULES = ValueRules()
WEEKLY = Buyer(History(x=20, last=140, age=143), "CNY", 210_000)


@st.composite
def buyers(draw: st.DrawFn) -> Buyer:
    age = draw(st.integers(0, 3000))
    x = draw(st.integers(0, min(age, 400)))
    last = draw(st.integers(x, age)) if x else 0
    currency = draw(st.sampled_from(("CNY", "USD", None)))
    return Buyer(History(x=x, last=last, age=age), currency, draw(st.integers(-500, 10**9)))


@given(st.lists(buyers(), max_size=4), st.sampled_from([GROCER, CDNOW]))
def test_each_is_foretold_as_if_alone(several, model):
    together = foretell(several, model, POPULATION, RULES)
    for buyer, one in zip(several, together, strict=True):
        [alone] = foretell([buyer], model, POPULATION, RULES)
        assert one.next_days == pytest.approx(alone.next_days)
        assert one.lifetime == pytest.approx(alone.lifetime, rel=1e-9)
        assert [span.spend for span in one.spans] == pytest.approx(
            [span.spend for span in alone.spans], rel=1e-9
        )
        assert 0 <= one.returns <= 1
        assert 0 < one.next_days[0] <= one.next_days[1] <= one.next_days[2] <= 730
        assert 0 <= one.lifetime < np.inf
        near, far = one.spans
        assert near.repurchase <= far.repurchase + 1e-12
        assert near.spend <= far.spend * (1 + 1e-9)
        for span in one.spans:
            assert 0 <= span.low <= span.high < np.inf


def test_eight_in_ten_lie_within():
    """Customers drawn from the models themselves, who are all like this one."""
    chance = np.random.default_rng(11)
    [future] = foretell([WEEKLY], GROCER, POPULATION, RULES)
    counts = GROCER.parameters.distribution(20, 20, 143 / 7, 90 / 7, 90)[0]
    number = chance.choice(91, size=40_000, p=counts / counts.sum())
    spent = POPULATION.spend["CNY"]
    rates = chance.gamma(spent.p * 21 + spent.q, 1 / (spent.v + 210_000), 40_000)
    total = np.where(number > 0, chance.gamma(np.maximum(spent.p * number, 1e-9)) / rates, 0)
    near = future.spans[0]
    assert near.spend == pytest.approx(total.mean(), rel=0.03)
    assert np.mean((total >= near.low) & (total <= near.high)) == pytest.approx(0.8, abs=0.03)


def test_the_next_purchase_is_when_half_have_bought():
    [future] = foretell([WEEKLY], GROCER, POPULATION, RULES)
    by_then = 1 - GROCER.parameters.p_none(20, 20, 143 / 7, np.array(future.next_days) / 7)
    assert by_then / future.returns == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_what_a_purchase_is_worth_lies_between_the_own_and_everybodys():
    [future] = foretell([WEEKLY], GROCER, POPULATION, RULES)
    model = gammagamma.Parameters(6.2, 3.7, 15_000)
    assert future.purchase_value == pytest.approx(float(model.expected_value(21, 10_000)[0]))
    assert future.fitted
    [other] = foretell([Buyer(WEEKLY.history, "USD", 210_000)], GROCER, POPULATION, RULES)
    assert (other.purchase_value, other.fitted) == (10_000, False)


def test_the_discounted_future_is_worth_less():
    [plain] = foretell([WEEKLY], GROCER, POPULATION, ValueRules(years=1, discount_rate=0.0))
    [less] = foretell([WEEKLY], GROCER, POPULATION, ValueRules(years=1, discount_rate=0.2))
    assert plain.lifetime == pytest.approx(plain.spans[1].spend, rel=1e-6)
    assert 0.85 < less.lifetime / plain.lifetime < 0.95


def test_nobody_is_foretold_nothing():
    assert foretell([], GROCER, None, RULES) == []
