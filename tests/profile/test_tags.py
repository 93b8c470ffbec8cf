"""Derived tags: what supports each, and what does not quite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.projector.lifecycle import STATES
from services.profile.projector.tags import _within
from services.profile.words import TAGS, VIEWS, lifecycle_reason, tag_label, tag_reason
from shared.language import (
    ComplaintOpened,
    CustomerDescribed,
    InteractionRecorded,
    TagAdded,
)
from tests.profile.folding import Story, codes, day
from tests.strategies import bought

NIGHT = 12  # hours after noon in Shanghai: midnight


def at_night(*days: int) -> list[float]:
    return [number + NIGHT / 24 for number in days]


HOLDS = {
    "behaviour:frequent": Story().buys(0, 7, 14, 21),
    "behaviour:infrequent": Story().buys(0, 30),
    "behaviour:night-owl": Story().buys(*at_night(0, 10, 20), *range(1, 8)),
    "behaviour:promotion-joiner": Story()(0, InteractionRecorded("campaign_response")),
    "behaviour:complained": Story()(0, ComplaintOpened("K", "x")),
    "need:price-sensitive": Story().buys(0, 1, 2, amount=800, discount=200),
    "need:quality-first": Story().buys(0, 1, 2, 3).buys(4, discount=100),
    "need:service-demanding": Story()(0, *[InteractionRecorded("service")] * 5),
    "favourite:Dairy": Story().buys(0, categories=["Dairy"] * 3 + ["Tea"]),
    "industry:Retail": Story()(0, CustomerDescribed({"industry": " Retail "})),
    "size:50": Story()(0, CustomerDescribed({"size": 50})),
    "region:上海": Story()(0, CustomerDescribed({"region": "上海"})),
}
NOT_QUITE = {
    "behaviour:frequent": Story().buys(0, 7, 14, 22),
    "behaviour:infrequent": Story().buys(0, 29),
    "behaviour:night-owl": Story().buys(*at_night(0, 10), *range(1, 3)),
    "behaviour:promotion-joiner": Story().buys(0, 1, 2, discount=100).buys(3),
    "behaviour:complained": Story()(0, InteractionRecorded("service")),
    "need:price-sensitive": Story().buys(0, 1, 2, amount=801, discount=199),
    "need:quality-first": Story().buys(0, 1, 2, 3, 4),
    "need:service-demanding": Story()(0, *[InteractionRecorded("service")] * 4),
    "favourite:Dairy": Story().buys(0, categories=["Dairy"] * 2),
    "industry:Retail": Story()(0, CustomerDescribed({"industry": None})),
    "size:50": Story()(0, CustomerDescribed({"size": 50.5})),
    "region:上海": Story()(0, CustomerDescribed({"region": ""})),
}


@pytest.mark.parametrize("tag", HOLDS)
def test_a_tag_that_facts_support(tag: str) -> None:
    view = HOLDS[tag].view(25)
    assert tag in codes(view)
    (found,) = [one for one in view.tags if one.tag == tag]
    assert (found.origin, found.by) == ("derived", "tags@1")
    for language in ("zh", "en"):
        said = tag_reason(found.reason.code, found.reason.params, language)
        assert said
        assert said != found.reason.code
        assert "{" not in said


@pytest.mark.parametrize("tag", NOT_QUITE)
def test_a_tag_that_facts_do_not_support(tag: str) -> None:
    assert tag not in codes(NOT_QUITE[tag].view(25))


@pytest.mark.parametrize(
    ("told", "tag"),
    [
        (Story()(0, CustomerDescribed({"key_need": "Best PRICE"})), "need:price-sensitive"),
        (Story()(0, CustomerDescribed({"key_need": "质量可靠"})), "need:quality-first"),
        (
            Story()(0, ComplaintOpened("K", "quality"), ComplaintOpened("L", "quality")),
            "need:quality-first",
        ),
        (
            Story()(0, ComplaintOpened("K", "服务"), ComplaintOpened("L", "service")),
            "need:service-demanding",
        ),
        (
            Story()(0, *[InteractionRecorded("call", direction="inbound")] * 5),
            "need:service-demanding",
        ),
        (Story().buys(0, coupons=("WELCOME",)), "behaviour:promotion-joiner"),
        (Story().buys(0, 1, 2, discount=100), "behaviour:promotion-joiner"),
    ],
)
def test_other_facts_that_support_a_tag(told: Story, tag: str) -> None:
    assert tag in codes(told.view(5))


def test_not_repurchased_comes_with_time_alone() -> None:
    told = Story().buys(0)
    assert "behaviour:not-repurchased" not in codes(told.view(59.9))
    assert told.view(0).due_at == day(60)
    (tag,) = told.view(60).tags
    assert (tag.tag, tag.since) == ("behaviour:not-repurchased", day(60))
    assert "behaviour:not-repurchased" not in codes(told.buys(61).view(62))


def test_three_favourites_at_most_ties_by_name() -> None:
    told = Story().buys(0, categories=[name for name in "DCBA" for _ in range(3)])
    assert codes(told.view()) == ["favourite:A", "favourite:B", "favourite:C"]


def test_a_tag_given_by_hand_stands_before_the_derived_one() -> None:
    told = Story()(0, ComplaintOpened("K", "x"), TagAdded("behaviour:complained", "li.na", "rude"))
    view = told.view()
    assert [(tag.tag, tag.origin) for tag in view.tags] == [("behaviour:complained", "manual")]
    assert [tag.tag for tag in view.derived] == ["behaviour:complained"]


def test_the_hours_are_local() -> None:
    """Midnight in Shanghai is five in the afternoon in London."""
    told = Story()
    for number in range(3):
        told.buys(number)
    away = Story()
    for number in range(3):
        away(day(number + 0.5), bought(100, order_id=str(number)), utcoffset=480)
    assert "behaviour:night-owl" in codes(away.view())
    assert "behaviour:night-owl" not in codes(told.view())
    here = Story()
    for number in range(3):
        here(day(number + 0.5), bought(100, order_id=str(number)), utcoffset=60)
    assert "behaviour:night-owl" not in codes(here.view())


def test_words() -> None:
    assert tag_label("behaviour:night-owl", "zh") == "夜猫子"
    assert tag_label("favourite:Dairy", "en") == "Favourite: Dairy"
    assert tag_label("vip", "zh") == "vip"
    assert all(set(words) == set(STATES) for words in VIEWS.values())
    assert all({"zh", "en"} == set(texts) for texts in TAGS.values())
    said = lifecycle_reason("silent", {"days": 21.0, "usual": 7.0}, "en")
    assert said == "No purchase for 21.0 days; usual is one every 7.0 days."


@given(st.lists(st.integers(-3, 9), min_size=24, max_size=24), *[st.integers(0, 23)] * 2)
def test_the_hours_of_a_night(hours: list[int], first: int, until: int) -> None:
    counted, hour = 0, first
    while hour != until:
        counted += hours[hour]
        hour = (hour + 1) % 24
    assert _within(hours, first, until) == counted
