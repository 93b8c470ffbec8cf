"""When it was, and what the customer's clock showed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interaction.judging import Judge
from shared.settings import KernelSettings
from tests.interaction.judged import NOW, fault, faults, judge, sent


@pytest.mark.parametrize(
    ("time", "zone", "utc", "minutes"),
    [
        ("2026-11-20T12:03:11+08:00", None, "2026-11-20T04:03:11", 480),
        ("2026-11-20T12:03:11-05:00", None, "2026-11-20T17:03:11", -300),
        ("2026-11-20T12:03:11+05:45", None, "2026-11-20T06:18:11", 345),
        ("2026-11-20T12:03:11+00:00", None, "2026-11-20T12:03:11", 0),
        ("2026-11-20T12:03:11+00:00", "Asia/Tokyo", "2026-11-20T12:03:11", 0),
        ("2026-11-20T12:03:11+23:59", None, "2026-11-19T12:04:11", 1439),
        ("2026-11-20T12:03:11Z", None, "2026-11-20T12:03:11", 480),
        ("2026-11-20t12:03:11z", None, "2026-11-20T12:03:11", 480),
        ("2026-11-20 12:03:11Z", None, "2026-11-20T12:03:11", 480),
        ("2026-11-20T12:03:11Z", "America/New_York", "2026-11-20T12:03:11", -300),
        ("2026-07-20T12:03:11Z", "America/New_York", "2026-07-20T12:03:11", -240),
        ("2026-11-20T12:03:11Z", "Asia/Kathmandu", "2026-11-20T12:03:11", 345),
        ("2026-11-20T12:03:11.5Z", None, "2026-11-20T12:03:11.500000", 480),
        ("2026-11-20T12:03:11.123456789+08:00", None, "2026-11-20T04:03:11.123456", 480),
        ("1970-01-01T00:00:00Z", None, "1970-01-01T00:00:00", 480),
        ("1970-01-01T08:00:00+08:00", None, "1970-01-01T00:00:00", 480),
        ("2024-02-29T12:00:00Z", None, "2024-02-29T12:00:00", 480),
    ],
)
def test_read(time, zone, utc, minutes):
    event = sent(time=time)
    if zone:
        event["data"]["timezone"] = zone
    arrival = judge(event)
    assert arrival.time == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert arrival.utcoffset == minutes


@pytest.mark.parametrize("absent", [..., None])
def test_missing_means_received(absent):
    event = sent(time=absent)
    assert (judge(event).time, judge(event).utcoffset) == (NOW, 480)
    event["data"]["timezone"] = "Europe/Paris"
    assert judge(event).utcoffset == 60


def test_the_setting_says_where_we_are():
    judge_there = Judge(KernelSettings(timezone="America/New_York"), lambda: NOW)
    arrival = judge_there.event(
        sent(time="2026-11-20T12:03:11Z"), default_source="k", history=None, received=NOW
    )
    assert arrival.utcoffset == -300


@pytest.mark.parametrize(
    "time",
    [
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+08:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-08:00",
        "2999-01-01T00:00:00Z",
        "2026-11-23T03:00:00.000001Z",
        "2026-11-23T11:00:01+08:00",
    ],
)
def test_out_of_range(time):
    assert faults(sent(time=time)) == (
        "time_out_of_range",
        [("/time", "time_out_of_range")],
    )


@pytest.mark.parametrize("time", ["2026-11-23T03:00:00Z", "2026-11-23T11:00:00+08:00"])
def test_a_day_ahead_is_taken(time):
    assert judge(sent(time=time)).time == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    "time",
    [
        1763611391,
        1763611391.5,
        True,
        ["2026-11-20T12:03:11Z"],
        {},
        "",
        "now",
        "2026-11-20",
        "2026-11-20T12:03:11",
        "2026-11-20T12:03Z",
        "2026-11-20T12:03:11+0800",
        "2026-11-20T12:03:11+24:00",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:59:60Z",
        "2026-13-20T12:03:11Z",
        "2026-02-29T12:03:11Z",
        "0000-01-01T00:00:00Z",
        "2026-11-20T12:03:11.Z",
        "2026-11-20T12:03:11.1234567890Z",
        "２０２６-11-20T12:03:11Z",
        "2026-11-20T12:03:11Z\n",
        " 2026-11-20T12:03:11Z",
        "99999-01-01T00:00:00Z",
    ],
)
def test_not_a_time(time):
    assert fault(sent(time=time)) == ("/time", "not_a_time")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "+08:00"])
def test_a_zone_that_nobody_knows(zone):
    event = sent(time="2026-11-20T12:03:11Z")
    event["data"]["timezone"] = zone
    assert fault(event) == ("/data/timezone", "unknown_timezone")


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2026, 11, 22)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_any_moment_in_any_zone_comes_back(moment, minutes):
    written = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = written.isoformat()
    arrival = judge(sent(time=text))
    assert arrival.time == written
    assert arrival.utcoffset == minutes
