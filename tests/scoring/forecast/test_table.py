from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.forecast import ForecastError, Weekly, weekly
from tests.scoring.forecast.series import MONDAY, day

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["milk", "bread", "tea"]),
        st.sampled_from([None, "food", "drinks"]),
        st.integers(0, 200).map(lambda days: MONDAY + timedelta(days=days)),
        st.integers(0, 50).map(float),
    ),
    max_size=40,
)


@given(ROWS)
def test_no_unit_is_lost_and_order_does_not_matter(rows):
    made = weekly(rows)
    assert made.sums.sum() == sum(quantity for *_, quantity in rows)
    again = weekly(reversed(rows))
    assert (again.keys, again.departments, again.first) == (
        made.keys,
        made.departments,
        made.first,
    )
    np.testing.assert_array_equal(again.sums, made.sums)


@given(ROWS, st.integers(0, 210))
def test_nothing_of_the_origin_or_later_is_read(rows, days):
    until = MONDAY + timedelta(days=days)
    made = weekly(rows, until=until)
    assert made.end <= until
    earlier = [row for row in rows if row[2] < made.end]
    np.testing.assert_array_equal(weekly(earlier, until=until).sums, made.sums)


def test_a_week_without_a_sale_is_zero_also_at_the_end():
    made = weekly([("tea", None, day(0), 2.0), ("tea", None, day(3), 1.0)], until=day(6))
    assert made.sums.tolist() == [[2, 0, 0, 1, 0, 0]]
    assert (made.first, made.end, made.departments) == (MONDAY, day(6), None)


def test_returns_subtract_but_never_below_nothing():
    rows = [("tea", None, day(0), 5.0), ("tea", None, day(0), -2.0), ("tea", None, day(1), -4.0)]
    assert weekly(rows).sums.tolist() == [[3, 0]]


def test_a_category_belongs_to_the_department_of_most_units():
    rows = [
        ("tea", "food", day(0), 5.0),
        ("tea", "drinks", day(0), 9.0),
        ("nuts", None, day(0), 1.0),
    ]
    made = weekly(rows)
    assert dict(zip(made.keys, made.departments, strict=True)) == {"nuts": "", "tea": "drinks"}


def test_weeks_begin_on_the_anchor_and_ten_years_are_kept():
    rows = [("tea", None, date(2000, 1, 1), 1.0), ("tea", None, date(2023, 1, 5), 1.0)]
    made = weekly(rows, anchor=date(2023, 1, 4))
    assert made.weeks == 520
    assert made.first.weekday() == 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_quantity_that_is_no_number_is_refused(bad):
    with pytest.raises(ForecastError) as refused:
        weekly([("tea", None, day(0), bad)])
    assert refused.value.code == "sums_unclear"


@pytest.mark.parametrize(
    ("keys", "departments", "sums", "code"),
    [
        (("a", "a"), None, np.zeros((2, 3)), "keys_unclear"),
        (("a",), ("x", "y"), np.zeros((1, 3)), "keys_unclear"),
        (("a",), None, np.full((1, 3), -1.0), "sums_unclear"),
        (("a",), None, np.full((1, 3), np.nan), "sums_unclear"),
        (("a",), None, np.zeros((1, 521)), "too_long"),
    ],
)
def test_a_table_that_cannot_be_is_refused(keys, departments, sums, code):
    with pytest.raises(ForecastError) as refused:
        Weekly(keys, departments, MONDAY, sums)
    assert refused.value.code == code
