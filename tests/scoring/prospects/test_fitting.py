"""Rates of first purchases: found again where they are known, never from the future, never worse
than one rate for all without saying so."""

from dataclasses import replace
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.screening.cohort import NEVER, Cohort, coded, waited
from services.scoring.screening.fitting import fit, fit_rates, is_same, judge
from services.scoring.screening.policy import (
    FACTORS,
    HORIZONS,
    STAGES,
    Like,
    Screening,
    chances,
    contact_level,
    interval,
    prospect_class,
    stage_of,
    worth_of,
)
from services.scoring.screening.quality import auc_of
from tests.scoring.prospects.crowd import LAST, RATIOS, crowd

AT = datetime(2026, 11, 20, tzinfo=UTC)


def fitted(cohort: Cohort, last: int = LAST) -> Screening:
    made = fit(cohort, last, AT)
    assert made is not None
    return made


def like(source: str = "", *, age: int = 30, contacts: str = "14:2-4") -> Like:
    return Like(age, (source, "call", "web", contacts))


def test_known_rates_are_found_again():
    """A simulation, not a figure of quality: probabilities within what chance allows."""
    model = fitted(crowd(20_000))
    assert model.method == "rates"
    for source, times in RATIOS.items():
        for contacts, twice in (("14:2-4", 1), ("14:5+", 2)):
            found = chances(model, like(source, contacts=contacts))
            truth = [-np.expm1(-0.004 * times * twice * days) for days in HORIZONS]
            assert found == pytest.approx(truth, rel=0.15)
    assert model.worth[0].currency == "CNY"
    assert worth_of(model.worth[0], like("expo")) == pytest.approx(20_000, rel=0.15)
    assert worth_of(model.worth[0], like("advert")) == pytest.approx(10_000, rel=0.15)


def test_it_is_compared_with_one_rate_for_all_on_days_that_it_had_not_seen():
    model = fitted(crowd(5000))
    assert [one.horizon_days for one in model.quality] == list(HORIZONS)
    for one in model.quality:
        assert one.begins == date.fromordinal(LAST + 1 - one.horizon_days).isoformat()
        assert one.brier < min(one.brier_naive, one.brier_age)
        assert one.auc is not None
        assert one.auc > 0.6
        assert one.auc_interval is not None
        assert one.auc_interval[0] < one.auc < one.auc_interval[1]
        assert one.expected == pytest.approx(one.won, rel=0.2)


def test_what_comes_later_makes_no_difference():
    """The fit of a day is the same, whatever happened after it."""
    cohort = crowd(600)
    last = LAST - 60
    unknown = np.where(cohort.won > last, NEVER, cohort.won)
    other = replace(cohort, won=unknown)
    # After that day everybody comes from elsewhere, calls often, or buys.
    late = last + 1 + np.arange(len(cohort)) % 5
    turned = replace(
        cohort,
        won=np.where(cohort.won > last, late, cohort.won),
        spend=[
            None if won > last else spent
            for won, spent in zip(cohort.won, cohort.spend, strict=True)
        ],
    )
    assert fitted(other, last) == fitted(turned, last)


def test_a_source_that_is_said_of_buyers_alone_is_no_sign():
    """Planted: the shop writes the source down when somebody buys."""
    cohort = crowd(4000, ratios={"": 1.0})
    bought = cohort.won < NEVER
    leak = replace(
        cohort,
        source=["club" if won else "" for won in bought],
        source_day=np.where(bought, cohort.won + 1, NEVER),
    )
    model = fitted(leak)
    levels = {level.name: level for level in model.factors[0].levels}
    assert "club" not in levels
    ahead = replace(leak, source_day=cohort.seen)  # were it known before, it would tell all
    known = {level.name: level.ratio for level in fitted(ahead).factors[0].levels}
    assert known["club"] > 5 * known[""]


def test_too_few_first_purchases_mean_the_overall_rate_and_it_says_so():
    model = fitted(crowd(200, rate=0.0003))
    assert (model.method, model.because) == ("overall", "few")
    assert chances(model, like("expo")) == chances(model, like("")) == model.overall
    assert interval(model, like("expo"), 28) is None
    assert prospect_class(model, model.overall[-1]) == "warm"


