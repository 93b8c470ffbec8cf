"""From an event at the door to a judgement: the services together."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.world import World, world

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(
        postgres, services=["interaction", "scoring"], clock_now=NOW, clock_tick_seconds=0.2
    ) as made:
        yield made


def purchase(member: str, days_ago: int, *, amount: str = "35.80") -> dict:
    order = f"{member}-{days_ago}"
    return {
        "id": order,
        "source": "shop",
        "type": "purchase.completed",
        "time": (NOW - timedelta(days=days_ago)).isoformat(),
        "customer": {"member_no": member},
        "data": {"order_id": order, "total": {"amount": amount, "currency": "CNY"}},
    }


def happened(member: str, kind: str, data: dict) -> dict:
    return {
        "id": f"{member}-{kind}",
        "source": "shop",
        "type": kind,
        "time": NOW.isoformat(),
        "customer": {"member_no": member},
        "data": data,
    }


async def scores(town: World, member: str) -> dict:
    answer = await town.client("scoring").get(f"/v1/scores/member_no:{member}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_purchase_is_judged_with_its_event_as_evidence(town):
    await town.post_events([purchase("M1", 41), purchase("M1", 50)])
    await town.settled()
    found = await scores(town, "M1")
    assert found["rfm"]["recency_days"] == 41
    assert found["rfm"]["frequency"] == 2
    assert found["rfm"]["monetary"] == {"amount": "71.60", "currency": "CNY"}
    timeline = (await town.client("interaction").get("/v1/timelines/member_no:M1")).json()
    bought = [item for item in timeline["items"] if item["type"] == "purchase.completed"]
    assert found["churn"]["evidence"] == [item["id"] for item in bought]


async def test_a_complaint_is_named_until_it_is_resolved(town):
    await town.post_events(
        [
            purchase("M2", 3),
            happened("M2", "complaint.opened", {"complaint_id": "K-1", "category": "quality"}),
        ]
    )
    await town.settled()
    reasons = (await scores(town, "M2"))["churn"]["reasons"]
    assert [reason["feature"] for reason in reasons][-1] == "open_complaints"
    await town.post_events([happened("M2", "complaint.resolved", {"complaint_id": "K-1"})])
    await town.settled()
    assert len((await scores(town, "M2"))["churn"]["reasons"]) == 2


async def test_answers_and_complaints_say_how_satisfied_somebody_is(town):
    """Also of whom has not bought yet; each event is found in the timeline."""
    await town.post_events(
        [
            happened("M5", "survey.answered", {"survey_id": "s", "kind": "nps", "score": 10}),
            happened(
                "M5",
                "complaint.opened",
                {"complaint_id": "K-5", "category": "quality", "severity": "critical"},
            ),
        ]
    )
    await town.settled()
    complaining = (await scores(town, "M5"))["satisfaction"]
    timeline = (await town.client("interaction").get("/v1/timelines/member_no:M5")).json()
    assert set(complaining["evidence"]) == {
        item["id"]
        for item in timeline["items"]
        if item["type"] in {"survey.answered", "complaint.opened"}
    }
    await town.post_events([happened("M5", "complaint.resolved", {"complaint_id": "K-5"})])
    await town.settled()
    found = (await scores(town, "M5"))["satisfaction"]
    assert complaining["score"] < found["score"]
    assert found["interval"]["low"] < found["score"] < found["interval"]["high"]
    assert 0 < found["certainty"] < 1


async def test_a_cancelled_order_never_happened(town):
    await town.post_events([purchase("M3", 9)])
    cancelled = happened("M3", "purchase.cancelled", {"order_id": "M3-9"})
    await town.post_events([cancelled])
    await town.settled()
    assert (await scores(town, "M3"))["churn"] is None


async def test_who_never_bought_comes_last(town):
    await town.post_events([happened("M4", "customer.described", {"traits": {"region": "上海"}})])
    await town.settled()
    assert (await scores(town, "M4"))["rfm"] is None
    items = (await town.client("scoring").get("/v1/scores", params={"limit": 500})).json()["items"]
    assert items[-1]["churn"] is None


async def test_a_hundred_customers_are_fitted_to(town):
    """The first fit is published by itself; then everybody has scores and a class."""
    events = [
        purchase(f"P{number}", 7 * day + number % 40, amount=f"{10 + number}.00")
        for number in range(120)
        for day in range(1 + number % 5)
    ]
    await town.post_events(events)
    await town.settled()
    model, *_ = (await town.client("scoring").get("/v1/models")).json()["items"]
    assert model["version"] > 0
    found = await scores(town, "P4")
    assert found["churn"]["model"] == model["model"]
    assert {found["rfm"][name] for name in "rfm"} <= {1, 2, 3, 4, 5}
    assert found["rfm"]["class"] is not None
    summary = (await town.client("scoring").get("/v1/scores/summary")).json()
    assert summary["unclassified"] == 0
    policy = (await town.client("scoring").get("/v1/policies/scoring")).json()
    assert policy["matrix"]["by_currency"]["CNY"]["by"] == "quantile"
    assert {"core", "basic"} == {one["matrix"] for one in summary["by_matrix"] if one["customers"]}
    assert found["value"]["fitted"]


async def test_every_event_behind_a_score_is_a_read_away(town):
    """Evidence names the newest; `events` lists all that the numbers are made of."""
    events = [purchase("E1", days, amount=f"{days}.00") for days in (90, 70, 50, 30, 10, 5)]
    refund = happened(
        "E1",
        "purchase.refunded",
        {"order_id": "E1-50", "amount": {"amount": "20.00", "currency": "CNY"}},
    )
    opened = happened("E1", "complaint.opened", {"complaint_id": "K-E1", "category": "quality"})
    asked = happened("E1", "survey.answered", {"survey_id": "s", "kind": "csat", "score": 4})
    await town.post_events([*events, refund, opened, asked])
    await town.settled()
    found = await scores(town, "E1")
    listed = {}
    for name in ("churn", "rfm", "matrix", "value", "loyalty", "next_purchase", "satisfaction"):
        answer = await town.client("interaction").get(f"{found[name]['events']}&limit=500")
        listed[name] = answer.json()["items"]
        assert {*found[name]["evidence"]} <= {item["id"] for item in listed[name]}, name
    bought = [item for item in listed["rfm"] if item["type"] == "purchase.completed"]
    back = [item for item in listed["rfm"] if item["type"] == "purchase.refunded"]
    assert len(bought) == found["rfm"]["frequency"] == 6
    spent = sum(float(item["data"]["total"]["amount"]) for item in bought)
    net = spent - sum(float(item["data"]["amount"]["amount"]) for item in back)
    assert float(found["rfm"]["monetary"]["amount"]) == net == 235
    assert {item["type"] for item in listed["satisfaction"]} == {
        "survey.answered",
        "complaint.opened",
    }
    assert len(listed["churn"]) == 9
