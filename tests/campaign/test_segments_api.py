"""Segments over HTTP, with the services running: saved, filled, followed, explained."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.campaign import publishing
from services.campaign.api.examples import RULE as SHOWN
from tests.world import World, world

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULE = {"field": "purchases.count", "op": ">=", "value": 2}


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(
        postgres,
        services=["interaction", "profile", "campaign"],
        clock_now=NOW,
    ) as made:
        events = [purchase("M1", 3), purchase("M1", 40), purchase("M2", 5), purchase("M3", 1)]
        await made.post_events(events)
        await made.settled()
        yield made


def purchase(member: str, days_ago: int, *, amount: str = "35.80") -> dict[str, Any]:
    order = f"{member}-{days_ago}"
    return {
        "id": order,
        "source": "shop",
        "type": "purchase.completed",
        "time": (NOW - timedelta(days=days_ago)).isoformat(),
        "customer": {"member_no": member},
        "data": {"order_id": order, "total": {"amount": amount, "currency": "CNY"}},
    }


async def ask(town: World, method: str, path: str, **more: Any) -> Any:
    return await town.client("campaign").request(method, f"/v1/segments{path}", **more)


async def made(town: World, rule: Any, name: str = "A segment") -> dict[str, Any]:
    answer = await ask(town, "POST", "", json={"name": name, "rule": rule})
    assert answer.status_code == 201, answer.text
    await town.settled()
    return answer.json()


async def members(town: World, segment: str) -> set[str]:
    found = (await ask(town, "GET", f"/{segment}/members")).json()["items"]
    return {item["customer_id"] for item in found}


async def customer(town: World, member: str) -> str:
    answer = await town.client("profile").get(f"/v1/customers/member_no:{member}")
    return answer.json()["id"]


async def test_a_saved_segment_is_filled_followed_and_remembered(town):
    one = await made(town, RULE)
    found = (await ask(town, "GET", f"/{one['id']}")).json()
    assert found["progress"]["state"] == "live"
    assert found["progress"]["filled"] == found["progress"]["of"] >= 3
    assert found["members"] == 1
    assert await members(town, one["id"]) == {await customer(town, "M1")}

    await town.post_events([purchase("M2", 2)])
    await town.settled()
    assert await customer(town, "M2") in await members(town, one["id"])
    cancelled = purchase("M2", 2) | {
        "id": "M2-c",
        "type": "purchase.cancelled",
        "time": NOW.isoformat(),
        "data": {"order_id": "M2-2"},
    }
    await town.post_events([cancelled])
    await town.settled()
    assert await customer(town, "M2") not in await members(town, one["id"])

    history = (await ask(town, "GET", f"/{one['id']}/history?customer=member_no:M2")).json()
    assert [item["change"] for item in history["items"]] == ["left", "entered"]
    assert [item["moved_by"] for item in history["items"]] == ["event", "event"]
    timeline = (await town.client("interaction").get("/v1/timelines/member_no:M2")).json()["items"]
    causes = {item["id"]: item["type"] for item in timeline}
    assert [causes[item["event_id"]] for item in history["items"]] == [
        "purchase.cancelled",
        "purchase.completed",
    ]
    assert "Left segment: A segment" in {item["summary"] for item in timeline}
    [filled] = (await ask(town, "GET", f"/{one['id']}/history?customer=member_no:M1")).json()[
        "items"
    ]
    assert (filled["moved_by"], filled["event_id"]) == ("rule", None)


async def test_a_tag_by_hand_moves_a_customer(town):
    one = await made(town, {"field": "tags", "op": "contains", "value": "need:quality-first"})
    tag = {"tag": "need:quality-first", "reason": "said so"}
    path = "/v1/customers/member_no:M3/tags"
    assert (await town.client("profile").post(path, json=tag)).status_code < 300
    await town.settled()
    assert await members(town, one["id"]) == {await customer(town, "M3")}


async def test_pages_of_members_and_history(town):
    one = await made(town, {"field": "purchases.count", "op": ">=", "value": 1})
    for what, key in (("members", "customer_id"), ("history", "customer_id")):
        seen, cursor = [], None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await ask(town, "GET", f"/{one['id']}/{what}", params=params)).json()
            seen += [item[key] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 3


async def test_a_preview_answers_what_the_members_will_be(town):
    answer = await ask(town, "POST", "/preview", json={"rule": RULE, "limit": 5})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    one = await made(town, RULE)
    assert set(found["sample"]) == await members(town, one["id"])
    assert found["size"] == len(found["sample"])
    assert found["share"] == round(found["size"] / found["of"], 4)
    assert found["exact"] is True


async def test_why_and_why_not(town):
    rule = {
        "all": [
            {"field": "purchases.spend", "op": ">=", "value": "50", "currency": "CNY"},
            {"not": {"field": "tags", "op": "contains", "value": "behaviour:complained"}},
            {"count": {"type": "purchase.completed", "within_days": 30}, "op": ">=", "value": 1},
        ]
    }
    one = await made(town, rule)
    inside = (await ask(town, "GET", f"/{one['id']}/members/member_no:M1")).json()
    outside = (await ask(town, "GET", f"/{one['id']}/members/member_no:M3")).json()
    assert (inside["member"], outside["member"]) == (True, False)
    assert [part["holds"] for part in inside["conditions"]] == [True, False, True]
    spent = outside["conditions"][0]
    assert spent["pointer"] == "/rule/all/0"
    assert spent["found"] == {"amount": "35.80", "currency": "CNY"}
    assert "50 CNY: no (found: 35.80 CNY)" in spent["text"]
    zh = {"headers": {"Accept-Language": "zh"}}
    spoken = (await ask(town, "GET", f"/{one['id']}/members/member_no:M3", **zh)).json()
    assert "实际：35.80 CNY" in spoken["conditions"][0]["text"]


async def test_changing_and_deleting_hold_to_the_etag(town):
    one = await made(town, RULE)
    path = f"/{one['id']}"
    etag = (await ask(town, "GET", path)).headers["ETag"]
    wider = {"field": "purchases.count", "op": ">=", "value": 1}
    stale = {"headers": {"If-Match": '"other"'}}
    assert (await ask(town, "PATCH", path, json={"rule": wider}, **stale)).status_code == 412
    assert (await ask(town, "DELETE", path, **stale)).status_code == 412
    fresh = {"headers": {"If-Match": etag}}
    changed = await ask(town, "PATCH", path, json={"rule": wider}, **fresh)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["version"], changed.headers["ETag"] != etag) == (2, True)
    await town.settled()
    assert len(await members(town, one["id"])) == 3
    put = await ask(town, "PUT", path, json={"name": "Other", "rule": RULE})
    assert (put.json()["name"], put.json()["version"]) == ("Other", 3)
    await town.settled()
    assert await members(town, one["id"]) == {await customer(town, "M1")}
    assert (await ask(town, "DELETE", path)).status_code == 204
    assert (await ask(town, "GET", path)).json()["code"] == "segment_not_found"
    await town.settled()
    history = (await ask(town, "GET", f"{path}/history?customer=member_no:M1")).json()["items"]
    assert [item["change"] for item in history] == ["left", "entered"]


async def test_the_same_request_again_makes_no_second_segment(town):
    key = {"headers": {"Idempotency-Key": "once"}}
    body = {"name": "Once", "rule": RULE}
    first, again = await asyncio.gather(*(ask(town, "POST", "", json=body, **key) for _ in "12"))
    assert first.json()["id"] == again.json()["id"]
    assert {first.headers.get("Idempotent-Replay"), again.headers.get("Idempotent-Replay")} == {
        None,
        "true",
    }
    other = await ask(town, "POST", "", json=body | {"name": "Twice"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_write_can_be_read_at_once(town):
    answer = await ask(town, "POST", "", json={"name": "Seen", "rule": RULE})
    wait = {"headers": {"Tenure-Wait-For": answer.headers["Tenure-Position"]}}
    found = await ask(town, "GET", f"/{answer.json()['id']}", **wait)
    assert found.status_code == 200
    assert "Tenure-Freshness" in found.headers


async def test_a_wrong_rule_is_refused_with_its_pointer(town):
    wrong = {"all": [{"field": "purchase.count", "op": "=", "value": 1}]}
    for path, more in (("", {"name": "x"}), ("/preview", {})):
        answer = await ask(town, "POST", path, json={"rule": wrong, **more})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/rule/all/0/field", "unknown_field")
    unknown = await ask(town, "POST", "", json={"name": "x", "rule": RULE, "colour": "red"})
    assert unknown.json()["errors"][0]["pointer"] == "/colour"


async def test_fields_speak_both_languages(town):
    fields = (await ask(town, "GET", "/fields")).json()
    by_name = {item["field"]: item for item in fields["items"]}
    assert {"purchases.spend", "identifiers.phone", "attributes.<name>", "tags"} <= set(by_name)
    assert all(item["meaning"]["zh"] and item["meaning"]["en"] for item in fields["items"])
    assert by_name["lifecycle.state"]["values"][0]["label"] == {"zh": "潜在", "en": "Prospect"}


@pytest.mark.parametrize(
    ("scope", "method", "status"),
    [("read", "GET", 200), ("read", "POST", 403), ("marketing", "POST", 201)],
)
async def test_scopes(town, scope, method, status):
    headers = {"Authorization": f"Bearer {await town.new_key(scope)}"}
    body = {"json": {"name": "Scoped", "rule": RULE}} if method == "POST" else {}
    assert (await ask(town, method, "", headers=headers, **body)).status_code == status


async def test_the_rule_that_the_documentation_shows(town):
    answer = await ask(town, "POST", "/preview", json={"rule": SHOWN})
    assert (answer.status_code, answer.json()["size"]) == (200, 0)


@pytest.mark.parametrize(
    ("limit", "code"),
    [("MOST_SEGMENTS", "too_many_segments"), ("MOST_BYTES", "segments_too_large")],
)
async def test_all_segments_together_are_bounded(town, monkeypatch, limit, code):
    before = (await ask(town, "GET", "?count=true")).json()["total"]
    monkeypatch.setattr(publishing, limit, 0)
    answer = await ask(town, "POST", "", json={"name": "One too many", "rule": RULE})
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert (await ask(town, "GET", "?count=true")).json()["total"] == before
