"""/v1/forecasts and /v1/series over a small shop that runs."""

from datetime import date, timedelta

import pytest

from tests.scoring.offering.shops import NOW, about, learnt, order, publish
from tests.world import World, world

PATH, SERIES = "/v1/forecasts", "/v1/series"
MILK, BREAD, TEA = ("milk", "Dairy"), ("bread", "Bakery/Cakes"), ("tea", "Drinks")
WEEKS = 10
"""Of which the first is cut short: the first order came on its Thursday."""
MONDAY = date.fromordinal((NOW.toordinal() - 1) // 7 * 7 + 1)


def days_before_monday(days: float) -> float:
    """Days ago of noon, so many days before this week's Monday (UTC)."""
    return (NOW.toordinal() - MONDAY.toordinal()) + days + (NOW.hour - 12) / 24


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(
        postgres,
        services=["interaction", "scoring"],
        clock_tick_seconds=0.2,
        timezone="UTC",
    ) as made:
        events = [
            order(f"M{n}", days_before_monday(7 * week + 3), MILK, BREAD, quantity=n)
            for n in (1, 2, 3)
            for week in range(WEEKS)
        ]
        events += [
            order("M1", days_before_monday(17), TEA, name="once", quantity=4),
            order("M2", 0, ("new", "Novelties"), name="now"),
            order("M2", 0, name="bare"),
        ]
        await publish(made, events)
        yield made


async def test_totals_are_the_exact_sums_of_their_categories(town: World):
    found = (await learnt(town, PATH, count=True)).json()
    assert found["total"] == len(found["items"]) == 3
    assert [one["key"] for one in found["items"]] == ["Bakery/Cakes", "Dairy", "Drinks"]
    assert found["first_week"] == MONDAY.isoformat()
    assert (found["measure"], found["timezone"]) == ("units", "UTC")
    for place, week in enumerate(found["total_demand"]["weeks"]):
        parts = [one["weeks"][place]["expected"] for one in found["items"]]
        assert round(sum(parts), 3) == week["expected"]
        for one in (*found["items"], found["total_demand"]):
            ahead = one["weeks"][place]
            bounds = [
                ahead[name] for name in ("low_95", "low_80", "expected", "high_80", "high_95")
            ]
            assert bounds == sorted(bounds)
    assert len(found["total_demand"]["weeks"]) == 8
    assert {note["code"] for note in found["notes"]} >= {"history_too_short"}
    departments = (await learnt(town, PATH, level="department")).json()
    assert [one["key"] for one in departments["items"]] == ["Food"]
    assert departments["items"][0]["weeks"] == [
        week | {"expected": total["expected"]}
        for week, total in zip(
            departments["items"][0]["weeks"], departments["total_demand"]["weeks"], strict=True
        )
    ]


async def test_the_list_is_paged(town: World):
    first = (await learnt(town, PATH, limit=2, weeks=1)).json()
    assert len(first["items"]) == 2
    rest = (await learnt(town, PATH, limit=2, weeks=1, cursor=first["next_cursor"])).json()
    assert ([one["key"] for one in rest["items"]], rest["next_cursor"]) == (["Drinks"], None)
    assert rest["total_demand"] == first["total_demand"]
    assert len(rest["items"][0]["weeks"]) == 1


async def test_one_category_with_its_history(town: World):
    found = (await learnt(town, f"{PATH}/Dairy")).json()
    assert [week["value"] for week in found["history"]] == [6.0] * (WEEKS - 1)
    assert found["history"][-1]["week"] == (MONDAY - timedelta(days=7)).isoformat()
    assert [week["expected"] for week in found["weeks"]] == [6.0] * 8
    assert (found["usual"], found["department"], found["running_week"]) == (6.0, "Food", None)
    lines = (await learnt(town, f"{PATH}/Dairy", measure="lines", history=2)).json()
    assert [week["value"] for week in lines["history"]] == [3.0, 3.0]
    money = (await learnt(town, f"{PATH}/Dairy", measure="money", history=1)).json()
    assert (money["history"][0]["value"], money["currency"]) == (7.5, "CNY")


async def test_strange_categories_are_answered_clearly(town: World):
    client = town.client("scoring")
    slash = await client.get(f"{PATH}/Bakery%2FCakes")
    assert slash.json()["key"] == "Bakery/Cakes"
    once = (await client.get(f"{PATH}/Drinks")).json()
    assert [week["value"] for week in once["history"]] == [0.0] * 6 + [4.0, 0.0, 0.0]
    assert once["weeks"][0]["expected"] >= 0
    young = (await client.get(f"{PATH}/Novelties")).json()
    assert (young["weeks"], young["method"], young["running_week"]) == ([], "none", 1.0)
    bare = (await client.get(f"{PATH}/uncategorised", headers={"Accept-Language": "zh"})).json()
    assert (bare["label"], bare["running_week"]) == ("未分类", 1.0)
    for path in (f"{PATH}/Gold", f"{PATH}/Dairy?level=department"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "category_not_found")
    assert (await client.get(PATH, params={"measure": "weight"})).status_code == 422
    assert (await client.get(PATH, params={"weeks": 9})).status_code == 422


async def test_what_came_back_is_taken_off_in_its_week(town: World):
    returned = about(
        "purchase.refunded",
        "M1",
        "tea-back",
        days_before_monday(3),
        order_id="once",
        refund_id="r1",
        amount={"amount": "2.50", "currency": "CNY"},
        items=[{"product_id": "tea", "category": "Drinks", "quantity": 1, "amount": "2.50"}],
    )
    more = [order("M1", days_before_monday(3), TEA, name=f"t{n}") for n in range(9)]
    await publish(town, [returned, *more])
    found = (await learnt(town, f"{PATH}/Drinks", history=3)).json()
    assert [week["value"] for week in found["history"]] == [4.0, 0.0, 8.0]


async def test_a_series_is_uploaded_read_changed_and_deleted(town: World):
    client = town.client("scoring")
    before = (await learnt(town, PATH)).json()["model"]
    points = [
        {"date": (MONDAY + timedelta(days=7 * n)).isoformat(), "value": n % 2}
        for n in range(-10, 3)
    ]
    body = {"points": points, "unit": "campaign"}
    key = {"Idempotency-Key": "k-1"}
    made = await client.put(f"{SERIES}/promotions", json=body, headers=key)
    assert (made.status_code, made.json()["points"], made.json()["scope"]) == (201, 13, "all")
    again = await client.put(f"{SERIES}/promotions", json=body, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replay"]) == (201, "true")
    tag = made.headers["ETag"]
    page = await client.get(f"{SERIES}/promotions", params={"limit": 10, "count": True})
    assert (page.headers["ETag"], page.json()["total"]) == (tag, 13)
    rest = await client.get(f"{SERIES}/promotions", params={"cursor": page.json()["next_cursor"]})
    sent = sorted((one["date"], float(one["value"])) for one in points)
    come = [(one["date"], one["value"]) for one in page.json()["items"] + rest.json()["items"]]
    assert come == sent
    listed = (await client.get(SERIES)).json()["items"]
    assert [one["name"] for one in listed] == ["promotions"]

    database = town.kernels["scoring"].database
    while True:  # made again with it, at once
        now = (await client.get(PATH)).json()["model"]
        if now["version"] > before["version"]:
            break
    assert now["series"] == ["promotions"]
    notes = {note["code"]: note for note in (await client.get(PATH)).json()["notes"]}
    assert notes["signal_ends_early"]["params"]["weeks"] == 3

    stale = await client.put(f"{SERIES}/promotions", json=body, headers={"If-Match": '"x"'})
    assert stale.status_code == 412
    changed = await client.put(f"{SERIES}/promotions", json=body, headers={"If-Match": tag})
    assert (changed.status_code, changed.headers["ETag"] != tag) == (200, True)
    gone = await client.delete(f"{SERIES}/promotions")
    assert gone.status_code == 204
    assert (await client.get(f"{SERIES}/promotions")).json()["code"] == "series_not_found"
    assert (await client.delete(f"{SERIES}/promotions")).json()["code"] == "series_not_found"
    async with database.read() as conn:
        trail = await conn.fetch("SELECT method, subject FROM audit ORDER BY at")
    assert [tuple(row) for row in trail] == [
        ("PUT", "promotions"),
        ("PUT", "promotions"),
        ("DELETE", "promotions"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/points", "missing"),
        ({"points": []}, "/points", "too_short"),
        ({"points": [{"date": "yesterday", "value": 1}]}, "/points/0/date", "not_a_date"),
        ({"points": [{"date": 20261120, "value": 1}]}, "/points/0/date", "not_a_date"),
        ({"points": [{"date": "1066-10-14", "value": 1}]}, "/points/0/date", "too_small"),
        ({"points": [{"date": "2026-11-20", "value": "1"}]}, "/points/0/value", "not_a_number"),
        ({"points": [{"date": "2026-11-20", "value": True}]}, "/points/0/value", "not_a_number"),
        ({"points": [{"date": "2026-11-20", "value": 1e13}]}, "/points/0/value", "too_big"),
        (
            {"points": [{"date": "2026-11-20", "value": 1, "key": "x"}]},
            "/points/0/key",
            "unknown_field",
        ),
        (
            {"scope": "category", "points": [{"date": "2026-11-20", "value": 1}]},
            "/points/0/key",
            "missing",
        ),
        ({"points": [{"date": "2026-11-20", "value": 1}] * 2}, "/points/1", "repeated_point"),
        ({"points": [{"date": "2026-11-20", "value": 1}], "x": 1}, "/x", "unknown_field"),
        ({"scope": "shop", "points": [{"date": "2026-11-20", "value": 1}]}, "/scope", "not_allowed"),
    ],
)  # fmt: skip
async def test_a_bad_series_is_refused(town: World, body, pointer, code):
    answer = await town.client("scoring").put(f"{SERIES}/bad", json=body)
    assert answer.status_code == 422
    assert (pointer, code) in {(one["pointer"], one["code"]) for one in answer.json()["errors"]}
    assert all(one["message"] != one["code"] for one in answer.json()["errors"])


async def test_no_more_series_than_a_forecast_can_use(town: World):
    client = town.client("scoring")
    body = {"points": [{"date": "2026-11-20", "value": 1}]}
    for number in range(20):
        assert (await client.put(f"{SERIES}/s{number:02}", json=body)).status_code == 201
    full = await client.put(f"{SERIES}/s20", json=body)
    assert (full.status_code, full.json()["code"]) == (409, "too_many_series")
    assert (await client.put(f"{SERIES}/s19", json=body)).status_code == 200
    page = (await client.get(SERIES, params={"limit": 15, "count": True})).json()
    rest = (await client.get(SERIES, params={"cursor": page["next_cursor"]})).json()["items"]
    assert (page["total"], len(page["items"]), len(rest)) == (20, 15, 5)
    assert (await client.put(f"{SERIES}/A b", json=body)).status_code == 404


async def test_without_orders_the_list_is_empty_and_says_why(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        found = (await made.client("scoring").get(PATH)).json()
        assert (found["items"], found["total_demand"], found["model"]) == ([], None, None)
        assert found["notes"][0]["code"] == "no_orders"
        answer = await made.client("scoring").get(f"{PATH}/Dairy")
        assert answer.status_code == 404
