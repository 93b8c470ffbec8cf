from dataclasses import replace

import numpy as np
import pytest

from services.scoring.forecast import Forecast, ForecastError, Signal, fit
from services.scoring.forecast.words import CAUSES, cause_name, sentence
from tests.scoring.forecast.series import day, holds, shop, table

HARD = {
    "nothing at all": np.zeros((0, 0)),
    "no weeks": np.zeros((2, 0)),
    "one week": np.ones((2, 1)),
    "one sale long ago": np.eye(1, 40),
    "one sale now": np.eye(1, 40)[:, ::-1],
    "all zero": np.zeros((3, 45)),
    "one category, short": np.full((1, 5), 7.0),
    "one category": np.random.default_rng(1).poisson(30, (1, 45)),
    "constant": np.full((2, 45), 12.0),
    "now and then": np.random.default_rng(2).poisson(0.2, (5, 45)),
    "stopped": np.pad(np.full((2, 30), 20.0), ((0, 0), (0, 15))),
    "just begun": np.pad(np.full((2, 6), 20.0), ((0, 0), (39, 0))),
    "huge": np.full((2, 45), 1e11) * np.random.default_rng(3).random((2, 45)),
    "tiny": np.full((2, 45), 1e-9),
    "one week of a million": np.where(np.arange(45) == 30, 1e6, 3.0)[None, :],
}


@pytest.mark.parametrize("name", HARD)
def test_any_table_has_a_forecast(name):
    made = fit(table(HARD[name]), origin=day(HARD[name].shape[1]), horizon=3)
    holds(made)
    keys = len(HARD[name])
    assert len(list(made.rows())) == 3 * keys
    assert len(list(made.rows("total"))) == (3 if keys else 0)
    for note in made.notes:
        assert sentence(note, "en") != sentence(note, "zh")
    assert Forecast.from_json(made.to_json()) == made


def test_few_weeks_are_said_and_their_interval_is_wide():
    made = fit(table([[10, 12, 8, 10, 11]]), origin=day(5))
    (line, _) = made.lines
    assert line.method == "mean"
    assert line.yhat == (10.25,) * 8
    assert line.hi95[0] - line.lo95[0] > 5
    assert {note.code for note in made.notes} == {"short_series", "history_too_short"}


def test_a_category_that_has_just_begun_has_at_least_the_interval_of_chance():
    made = fit(table(HARD["just begun"]), origin=day(45))
    assert made.lines[0].yhat[0] == 20
    assert made.lines[0].hi95[0] - made.lines[0].lo95[0] > 17
    assert [note.code for note in made.notes] == ["short_series"]


def test_every_level_has_an_interval_on_both_sides():
    """What sells well and restlessly may bring less than expected as well as more."""
    made = fit(shop(keys=12, weeks=45)[0], origin=day(45))
    assert {line.level for line in made.lines} == {"category", "department", "total"}
    for line in made.lines:
        for low, most, high in zip(line.lo95, line.yhat, line.hi95, strict=True):
            assert low < most < high, (line.level, line.key)
        for low, most, high in zip(line.lo80, line.yhat, line.hi80, strict=True):
            assert low < most < high, (line.level, line.key)


def test_all_zero_is_zero_and_said():
    made = fit(table(np.zeros((2, 45))), origin=day(45))
    assert {row.yhat for row in made.rows("category", "total")} == {0.0}
    assert "nothing_sold" in {note.code for note in made.notes}


@pytest.fixture(scope="module")
def known():
    """A shop whose promotions are known ahead, and its forecast."""
    full, promotion = shop()
    return full, promotion, fit(full, [promotion], origin=day(54), horizon=4, country="US")


def test_departments_and_total_add_up_to_the_last_digit(known):
    _, _, made = known
    holds(made)
    by_level = {"category": [], "department": [], "total": []}
    for line in made.lines:
        by_level[line.level].append([round(value * 1000) for value in line.yhat])
    sums = {level: np.sum(rows, axis=0).tolist() for level, rows in by_level.items()}
    assert sums["category"] == sums["department"] == sums["total"]
    assert len(by_level["department"]) == 3


def test_the_same_bytes_whatever_came_later_and_in_whatever_order(known):
    full, promotion, made = known
    later = full.sums.copy()
    later[:, 54:] = later[:, 54:] * 7 + 100
    signal = replace(promotion, rows=promotion.rows[::-1])
    again = fit(replace(full, sums=later), [signal], origin=day(54), horizon=4, country="US")
    assert again.to_json() == made.to_json()
    assert Forecast.from_json(made.to_json()).to_json() == made.to_json()


