"""The rule by which dates move."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.shift import SHOPS, Shift, choose, kept, offsets, on_the_wall

LAST = int(datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC).timestamp())
INSTANTS = st.datetimes(
    datetime(2016, 11, 1),  # noqa: DTZ001 - the strategy takes bounds without a zone
    datetime(2018, 1, 2),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda at: int(at.timestamp()))
WEEKS = st.integers(-500, 2000)
AROUND_CLOCK_CHANGES = [  # of 2017, and 470 weeks later, when the changes are a week past
    ("2017-03-12T01:59:59-05:00", "2026-03-15T01:59:59-05:00"),  # not legal there any more
    ("2017-03-12T03:00:00-04:00", "2026-03-15T03:00:00-04:00"),
    ("2017-03-05T02:30:00-05:00", "2026-03-08T02:30:00-05:00"),  # New York skips this half past two
    ("2017-11-05T01:11:55-04:00", "2026-11-08T01:11:55-04:00"),  # not legal there any more
    ("2017-11-05T01:11:55-05:00", "2026-11-08T01:11:55-05:00"),  # the second of two
]


def _one(shift, utc):
    return shift.texts(np.array([utc]))[0].as_py()


def _seconds(text):
    return int(datetime.fromisoformat(text).timestamp())


@settings(deadline=None)  # the first use of a zone or a column reads files
@given(
    last=INSTANTS,
    now=st.datetimes(
        datetime(1990, 1, 1),  # noqa: DTZ001 - the strategy takes bounds without a zone
        datetime(2090, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_the_last_event_lies_in_the_week_before_today(last, now):
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moved = choose(last, now).moved(on_the_wall(last))
    assert today - timedelta(days=7) <= moved.astimezone(UTC) < today


def test_a_last_event_at_midnight_is_not_todays():
    midnight = datetime(2018, 1, 1, tzinfo=UTC)
    last = int(midnight.timestamp())
    assert choose(last, midnight).weeks == -1
    assert choose(last, midnight + timedelta(days=1)).weeks == 0
    assert choose(last, midnight + timedelta(days=7)).weeks == 0
    assert choose(last, midnight + timedelta(days=8)).weeks == 1


@settings(deadline=None)
@given(utc=INSTANTS, weeks=WEEKS)
def test_instant_and_wall_clock_move_by_the_same_whole_weeks(utc, weeks):
    before, moved = on_the_wall(utc), datetime.fromisoformat(_one(Shift(weeks), utc))
    assert moved - before == timedelta(weeks=weeks)
    wall, moved_wall = before.replace(tzinfo=None), moved.replace(tzinfo=None)
    assert moved_wall - wall == timedelta(weeks=weeks)
    assert (moved_wall.weekday(), moved_wall.time()) == (wall.weekday(), wall.time())


@settings(deadline=None)
@given(column=st.lists(INSTANTS, min_size=1, max_size=5), weeks=WEEKS)
def test_columns_and_single_times_move_alike(column, weeks):
    shift = Shift(weeks)
    alone = [shift.moved(on_the_wall(utc)) for utc in column]
    assert shift.texts(np.array(column)).to_pylist() == [at.isoformat() for at in alone]
    assert shift.instants(np.array(column)).tolist() == [int(at.timestamp()) for at in alone]


@settings(deadline=None)
@given(utc=INSTANTS)
def test_shops_have_new_yorks_offset(utc):
    at = datetime.fromtimestamp(utc, UTC).astimezone(SHOPS)
    assert timedelta(seconds=int(offsets(np.array([utc]))[0])) == at.utcoffset()


@pytest.mark.parametrize(("before", "moved"), AROUND_CLOCK_CHANGES)
def test_clock_changes_move_with_the_data(before, moved):
    assert _one(Shift(470), _seconds(before)) == moved


def test_summer_in_the_data_stays_summer_time_in_winter():
    july = _seconds("2017-07-08T18:22:11-04:00")
    assert _one(Shift(26), july) == "2018-01-06T18:22:11-04:00"


def test_the_shift_is_taken_once(tmp_path):
    path = tmp_path / "shift.json"
    first = kept(path, LAST, datetime(2026, 3, 4, tzinfo=UTC))
    assert kept(path, LAST, datetime(2026, 6, 4, tzinfo=UTC)) == first
    assert first == choose(LAST, datetime(2026, 3, 4, tzinfo=UTC))
