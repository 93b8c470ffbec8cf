"""What is made up stays small, plausible, the same, and apart from what is real."""

from collections import Counter, defaultdict
from datetime import datetime

from deploy.demo.extras import Basket, made_up
from deploy.demo.shift import SHOPS

END = datetime(2017, 12, 31, 23, tzinfo=SHOPS)
BASKETS = [
    Basket(f"{month}-{day}", "7", datetime(2017, month, day, 20, tzinfo=SHOPS))
    for month in range(1, 13)
    for day in (3, 17)
]


def _told(households, end=END):
    return list(made_up(dict.fromkeys(households, BASKETS), end))


def test_made_up_events_say_so_and_real_ones_do_not(seen):
    for source, name in seen.ids:
        assert (source == "demo") == name.startswith("demo-")
    real = {event["type"] for event in seen.others if event["source"] == "completejourney"}
    assert real == {"interaction.recorded", "customer.described"}
    assert not any(
        event["data"]["kind"].startswith("campaign")
        for event in seen.others
        if event["source"] == "demo" and event["type"] == "interaction.recorded"
    )


def test_made_up_events_are_few_and_of_every_sort(seen):
    sorts = Counter(event["type"] for event in seen.others if event["source"] == "demo")
    opened, resolved = sorts["complaint.opened"], sorts["complaint.resolved"]
    assert sum(sorts.values()) < 0.02 * 155_848
    assert 0.03 * 2469 < opened < 0.1 * 2469
    assert 0.7 * opened < resolved < opened
    assert 0 < sorts["complaint.escalated"] < opened / 2
    surveys = {event["data"]["kind"] for event in seen.others if event["type"] == "survey.answered"}
    assert surveys == {"csat", "nps"}
    assert seen.types["demo", "interaction.recorded", "call"] > 100


def test_a_household_lives_the_same_life_in_any_company():
    together = defaultdict(list)
    for happening in _told(range(1, 400)):
        together[happening.household].append(happening)
    assert len(together) > 30
    for household, life in together.items():
        assert _told([household]) == life


def test_orders_that_are_referred_to_are_the_households_own(seen, lines):
    owners = dict(zip(lines.basket.tolist(), lines.household.tolist(), strict=True))
    for event in seen.others:
        if order := event["data"].get("order_id"):
            assert owners[int(order)] == int(event["customer"]["member_no"])


def test_complaints_take_their_steps_in_order(seen):
    steps = defaultdict(list)
    for event in seen.others:  # they come in the order of time
        if event["type"].startswith("complaint."):
            steps[event["data"]["complaint_id"]].append(event["type"].removeprefix("complaint."))
    possible = [
        ["opened"],
        ["opened", "answered"],
        ["opened", "answered", "escalated"],
        ["opened", "answered", "resolved"],
        ["opened", "answered", "escalated", "resolved"],
    ]
    assert all(way in possible for way in steps.values())


def test_nothing_happens_after_the_end():
    end = datetime(2017, 6, 1, tzinfo=SHOPS)
    cut = _told(range(1, 200), end)
    assert cut == [happening for happening in _told(range(1, 200)) if happening.at <= end]
    assert len(cut) < len(_told(range(1, 200)))


def test_people_call_and_complain_in_the_daytime():
    assert all(9 <= happening.at.hour < 18 for happening in _told(range(1, 400)))
