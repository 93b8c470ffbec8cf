"""`?as_of=`: what was so at a moment, in the shape of what is so now."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.as_of import Histories
from shared.drift import check, check_drift
from tests.world import world

NOW = datetime.now(UTC).replace(microsecond=0)
READS = {
    "profile": "/v1/customers/member_no:M1",
    "scoring": "/v1/scores/member_no:M1",
}


def bought(n: int, at: datetime, member: str = "M1") -> dict:
    return {
        "id": f"b{n}",
        "source": "shop",
        "type": "purchase.completed",
        "time": at.isoformat(),
        "customer": {"member_no": member},
        "data": {"order_id": f"o{n}", "total": {"amount": "10.00", "currency": "CNY"}},
    }


@pytest.fixture(scope="module")
async def here(postgres):
    async with world(postgres) as made:
        yield made


async def read(here, service: str, path: str, **params: object) -> dict:
    answer = await here.client(service).get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def timeless(body: dict) -> dict:
    """Without what only says up to when the answer knows."""
    return {key: value for key, value in body.items() if key not in ("as_of", "at")}


async def test_now_is_what_is_read_now(here):
    await here.post_events([bought(n, NOW - timedelta(days=10 * n)) for n in range(1, 9)])
    await here.settled(60)
    for service, path in READS.items():
        for basis in ("business", "recorded"):
            then = await read(here, service, path, as_of=datetime.now(UTC).isoformat(), basis=basis)
            assert timeless(then) == timeless(await read(here, service, path))


async def test_when_things_happened(here):
    """Facts up to then, and what they mean by today's policies."""
    events = [bought(100 + n, NOW - timedelta(days=300 - 20 * n), "M2") for n in range(5)]
    random.Random(1).shuffle(events)
    await here.post_events(events)
    await here.settled(60)
    path = "/v1/customers/member_no:M2"
    for n in range(5):
        at = NOW - timedelta(days=300 - 20 * n)
        then = await read(here, "profile", path, as_of=at.isoformat())
        assert then["purchases"]["count"] == n + 1
        assert then["last_purchase_at"] == at.isoformat().replace("+00:00", "Z")
        assert then["lifecycle"]["state"] == ("new" if n == 0 else then["lifecycle"]["state"])
    before = (NOW - timedelta(days=301)).isoformat()
    answer = await here.client("profile").get(path, params={"as_of": before})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_known_then"
    score = await read(
        here, "scoring", "/v1/scores/member_no:M2", as_of=(NOW - timedelta(days=260)).isoformat()
    )
    assert score["rfm"]["frequency"] == 3


async def test_what_the_answer_said_at_that_time(here):
    """A whole run: each answer kept with its moment, and told again from what was recorded by then."""
    chance = random.Random(3)
    said = []
    for n in range(12):
        at = NOW - timedelta(days=chance.randint(0, 300))
        await here.post_events([bought(200 + n, at, "M3")])
        if n % 4 == 3:
            path = "/v1/customers/member_no:M3/tags"
            tag = {"tag": f"vip:{n}", "reason": "a good one"}
            answer = await here.client("profile").post(path, json=tag)
            assert answer.status_code in (200, 201), answer.text
        await here.settled(60)
        await asyncio.sleep(0.05)
        moment = datetime.now(UTC)
        said.append((moment, await read(here, "profile", "/v1/customers/member_no:M3")))
        await asyncio.sleep(0.05)
    assert len({body["purchases"]["count"] for _, body in said}) == 12
    for moment, body in said:
        then = await read(
            here,
            "profile",
            "/v1/customers/member_no:M3",
            as_of=moment.isoformat(),
            basis="recorded",
        )
        assert timeless(then) == timeless(body)


async def test_membership(here):
    rule = {"field": "purchases.count", "op": ">=", "value": 2}
    made = await here.client("campaign").post("/v1/segments", json={"name": "Twice", "rule": rule})
    assert made.status_code == 201, made.text
    segment = made.json()["id"]
    await here.post_events([bought(300, NOW - timedelta(days=40), "M4")])
    await here.settled(60)
    before = datetime.now(UTC)
    await asyncio.sleep(0.05)
    await here.post_events([bought(301, NOW - timedelta(days=20), "M4")])
    await here.settled(60)
    path = f"/v1/segments/{segment}/members"
    customer = (await read(here, "profile", "/v1/customers/member_no:M4"))["id"]

    async def members(**params: object) -> list[str]:
        return [
            one["customer_id"]
            for one in (await read(here, "campaign", path, limit=500, **params))["items"]
        ]

    assert customer in await members()
    assert customer in await members(as_of=datetime.now(UTC).isoformat())
    assert customer not in await members(as_of=before.isoformat(), basis="recorded")
    why = f"{path}/member_no:M4"
    for days, count in ((50, None), (30, 1), (10, 2)):
        at = (NOW - timedelta(days=days)).isoformat()
        answer = await here.client("campaign").get(why, params={"as_of": at})
        if count is None:
            assert answer.status_code == 404
        else:
            assert answer.json()["member"] is (count == 2)
            assert answer.json()["conditions"][0]["found"] == count


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"as_of": "yesterday"}, 422, "validation_failed"),
        ({"as_of": "2026-01-01T00:00:00Z", "basis": "guessed"}, 422, "validation_failed"),
        ({"as_of": "1800-01-01T00:00:00Z"}, 404, "not_known_then"),
    ],
)
async def test_bad_questions(here, params, status, code):
    await here.post_events([bought(400, NOW - timedelta(days=3), "M5")])
    await here.settled(60)
    answer = await here.client("profile").get("/v1/customers/member_no:M5", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_nobody_knows_that_customer(here):
    answer = await here.client("profile").get(
        "/v1/customers/member_no:NOBODY", params={"as_of": NOW.isoformat()}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")


async def test_drift_is_found(here):
    """A row is the same as what its events add up to; one that somebody wrote past the fold is not."""
    await here.post_events(
        [bought(500 + n, NOW - timedelta(days=9 * n + 3), "M6") for n in range(4)]
    )
    await here.settled(60)
    customer = UUID((await read(here, "profile", "/v1/customers/member_no:M6"))["id"])
    for name in ("profile", "scoring", "campaign"):
        kernel = here.kernels[name]
        histories = Histories(kernel, here.client("interaction"))
        [projection] = kernel.service.projections
        assert await check(kernel, histories, projection, customer) == "same"
        async with kernel.database.transaction() as conn:
            other = await conn.fetchval(
                f"SELECT view FROM {projection.table.name} WHERE view <> '' AND customer_id <> $1"
                " AND head = customer_id AND view <> ("
                f"  SELECT view FROM {projection.table.name} WHERE customer_id = $1) LIMIT 1",
                customer,
            )
            if other is None:
                continue
            await conn.execute(
                f"UPDATE {projection.table.name} SET view = $2 WHERE customer_id = $1",
                customer,
                other,
            )
        assert await check(kernel, histories, projection, customer) == "differs"
        async with kernel.database.transaction() as conn:
            seen = "UPDATE checkpoint SET seen[1] = seen[1] + $1 WHERE topic = 'customers'"
            await conn.execute(seen, 1000)
        # interaction is behind
        assert await check(kernel, histories, projection, customer) == "skipped"
        async with kernel.database.transaction() as conn:
            await conn.execute(seen, -1000)
        await check_drift(kernel)  # it cannot ask anybody here, and says so
