import numpy as np
import pytest

from services.scoring.forecast.bands import bands


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
