"""Policies over a real installation: tried, published, in force for everybody, announced."""

from typing import Any

import pytest

from tests.profile.test_customers_api import described, purchase, read, send
from tests.world import World


@pytest.fixture
def client(here: World):
    return here.client("profile")


@pytest.fixture(scope="module")
async def buyer(here: World) -> str:
    """Bought once a week until half a year ago."""
    who = {"member_no": "P1"}
    days = [f"2025-01-{day:02d}T12:00:00+08:00" for day in (1, 8, 15, 22)]
    await send(here, *(purchase(who, f"P1-{day[:10]}", day) for day in days))
    await send(here, described({"member_no": "P2"}, region="Beijing"))
    return "member_no:P1"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"silent": 3}, "/silent", "unknown_field"),
        ({"version": 3}, "/version", "unknown_field"),
        ({"silent_after": "3"}, "/silent_after", "not_a_number"),
        ({"silent_after": True}, "/silent_after", "not_a_number"),
        ({"silent_after": 0.5}, "/silent_after", "too_small"),
        ({"silent_after": 101}, "/silent_after", "too_big"),
        ({"mature_after": 2.5}, "/mature_after", "not_an_integer"),
        ({"unhappy_days": 0}, "/unhappy_days", "not_above"),
        ({"body": {"lost_after": 1}}, "/body/lost_after", "invalid"),
    ],
)
async def test_thresholds_that_cannot_be(client, body: dict[str, Any], pointer, code) -> None:
    answer = await client.put("/v1/policies/lifecycle", json=body)
    assert answer.status_code == 422, answer.text
    found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert found == [(pointer, code)]


async def test_only_who_may_publish_does(here: World, client) -> None:
    sales = {"Authorization": f"Bearer {await here.new_key('sales', 'read')}"}
    answer = await client.put("/v1/policies/tags", json={}, headers=sales)
    assert answer.status_code == 403


async def test_a_policy_is_tried_published_and_holds(here: World, client, buyer: str) -> None:
    assert (await read(client, buyer))["lifecycle"]["state"] == "lost"
    slow = {"silent_after": 50, "lost_after": 100, "longest_interval_days": 90}
    params = {"dry_run": "true"}
    tried = (await client.put("/v1/policies/lifecycle", json=slow, params=params)).json()
    assert (tried["policy"], tried["tried"], tried["would_move"]) == ("lifecycle@2", 2, 1)
    assert [(move["from"], move["count"]) for move in tried["moves"]] == [("lost", 1)]
    assert (await client.get("/v1/policies/lifecycle")).json()["version"] == 1

    put = await client.put("/v1/policies/lifecycle", json=slow)
    assert put.status_code == 200, put.text
    body = put.json()
    assert (body["version"], body["in_force"], body["body"]["silent_after"]) == (2, True, 50)
    await here.settled()
    now = (await read(client, buyer))["lifecycle"]
    assert (now["state"], now["policy"]) == (tried["moves"][0]["to"], "lifecycle@2")
    path = (await client.get(f"/v1/customers/{buyer}/lifecycle")).json()
    assert path["policy"] == "lifecycle@2"
    assert path["items"][-1]["state"] == now["state"]

    again = await client.put("/v1/policies/lifecycle", json={"body": body["body"]})
    assert again.json()["version"] == 2
    assert "Tenure-Position" not in again.headers
    known = (await client.get("/v1/policies/lifecycle")).json()
    assert (known["versions"], known["built_in"]) == ([2, 1], False)
    first = (await client.get("/v1/policies/lifecycle/1")).json()
    assert (first["in_force"], first["body"]["silent_after"]) == (False, 3.0)
    timeline = (await here.client("interaction").get(f"/v1/timelines/{buyer}")).json()["items"]
    changes = [one["data"]["state"] for one in timeline if one["type"] == "lifecycle.changed"]
    assert changes[0] == now["state"] or now["state"] in changes


async def test_tags_by_another_policy(here: World, client, buyer: str) -> None:
    strict = {"frequent_gap_days": 5}
    params = {"dry_run": True}
    tried = (await client.put("/v1/policies/tags", json=strict, params=params)).json()
    assert tried["tags"] == [
        {"tag": "behaviour:frequent", "label": "Frequent buyer", "gained": 0, "dropped": 1}
    ]
    put = await client.put("/v1/policies/tags", json=strict)
    assert put.json()["policy"] == "tags@2"
    await here.settled()
    tags = (await read(client, buyer))["tags"]
    assert "behaviour:frequent" not in [tag["tag"] for tag in tags]
    assert {tag["by"] for tag in tags} <= {"tags@2"}


@pytest.mark.parametrize(
    ("name", "body"),
    [("lifecycle", {"lost_after": 9}), ("tags", {"night_share": 0.4}), ("merging", {})],
)
async def test_what_was_published_meanwhile_is_not_replaced(client, name: str, body) -> None:
    path = f"/v1/policies/{name}"
    etag = (await client.get(path)).headers["ETag"]
    for params in ({}, {"dry_run": "true"}):
        answer = await client.put(path, json=body, headers={"If-Match": '"old"'}, params=params)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    put = await client.put(path, json=body, headers={"If-Match": etag})
    assert put.status_code == 200, put.text
    version = (await client.get(f"{path}/{put.json()['version']}")).headers["ETag"]
    assert version == put.headers["ETag"]
    assert (put.headers["ETag"] == etag) is (put.json()["version"] == 1)
