"""`/v1/webhooks` as who edits them meets it."""

import asyncio
from typing import Any

import pytest

from tests.api.sending import problem_of, unique
from tests.interaction.webhooks.desk import PATH, Desk

URL = "https://crm.example/hooks"
NOBODY = "01934b5c-7a00-7000-8000-000000000001"


async def test_made_read_changed_and_deleted(desk: Desk):
    sent = {"url": URL, "types": ["purchase.completed", "lifecycle.*"], "description": " CRM "}
    answer = await desk.client.post(PATH, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.pop("secret").startswith("whsec_")
    assert made == sent | {
        "id": made["id"],
        "description": "CRM",
        "enabled": True,
        "disabled": None,
        "failing_since": None,
        "old_secret_until": None,
        "created_at": made["created_at"],
        "created_by": made["created_by"],
        "updated_at": made["created_at"],
        "updated_by": made["created_by"],
    }
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    read = await desk.client.get(answer.headers["location"])
    assert (read.json(), read.headers["etag"]) == (made, answer.headers["etag"])
    assert made in (await desk.client.get(PATH)).json()["items"]

    changed = await desk.patch(made, types=["*"], enabled=False)
    assert changed == made | {
        "types": ["*"],
        "enabled": False,
        "updated_at": changed["updated_at"],
    }
    assert changed["updated_at"] > made["updated_at"]
    assert await desk.get(made) == changed

    for status in (204, 404):
        assert (await desk.client.delete(f"{PATH}/{made['id']}")).status_code == status
    assert made["id"] not in str((await desk.client.get(PATH)).json())
    for method, path in (
        *(("GET", ""), ("PATCH", ""), ("GET", "/deliveries"), ("POST", "/rotate")),
        *(("POST", "/test"), ("GET", f"/deliveries/{NOBODY}")),
        ("POST", f"/deliveries/{NOBODY}/resend"),
    ):
        gone = await desk.client.request(method, f"{PATH}/{made['id']}{path}", json={})
        assert problem_of(gone) == (404, "webhook_not_found"), path


async def test_the_secret_is_shown_once(desk: Desk):
    made = await desk.add(URL)
    for answer in (
        await desk.client.get(PATH),
        await desk.client.get(f"{PATH}/{made['id']}"),
        await desk.client.patch(f"{PATH}/{made['id']}", json={"description": "x"}),
    ):
        assert "whsec_" not in answer.text
        assert "secret" not in answer.json()
    rotated = (await desk.post(made, "rotate")).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"] is not None
    assert (await desk.get(made))["old_secret_until"] == rotated["old_secret_until"]
    kept = await desk.value("SELECT w::text FROM webhook AS w WHERE id = $1", made["id"])
    assert not any(one["secret"].removeprefix("whsec_") in kept for one in (made, rotated))


async def test_the_same_key_makes_one(desk: Desk):
    """And who lost the answer gets the secret after all."""
    sent, headers = {"url": URL, "types": ["*"]}, {"Idempotency-Key": unique("k")}
    first, again = [await desk.client.post(PATH, json=sent, headers=headers) for _ in range(2)]
    desk.made.append(first.json()["id"])
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    other = await desk.client.post(PATH, json=sent | {"types": ["tag.added"]}, headers=headers)
    assert problem_of(other) == (422, "idempotency_key_reused")
    rotations = [await desk.post(first.json(), "rotate", headers=headers) for _ in range(2)]
    assert len({one.json()["secret"] for one in rotations}) == 1
    tests = [await desk.post(first.json(), "test", headers=headers) for _ in range(2)]
    assert [one.status_code for one in tests] == [201, 201]
    assert tests[0].json() == tests[1].json()
    assert len(await desk.deliveries(first.json())) == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"url": None}, [("/url", "not_a_string")]),
        ({"url": "http://crm.example/"}, None),
        ({"url": "ftp://crm.example/"}, [("/url", "webhook_url")]),
        ({"url": "https://169.254.169.254/"}, [("/url", "webhook_address")]),
        ({"url": "https://me:pw@crm.example/"}, [("/url", "webhook_url")]),
        ({"url": "https://crm.example/" + "x" * 2000}, [("/url", "too_long")]),
        ({"url": "  "}, [("/url", "too_short")]),
        ({"types": []}, [("/types", "too_short")]),
        ({"types": ["tag.added"] * 101}, [("/types", "too_long")]),
        ({"types": ["tag.added"] * 100}, None),
        ({"types": ["*", "x.*", "clock.ticked"]}, [
            ("/types/1", "unknown_event_pattern"), ("/types/2", "unknown_event_pattern")]),
        ({"types": "*"}, [("/types", "not_a_list")]),
        ({"types": [7]}, [("/types/0", "not_a_string")]),
        ({"url": "x", "types": ["x"]}, [("/types/0", "unknown_event_pattern"), ("/url", "webhook_url")]),
        ({"description": "x" * 1001}, [("/description", "too_long")]),
        ({"enabled": "sometimes"}, [("/enabled", "not_a_boolean")]),
        ({"secret": "mine"}, [("/secret", "unknown_field")]),
    ],
)  # fmt: skip
async def test_what_may_be_in_it(desk: Desk, change: dict[str, Any], found: Any):
    answer = await desk.client.post(PATH, json={"url": URL, "types": ["*"]} | change)
    if found is None:
        assert answer.status_code == 201, answer.text
        desk.made.append(answer.json()["id"])
        return
    assert problem_of(answer) == (422, "validation_failed")
    errors = sorted((one["pointer"], one["code"]) for one in answer.json()["errors"])
    assert errors == found


