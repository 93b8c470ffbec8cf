"""Complaints as cases: by command and by published events, one after another and all at once."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.sending import Sender, problem_of, unique


async def command(
    sender: Sender, path: str, body: Any, key: str | None = None, **headers: str
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    return await sender.client.post(
        f"/v1/complaints{path}", json=body, headers=sender.headers | more | headers, timeout=30
    )


async def opened(sender: Sender, **fields: Any) -> dict[str, Any]:
    body = {"customer": {"member_no": unique("M")}, "category": "quality", **fields}
    made = await command(sender, "", body)
    assert made.status_code == 201, made.text
    case: dict[str, Any] = made.json()
    assert made.headers["location"] == f"/v1/complaints/{case['id']}"
    return case


def published(member: str, what: str, complaint: str, at: str, **data: Any) -> dict[str, Any]:
    return {
        "id": unique("e"),
        "type": f"complaint.{what}",
        "time": at,
        "customer": {"member_no": member},
        "data": {"complaint_id": complaint, **data},
    }


async def test_a_case_from_its_opening_to_its_end(sender: Sender):
    case = await opened(sender, severity="high", description="sour milk", order_id="A-1")
    assert (case["status"], case["label"], case["severity"]) == ("open", "Open", "high")
    assert case["possible"] == ["answer", "assign", "escalate", "resolve"]
    steps = [
        ("assign", {"to": "liu.yang"}, "open"),
        ("answer", {"note": "called back", "by": "liu.yang"}, "answered"),
        ("escalate", {}, "escalated"),
        ("resolve", {"resolution": "a voucher"}, "resolved"),
        ("reopen", {"note": "did not work"}, "reopened"),
    ]
    for name, body, status in steps:
        answer = await command(sender, f"/{case['id']}/{name}", body)
        assert (answer.status_code, answer.json()["status"]) == (200, status), answer.text
    last = answer.json()
    assert (last["assigned_to"], last["description"]) == ("liu.yang", "sour milk")
    assert [(one["step"], one["note"]) for one in last["history"]] == [
        ("opened", "sour milk"),
        ("assigned", None),
        ("answered", "called back"),
        ("escalated", None),
        ("resolved", "a voucher"),
        ("reopened", "did not work"),
    ]
    assert last["history"][2]["by"] == "liu.yang"
    assert last["history"][0]["by"], "the key's name"
    read = await sender.get(f"/v1/complaints/{case['id']}")
    assert read.json() == last
    types = [entry["type"] for entry in await sender.timeline(case["customer_id"])]
    assert sum(type_.startswith("complaint.") for type_ in types) == 6


@pytest.mark.parametrize("name", ["assign", "answer", "escalate", "resolve"])
async def test_what_is_resolved_must_be_reopened_first(sender: Sender, name: str):
    case = await opened(sender)
    bodies = {"assign": {"to": "x"}, "resolve": {"resolution": "x"}}
    assert problem_of(await command(sender, f"/{case['id']}/reopen", {})) == (
        409,
        "wrong_transition",
    )
    await command(sender, f"/{case['id']}/resolve", {"resolution": "done"})
    refused = await command(sender, f"/{case['id']}/{name}", bodies.get(name, {}))
    assert problem_of(refused) == (409, "wrong_transition")
    assert "resolved" in refused.json()["message"]


async def test_published_steps_make_the_same_case(here, sender: Sender):
    """Late and out of order; people go on with it by command."""
    member, complaint = unique("M"), unique("K")
    [customer] = await sender.accepted(
        published(member, "answered", complaint, "2026-11-20T10:00:00Z", note="we called")
    )
    await sender.accepted(
        published(member, "opened", complaint, "2026-11-20T09:00:00Z", category="delivery")
    )
    listed = (await sender.get("/v1/complaints", customer=customer)).json()["items"]
    [case] = listed
    assert (case["complaint_id"], case["status"], case["category"]) == (
        complaint,
        "answered",
        "delivery",
    )
    assert case["opened_at"] == "2026-11-20T09:00:00Z"
    solved = await command(sender, f"/{case['id']}/resolve", {"resolution": "sent again"})
    assert solved.json()["status"] == "resolved"
    future = published(member, "answered", complaint, "2026-11-20T11:00:00Z")
    await sender.accepted(future)
    assert (await sender.get(f"/v1/complaints/{case['id']}")).json()["status"] == "resolved"


async def test_of_twenty_who_resolve_one_does(sender: Sender):
    case = await opened(sender)
    answers = await asyncio.gather(
        *(command(sender, f"/{case['id']}/resolve", {"resolution": f"by {n}"}) for n in range(20))
    )
    assert sorted(one.status_code for one in answers) == [200] + [409] * 19
    history = (await sender.get(f"/v1/complaints/{case['id']}")).json()["history"]
    assert [one["step"] for one in history] == ["opened", "resolved"]


async def test_the_same_key_does_it_once(sender: Sender):
    key, body = unique("k"), {"customer": {"member_no": unique("M")}, "category": "quality"}
    first, again = [await command(sender, "", body, key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replay"] == "true"
    assert first.json() == again.json()
    step = unique("k")
    path = f"/{first.json()['id']}/resolve"
    for _ in range(2):
        answer = await command(sender, path, {"resolution": "done"}, step)
        assert answer.status_code == 200
    assert len(answer.json()["history"]) == 2


async def test_etags(sender: Sender):
    case = await opened(sender)
    read = await sender.get(f"/v1/complaints/{case['id']}")
    tag = {"If-Match": read.headers["etag"]}
    assert (await command(sender, f"/{case['id']}/answer", {}, **tag)).status_code == 200
    stale = await command(sender, f"/{case['id']}/answer", {}, **tag)
    assert problem_of(stale) == (412, "precondition_failed")


async def test_an_id_that_the_customer_has_already(sender: Sender):
    member, complaint = {"member_no": unique("M")}, unique("K")
    case = await opened(sender, customer=member, complaint_id=complaint)
    body = {"customer": member, "category": "price", "complaint_id": complaint}
    assert problem_of(await command(sender, "", body)) == (409, "complaint_exists")
    same = (await sender.get(f"/v1/complaints/{case['id']}")).json()
    assert (len(same["history"]), same["category"]) == (1, "quality")
    assert (await opened(sender, complaint_id=complaint))["id"] != case["id"]


async def test_the_list_with_its_filters_and_pages(sender: Sender):
    member = {"member_no": unique("M")}
    cases = [
        await opened(sender, customer=member, severity=severity, category=category)
        for severity, category in (("low", "price"), ("high", "price"), ("high", "delivery"))
    ]
    await command(sender, f"/{cases[0]['id']}/resolve", {"resolution": "done"})
    await command(sender, f"/{cases[1]['id']}/assign", {"to": "chen"})
    who = f"member_no:{member['member_no']}"

    async def ids(**params: Any) -> list[str]:
        answer = await sender.get("/v1/complaints", customer=who, **params)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    first, second, third = (case["id"] for case in cases)
    assert await ids() == [third, second, first]
    assert await ids(status="resolved") == [first]
    assert await ids(status=["open", "resolved"], severity="high") == [third, second]
    assert await ids(category="price") == [second, first]
    assert await ids(assigned_to="chen") == [second]
    assert await ids(to="2026-01-01T00:00:00Z") == []
    page = (await sender.get("/v1/complaints", customer=who, limit=2, count="true")).json()
    assert page["total"] == 3
    assert await ids(limit=2, cursor=page["next_cursor"]) == [first]
    bad = await sender.get("/v1/complaints", status="lost")
    assert problem_of(bad) == (422, "validation_failed")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("", {"category": "x"}, 422, "no_customer"),
        ("", {"customer": "member_no:M1"}, 422, "validation_failed"),
        ("", {"customer": "member_no:M1", "category": "x", "severity": "huge"}, 422, None),
        ("", {"customer": "member_no:M1", "category": "x", "colour": 1}, 422, None),
        ("/01934b5c-7a00-7000-8000-000000000001/answer", {}, 404, "complaint_not_found"),
        ("/nobody/answer", {}, 404, "not_found"),
    ],
)
async def test_what_is_refused(sender: Sender, path, body, status, code):
    found = problem_of(await command(sender, path, body))
    assert found == (status, code or "validation_failed")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("assign", {}),
        ("assign", {"to": " "}),
        ("assign", {"to": "a\0b"}),
        ("resolve", {}),
        ("resolve", {"note": " "}),
        ("answer", {"colour": 1}),
        ("answer", {"note": 7}),
        ("answer", []),
    ],
)
async def test_steps_that_say_too_little_or_too_much(sender: Sender, name, body):
    case = await opened(sender)
    answer = await command(sender, f"/{case['id']}/{name}", body)
    assert problem_of(answer)[0] in {400, 422}


async def test_who_may(here, sender: Sender):
    body = {"customer": {"member_no": unique("M")}, "category": "quality"}
    for scope, status in (("read", 403), ("publish", 403), ("service", 201), ("sales", 201)):
        key = {"Authorization": f"Bearer {await here.new_key(scope)}"}
        assert (await command(sender, "", body, **key)).status_code == status


async def test_a_step_needs_no_words_but_the_last_one(sender: Sender):
    case = await opened(sender)
    for name, content in (
        ("answer", b""),
        ("escalate", b"{}"),
        ("resolve", b'{"note": "a voucher"}'),
        ("reopen", b""),
    ):
        headers = sender.headers | ({"Content-Type": "application/json"} if content else {})
        path = f"/v1/complaints/{case['id']}/{name}"
        answer = await sender.client.post(path, content=content, headers=headers)
        assert answer.status_code == 200, (name, answer.text)
    notes = [one["note"] for one in answer.json()["history"]]
    assert notes[1:] == [None, None, "a voucher", None]


async def test_a_key_with_source_prefixes_speaks_under_its_own(here, sender: Sender):
    raw = await here.new_key("service", source_prefixes=["store-7/"])
    key = {"Authorization": f"Bearer {raw}"}
    body = {"customer": {"member_no": unique("M")}, "category": "quality"}
    case = (await command(sender, "", body, **key)).json()
    answered = await command(sender, f"/{case['id']}/answer", {"note": "x"}, **key)
    sources = {one["source"] for one in answered.json()["history"]}
    assert len(sources) == 1
    assert sources.pop().startswith("store-7/")