def test_no_better_than_one_rate_means_the_overall_rate_and_it_says_so():
    """Nothing tells them apart but the past: the order of sources turns around in the end."""
    cohort = crowd(3000)
    begin = LAST - 27
    waiting = cohort.won >= begin
    source = np.array(cohort.source)
    chance = np.random.default_rng(5).random(len(cohort))
    soon = begin + (chance * 20).astype(int)
    buys = waiting & (source == "") & (chance < 0.6) & (cohort.seen < begin)
    turned = replace(cohort, won=np.where(buys, soon, np.where(waiting, NEVER, cohort.won)))
    model = fitted(turned)
    assert (model.method, model.because) == ("overall", "worse")
    assert chances(model, like("expo")) == model.overall


@pytest.mark.parametrize("people", [0, 1, 29])
def test_a_handful_of_prospects_is_not_enough(people):
    assert fit(crowd(max(people, 1)), LAST if people else 1000, AT) is None


def test_who_bought_at_first_sight_was_no_prospect():
    cohort = crowd(400)
    everybody = replace(cohort, at_once=np.ones(len(cohort), dtype=np.bool_))
    assert fit(everybody, LAST, AT) is None


def test_days_at_risk_and_purchases_add_up():
    cohort = crowd(300)
    known = coded(cohort, LAST)
    table = waited(known, LAST)
    won = cohort.won <= LAST
    days = np.where(won, cohort.won, LAST) - cohort.seen + 1
    assert table.won.sum() == won.sum()
    assert table.days.sum() == days.sum()


def test_all_alike_is_no_difference():
    """One level of each factor: every ratio is 1, and rates are those of everybody."""
    cohort = crowd(500, ratios={"advert": 1.0})
    alike = replace(cohort, kind=["call"] * 500, contacts=np.ones((500, 3), dtype=np.int64))
    known = coded(alike, LAST)
    rates = fit_rates(known, waited(known, LAST))
    for name, ratios in zip(FACTORS, rates.ratios, strict=True):
        assert np.abs(np.log(ratios)).max() < 0.05, name


def test_many_sources_stay_bounded():
    cohort = crowd(3000)
    many = replace(cohort, source=[f"s{number % 900}" for number in range(3000)])
    model = fitted(many)
    assert len(model.factors[0].levels) <= 52
    assert len(msgspec.json.encode(model)) < 60_000


def test_the_same_cohort_makes_the_same_policy():
    one, other = fitted(crowd(1000)), fitted(crowd(1000))
    assert msgspec.json.encode(one) == msgspec.json.encode(other)
    assert is_same(one, other)
    assert msgspec.convert(msgspec.to_builtins(one), Screening) == one
    assert not is_same(one, fitted(crowd(1000, seed=2)))


@given(st.integers(0, 3000), st.integers(0, 60), st.integers(0, 9))
@settings(max_examples=50)
def test_a_contact_level_is_that_of_the_longest_window_that_is_over(age, days, number):
    assert STAGES[stage_of(age)] <= age
    level = contact_level(days, (number, number, number))
    assert level.startswith(("", "1:", "7:", "14:")[(days >= 1) + (days >= 7) + (days >= 14)])


def test_probabilities_grow_with_the_horizon_and_lie_in_their_interval():
    model = fitted(crowd(2000))
    for source in RATIOS:
        for age in (0, 1, 6, 50, 1000):
            found = chances(model, like(source, age=age))
            assert 0 < found[0] < found[1] < 1
            for days, probability in zip(HORIZONS, found, strict=True):
                bounds = interval(model, like(source, age=age), days)
                assert bounds is not None
                assert bounds[0] < probability < bounds[1]


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    chance = np.random.default_rng(3)
    found, truth = chance.integers(0, 5, 60) / 5, (chance.random(60) < 0.4).astype(float)
    yes, no = found[truth > 0], found[truth == 0]
    pairs = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
    auc, around = auc_of(found, truth)
    assert auc == pytest.approx(pairs)
    assert around is not None
    assert auc_of(found, np.zeros(60)) == (None, None)


def test_a_log_that_is_too_short_is_not_judged():
    assert judge(crowd(200, span=20), LAST, 90) is None
