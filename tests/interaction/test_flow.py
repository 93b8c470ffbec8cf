"""From the door to every service's rows."""

import pytest

from tests.world import World, world


@pytest.fixture(scope="module")
async def here(postgres):
    async with world(postgres) as made:
        yield made


async def test_a_purchase_reaches_every_service(here: World):
    event = {
        "id": "p-1",
        "source": "shop",
        "type": "purchase.completed",
        "time": "2026-11-20T12:03:11+08:00",
        "customer": {"member_no": "F1"},
        "data": {"order_id": "O-1", "total": {"amount": "35.80", "currency": "CNY"}},
    }
    answer = await here.client("interaction").post(
        "/v1/events", json=event, headers={"Prefer": "wait=2"}
    )
    position = {"Tenure-Wait-For": answer.headers["Tenure-Position"]}
    customer = await here.client("profile").get("/v1/customers/member_no:F1", headers=position)
    assert customer.status_code == 200, customer.text
    assert customer.json()["purchases"]["spend"] == {"amount": "35.80", "currency": "CNY"}
    scores = await here.client("scoring").get("/v1/scores/member_no:F1", headers=position)
    assert scores.status_code == 200, scores.text
    assert scores.json()["rfm"]["frequency"] == 1
    await here.settled()
    customer = await here.client("profile").get("/v1/customers/member_no:F1")
    print(customer.text)
    print(scores.text)
    print((await here.client("profile").get("/v1/customers?count=true")).text[:200])
    print((await here.client("profile").get("/v1/customers/summary")).text)
    print((await here.client("scoring").get("/v1/scores/summary")).text)
    print((await here.client("profile").get("/v1/customers/member_no:F1/lifecycle")).text)
