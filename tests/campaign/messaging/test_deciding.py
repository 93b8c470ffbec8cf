"""Whether a message is sent, waits, or is not sent: the rules alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.campaign.messaging.deciding import (
    BEHIND,
    FAILED,
    GIVEN_UP,
    PAUSES,
    SCHEDULED,
    SENT,
    UNCERTAIN,
    Facts,
    Next,
    Reply,
    Rules,
    Send,
    Wait,
    Wish,
    Withhold,
    after,
    allows,
    decide,
)
from services.campaign.messaging.quiet import Quiet, quiet_hours
from shared.bounded import Register
from shared.moments import micros

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""20:00 in Shanghai."""
NIGHT = NOW + timedelta(hours=2)
QUIET = Rules(quiet_hours("21:00-08:00", "Asia/Shanghai"), 3)
YES = {"email": Register(1, "a", True)}
OFFERS = Wish("marketing", topic="offers")


def facts(**more) -> Facts:
    return Facts(**{"address": "a@b.cn", "consents": YES, "as_of": NOW, **more})


CASES = {
    "all is well": (Wish("marketing"), facts(), NOW, Send("a@b.cn")),
    "erased": (Wish("service"), facts(erased=True), NOW, Withhold("erased")),
    "no address": (Wish("service"), facts(address=None), NOW, Withhold("no_address")),
    "service needs no consent": (
        Wish("service"),
        facts(consents={}, open_complaints=1, sent_lately=9),
        NIGHT,
        Send("a@b.cn"),
    ),
    "nothing granted": (Wish("marketing"), facts(consents={}), NOW, Withhold("no_consent")),
    "another channel": (
        Wish("marketing"),
        facts(consents={"sms": YES["email"]}),
        NOW,
        Withhold("no_consent"),
    ),
    "complaint": (Wish("marketing"), facts(open_complaints=1), NOW, Withhold("open_complaint")),
    "at night": (
        Wish("marketing"),
        facts(as_of=NIGHT),
        NIGHT,
        Wait(datetime(2026, 11, 21, 0, 0, tzinfo=UTC), "quiet_hours"),
    ),
    "no consent at night": (
        Wish("marketing"),
        facts(consents={}),
        NIGHT,
        Withhold("no_consent"),
    ),
    "below the cap": (Wish("marketing"), facts(sent_lately=2), NOW, Send("a@b.cn")),
    "at the cap": (Wish("marketing"), facts(sent_lately=3), NOW, Withhold("capped")),
    "behind": (
        Wish("marketing"),
        facts(as_of=NOW - BEHIND - timedelta(seconds=1)),
        NOW,
        Wait(NOW + timedelta(minutes=1), "not_up_to_date"),
    ),
    "nobody tells the time": (Wish("marketing"), facts(as_of=None), NOW, Send("a@b.cn")),
    "service is not behind": (Wish("service"), facts(as_of=NOW - BEHIND * 9), NOW, Send("a@b.cn")),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    wish, known, now, verdict = CASES[name]
    assert decide(wish, known, QUIET, now) == verdict


def test_no_rules():
    verdict = decide(Wish("marketing"), facts(sent_lately=99, as_of=None), Rules(None, 0), NIGHT)
    assert verdict == Send("a@b.cn")


words = st.lists(
    st.tuples(st.sampled_from(("email", "email.offers", "email.news", "sms")), st.booleans()),
    max_size=6,
)
"""What a customer said of channels and topics, in this order."""


def said(history: Sequence[tuple[str, bool]]) -> dict[str, Register]:
    return {key: Register(at, f"e{at}", granted) for at, (key, granted) in enumerate(history)}


def allowed(history: Sequence[tuple[str, bool]], topic: str | None) -> bool:
    """The same, in other words: the last word on the topic, unless the channel was taken back after it; the last word
    on the channel, where none was said of the topic."""
    about = [granted for key, granted in history if key in ("email", f"email.{topic}")]
    general = [granted for key, granted in history if key == "email"]
    special = [granted for key, granted in history if key == f"email.{topic}"]
    if not special:
        return general[-1:] == [True]
    last_is_general = [key for key, _ in history if key in ("email", f"email.{topic}")][
        -1
    ] == "email"
    return special[-1] and (not last_is_general or about[-1])


@given(words, st.sampled_from((None, "offers", "news", "other")))
def test_consents(history, topic):
    assert allows(said(history), "email", topic) == allowed(history, topic)


@pytest.mark.parametrize("first", [True, False])
def test_what_is_taken_back_wins_ties(first):
    """Said at the same moment."""
    found = {
        "email": Register(5, "a" if first else "z", False),
        "email.offers": Register(5, "m", True),
    }
    assert not allows(found, "email", "offers")


everything = st.builds(
    Facts,
    erased=st.booleans(),
    address=st.sampled_from((None, "a@b.cn")),
    consents=words.map(said),
    open_complaints=st.integers(0, 2),
    sent_lately=st.integers(0, 6),
    as_of=st.sampled_from((None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=2))),
)
wishes = st.builds(
    Wish,
    purpose=st.sampled_from(("marketing", "service")),
    topic=st.sampled_from((None, "offers", "news")),
)
moments = st.timedeltas(timedelta(0), timedelta(days=730)).map(
    lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since
)
zones = st.sampled_from(
    (
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    )
).map(ZoneInfo)
clock_times = st.times().map(lambda one: one.replace(second=0, microsecond=0))
quiets = st.builds(Quiet, clock_times, clock_times, zones).filter(lambda one: one.start != one.end)
all_rules = st.builds(Rules, st.none() | quiets, st.integers(0, 4))