async def test_a_change_is_judged_as_well(desk: Desk):
    made = await desk.add(URL)
    for change in ({"url": "x"}, {"types": ["x"]}, {"types": []}, {"id": "x"}):
        answer = await desk.client.patch(f"{PATH}/{made['id']}", json=change)
        assert problem_of(answer) == (422, "validation_failed")
    made.pop("secret")
    assert await desk.patch(made) == made, "nothing is named, nothing changes"
    assert await desk.patch(made, url=URL, enabled=None) == made


async def test_who_has_seen_another_state_changes_nothing(desk: Desk):
    made = await desk.add(URL)
    path = f"{PATH}/{made['id']}"
    old = {"If-Match": (await desk.client.get(path)).headers["etag"]}
    answer = await desk.client.patch(path, json={"description": "a"}, headers=old)
    assert answer.status_code == 200, answer.text
    for method in ("PATCH", "DELETE"):
        late = await desk.client.request(method, path, json={"description": "b"}, headers=old)
        assert problem_of(late) == (412, "precondition_failed")
    assert (await desk.get(made))["description"] == "a"
    new = {"If-Match": answer.headers["etag"]}
    await desk.post(made, "rotate")
    late = await desk.client.delete(path, headers=new)
    assert problem_of(late) == (412, "precondition_failed"), "another secret signs now"


async def test_fifty_are_enough(desk: Desk):
    there = len((await desk.client.get(PATH, params={"limit": 500})).json()["items"])
    answers = await asyncio.gather(
        *(
            desk.client.post(PATH, json={"url": URL, "types": ["*"], "enabled": False})
            for _ in range(55)
        )
    )
    desk.made += [one.json()["id"] for one in answers if one.status_code == 201]
    assert len(desk.made) == 50 - there
    refused = next(one for one in answers if one.status_code != 201)
    assert problem_of(refused) == (409, "too_many_webhooks")
    page = (await desk.client.get(PATH, params={"limit": 30, "count": "true"})).json()
    assert (page["total"], len(page["items"])) == (50, 30)
    rest = await desk.client.get(PATH, params={"limit": 30, "cursor": page["next_cursor"]})
    ids = [one["id"] for one in (*page["items"], *rest.json()["items"])]
    assert (len(ids), ids, rest.json()["next_cursor"]) == (50, sorted(ids), None)
    assert (await desk.client.delete(f"{PATH}/{desk.made.pop()}")).status_code == 204
    await desk.add(URL, enabled=False)


async def test_only_an_admin(desk: Desk):
    made = await desk.add(URL)
    key = await desk.here.new_key("read", "publish", "service", "sales", "marketing", "ops")
    headers = {"Authorization": f"Bearer {key}"}
    for method, path in (
        *(("POST", ""), ("GET", ""), ("GET", f"/{made['id']}"), ("PATCH", f"/{made['id']}")),
        *(("DELETE", f"/{made['id']}"), ("GET", f"/{made['id']}/deliveries")),
        *(("POST", f"/{made['id']}/{what}") for what in ("rotate", "test", "replay")),
    ):
        answer = await desk.client.request(method, PATH + path, json={}, headers=headers)
        assert problem_of(answer) == (403, "missing_scope"), (method, path)


async def test_in_both_languages(desk: Desk):
    """Errors, why an attempt failed, and why an endpoint was given up."""
    zh = {"Accept-Language": "zh"}
    refused = await desk.client.post(PATH, json={"url": "x", "types": ["x"]}, headers=zh)
    assert [one["message"][:2] for one in refused.json()["errors"]] == ["应为", "没有"]
    made = await desk.add("https://nobody.invalid/", "tag.added")
    await desk.post(made, "test")
    await desk.send()
    await desk.execute(
        "UPDATE webhook SET enabled = false, disabled_why = 'failing', disabled_at = now() WHERE id = $1",
        made["id"],
    )
    words = {}
    for language in ("zh", "en"):
        headers = {"Accept-Language": language}
        one = (await desk.client.get(f"{PATH}/{made['id']}", headers=headers)).json()
        [delivery] = (
            await desk.client.get(f"{PATH}/{made['id']}/deliveries", headers=headers)
        ).json()["items"]
        words[language] = (one["disabled"]["message"], delivery["last"]["message"])
        assert (one["disabled"]["code"], delivery["last"]["code"]) == ("failing", "unknown_host")
    assert words == {
        "zh": ("连续 5 天投递失败。", "主机名无法解析。"),
        "en": ("Nothing was taken for 5 days.", "The host's name is not known."),
    }


async def test_it_leaves_its_rows_in_the_audit_trail(desk: Desk):
    made = await desk.add(URL)
    await desk.patch(made, description="x")
    await desk.post(made, "rotate")
    answer = await desk.client.get("/v1/audit/interaction", params={"subject": made["id"]})
    rows = [(one["method"], one["route"]) for one in answer.json()["items"]]
    assert rows == [
        ("POST", f"{PATH}/{{webhook}}/rotate"),
        ("PATCH", f"{PATH}/{{webhook}}"),
        ("POST", PATH),
    ]
    assert "whsec_" not in answer.text
