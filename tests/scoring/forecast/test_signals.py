import numpy as np
import pytest

from services.scoring.forecast import ForecastError, Signal
from services.scoring.forecast.signals import MOST, align
from tests.scoring.forecast.series import day, table

TABLE = table(np.ones((3, 4)), ("drinks", "drinks", "food"), ("juice", "tea", "nuts"))


def aligned(rows, gaps="zero", horizon=2):
    return align([Signal("s", rows, gaps)], TABLE, horizon)


def test_a_keys_own_value_goes_before_its_departments_and_that_before_the_one_for_all():
    rows = [(None, day(week), 1.0) for week in range(6)]
    rows += [("drinks", day(1), 2.0), ("tea", day(1), 3.0), ("tea", day(2), 4.0)]
    (found,), notes = aligned(rows)
    assert not notes
    assert found.levels.tolist() == [
        [1, 2, 1, 1, 1, 1],
        [1, 3, 4, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize(
    ("gaps", "filled"), [("zero", [0, 5, 0, 0, 7, 7]), ("last", [5, 5, 5, 5, 7, 7])]
)
def test_gaps(gaps, filled):
    rows = [(None, day(1), 5.0), (None, day(4), 7.0), (None, day(5), 7.0)]
    (found,), _ = aligned([*rows, ("nuts", day(0), 9.0)], gaps)
    assert found.levels[0].tolist() == filled


def test_days_of_a_week_are_averaged():
    rows = [(None, day(week), 1.0) for week in range(6)] + [(None, day(2).replace(day=18), 4.0)]
    (found,), _ = aligned(rows)
    assert found.levels[0].tolist() == [1, 1, 2.5, 1, 1, 1]


def test_a_series_that_ends_early_is_said_and_reaches_as_far_as_it_does():
    (found,), (note,) = aligned([(None, day(week), float(week)) for week in range(5)])
    assert found.known == 1
    assert found.levels[0].tolist() == [0, 1, 2, 3, 4, 0]
    assert note.code == "signal_ends_early"
    assert note.values == {"name": "s", "last_week": day(4).isoformat(), "weeks": 1}


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([], ["signal_ended"]),
        ([(None, day(3), 1.0)], ["signal_ended"]),
        ([(None, day(-9), 1.0)], ["signal_ended"]),
        ([(None, day(week), 1.0) for week in range(6)], ["signal_constant"]),
        ([("other", day(week), 1.0) for week in range(6)], ["signal_keys_unknown", "signal_ended"]),
    ],
)
def test_what_cannot_help_is_left_out_and_said(rows, codes):
    found, notes = aligned(rows)
    assert not found
    assert [note.code for note in notes] == codes


def test_unclear_series_are_refused():
    for signals, code in (
        ([Signal("s", [(None, day(0), float("nan"))])], "signals_unclear"),
        ([Signal("s", []), Signal("s", [])], "signals_unclear"),
        ([Signal(str(one), []) for one in range(MOST + 1)], "too_many_signals"),
    ):
        with pytest.raises(ForecastError) as refused:
            align(signals, TABLE, 2)
        assert refused.value.code == code
