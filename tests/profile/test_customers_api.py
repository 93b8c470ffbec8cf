"""The API of profile over a real installation: events in by interaction, customers out here."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.profile.api.identities import Identities
from services.profile.api.scores import Scoring
from tests.world import World

DAY = "2026-03-{:02d}T12:00:00+08:00"


def purchase(customer: dict[str, str], number: str, at: str, **data: Any) -> dict[str, Any]:
    total = data.pop("total", {"amount": "10.00", "currency": "CNY"})
    return {
        "id": f"p-{number}",
        "type": "purchase.completed",
        "time": at,
        "customer": customer,
        "data": {"order_id": number, "total": total, **data},
    }


def described(customer: dict[str, str], **traits: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "type": "customer.described",
        "time": DAY.format(1),
        "customer": customer,
        "data": {"traits": traits},
    }


async def send(here: World, *events: dict[str, Any]) -> None:
    answer = await here.post_events(list(events))
    assert answer.json()["rejected"] == 0, answer.text
    await here.settled()


@pytest.fixture
def member() -> str:
    return f"M{uuid4().hex[:10]}"


@pytest.fixture
def client(here: World) -> httpx.AsyncClient:
    return here.client("profile")


async def read(client: httpx.AsyncClient, customer: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(f"/v1/customers/{customer}", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def behind(client: httpx.AsyncClient) -> Iterator[Callable[[], None]]:
    """A function: from now on the clock of the process that answers is ten minutes behind."""
    state = client._transport.app.state
    kernel = state.kernel

    def begin() -> None:
        state.kernel = replace(kernel, clock=lambda: datetime.now(UTC) - timedelta(minutes=10))

    yield begin
    state.kernel = kernel


async def test_who_decides_last_is_heard_whatever_the_clock_says(
    here: World, client, member: str, behind
) -> None:
    """The last word wins by its time, and clocks of two processes are apart: what one has read, one may change."""
    await send(here, described({"member_no": member}, name="Li Lei"))
    path = f"/v1/customers/member_no:{member}"
    tag = {"tag": "VIP", "reason": "one"}
    assert (await client.patch(path, json={"owner": "ann"})).json()["owner"] == "ann"
    assert (await client.post(f"{path}/tags", json=tag)).status_code == 201
    behind()
    etag = (await client.get(path)).headers["etag"]
    edited = await client.patch(path, json={"owner": "bob"}, headers={"If-Match": etag})
    assert edited.json()["owner"] == "bob"
    for name in ("cleo", "dan"):
        stale = await client.patch(path, json={"owner": name}, headers={"If-Match": etag})
        assert stale.status_code == 412, stale.text
    assert (await client.delete(f"{path}/tags/VIP")).json()["tags"] == []
    assert (await client.post(f"{path}/tags", json=tag)).status_code == 201
    await here.settled()
    body = await read(client, f"member_no:{member}")
    assert (body["owner"], [one["tag"] for one in body["tags"]]) == ("bob", ["VIP"])


async def test_the_whole_picture(here: World, client, member: str) -> None:
    who = {"member_no": member, "phone": f"138{uuid4().int % 10**8:08d}"}
    await send(
        here,
        described(who, name="李雷", region="Shanghai", birthday="1988-05-17"),
        *(purchase(who, f"{member}-{n}", DAY.format(n)) for n in (2, 9, 16, 23)),
    )
    body = await read(client, f"member_no:{member}")
    assert body["name"] == "李雷"
    assert body["number"].startswith("C20")
    assert body["kind"] == "person"
    assert body["status"] == "active"
    assert body["merged_from"] == []
    assert [one["type"] for one in body["identifiers"]] == ["member_no", "phone"]
    assert body["attributes"] | {"region": "Shanghai", "industry": None} == body["attributes"]
    assert body["first_contact_at"] == "2026-03-01T04:00:00Z"
    assert body["last_interaction_at"] is None
    assert body["last_purchase_at"] == "2026-03-23T04:00:00Z"
    assert body["purchases"] == {
        "count": 4,
        "spend": {"amount": "40.00", "currency": "CNY"},
        "spend_by_currency": {"CNY": "40.00"},
        "average_basket": {"amount": "10.00", "currency": "CNY"},
        "usual_interval_days": 7.0,
    }
    assert body["lifecycle"]["state"] in {"mature", "silent", "lost"}
    assert set(body["lifecycle"]["views"]) == {
        "引入-转化-增长-成熟-流失",
        "新-活跃-沉默-流失",
        "潜在-新-忠实-流失",
    }
    tags = {tag["tag"]: tag for tag in body["tags"]}
    assert tags["behaviour:frequent"]["origin"] == "derived"
    assert tags["behaviour:frequent"]["by"] == "tags@1"
    assert tags["behaviour:frequent"]["since"]
    assert tags["region:Shanghai"]["label"] == "Region: Shanghai"
    assert body["complaints"] == {"open": 0, "total": 0}
    assert body["as_of"]
    for name in (body["id"], body["number"]):
        assert (await read(client, name))["id"] == body["id"]
    zh = await client.get(f"/v1/customers/{body['id']}", headers={"Accept-Language": "zh"})
    assert {tag["label"] for tag in zh.json()["tags"]} >= {"高频购买", "地区：Shanghai"}


async def test_several_currencies_never_add_up(here: World, client, member: str) -> None:
    who = {"member_no": member}
    yen = {"amount": "1250", "currency": "JPY"}
    await send(
        here,
        purchase(who, f"{member}-1", DAY.format(2), total=yen),
        purchase(who, f"{member}-2", DAY.format(3), total=yen),
        purchase(who, f"{member}-3", DAY.format(3)),
    )
    purchases = (await read(client, f"member_no:{member}"))["purchases"]
    assert purchases["spend"] == {"amount": "2500", "currency": "JPY"}
    assert purchases["spend_by_currency"] == {"CNY": "10.00", "JPY": "2500"}
    assert purchases["average_basket"] == {"amount": "1250", "currency": "JPY"}


async def test_an_order_is_one_of_its_own_currency_alone(here: World, client, member: str) -> None:
    """Also where money came back in another one, whose code comes first."""
    who = {"member_no": member}
    refund = {
        "id": str(uuid4()),
        "type": "purchase.refunded",
        "time": DAY.format(4),
        "customer": who,
        "data": {"order_id": f"{member}-1", "amount": {"amount": "3.00", "currency": "AED"}},
    }
    await send(here, purchase(who, f"{member}-1", DAY.format(2)), refund)
    purchases = (await read(client, f"member_no:{member}"))["purchases"]
    assert purchases["spend_by_currency"] == {"AED": "-3.00", "CNY": "10.00"}
    assert purchases["spend"] == {"amount": "10.00", "currency": "CNY"}
    assert purchases["average_basket"] == {"amount": "10.00", "currency": "CNY"}


async def test_the_path_of_states(here: World, client, member: str) -> None:
    who = {"member_no": member}
    days = ["2025-01-01", "2025-01-08", "2025-06-01", "2025-06-10"]
    shuffled = [days[2], days[0], days[3], days[1]]
    await send(
        here,
        *(purchase(who, f"{member}-{day}", f"{day}T12:00:00+08:00") for day in shuffled),
    )
    answer = await client.get(f"/v1/customers/member_no:{member}/lifecycle")
    assert answer.status_code == 200
    body = answer.json()
    states = [item["state"] for item in body["items"]]
    assert states == ["new", "growing", "silent", "lost", "won_back", "silent", "lost"]
    assert body["items"][0]["since"] == "2025-01-01T04:00:00Z"
    assert all(item["reason"] and item["policy"] == "lifecycle@1" for item in body["items"])
    assert all(len(item["evidence"]) == 1 for item in body["items"])
    whole = await read(client, f"member_no:{member}")
    assert whole["lifecycle"]["state"] == states[-1]
    assert whole["lifecycle"]["since"] == body["items"][-1]["since"]


async def test_lists_filter_sort_and_page(here: World, client, member: str) -> None:
    region = f"R{member}"
    people = [{"member_no": f"{member}-{n}"} for n in range(5)]
    names = ["Zoe", "安娜", "Bob", "李雷", None]
    events = [described(who, region=region) for who in people]
    events += [described(who, name=name) for who, name in zip(people, names, strict=True) if name]
    for n, who in enumerate(people[:4]):
        events += [purchase(who, f"{member}-{n}-{k}", DAY.format(k + 1)) for k in range(n + 1)]
    await send(here, *events)

    async def listed(**params: Any) -> list[str]:
        found, cursor = [], None
        while True:
            page = {"region": region, "limit": 2, **params}
            if cursor:
                page["cursor"] = cursor
            answer = await client.get("/v1/customers", params=page)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert len(body["items"]) <= 2
            found += [item["identifiers"][0]["value"][-1] for item in body["items"]]
            cursor = body["next_cursor"]
            if cursor is None:
                return found

    assert await listed(sort="-purchases.count") == list("32104")
    assert await listed(sort="purchases.count") == list("40123")
    assert await listed(sort="-purchases.spend") == list("32104")
    assert await listed(sort="-last_purchase_at") == list("32104")
    assert sorted(await listed(sort="first_contact_at")) == list("01234")
    assert await listed(sort="name") == ["1", "2", "3", "0", "4"]
    assert await listed(q="lilei") == ["3"]
    assert await listed(q="ll") == ["3"]
    assert await listed(q="bo") == ["2"]
    assert await listed(q=f"{member}-3".upper()) == ["3"]
    assert await listed(q="100%") == []
    assert await listed(state="prospect") == ["4"]
    assert await listed(tag=f"region:{region}", state="prospect") == ["4"]
    assert await listed(tag=[f"region:{region}", "behaviour:complained"]) == []
    total = await client.get("/v1/customers", params={"region": region, "count": True, "limit": 1})
    assert total.json()["total"] == 5


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"state": "happy"}, 422),
        ({"churn_band": "huge"}, 422),
        ({"rfm_class": "x"}, 422),
        ({"sort": "age"}, 422),
        ({"cursor": "bogus"}, 400),
        ({"limit": 501}, 422),
        ({"q": "x" * 201}, 422),
    ],
)
async def test_bad_questions(client, params: dict[str, Any], status: int) -> None:
    answer = await client.get("/v1/customers", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/member_no:nobody",
        "/v1/customers/01934b5c-7a00-7000-8000-0000000000ff",
        "/v1/customers/C2026999999",
    ],
)
async def test_nobody(client, path: str) -> None:
    for question in (path, f"{path}/lifecycle"):
        answer = await client.get(question)
        assert answer.status_code == 404
        assert answer.json()["code"] == "customer_not_found"


async def test_yesterdays_picture_is_not_todays(here: World, client, member: str) -> None:
    await send(here, described({"member_no": member}, region="Beijing"))
    params = {"as_of": "2026-01-01T00:00:00Z"}
    answer = await client.get(f"/v1/customers/member_no:{member}", params=params)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_known_then")


async def test_the_summary_names_every_state(here: World, client, member: str) -> None:
    await send(here, described({"member_no": member}, region=member))
    body = (await client.get("/v1/customers/summary")).json()
    assert [one["state"] for one in body["states"]] == [
        *("prospect", "new", "growing", "mature", "silent", "lost", "won_back")
    ]
    assert body["total"] == sum(one["count"] for one in body["states"]) > 0
    assert {one["band"] for one in body["churn_bands"]} == {"low", "medium", "high"}
    assert all({"class", "label", "count"} == set(one) for one in body["rfm_classes"])
    tags = {one["tag"]: one["count"] for one in body["tags"]}
    assert tags[f"region:{member}"] == 1
    listed = (await client.get("/v1/tags")).json()["items"]
    assert {one["tag"] for one in listed} >= {"behaviour:night-owl", f"region:{member}"}


async def test_tags_by_hand(here: World, client, member: str) -> None:
    await send(here, described({"member_no": member}, region="Beijing"))
    path = f"/v1/customers/member_no:{member}/tags"
    body = {"tag": "need:quality-first", "reason": "said so"}
    key = {"Idempotency-Key": uuid4().hex}
    given = await client.post(path, json=body, headers=key)
    assert given.status_code == 201, given.text
    assert given.json()["origin"] == "manual"
    assert given.json()["reason"] == "said so"
    assert given.json()["by"]
    assert given.headers["Tenure-Position"].startswith("profile.")
    again = await client.post(path, json=body, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replay"]) == (201, "true")
    other = await client.post(path, json={"tag": "vip"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    wait = {"Tenure-Wait-For": given.headers["Tenure-Position"]}
    whole = (await client.get(f"/v1/customers/member_no:{member}", headers=wait)).json()
    assert [tag["tag"] for tag in whole["tags"]] == ["need:quality-first", "region:Beijing"]
    assert (await client.delete(f"{path}/region:Beijing")).json()["code"] == "tag_is_derived"
    gone = await client.delete(f"{path}/need:quality-first")
    assert gone.status_code == 200
    assert [tag["tag"] for tag in gone.json()["tags"]] == ["region:Beijing"]
    assert (await client.delete(f"{path}/need:quality-first")).status_code == 404
    slash = await client.post(path, json={"tag": "favourite:FRUIT/VEG"})
    assert slash.status_code == 201
    assert (await client.delete(f"{path}/favourite:FRUIT/VEG")).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/tag", "missing"),
        ({"tag": "vip", "colour": "red"}, "/colour", "unknown_field"),
        ({"tag": "behaviour:sleepy"}, "/tag", "not_allowed"),
        ({"tag": "region:"}, "/tag", "missing"),
        ({"tag": "  "}, "/tag", "too_short"),
        ({"tag": "x" * 101}, "/tag", "too_long"),
    ],
)
async def test_tags_that_cannot_be(here: World, client, body, pointer, code) -> None:
    member = f"M{uuid4().hex[:10]}"
    await send(here, described({"member_no": member}, region="Beijing"))
    answer = await client.post(f"/v1/customers/member_no:{member}/tags", json=body)
    assert answer.status_code == 422
    found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert found == [(pointer, code)]
    assert answer.json()["errors"][0]["message"] not in ("", code)


async def test_a_record_by_hand(client, member: str) -> None:
    body = {
        "name": "韩梅梅",
        "kind": "person",
        "owner": "chen.li",
        "identifiers": {"member_no": member},
        "attributes": {"region": "Hangzhou", "birthday": "--02-29"},
    }
    key = {"Idempotency-Key": uuid4().hex}
    made = await client.post("/v1/customers", json=body, headers=key)
    assert made.status_code == 201, made.text
    whole = made.json()
    assert whole["number"].startswith("C")
    assert whole["name"] == "韩梅梅"
    assert whole["attributes"]["region"] == "Hangzhou"
    assert made.headers["Location"] == f"/v1/customers/{whole['id']}"
    again = await client.post("/v1/customers", json=body, headers=key)
    assert again.status_code == 201
    assert again.headers["Idempotent-Replay"] == "true"
    assert again.json()["id"] == whole["id"]
    same = await client.post("/v1/customers", json={**body, "owner": "li.na"})
    assert (same.status_code, same.json()["id"]) == (200, whole["id"])
    assert same.json()["owner"] == "li.na"
    nameless = await client.post("/v1/customers", json={"name": "Nobody Known"})
    assert nameless.status_code == 201
    assert nameless.json()["number"] not in (None, whole["number"])


async def test_changing_a_record(client, member: str) -> None:
    made = await client.post(
        "/v1/customers", json={"name": "A", "identifiers": [{"type": "member_no", "value": member}]}
    )
    assert made.status_code == 201, made.text
    path = f"/v1/customers/{made.json()['id']}"
    etag = (await client.get(path)).headers["ETag"]
    change = {"owner": "wang.fang", "region": "Xi'an"}
    changed = await client.patch(path, json=change, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    assert changed.json()["owner"] == "wang.fang"
    assert changed.json()["attributes"]["region"] == "Xi'an"
    stale = await client.patch(path, json={"owner": "x"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    cleared = await client.patch(path, json={"owner": None})
    assert cleared.json()["owner"] is None
    wrong = await client.patch(path, json={"shoe_size": 43, "birthday": "17 May"})
    assert wrong.status_code == 422
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"/shoe_size", "/birthday"}
    email = f"{member}@Example.cn"
    more = await client.patch(path, json={"identifiers": {"email": email}})
    assert more.status_code == 200, more.text
    assert [one["type"] for one in more.json()["identifiers"]] == ["member_no", "email"]
    assert (await client.get(f"/v1/customers/email:{email}")).json()["id"] == made.json()["id"]
    other = await client.post("/v1/customers", json={"name": "B"})
    taken = await client.patch(
        f"/v1/customers/{other.json()['id']}", json={"identifiers": {"email": email}}
    )
    assert (taken.status_code, taken.json()["code"]) == (409, "identifier_taken")
    listed = await client.get("/v1/customers", params={"q": member})
    assert [item["id"] for item in listed.json()["items"]] == [made.json()["id"]]


async def test_identifiers_by_hand(client, here: World, member: str) -> None:
    worthless = await client.post(
        "/v1/customers", json={"name": "A", "identifiers": {"phone": "0000"}}
    )
    assert worthless.status_code == 422
    assert worthless.json()["errors"][0]["pointer"] == "/identifiers/phone"
    unknown = await client.post("/v1/customers", json={"name": "A", "identifiers": {"shoe": "43"}})
    assert unknown.status_code == 422
    app = client._transport.app
    kept, app.state.identities = app.state.identities, Identities(None, "")
    try:
        away = await client.post("/v1/customers", json={"name": "A"})
    finally:
        app.state.identities = kept
    assert away.status_code == 503
    assert away.headers["Retry-After"]
    assert here.key


async def test_scores_are_asked_for_at_read_time(here: World, client, member: str) -> None:
    await send(here, described({"member_no": member}, region="Beijing"))
    app = client._transport.app

    def scoring(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"]
        return httpx.Response(200, json={"churn": {"probability": 0.31}, "rfm": None})

    async def asked(handler: Any) -> dict[str, Any]:
        transport = httpx.MockTransport(handler)
        asking = httpx.AsyncClient(transport=transport, base_url="http://scoring")
        app.state.scoring = Scoring(asking)
        scores: dict[str, Any] = (await read(client, f"member_no:{member}", include="scores"))[
            "scores"
        ]
        return scores

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away", request=request)

    assert (await asked(scoring))["churn"] == {"probability": 0.31}
    assert (await asked(away))["note"]
    assert "churn" not in await asked(away)
    assert (await asked(lambda _: httpx.Response(404, json={})))["note"]
    app.state.scoring = Scoring(None)
    assert (await read(client, f"member_no:{member}", include="scores"))["scores"]["note"]


async def test_scopes(here: World, client, member: str) -> None:
    await send(here, described({"member_no": member}, region="Beijing"))
    reader = {"Authorization": f"Bearer {await here.new_key('read')}"}
    path = f"/v1/customers/member_no:{member}"
    assert (await client.get(path, headers=reader)).status_code == 200
    refused = await client.patch(path, json={"owner": "x"}, headers=reader)
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert (
        await client.post("/v1/customers", json={"name": "A"}, headers=reader)
    ).status_code == 403
    nobody = await client.get(path, headers={"Authorization": "Bearer nothing"})
    assert nobody.status_code == 401


async def test_policies(client) -> None:
    for name in ("lifecycle", "tags"):
        body = (await client.get(f"/v1/policies/{name}")).json()
        assert (body["version"], body["in_force"], body["built_in"]) == (1, True, True)
        assert body["body"]
        assert (await client.get(f"/v1/policies/{name}/1")).json()["body"] == body["body"]
        missing = await client.get(f"/v1/policies/{name}/7")
        assert (missing.status_code, missing.json()["code"]) == (404, "policy_version_not_found")
    assert (await client.get("/v1/policies/weather")).status_code == 404


async def test_openapi_examples_work(client) -> None:
    """What the documentation proposes to send is accepted as it stands."""
    schema = (await client.get("/openapi.json")).json()
    create = schema["paths"]["/v1/customers"]["post"]["requestBody"]["content"]["application/json"]
    made = await client.post("/v1/customers", json=create["example"])
    assert made.status_code in (200, 201), made.text
    path = "/v1/customers/{customer}"
    for method, route, url in (
        ("patch", path, f"/v1/customers/{made.json()['id']}"),
        ("post", f"{path}/tags", f"/v1/customers/{made.json()['id']}/tags"),
    ):
        content = schema["paths"][route][method]["requestBody"]["content"]["application/json"]
        answer = await client.request(method, url, json=content["example"])
        assert answer.status_code in (200, 201), answer.text
