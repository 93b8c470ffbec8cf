"""Contacts that people record."""

from typing import Any

import httpx
import pytest

from tests.api.sending import Sender, problem_of, unique


async def record(
    sender: Sender, body: Any, key: str | None = None, **headers: str
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    return await sender.client.post(
        "/v1/interactions", json=body, headers=sender.headers | more | headers, timeout=30
    )


def call(member: str, **fields: Any) -> dict[str, Any]:
    return {"customer": {"member_no": member}, "kind": "call", **fields}


async def test_a_contact_with_its_next_step(sender: Sender):
    member = unique("M")
    step = {"action": "Confirm the time", "due_at": "2026-11-25T09:00:00+08:00"}
    sent = call(
        member,
        at="2026-11-20T14:03:11+08:00",
        channel="phone",
        content="Thursday suits",
        handled_by="chen.li",
        next_step=step,
    )
    made = await record(sender, sent)
    assert made.status_code == 201, made.text
    shape = made.json()
    assert shape["at"] == "2026-11-20T06:03:11Z"
    assert shape["next_step"] == {
        "action": "Confirm the time",
        "due_at": "2026-11-25T09:00:00+08:00",
    }
    assert (shape["kind"], shape["content"], shape["handled_by"]) == (
        "call",
        "Thursday suits",
        "chen.li",
    )
    assert made.headers["location"] == f"/v1/interactions/{shape['id']}"
    assert (await sender.get(made.headers["location"])).json() == shape
    [entry] = await sender.timeline(f"member_no:{member}", type="interaction.recorded")
    assert (entry["id"], entry["data"]["next_step"]["action"]) == (shape["id"], "Confirm the time")


async def test_the_same_key_does_it_once(sender: Sender):
    member, key = unique("M"), unique("k")
    first, again = [await record(sender, call(member), key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert len(await sender.timeline(f"member_no:{member}", type="interaction.recorded")) == 1


async def test_the_list_with_its_filters_and_pages(sender: Sender):
    member, staff = unique("M"), unique("staff")
    days = ("2026-11-18", "2026-11-19", "2026-11-20")
    made = []
    for day, kind in zip(days, ("call", "visit", "call"), strict=True):
        due = {"action": "call back", "due_at": f"{day}T23:00:00Z"}
        body = call(member, at=f"{day}T09:00:00Z", handled_by=staff, next_step=due) | {"kind": kind}
        made.append((await record(sender, body)).json()["id"])

    async def ids(**params: Any) -> list[str]:
        answer = await sender.get("/v1/interactions", handled_by=staff, **params)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await ids() == made[::-1]
    assert await ids(kind="visit") == [made[1]]
    assert (
        await ids(customer=f"member_no:{member}", **{"from": "2026-11-19T00:00:00Z"}) == made[:0:-1]
    )
    assert await ids(due_before="2026-11-19T00:00:00Z") == [made[0]]
    page = (await sender.get("/v1/interactions", handled_by=staff, limit=2, count="true")).json()
    assert page["total"] == 3
    assert await ids(limit=2, cursor=page["next_cursor"]) == [made[0]]
    assert problem_of(await sender.get("/v1/interactions", kind="dance"))[0] == 422
    unknown = await sender.get("/v1/interactions", customer=f"member_no:{unique('M')}")
    assert problem_of(unknown) == (404, "customer_not_found")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": None}, "/kind"),
        ({"kind": "dance"}, "/kind"),
        ({"colour": "red"}, "/colour"),
        ({"duration_s": -1}, "/duration_s"),
        ({"next_step": {}}, "/next_step/action"),
        ({"next_step": {"action": "x", "due_at": "soon"}}, "/next_step/due_at"),
        ({"next_step": {"action": "x", "who": "me"}}, "/next_step/who"),
        ({"next_step": "call"}, "/next_step"),
        ({"at": 7}, "/at"),
    ],
)
async def test_bad_fields_are_named(sender: Sender, change, pointer):
    answer = await record(sender, call(unique("M")) | change)
    assert problem_of(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_what_is_not_there(sender: Sender):
    missing = await sender.get("/v1/interactions/01934b5c-7a00-7000-8000-000000000001")
    assert problem_of(missing) == (404, "interaction_not_found")
    assert problem_of(await record(sender, call("x") | {"customer": "C2026888888"})) == (
        404,
        "customer_not_found",
    )
