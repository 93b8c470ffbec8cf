"""Features are of the past only, finite, and find a leak that is planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.predict.features import Table, features, history
from services.scoring.predict.leaks import leaks
from services.scoring.predict.snapshots import origins, outcome, snapshot
from services.scoring.predict.visits import Fact, Visits, pack, visits
from tests.scoring.predict.shops import FIRST, lines, shop

HORIZON = 28
CUT = FIRST + 300

histories = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 2_000),
        st.one_of(st.just(float("nan")), st.floats(-1e7, 1e7)),
    ),
    min_size=1,
    max_size=60,
)


def _with_facts(shop: Visits) -> Visits:
    some = np.arange(0, len(shop), 3)
    told = Fact(shop.customer[some], shop.day[some] + 1, np.ones(len(some)))
    return replace(shop, refunds=replace(told, value=-told.value), facts={"complaint": told})


def _build(seen: Visits, cut: int) -> Table:
    return features(seen, cut, HORIZON)


def test_no_feature_knows_the_future() -> None:
    assert leaks(_build, _with_facts(shop(100)), CUT) == ()


def test_a_planted_leak_is_found() -> None:
    def leaking(seen: Visits, cut: int) -> Table:
        table = _build(seen, cut)
        past = history(seen, cut)
        ahead = np.searchsorted(seen.key, pack(past.customer, cut + HORIZON)) - past.end
        return replace(
            table,
            values=np.column_stack([table.values, ahead.astype(float)]),
            names=(*table.names, "will_come"),
        )

    assert leaks(leaking, shop(100), CUT) == ("will_come",)


def test_a_leak_into_an_amount_is_found() -> None:
    def leaking(seen: Visits, cut: int) -> Table:
        table = _build(seen, cut)
        total = np.bincount(seen.customer, weights=seen.money)[table.customer]
        values = table.values.copy()
        values[:, table.names.index("spend90")] = total
        return replace(table, values=values)

    assert leaks(leaking, shop(100), CUT) == ("spend90",)


def test_who_is_there_must_not_depend_on_the_future() -> None:
    assert leaks(lambda seen, cut: features(seen, cut + 40, HORIZON), shop(100), CUT) != ()


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(1, 2_100), st.integers(1, 400))
def test_everything_is_finite(rows: list[tuple[int, int, float]], cut: int, horizon: int) -> None:
    seen = lines(*rows)
    taken = snapshot(seen, FIRST + cut, horizon)
    assert np.isfinite(taken.table.values).all()
    if len(taken):
        assert np.isfinite(taken.values).all()
        assert ((taken.p_none >= 0) & (taken.p_none <= 1)).all()
        assert ((taken.expected >= 0) & (taken.expected <= horizon)).all()
    bought = {customer for customer, day, amount in rows if day < cut and not amount < 0}
    assert set(taken.past.customer.tolist()) == bought


def test_counts_are_of_purchase_days() -> None:
    seen = lines((1, 0, 5.0), (1, 0, 7.0), (1, 20, 1.0), (1, 29, 2.0), (1, 30, 9.0))
    table = features(seen, FIRST + 30, HORIZON)
    assert np.expm1(table.column("days")) == pytest.approx([3])
    assert np.expm1(table.column("n14")) == pytest.approx([2])
    assert np.expm1(table.column("n7")) == pytest.approx([1])
    assert np.expm1(table.column("recency")) == pytest.approx([1])
    assert np.expm1(table.column("mean_gap")) == pytest.approx([14.5])
    assert np.expm1(table.column("late_gap")) == pytest.approx([14.5])
    assert np.expm1(table.column("spend90")) == pytest.approx([15])


def test_what_became_of_them() -> None:
    seen = lines((1, 0, 5.0), (1, 31, 4.0), (1, 33, -1.0), (1, 58, 8.0), (2, 3, 1.0), (3, 31, 1.0))
    taken = snapshot(seen, FIRST + 30, HORIZON)
    became = outcome(seen, taken)
    assert taken.past.customer.tolist() == [1, 2]
    assert became.days.tolist() == [1, 0]
    assert became.money == pytest.approx([3, 0])
    assert became.wait.tolist() == [1, np.inf]
    assert became.churned.tolist() == [False, True]


def test_refunds_are_no_purchase_days() -> None:
    seen = lines((1, 0, 5.0), (1, 9, -5.0), (2, 4, -3.0))
    assert seen.customer.tolist() == [1]
    assert seen.refunds.value.tolist() == [-5.0, -3.0]


def test_kinds_are_counted_once_a_day() -> None:
    seen = visits(np.array([1, 1, 1]), np.array([5, 5, 6]), np.ones(3), np.array([2, 2, 3]))
    assert seen.kinds.tolist() == [1, 1]
    assert seen.lines.tolist() == [2, 1]


@given(st.integers(0, 3_000), st.integers(1, 400))
def test_windows_to_learn_from_had_closed(days: int, horizon: int) -> None:
    for day in origins(FIRST, FIRST + days, horizon):
        assert day + horizon <= FIRST + days
        assert day - FIRST >= 28
