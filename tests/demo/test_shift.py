"""The rule by which dates move."""

# ruff: noqa: DTZ001 - a shop's wall clock has no zone

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.shift import EPOCH, SHOPS, Shift, choose, kept, seconds, wall_clock

LAST = seconds(datetime(2017, 12, 31, 23, 1, 20))
WALLS = st.datetimes(datetime(2016, 11, 1), datetime(2018, 1, 1)).map(
    lambda wall: wall.replace(microsecond=0)
)
WEEKS = st.integers(-500, 2000)


@settings(deadline=None)  # the first use of a zone or a column reads files
@given(
    wall=WALLS,
    now=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)
def test_the_last_event_lies_in_the_week_before_today(wall, now):
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last = choose(seconds(wall), now).moved(wall)
    assert today - timedelta(days=7) <= last.astimezone(UTC) < today


@settings(deadline=None)
@given(wall=WALLS, weeks=WEEKS)
def test_weekday_and_hour_stay(wall, weeks):
    text = Shift(weeks).texts(np.array([seconds(wall)]))[0].as_py()
    moved = datetime.fromisoformat(text).replace(tzinfo=None)
    assert (moved.weekday(), moved.time()) == (wall.weekday(), wall.time())
    assert moved - wall == timedelta(weeks=weeks)


@settings(deadline=None)
@given(walls=st.lists(WALLS, min_size=1, max_size=5), weeks=WEEKS)
def test_columns_and_single_wall_clocks_move_alike(walls, weeks):
    shift, column = Shift(weeks), np.array([seconds(wall) for wall in walls])
    alone = [shift.moved(wall) for wall in walls]
    assert shift.texts(column).to_pylist() == [at.isoformat() for at in alone]
    assert shift.instants(column).tolist() == [int(at.timestamp()) for at in alone]


@settings(deadline=None)
@given(utc=st.datetimes(datetime(2016, 11, 1), datetime(2018, 1, 2), timezones=st.just(UTC)))
def test_shops_see_new_yorks_clock(utc):
    at = utc.replace(microsecond=0)
    wall = wall_clock(np.array([int(at.timestamp())]))[0]
    assert EPOCH + timedelta(seconds=int(wall)) == at.astimezone(SHOPS).replace(tzinfo=None)


def test_an_hour_that_spring_skips_keeps_its_number():
    skipped = datetime(2026, 3, 8, 2, 30)
    assert Shift(0).texts(np.array([seconds(skipped)])).to_pylist() == ["2026-03-08T02:30:00-05:00"]


def test_an_hour_that_autumn_has_twice_means_the_first():
    twice = datetime(2026, 11, 1, 1, 30)
    assert Shift(0).texts(np.array([seconds(twice)])).to_pylist() == ["2026-11-01T01:30:00-04:00"]


def test_summer_in_the_data_may_become_winter():
    july = datetime(2017, 7, 8, 18, 22, 11)
    assert Shift(26).moved(july).isoformat() == "2018-01-06T18:22:11-05:00"


def test_the_shift_is_taken_once(tmp_path):
    path = tmp_path / "shift.json"
    first = kept(path, LAST, datetime(2026, 3, 4, tzinfo=UTC))
    assert kept(path, LAST, datetime(2026, 6, 4, tzinfo=UTC)) == first
    assert first == choose(LAST, datetime(2026, 3, 4, tzinfo=UTC))
