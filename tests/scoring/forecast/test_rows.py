from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from services.scoring.forecast import forecast_rows
from services.scoring.forecast.calendar import holiday_days
from services.scoring.forecast.evaluate import (
    evaluate,
    evaluate_purchases,
    interval_score,
    origins_of,
    text,
)
from services.scoring.forecast.rows import weekly_of
from tests.scoring.forecast.series import day, shop

ORIGIN = date(2024, 3, 6)


def purchases(*lines, categories=("milk", "tea")):
    """Lines of (days before the origin, category, quantity)."""
    first = (ORIGIN - date(1970, 1, 1)).days
    return SimpleNamespace(
        day=np.array([first - back for back, _, _ in lines], dtype=np.int64),
        category=np.array([category for _, category, _ in lines], dtype=np.int32),
        quantity=np.array([quantity for _, _, quantity in lines], dtype=float),
        categories=categories,
    )


def test_weeks_end_at_the_origin_and_a_first_week_cut_short_is_left_out():
    found = weekly_of(
        purchases((1, 0, 2.0), (7, 0, 3.0), (8, 1, 4.0), (15, 1, 9.0), (0, 0, 99.0), (-3, 1, 99.0)),
        ORIGIN,
        None,
    )
    assert found.keys == ("milk", "tea")
    assert found.first == ORIGIN - timedelta(days=14)
    assert found.sums.tolist() == [[0, 5], [4, 0]]


def test_rows_of_all_levels():
    lines = [(back, back % 2, 1.0) for back in range(1, 60)] + [(3, -1, 50.0)]
    rows = forecast_rows(
        purchases(*lines),
        ORIGIN,
        horizon=2,
        departments={"milk": "food"},
        levels=("category", "department", "total"),
    )
    assert [(row.key, row.h) for row in rows] == [
        (key, h) for key in ("milk", "tea", "", "food", "total") for h in (1, 2)
    ]
    by_key = {(row.key, row.h): row.yhat for row in rows}
    assert by_key["total", 1] == pytest.approx(by_key["milk", 1] + by_key["tea", 1], abs=1e-9)
    assert rows[0].origin == ORIGIN


@pytest.mark.parametrize(
    "lines", [[], [(-5, 0, 1.0)], [(2, 0, 1.0)], [(2, -1, 1.0), (9, -1, -3.0)]]
)
def test_hardly_any_purchases(lines):
    rows = forecast_rows(purchases(*lines), ORIGIN)
    assert len(rows) in {0, 8}
    assert all(np.isfinite(row[3:]).all() for row in rows)


def test_without_categories_everything_is_one():
    rows = forecast_rows(purchases((2, -1, 1.0), categories=()), ORIGIN)
    assert {row.key for row in rows} == {"all"}


def test_holidays_by_week():
    counts = holiday_days("US", date(2024, 12, 23), 2)
    assert counts.tolist() == [1, 1]
    assert holiday_days("CN", date(2024, 9, 30), 1)[0] >= 3


def test_interval_score():
    score = interval_score(np.array([5.0, 1.0, 12.0]), np.full(3, 2.0), np.full(3, 10.0), 0.2)
    assert score.tolist() == [8, 18, 28]


def test_the_evaluation_prints_every_level_beside_the_mean():
    full, promotion = shop(keys=8, weeks=50)
    assert origins_of(full, count=2) == [day(44), day(46)]
    origins = [day(46)]
    found = evaluate(
        "made up",
        full,
        origins,
        signals=[promotion],
        judged={"category": full.keys[:5]},
        horizon=2,
        ahead=2,
    )
    assert [one.level for one in found] == ["category", "department", "total"]
    category = found[0]
    assert (category.series, category.origins) == (5, 1)
    assert category.ratio.value == pytest.approx(category.mase.value / category.mase_mean.value)
    assert category.ratio.low <= category.ratio.value <= category.ratio.high
    assert category.ratio.value < 0.8
    printed = text(found).splitlines()
    assert len(printed) == 4
    assert "4-week mean" in printed[0]


def test_purchases_are_judged_at_their_own_last_weeks():
    random = np.random.default_rng(1)
    lines = [(back, 0, float(random.poisson(9))) for back in range(1, 120)]
    found = evaluate_purchases(purchases(*lines))
    assert [one.level for one in found] == ["category", "total"]
    assert found[0].origins == 3
    assert evaluate_purchases(purchases()) == []
    assert evaluate_purchases(purchases((3, 0, 1.0))) == []
