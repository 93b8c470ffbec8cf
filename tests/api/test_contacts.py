"""Contacts that people record, and take back."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.sending import Sender, contact, problem_of, unique


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


async def take_back(
    sender: Sender, contact_id: str, body: Any = ..., key: str | None = None, **headers: str
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    sent = {} if body is ... else {"json": body}
    return await sender.client.post(
        f"/v1/interactions/{contact_id}/retract",
        headers=sender.headers | more | headers,
        timeout=30,
        **sent,
    )


async def test_a_contact_taken_back(sender: Sender):
    member = unique("M")
    made = (await record(sender, call(member, channel="phone", direction="inbound"))).json()
    assert [made[name] for name in ("retracted_at", "retracted_by", "retract_reason")] == [None] * 3
    answer = await take_back(sender, made["id"], {"reason": " another customer "})
    assert answer.status_code == 200, answer.text
    shape = answer.json()
    assert shape["retracted_at"].endswith("Z")
    assert shape == made | {
        "retracted_at": shape["retracted_at"],
        "retracted_by": made["recorded_by"],
        "retract_reason": "another customer",
    }
    position = {"Tenure-Wait-For": answer.headers["tenure-position"]}
    read = await sender.get(f"/v1/interactions/{made['id']}", position)
    assert read.json() == shape
    entries = await sender.timeline(f"member_no:{member}")
    told = {entry["type"]: entry for entry in entries}
    was, gone = told["interaction.recorded"], told["interaction.retracted"]
    assert (was["id"], was["retracted_at"]) == (made["id"], shape["retracted_at"])
    assert (gone["time"], gone["retracted_at"]) == (shape["retracted_at"], None)
    assert gone["summary"] == "Contact taken back: call"
    assert gone["data"] == {
        "interaction_id": made["id"],
        "at": made["at"],
        "utcoffset": was["utc_offset_minutes"],
        "kind": "call",
        "channel": "phone",
        "direction": "inbound",
        "by": made["recorded_by"],
        "reason": "another customer",
    }
    both = await sender.timeline(f"member_no:{member}", channel="phone")
    assert {entry["type"] for entry in both} == {"interaction.recorded", "interaction.retracted"}


@pytest.mark.parametrize("body", [..., None, {}, {"reason": None}])
async def test_no_reason_needs_to_be_given(sender: Sender, body):
    made = (await record(sender, call(unique("M")))).json()
    answer = await take_back(sender, made["id"], body)
    assert (answer.status_code, answer.json()["retract_reason"]) == (200, None)


async def test_taken_back_once(sender: Sender):
    member, key = unique("M"), unique("k")
    made = (await record(sender, call(member))).json()
    body = {"reason": "a mistake"}
    first, again = [await take_back(sender, made["id"], body, key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["tenure-position"] == first.headers["tenure-position"]
    other = await take_back(sender, made["id"], {"reason": "another"}, key)
    assert problem_of(other) == (422, "idempotency_key_reused")
    assert problem_of(await take_back(sender, made["id"])) == (409, "interaction_retracted")
    assert len(await sender.timeline(f"member_no:{member}", type="interaction.retracted")) == 1


async def test_many_at_once_take_it_back_once(sender: Sender):
    made = (await record(sender, call(unique("M")))).json()
    answers = await asyncio.gather(*(take_back(sender, made["id"]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]


async def test_the_list_shows_what_stands_unless_asked(sender: Sender):
    staff = unique("staff")
    made = [
        (await record(sender, call(unique("M"), handled_by=staff, at=f"2026-11-1{n}T09:00:00Z")))
        for n in range(3)
    ]
    ids = [answer.json()["id"] for answer in made]
    await take_back(sender, ids[1])

    async def listed(**params: Any) -> tuple[list[str], int]:
        answer = await sender.get("/v1/interactions", handled_by=staff, count="true", **params)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]], answer.json()["total"]

    assert await listed() == await listed(retracted="false") == ([ids[2], ids[0]], 2)
    assert await listed(retracted="true") == ([ids[1]], 1)
    assert await listed(retracted="all") == (ids[::-1], 3)
    assert problem_of(await sender.get("/v1/interactions", retracted="maybe"))[0] == 422


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"at": "2026-11-20T09:00:00Z"}, "/at"),
        ({"reason": ""}, "/reason"),
        ({"reason": "  "}, "/reason"),
        ({"reason": 7}, "/reason"),
        ({"reason": "x" * 2001}, "/reason"),
        ([], ""),
        ("mistake", ""),
    ],
)
async def test_bad_bodies_take_nothing_back(sender: Sender, body, pointer):
    made = (await record(sender, call(unique("M")))).json()
    answer = await take_back(sender, made["id"], body)
    assert problem_of(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await sender.get(f"/v1/interactions/{made['id']}")).json() == made


async def test_only_who_may_record_takes_back_and_only_what_was_recorded(sender: Sender):
    made = (await record(sender, call(unique("M")))).json()
    for scopes, status in ((("read", "publish", "marketing"), 403), (("sales",), 200)):
        key = await sender.here.new_key(*scopes)
        answer = await take_back(sender, made["id"], Authorization=f"Bearer {key}")
        assert answer.status_code == status, answer.text
    nobody = await take_back(sender, "01934b5c-7a00-7000-8000-000000000001")
    assert problem_of(nobody) == (404, "interaction_not_found")
    sent = contact({"member_no": unique("M")})
    await sender.accepted(sent)
    [entry] = await sender.timeline(f"member_no:{sent['customer']['member_no']}", type=sent["type"])
    assert problem_of(await take_back(sender, entry["id"])) == (404, "interaction_not_found")


async def test_nobody_else_may_say_so(sender: Sender):
    forged = contact({"member_no": unique("M")}) | {"type": "interaction.retracted"}
    assert await sender.verdicts([forged]) == [("rejected", "unknown_type")]


async def test_it_leaves_its_row_in_the_audit_trail(sender: Sender):
    made = (await record(sender, call(unique("M")))).json()
    await take_back(sender, made["id"])
    answer = await sender.get("/v1/audit/interaction", subject=made["id"])
    rows = [(row["method"], row["route"], row["status"]) for row in answer.json()["items"]]
    assert rows == [
        ("POST", "/v1/interactions/{interaction_id}/retract", 200),
        ("POST", "/v1/interactions", 201),
    ]