def test_a_planned_promotion_raises_its_week_alone_and_is_the_reason(known):
    full, promotion, _ = known
    key = full.keys[3]
    rows = [row for row in promotion.rows if row[1] < day(54)]
    end = [(None, day(57), 0.0)]
    without = fit(full, [replace(promotion, rows=rows + end)], origin=day(54), horizon=4)
    planned = rows + end + [(key, day(56), 1.0)]
    with_it = fit(full, [replace(promotion, rows=planned)], origin=day(54), horizon=4)
    pairs = list(zip(without.rows(), with_it.rows(), strict=True))
    changed = {(old.key, old.h) for old, new in pairs if old != new}
    assert changed == {(key, 3)}
    (line,) = (one for one in with_it.lines if one.key == key)
    (before,) = (one for one in without.lines if one.key == key)
    assert line.yhat[2] > 1.4 * before.yhat[2]
    assert line.factors["signal:promotion"][2] > 1.4 * before.factors["signal:promotion"][2]
    assert max(with_it.importance, key=with_it.importance.get) == "signal:promotion"
    for cause in with_it.importance:
        assert cause_name(cause, "zh")


def test_a_series_that_ends_early_serves_the_weeks_it_reaches(known):
    full, promotion, _ = known
    rows = [row for row in promotion.rows if row[1] < day(56)]
    early = fit(full, [replace(promotion, rows=rows)], origin=day(54), horizon=4, country="US")
    holds(early)
    assert [note.code for note in early.notes] == ["signal_ends_early"]
    assert list(early.lines[0].factors["signal:promotion"][2:]) == [1.0, 1.0]
    assert early.lines[0].factors["signal:promotion"][:2] != (1.0, 1.0)


def test_beats_the_mean_where_promotions_are_known_and_says_so(known):
    """Able to fail: promotions that are not the shop's own do not help."""
    full, promotion, made = known
    truth, weeks = full.sums[:, 54:58], slice(None)
    usual = full.sums[:, 50:54].mean(axis=1, keepdims=True)

    def missed(forecast):
        lines = [line for line in forecast.lines if line.level == "category"]
        return np.abs(truth - np.array([line.yhat for line in lines])[weeks]).mean()

    plain = np.abs(truth - usual).mean()
    assert missed(made) < 0.6 * plain
    assert made.quality.mase < 0.6 * made.quality.mase_mean
    assert 0.7 <= made.quality.covered_80 <= 0.92
    assert made.quality.covered_95 >= 0.88
    assert made.weight >= 0.9

    random = np.random.default_rng(5)
    order = random.permutation(len(full.keys))
    moved = {key: full.keys[place] for key, place in zip(full.keys, order, strict=True)}
    wrong = [(moved[key], when, value) for key, when, value in promotion.rows]
    misled = fit(full, [Signal("promotion", wrong)], origin=day(54), horizon=4, country="US")
    assert missed(misled) > 0.9 * plain


def test_without_learning_it_is_the_mean_of_four_weeks(known):
    full, _, _ = known
    made = fit(full, origin=day(54), learning=False)
    holds(made)
    for line in made.lines[: len(full.keys)]:
        assert line.yhat == (line.usual,) * 8
    assert made.lines[0].usual == pytest.approx(full.sums[0, 50:54].mean(), abs=1e-3)


def test_years_of_data_bring_last_years_season():
    """The three weeks come without any sign of them in the weeks before."""
    full, _ = shop(keys=6, weeks=160, promoted=0.0, year=0.8)
    origin = 3 * 52 - 8
    made = fit(full, origin=day(origin), horizon=3)
    assert fit(full, origin=day(origin - 104), horizon=1).importance.get("season") is None
    truth = full.sums[:, origin + 1 : origin + 3].sum(axis=0)
    (total,) = (line for line in made.lines if line.level == "total")
    assert np.abs(truth - total.yhat[1:]).sum() < 0.6 * np.abs(truth - total.usual).sum()
    assert made.importance["season"] > 0.1
    assert made.lines[0].factors["season"][1] > 1.2
    assert cause_name("season", "en") == CAUSES["season"]["en"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"horizon": 0}, "horizon_unclear"),
        ({"horizon": 9}, "horizon_unclear"),
        ({"country": "Atlantis"}, "country_unknown"),
    ],
)
def test_unclear_settings_are_refused(changed, code):
    with pytest.raises(ForecastError) as refused:
        fit(table(np.ones((1, 5))), origin=day(5), **changed)
    assert refused.value.code == code
