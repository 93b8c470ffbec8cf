"""Who changed what: every change leaves one row, and the row says nothing about a customer but the id."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import uuid4

import asyncpg
import pytest
import structlog
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from shared import audit
from shared.audit import Auditing, masked
from shared.loop.trimming import trim
from tests.api.sending import problem_of, purchase, unique
from tests.world import World, world

PATHS = {name: f"/v1/audit/{name}" for name in ("interaction", "profile")}


@pytest.fixture(scope="module")
async def here(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["interaction", "profile"]) as made:
        yield made


@pytest.fixture(scope="module")
async def customer(here: World) -> dict[str, str]:
    """One whom profile knows: the id, an address, a member number."""
    names = {"email": f"{unique('mei')}@example.com", "member_no": unique("M")}
    answer = await here.client("interaction").post(
        "/v1/events", json=purchase(customer=names), headers={"Prefer": "wait=10"}
    )
    await here.settled()
    return {**names, "id": answer.json()["items"][0]["customer_id"]}


async def rows(here: World, service: str = "profile", **params: object) -> list[dict]:
    answer = await here.client(service).get(PATHS[service], params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def tags_of(customer: dict[str, str]) -> str:
    return f"/v1/customers/email:{customer['email']}/tags"


async def give(here: World, customer: dict[str, str], **headers: str):
    tag = {"tag": "need:quality-first", "reason": unique("a reason")}
    return await here.client("profile").post(tags_of(customer), json=tag, headers=headers)


async def test_a_command_leaves_a_row(here: World, customer):
    request_id, key = str(uuid4()), unique("key")
    headers = {"X-Request-Id": request_id, "Idempotency-Key": key}
    done = await give(here, customer, **headers)
    assert done.status_code == 201, done.text
    [row] = await rows(here, subject=customer["id"], limit=1)
    assert {name: row[name] for name in ("method", "route", "path", "subject", "status")} == {
        "method": "POST",
        "route": "/v1/customers/{customer}/tags",
        "path": {"customer": customer["id"]},
        "subject": customer["id"],
        "status": 201,
    }
    assert row["request_id"] == request_id
    assert row["position"] == done.headers["tenure-position"]
    assert row["idempotency_key_sha256"] == sha256(key.encode()).hexdigest()
    assert row["caller"]["name"].startswith("k")
    assert row["at"].endswith("Z")
    count = len(await rows(here))
    again = await here.client("profile").post(
        tags_of(customer),
        content=done.request.content,
        headers={**headers, "Content-Type": "application/json"},
    )
    assert again.headers["idempotent-replay"] == "true"
    assert len(await rows(here)) == count  # nothing was changed a second time


async def test_what_is_refused_or_changes_nothing_leaves_none(here: World, customer):
    client, count = here.client("profile"), len(await rows(here))
    answers = [
        await client.post(tags_of(customer), json={"tag": 7}),
        await client.delete(f"{tags_of(customer)}/need:unknown"),
        await client.patch("/v1/customers/member_no:nobody", json={"owner": "x"}),
        await client.post(tags_of(customer), json={}, headers={"Authorization": "Bearer no"}),
        await client.get(f"/v1/customers/{customer['id']}"),
        await client.put("/v1/policies/tags", params={"dry_run": True}, json={}),
    ]
    assert [answer.status_code for answer in answers] == [422, 404, 404, 401, 200, 200]
    assert len(await rows(here)) == count


async def test_events_are_no_changes_by_a_person(here: World):
    before = len(await rows(here, "interaction"))
    assert (await here.post_events([purchase()])).status_code == 200
    assert len(await rows(here, "interaction")) == before


async def test_what_is_no_command_of_a_customer_leaves_one_too(here: World):
    assert (await here.client("interaction").post("/v1/history/import/close")).status_code == 202
    [row] = await rows(here, "interaction", limit=1)
    assert row["route"] == "/v1/history/{history}/close"
    assert (row["path"], row["status"]) == ({"history": "import"}, 202)


async def test_what_does_not_join_a_transaction_leaves_one_too(here: World):
    key = unique("key")
    done = await here.client("profile").put(
        "/v1/policies/tags", json={"night_share": 0.35}, headers={"Idempotency-Key": key}
    )
    [row] = await rows(here, limit=1)
    assert (row["method"], row["route"], row["subject"]) == ("PUT", "/v1/policies/tags", None)
    assert (row["status"], row["position"]) == (done.status_code, done.headers["tenure-position"])
    assert row["idempotency_key_sha256"] == sha256(key.encode()).hexdigest()


async def test_what_another_process_asks_for_is_no_change_by_a_person(here: World):
    client, before = here.client("interaction"), await rows(here, "interaction")
    headers = {"Tenure-Secret": here.settings.inbound_secret}
    body = {"identifiers": {"member_no": unique("M")}}
    with structlog.testing.capture_logs() as logs:
        done = await client.post("/internal/identities", json=body, headers=headers)
    assert done.status_code == 200
    assert await rows(here, "interaction") == before
    assert not [line for line in logs if line["event"] == "audit_row_lost"]


async def test_the_change_and_its_row_are_one(here: World, customer):
    """Where the row cannot be written, nothing is changed."""
    conn = await asyncpg.connect(here.urls["profile"])
    await conn.execute("ALTER TABLE audit ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        given = "SELECT count(*) FROM outbox WHERE position('\"tag.added\"'::bytea IN value) > 0"
        before = await conn.fetchval(given)
        assert before > 0
        assert (await give(here, customer)).status_code == 500
        assert await conn.fetchval(given) == before
    finally:
        await conn.execute("ALTER TABLE audit DROP CONSTRAINT never")
        await conn.close()


async def test_a_row_that_comes_too_late_is_missed_aloud_and_fails_nothing(here: World):
    conn = await asyncpg.connect(here.urls["profile"])
    await conn.execute("ALTER TABLE audit RENAME TO gone")
    try:
        with structlog.testing.capture_logs() as logs:
            done = await here.client("profile").put("/v1/policies/tags", json={"night_share": 0.4})
        assert done.is_success
    finally:
        await conn.execute("ALTER TABLE gone RENAME TO audit")
        await conn.close()
    [line] = [line for line in logs if line["event"] == "audit_row_lost"]
    assert line["request_id"] == done.headers["x-request-id"]


async def test_the_list_has_filters_and_pages(here: World, customer):
    key = await here.new_key("sales")
    mine = {"Authorization": f"Bearer {key}"}
    for _ in range(3):
        assert (await give(here, customer, **mine)).status_code == 201
    first, *_ = await rows(here)
    name, id_ = first["caller"]["name"], first["caller"]["id"]
    assert await rows(here, caller=name) == await rows(here, caller=id_)
    found = await rows(here, caller=name)
    assert len(found) == 3
    assert [row["at"] for row in found] == sorted((row["at"] for row in found), reverse=True)
    newest, middle, oldest = (row["at"] for row in found)
    assert await rows(here, caller=name, **{"from": middle}) == found[:2]
    assert await rows(here, caller=name, to=newest) == found[1:]
    assert await rows(here, caller=name, **{"from": oldest, "to": middle}) == found[2:]
    assert await rows(here, caller="nobody") == []
    client, seen, cursor = here.client("profile"), [], None
    while True:
        params = {"limit": 2, "caller": name, "count": True} | (
            {"cursor": cursor} if cursor else {}
        )
        page = (await client.get(PATHS["profile"], params=params)).json()
        assert page["total"] == 3
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == found


async def test_only_for_admins(here: World):
    for scope in ("read", "ops", "sales"):
        headers = {"Authorization": f"Bearer {await here.new_key(scope)}"}
        answer = await here.client("profile").get(PATHS["profile"], headers=headers)
        assert problem_of(answer) == (403, "missing_scope")
    answer = await here.client("profile").get(PATHS["profile"])
    assert "tenure-freshness" in answer.headers
    bogus = await here.client("profile").get(PATHS["profile"], params={"cursor": "bogus"})
    assert problem_of(bogus) == (400, "invalid_cursor")
    assert (await here.client("profile").get(PATHS["interaction"])).status_code == 404


async def test_no_row_names_a_customer(here: World, customer):
    await give(here, customer)
    stranger = f"phone:+86{uuid4().int % 10**11:011d}"
    await here.client("profile").patch(f"/v1/customers/{stranger}", json={"owner": "x"})
    for service in PATHS:
        conn = await asyncpg.connect(here.urls[service])
        kept = str([tuple(row) for row in await conn.fetch("SELECT * FROM audit")])
        await conn.close()
        for value in (customer["email"], customer["member_no"], stranger, "a reason"):
            assert value not in kept


async def test_it_is_kept_for_so_many_days(here: World):
    kernel = here.kernels["profile"]
    conn = await asyncpg.connect(here.urls["profile"])
    caller = unique("caller")
    for age in (364, 366):
        await conn.execute(
            "INSERT INTO audit VALUES"
            " ($1, now() - make_interval(days => $2), $1, $3, 'POST', $4, '{}', NULL, 200)",
            uuid4(),
            age,
            caller,
            str(age),
        )
    await conn.close()
    await trim(kernel)
    assert [row["route"] for row in await rows(here, caller=caller)] == ["364"]


SECRET = "secret"


@pytest.mark.parametrize(
    "value",
    [
        "01934b5c-7a00-7000-8000-000000000001",
        "C2026000123",
        "lifecycle",
        "need:quality-first",
        "17",
        "import-2025.11",
        "churn@4".replace("@", "-"),
    ],
)
def test_what_names_nobody_stands_as_it_is(value):
    assert masked(value, SECRET) == value


@pytest.mark.parametrize(
    "value",
    [
        "email:mei@example.com",
        "mei@example.com",
        "phone:+8613800138000",
        "phone:13800138000",
        "member_no:M42",
        "openid:abc",
        "13800138000",
        "A-138-0013-8000",
        "1380013",
        "王芳",
        "wang fang",
        "a/b",
        "favourite:奶茶",
        "x" * 65,
        "",
        "\ud800",
    ],
)
def test_what_might_be_a_persons_is_a_digest(value):
    found = masked(value, SECRET)
    assert found.startswith("digest:")
    assert len(found) == len("digest:") + 16
    assert found == masked(value, SECRET) != masked(value, "another")


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "kept"),
    [
        ("POST", "/v1/things", 201, {"Location": f"/v1/things/{uuid4()}"}, True),
        ("PUT", "/v1/things", 200, {}, True),
        ("PATCH", "/v1/things", 202, {}, True),
        ("DELETE", "/v1/things", 204, {}, True),
        ("GET", "/v1/things", 200, {}, False),
        ("POST", "/v1/things", 409, {}, False),
        ("POST", "/v1/things", 303, {}, False),
        ("POST", "/v1/things", 500, {}, False),
        ("POST", "/v1/things", 201, {"Idempotent-Replay": "true"}, False),
        ("POST", "/v1/things?dry_run=true", 200, {}, False),
        ("POST", "/v1/things?dry_run=false", 200, {}, True),
        ("POST", "/v1/things/preview", 200, {}, False),
        *(("POST", path, 200, {}, False) for path in sorted(audit.EVENTS)),
    ],
)
async def test_which_answers_leave_a_row(monkeypatch, method, path, status, headers, kept):
    """The layer by itself, around an application that answers so."""
    written: list[int] = []

    async def note(_scope, start):
        await asyncio.sleep(0)
        written.append(start["status"])

    monkeypatch.setattr(audit, "_keep_late", note)
    app = Starlette(
        routes=[
            Route(
                "/{rest:path}",
                lambda _: Response(status_code=status, headers=headers),
                methods=[method],
            )
        ]
    )
    import httpx

    transport = httpx.ASGITransport(Auditing(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.request(method, path)).status_code == status
    assert written == ([status] if kept else [])
