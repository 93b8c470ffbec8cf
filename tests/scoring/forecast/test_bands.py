import numpy as np
import pytest

from services.scoring.forecast.bands import (
    LEVELS,
    PAIRS,
    Tried,
    bands,
    ends,
    interval_score,
    newer_ends,
    shares,
)


def misses(series=40, windows=12, ahead=4, seed=1):
    random = np.random.default_rng(seed)
    size = np.exp(random.normal(4, 1, series))
    growing = np.sqrt(np.arange(1, ahead + 1))
    drawn = random.standard_t(5, (series, windows, ahead)) * size[:, None, None] * 0.2 * growing
    sizes = np.broadcast_to(size[:, None, None], drawn.shape).copy()
    return drawn, sizes, sizes[:, 0], size * 0.3


def test_new_misses_fall_inside_as_often_as_promised():
    drawn, sizes, now, changes = misses(windows=200)
    found = bands(drawn[:, :12], sizes[:, :12], now, changes)
    later = drawn[:, 12:]
    for low, high, share in ((1, 2, 0.8), (0, 3, 0.95)):
        inside = (later >= found[:, None, :, low]) & (later <= found[:, None, :, high])
        assert inside.mean() == pytest.approx(share, abs=0.06)


def test_further_ahead_is_never_narrower_and_95_holds_80():
    found = bands(*misses())
    width = found[:, :, 2] - found[:, :, 1]
    assert (np.diff(width, axis=1) >= 0).all()
    assert (np.diff(found, axis=2) >= 0).all()


def test_a_series_without_a_past_is_wider_than_its_like():
    old, sizes, now, changes = misses()
    old[0] = np.nan
    found = bands(old, sizes, now, changes)
    assert found[0, 0, 3] > 1.3 * np.median(found[1:, 0, 3] / now[1:, 0]) * now[0, 0]


def test_a_series_that_grew_misses_more():
    old, sizes, now, changes = misses()
    grown = now.copy()
    grown[0] *= 10
    wide, narrow = bands(old, sizes, grown, changes), bands(old, sizes, now, changes)
    assert wide[0, 0, 3] > 2 * narrow[0, 0, 3]
    np.testing.assert_allclose(wide[1:], narrow[1:])


@pytest.mark.parametrize("shape", [(0, 0, 8), (1, 0, 8), (3, 0, 2), (2, 5, 3)])
def test_no_misses_at_all_still_make_an_interval(shape):
    unknown = np.full(shape, np.nan)
    now = np.full((shape[0], shape[2]), 10.0)
    found = bands(unknown, np.ones(shape), now, np.full(shape[0], np.nan))
    assert np.isfinite(found).all()
    assert found.shape == (shape[0], shape[2], 4)
    assert (found[..., 3] > 0).all()


def two(noise, other_noise, windows=12, seed=3, series=60):
    """One truth forecast in two ways that miss independently."""
    random = np.random.default_rng(seed)
    truth = 300 + 5 * random.standard_normal((series, windows, 4))
    first = truth + noise * random.standard_normal(truth.shape)
    second = truth + other_noise * random.standard_normal(truth.shape)
    return Tried(first, truth), Tried(second, truth), np.full(series, 5.0)


@pytest.mark.parametrize(("noise", "other", "wanted"), [(1.0, 30.0, 0.0), (30.0, 1.0, 1.0)])
def test_the_better_of_two_ways_makes_the_interval(noise, other, wanted):
    made, than, changes = two(noise, other)
    np.testing.assert_allclose(shares(made, than, changes), wanted, atol=0.13)


def test_one_way_twice_is_one_way():
    made, _, changes = two(10.0, 10.0)
    now = made.forecast[:, -1]
    found = ends(made, made, now, now, changes)
    np.testing.assert_allclose(
        found - now[:, :, None], bands(made.misses, made.forecast, now, changes)
    )


def test_a_peak_that_the_other_way_does_not_know_is_no_end_of_its_interval():
    made, other, changes = two(10.0, 10.0)
    now = made.forecast[:, -1]
    found = ends(made, other, 10 * now, now, changes)
    own = bands(made.misses, made.forecast, 10 * now, changes)
    np.testing.assert_allclose(found[..., 2:] - 10 * now[:, :, None], own[..., 2:] / 2)
    assert (found[..., :2] < 10 * now[:, :, None] + own[..., :2]).all()


def test_two_ways_that_miss_apart_are_better_together_also_on_what_nobody_saw():
    made, other, changes = two(10.0, 10.0, windows=200)
    learnt, plain = made.older(12), other.older(12)
    share = shares(learnt, plain, changes)
    assert ((share > 0.2) & (share < 0.8)).all()
    assert share[0] == share[3]
    assert share[1] == share[2]
    costs = np.zeros((3, len(PAIRS)))
    for window in range(12, 200):
        now, others = made.forecast[:, window], other.forecast[:, window]
        pair = (
            ends(learnt, plain, now, others, changes),
            now[:, :, None] + bands(learnt.misses, learnt.forecast, now, changes),
            others[:, :, None] + bands(plain.misses, plain.forecast, others, changes),
        )
        for way, found in enumerate(pair):
            for place, (low, high, miss) in enumerate(PAIRS):
                score = interval_score(
                    made.truth[:, window], found[..., low], found[..., high], miss
                )
                costs[way, place] += score.mean()
    assert (costs[0] < 0.98 * costs[1:]).all()


def test_too_few_windows_to_compare_keep_to_their_own():
    made, other, changes = two(10.0, 1.0, windows=3)
    assert not shares(made, other, changes).any()
    assert not list(newer_ends(made, other, changes))
    now, others = made.forecast[:, -1], other.forecast[:, -1]
    found = ends(made, other, now, others, changes)
    own = now[:, :, None] + bands(made.misses, made.forecast, now, changes)
    np.testing.assert_array_equal(found, own)


def test_a_handful_of_series_keeps_to_its_own():
    assert not shares(*two(30.0, 1.0, series=20)).any()


def test_series_without_a_unit_count_in_nothing():
    made, other, changes = two(30.0, 1.0)
    changes[:5] = np.nan
    np.testing.assert_allclose(shares(made, other, changes), 1.0, atol=0.13)
    assert not shares(made, other, np.full(len(changes), np.nan)).any()


def test_levels_are_those_of_the_pairs():
    for low, high, miss in PAIRS:
        assert LEVELS[high] - LEVELS[low] == pytest.approx(1 - miss)
