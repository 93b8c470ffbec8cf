"""From the door to every service's rows: what orders come to reaches profile and scoring."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.world import World, world

DAY = "2026-11-{:02d}T12:00:00+08:00"


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres) as made:
        yield made


def event(type_: str, id_: str, member: str, day: int, **data: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "source": "shop",
        "type": type_,
        "time": DAY.format(day),
        "customer": {"member_no": member},
        "data": data,
    }


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


async def send(here: World, *events: dict[str, Any]) -> dict[str, str]:
    """Send one after the other; answer how to read what they came to."""
    client = here.client("interaction")
    for one in events:
        answer = await client.post("/v1/events", json=one, headers={"Prefer": "wait=20"})
        assert answer.json()["accepted"] == 1, answer.text
    return {"Tenure-Wait-For": answer.headers["Tenure-Position"]}


async def counts(here: World, member: str, position: dict[str, str]) -> tuple[Any, ...]:
    """(orders, spend) of profile, (orders, spend) of scoring."""
    profile, scoring = here.client("profile"), here.client("scoring")
    customer = await profile.get(f"/v1/customers/member_no:{member}", headers=position)
    assert customer.status_code == 200, customer.text
    scores = await scoring.get(f"/v1/scores/member_no:{member}", headers=position)
    assert scores.status_code == 200, scores.text
    purchases, rfm = customer.json()["purchases"], scores.json()["rfm"]
    return (
        purchases["count"],
        purchases["spend"] and purchases["spend"]["amount"],
        rfm and rfm["frequency"],
        rfm and rfm["monetary"] and rfm["monetary"]["amount"],
    )


async def test_a_purchase_reaches_every_service(here: World):
    bought = event("purchase.completed", "f-1", "F1", 20, order_id="F1-1", total=cny("35.80"))
    position = await send(here, bought)
    assert await counts(here, "F1", position) == (1, "35.80", 1, "35.80")


async def test_an_order_told_in_many_ways_counts_once(here: World):
    total = {"order_id": "F2-1", "total": cny("40.00")}
    position = await send(
        here,
        event("purchase.refunded", "f2-1", "F2", 20, order_id="F2-1", amount=cny("5.00")),
        event("purchase.completed", "f2-2", "F2", 18, **total),
        event("purchase.completed", "f2-3", "F2", 19, **total | {"total": cny("30.00")}),
        event("purchase.completed", "f2-4", "F2", 17, **total | {"total": cny("99.00")}),
        event("purchase.completed", "f2-5", "F2", 19, order_id="F2-2", total=cny("1.00")),
    )
    assert await counts(here, "F2", position) == (2, "26.00", 2, "26.00")
    position = await send(here, event("purchase.cancelled", "f2-6", "F2", 21, order_id="F2-1"))
    assert await counts(here, "F2", position) == (1, "1.00", 1, "1.00")


async def test_an_order_that_goes_to_another_customer_leaves_the_first(here: World):
    order = {"order_id": "F3-1", "total": cny("40.00")}
    own = event("purchase.completed", "f3-0", "F3", 18, order_id="F3-0", total=cny("2.00"))
    first = event("purchase.completed", "f3-1", "F3", 18, **order)
    position = await send(here, own, first, event("purchase.completed", "f3-2", "F4", 19, **order))
    await here.settled()
    assert await counts(here, "F3", position) == (1, "2.00", 1, "2.00")
    assert await counts(here, "F4", position) == (1, "40.00", 1, "40.00")
