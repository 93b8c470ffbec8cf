"""/v1/matrix/reviews: who moved when a month was over, and what people say about it."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scoring import reviewing
from services.scoring.reviewing import Occasion, keep, month_before, occasion
from shared.language import PolicyPublished
from shared.policies import store_policy
from tests.scoring.people import purchase
from tests.world import World, world

PATH = "/v1/matrix/reviews"
END = datetime.now(UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
LATER = END + timedelta(days=70)
POLICY = {"matrix": {"by": "absolute", "value_from": "500", "active_from": 1}}


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        client = made.client("scoring")
        assert (await client.put("/v1/policies/scoring", json=POLICY)).is_success
        await made.settled(60)
        await made.post_events([purchase(f"M{n}", "100.00") for n in range(1, 6)])
        await made.settled()
        yield made


async def reviewed(town: World, clock: datetime) -> None:
    async with town.kernels["scoring"].database.transaction() as conn:
        await keep(conn, Occasion(month_before(clock), clock))


@pytest.mark.parametrize(
    ("clock", "month"),
    [
        (datetime(2026, 11, 1, 11, 59, tzinfo=UTC), "2026-09"),
        (datetime(2026, 11, 1, 12, 0, tzinfo=UTC), "2026-10"),
        (datetime(2026, 1, 31, 12, 0, tzinfo=UTC), "2025-12"),
    ],
)
def test_a_month_is_over_when_it_is_over_everywhere(clock, month):
    assert month_before(clock) == month


async def test_who_moved_and_what_people_say(town):
    """The first review only says where everybody is; the next one who is somewhere else."""
    client, key = town.client("scoring"), {"Idempotency-Key": "k-1"}
    await reviewed(town, END)
    month = month_before(LATER)
    first = (await client.get(f"{PATH}/{month_before(END)}")).json()
    assert (first["first"], first["moved"], first["items"]) == (True, 0, [])
    assert (await client.get(f"{PATH}/{month}")).json()["code"] == "review_not_found"

    more = [purchase(f"M{n}", "600.00", order="2") for n in (1, 2)]
    await town.post_events([*more, purchase("M9", "5.00")])
    await town.settled()
    running = (await client.get(f"{PATH}/current")).json()
    assert (running["at"], len(running["items"])) == (None, 3)
    await reviewed(town, LATER)
    await reviewed(town, LATER)  # once is enough

    page = (await client.get(f"{PATH}/{month}", params={"limit": 2})).json()
    assert (page["month"], page["moved"], page["customers"]) == (month, 3, 6)
    rest = await client.get(f"{PATH}/{month}", params={"limit": 2, "cursor": page["next_cursor"]})
    items = page["items"] + rest.json()["items"]
    assert sorted((item["from"] or "", item["to"]) for item in items) == [
        ("", "basic"),
        ("basic", "core"),
        ("basic", "core"),
    ]
    moved = next(item for item in items if item["from"] == "basic")
    assert moved["before"]["spend_year"]["amount"] == "100.00"
    assert moved["now"]["spend_year"]["amount"] == "700.00"
    assert moved["needed"] == {
        "spend_year": {"amount": "500.01", "currency": "CNY"},
        "active_months": 1,
    }
    assert "700.00" in moved["text"]
    assert moved["verdict"] is None

    place = f"{PATH}/{month}/{moved['customer_id']}"
    tag = (await client.get(place)).headers["ETag"]
    word = {"matrix": "watch", "reason": "One large order, no more to come"}
    said = await client.post(f"{place}/override", json=word, headers={**key, "If-Match": tag})
    assert said.status_code == 200, said.text
    assert said.json()["matrix"]["class"] == "watch"
    assert said.json()["matrix"]["found"] == "core"
    override = said.json()["matrix"]["override"]
    assert (override["reason"], override["month"]) == (word["reason"], month)
    repeated = await client.post(f"{place}/override", json=word, headers=key)
    assert repeated.headers["Idempotent-Replay"] == "true"
    stale = await client.post(f"{place}/confirm", json={}, headers={"If-Match": tag})
    assert stale.status_code == 412

    await town.settled()
    listed = (await client.get("/v1/scores", params={"matrix": "watch"})).json()["items"]
    assert [item["customer_id"] for item in listed] == [moved["customer_id"]]
    shown = (await client.get(f"{PATH}/{month}")).json()["items"]
    [verdict] = [item["verdict"] for item in shown if item["verdict"]]
    assert (verdict["verdict"], verdict["class"]) == ("overridden", "watch")

    confirmed = (await client.post(f"{place}/confirm", json={"reason": "Checked"})).json()["matrix"]
    assert (confirmed["class"], confirmed["override"]) == ("core", None)
    assert confirmed["confirmed"]["reason"] == "Checked"
    months = (await client.get(PATH, params={"limit": 1, "count": True})).json()
    assert (months["items"][0]["month"], months["total"]) == (month, 2)
    older = await client.get(PATH, params={"cursor": months["next_cursor"]})
    assert [item["month"] for item in older.json()["items"]] == [month_before(END)]


async def test_the_task_finds_its_occasion(town):
    """Not again in the same month; nothing while somebody's row is due."""
    kernel = town.kernels["scoring"]
    async with kernel.database.read() as conn:
        assert await occasion(conn, kernel.service.version) is None
    async with kernel.database.transaction() as conn:
        await conn.execute("DELETE FROM matrix_review")
    async with kernel.database.read() as conn:
        found = await occasion(conn, kernel.service.version)
    assert found is None or found.month == month_before(datetime.now(UTC))


async def test_the_first_review_waits_for_the_first_quantiles(town, monkeypatch):
    """Else everybody would be where the absolute thresholds have them, and move a moment later."""
    monkeypatch.setattr(reviewing, "ENOUGH", 3)
    kernel = town.kernels["scoring"]
    partitions = range(town.settings.partitions)
    async with kernel.database.transaction() as conn:
        await conn.execute("DELETE FROM matrix_review")
    for known in (0, 1, len(partitions)):
        async with kernel.database.transaction() as conn:
            for partition in partitions[:known]:
                told = PolicyPublished("population", 1, {})
                await store_policy(conn, partition, told, LATER)
            found = await occasion(conn, kernel.service.version)
            reviews = await conn.fetchval("SELECT count(*) FROM matrix_review")
            await conn.execute("DELETE FROM policy WHERE name = 'population'")
        assert (found is not None or reviews > 0) == (known == len(partitions)), known


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("2026-13/member_no:M1/confirm", {}, 404, "not_found"),
        ("1999-01/member_no:M1/confirm", {}, 404, "review_not_found"),
        ("current/member_no:nobody/confirm", {}, 404, "customer_not_found"),
        (
            "current/member_no:M1/override",
            {"matrix": "best", "reason": "x"},
            422,
            "validation_failed",
        ),
        ("current/member_no:M1/override", {"matrix": "core"}, 422, "validation_failed"),
    ],
)
async def test_bad_words(town, path, body, status, code):
    answer = await town.client("scoring").post(f"{PATH}/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