@given(wishes, everything, all_rules, moments)
def test_marketing_is_sent_only_where_all_allows_it(wish, known, rules, now):
    verdict = decide(wish, known, rules, now)
    may = known.address is not None and not known.erased
    if wish.purpose == "marketing":
        may = may and allows(known.consents, "email", wish.topic) and not known.open_complaints
        may = may and not (rules.quiet and rules.quiet.holds(now))
        may = may and not (rules.cap and known.sent_lately >= rules.cap)
        may = may and (known.as_of is None or now - known.as_of <= BEHIND)
    assert isinstance(verdict, Send) == may
    if isinstance(verdict, Wait):
        assert verdict.until > now


@given(quiets, moments)
def test_who_waits_in_quiet_hours_does_not_wait_again_for_them(quiet, now):
    assume(quiet.holds(now))
    rules = Rules(quiet, 3)
    verdict = decide(Wish("marketing"), facts(as_of=None), rules, now)
    assert verdict == Wait(quiet.over(now), "quiet_hours")
    assert decide(Wish("marketing"), facts(as_of=None), rules, verdict.until) == Send("a@b.cn")


@given(quiets, moments)
def test_quiet_ends_at_its_end(quiet, now):
    """Everything between now and then is quiet, but for what a clock put back brings again."""
    assume(quiet.holds(now))
    end = quiet.over(now)
    assert now < end <= now + timedelta(hours=49)
    assert not quiet.holds(end)
    if quiet.zone.key == "Asia/Shanghai":
        assert end <= now + timedelta(days=1)
        assert quiet.holds(end - timedelta(microseconds=1))


SUMMER = Quiet(time(1, 30), time(2, 30), ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # On 29 March 2026 2:00 becomes 3:00: there is no 2:30.
        (datetime(2026, 3, 29, 0, 45, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # On 25 October 2026 3:00 becomes 2:00: there are two of it, the first in summer time.
        (datetime(2026, 10, 24, 23, 45, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_clocks_put_forward_and_back(now, end):
    assert SUMMER.over(now) == end


def test_hours_are_those_of_the_zone():
    at = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)  # 21:30 in Shanghai, 14:30 in Berlin
    for zone, holds in (("Asia/Shanghai", True), ("Europe/Berlin", False)):
        found = quiet_hours("21:00-08:00", zone)
        assert found.holds(at) is holds
    day = quiet_hours("12:00-13:00", "Asia/Shanghai")
    assert day.over(datetime(2026, 11, 20, 4, 10, tzinfo=UTC)) == datetime(
        2026, 11, 20, 5, tzinfo=UTC
    )
    assert quiet_hours("", "Asia/Shanghai") is None
    assert quiet_hours("08:00-08:00", "Asia/Shanghai") is None


@pytest.mark.parametrize("status", [SENT, FAILED, UNCERTAIN])
def test_what_is_decided_stays(status):
    assert after(Reply(status, "x", 250), NOW, 7, NOW) == Next(status, "x", 250)


def test_pauses_grow_and_end():
    now, attempts, pauses = NOW, 0, []
    while True:
        attempts += 1
        found = after(Reply(SCHEDULED, "deferred", 451), NOW, attempts, now)
        if found.status == FAILED:
            break
        assert (found.status, found.reason, found.code) == (SCHEDULED, "deferred", 451)
        pauses.append(found.due_at - now)
        now = found.due_at
    assert (found.reason, found.code) == ("given_up", 451)
    assert now - NOW == GIVEN_UP, "the last try is a day after the first"
    assert pauses[:5] == list(PAUSES)
    assert pauses[:-1] == sorted(pauses[:-1])
    assert attempts < 40


@given(st.integers(1, 200), st.timedeltas(timedelta(0), GIVEN_UP - timedelta(microseconds=1)))
def test_another_try_is_later_and_within_a_day(attempts, since):
    found = after(Reply(SCHEDULED, "deferred"), NOW, attempts, NOW + since)
    assert NOW + since < found.due_at <= NOW + GIVEN_UP
    assert micros(found.due_at)
