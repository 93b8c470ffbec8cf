"""/v1/policies/scoring: chosen by people, versioned, tried before it holds."""

import pytest

from services.scoring.policies import DEFAULT_SCORING
from tests.scoring.people import purchase
from tests.world import World, world

PATH = "/v1/policies/scoring"


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        await made.post_events([purchase("M1", "100.00"), purchase("M2", "900.00")])
        await made.settled()
        yield made


def absolute(over: str) -> dict:
    return {"matrix": {"by": "absolute", "value_from": over, "active_from": 1}}


async def cells(town: World) -> dict[str, str]:
    items = (await town.client("scoring").get("/v1/scores")).json()["items"]
    return {item["value"]["spend"]["amount"]: item["matrix"]["class"] for item in items}


async def test_a_policy_from_first_to_last(town):
    """Built in; tried; published; judged by; told; published again; read by its version."""
    client = town.client("scoring")
    first = await client.get(PATH)
    built_in = first.json()
    assert (built_in["version"], built_in["built_in"], built_in["versions"]) == (0, True, [0])
    assert built_in["body"]["medium_from"] == DEFAULT_SCORING.medium_from
    assert await cells(town) == {"100.00": "watch", "900.00": "watch"}

    tried = (await client.put(PATH, params={"dry_run": True}, json=absolute("500"))).json()
    assert (tried["policy"], tried["tried"], tried["would_move"]) == ("scoring@1", 2, 2)
    moves = {(move["from"], move["to"]): move["count"] for move in tried["matrix"]}
    assert moves == {("watch", "core"): 1, ("watch", "basic"): 1}
    assert (await client.get(PATH)).json()["version"] == 0

    put = await client.put(PATH, json=absolute("500"), headers={"If-Match": first.headers["ETag"]})
    assert put.status_code == 200, put.text
    assert (put.json()["version"], put.json()["in_force"]) == (1, True)
    assert put.headers["Tenure-Position"].count("scoring.") == town.settings.partitions
    await town.settled()
    assert await cells(town) == {"100.00": "basic", "900.00": "core"}
    timeline = await town.client("interaction").get(
        "/v1/timelines/member_no:M2", params={"type": "score.matrix_changed"}
    )
    said = [(item["data"]["previous"], item["data"]["matrix"]) for item in timeline.json()["items"]]
    assert said == [("watch", "core"), (None, "watch")]

    again = await client.put(PATH, json={"body": put.json()["body"]})
    assert (again.json()["version"], "Tenure-Position" in again.headers) == (1, False)
    late = await client.put(PATH, json={}, headers={"If-Match": first.headers["ETag"]})
    assert late.status_code == 412
    assert (await client.put(PATH, json={})).json()["version"] == 2
    now = (await client.get(PATH)).json()
    assert (now["version"], now["versions"]) == (2, [2, 1, 0])
    old = (await client.get(f"{PATH}/1")).json()
    assert (old["in_force"], old["body"]["matrix"]["value_from"]) == (False, "500")
    assert (await client.get(f"{PATH}/0")).json()["built_in"]
    assert (await client.get(f"{PATH}/9")).json()["code"] == "policy_version_not_found"


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ({"medium_from": 2}, "/medium_from", "too_big"),
        ({"medium_from": 0.7}, "", "too_small"),
        ({"medium": 0.7}, "/medium", "unknown_field"),
        ({"classes": [["lost"] * 5] * 4}, "/classes", "too_short"),
        (
            {"classes": [["lost"] * 5] * 4 + [["lost"] * 4 + ["gone"]]},
            "/classes/4/4",
            "not_allowed",
        ),
        ({"matrix": {"value_from": "a lot"}}, "/matrix/value_from", "wrong_format"),
        ({"matrix": {"value_top_percent": 7}}, "/matrix/value_top_percent", "invalid"),
        ({"matrix": {"active_from": 13}}, "/matrix/active_from", "too_big"),
        (
            {"matrix": {"value_from_by_currency": {"XXQ": "1"}}},
            "/matrix/value_from_by_currency",
            "unknown_currency",
        ),
        ({"margins": {"categories": {"Tea": 3}}}, "/margins/categories/Tea", "too_big"),
        ({"body": {"satisfaction": {"strength": 0}}}, "/body/satisfaction/strength", "too_small"),
        ({"value": {"years": "x"}}, "/value/years", "not_an_integer"),
    ],
)
async def test_bad_thresholds_are_named(town, sent, pointer, code):
    answer = await town.client("scoring").put(PATH, json=sent)
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]


async def test_only_admins_choose(town):
    key = await town.new_key("read", "sales")
    headers = {"Authorization": f"Bearer {key}"}
    client = town.client("scoring")
    assert (await client.put(PATH, json={}, headers=headers)).status_code == 403
    assert (await client.get(PATH, headers=headers)).status_code == 200
