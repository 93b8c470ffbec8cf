"""What is announced: changes of class, as differences between what was told and what is so."""

from services.profile.projection import PROFILE
from services.profile.projector import Told, View, announce, tell
from shared.language import (
    EVENT_TYPES,
    ComplaintOpened,
    CustomerNumbered,
    IdentifiersAdded,
    InteractionRecorded,
    TagAdded,
)
from shared.projection import Announcement
from tests.profile.folding import Story, day


def say(told: Told, view: View) -> list[Announcement]:
    """Announce, and remember that it was announced."""
    said = announce(told, view)
    for one in said:
        tell(told, one)
    return said


def names(said: list[Announcement]) -> list[str]:
    return [
        f"{one.type} {getattr(one.data, 'state', None) or getattr(one.data, 'tag', None)}"
        for one in said
    ]


def test_nobody_announces_nothing() -> None:
    assert announce(Told(), Story().view()) == []


def test_an_identifier_alone_announces_nothing() -> None:
    """Before the first fact nothing is known of a customer but a name."""
    view = Story()(0, IdentifiersAdded({"cookie": "c"})).view()
    assert announce(Told(), view) == announce(Told(), view, day(9)) == []


def test_what_was_told_of_who_stands_alone_without_a_fact_is_taken_back() -> None:
    """It was told while they were one with somebody."""
    view = Story()(0, IdentifiersAdded({"cookie": "c"})).view()
    told = Told(state="mature", tags={"favourite:Tea": "2026-01-01T00:00:00+00:00"})
    said = announce(told, view, day(9))
    assert names(said) == ["lifecycle.changed prospect", "tag.dropped favourite:Tea"]
    assert {one.time for one in said} == {day(9)}


def test_each_change_is_told_once() -> None:
    told, story = Told(), Story()(0, InteractionRecorded("call"))
    (first,) = say(told, story.view(1))
    assert first.data.state == "prospect"
    assert first.data.previous is None
    assert first.time == day(0)
    assert say(told, story.view(1)) == []
    said = say(told, story.buys(5).view(6))
    assert names(said) == ["lifecycle.changed new"]
    assert (said[0].data.previous, said[0].data.since, said[0].time) == ("prospect", day(5), day(5))
    assert say(told, story.buys(5.1).view(6)) == []
    assert names(say(told, story.view(66))) == ["tag.gained behaviour:not-repurchased"]
    said = say(told, story.view(200))
    assert names(said) == ["lifecycle.changed lost"]
    assert said[0].data.policy == "lifecycle@1"
    assert said[0].data.reason["code"] == "lost_after_one"
    said = say(told, story.buys(210).view(211))
    assert names(said) == [
        *("lifecycle.changed won_back", "tag.gained behaviour:infrequent"),
        "tag.dropped behaviour:not-repurchased",
    ]
    assert said[-1].time == day(210)


def test_a_late_fact_corrects_what_was_told() -> None:
    told, story = Told(), Story().buys(0, 7, 14, 21)
    say(told, story.view(50))
    assert told.state == "silent"
    said = say(told, story.buys(40).view(50))
    assert names(said) == ["lifecycle.changed mature", "tag.dropped behaviour:frequent"]
    assert said[0].data.since == day(21)


def test_manual_tags_tell_themselves() -> None:
    told = Told()
    story = Story()(0, ComplaintOpened("K", "x"), TagAdded("behaviour:complained", "li.na"))
    assert "tag.gained behaviour:complained" in names(say(told, story.view()))
    assert names(say(told, story(1, TagAdded("vip", "li.na")).view())) == []


def test_numbers_are_never_announced() -> None:
    told, story = Told(), Story().buys(0, 1)
    say(told, story.view(2))
    assert say(told, story.buys(1.1, amount=99_999).view(2)) == []
    assert say(told, story(2, CustomerNumbered("C2026000001")).view(2)) == []


def test_since_of_a_tag_is_remembered() -> None:
    told, story = Told(), Story().buys(0, 7, 14, 21)
    say(told, story.view(22))
    assert told.tags == {"behaviour:frequent": day(21).isoformat()}


def test_ranks_rise() -> None:
    """What is emitted ranks above all that is read; what is only shown does not count."""
    consumed = max(EVENT_TYPES[name].rank for name in PROFILE.consumes)
    assert all(EVENT_TYPES[name].rank > consumed for name in PROFILE.emits)
    assert all("profile" in EVENT_TYPES[name].emitters for name in PROFILE.emits)
    assert not PROFILE.consumes & (PROFILE.shows | PROFILE.emits)
