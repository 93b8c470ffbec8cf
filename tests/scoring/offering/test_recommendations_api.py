"""/v1/recommendations over a small shop that runs."""

import pytest

from tests.scoring.offering.shops import about, learnt, order, publish
from tests.world import World, world

PATH = "/v1/recommendations"
MILK, BREAD, TEA, JAM = (
    ("milk", "Dairy"),
    ("bread", "Bakery"),
    ("tea", "Drinks"),
    ("jam", "Spreads"),
)


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        events = [
            order(f"M{n}", days, MILK, BREAD, *([TEA] if n % 2 else []))
            for n in range(1, 9)
            for days in (70 - n, 42 - n, 14)
        ]
        await publish(made, [*events, about("customer.described", "N1", "n1", traits={})])
        yield made


async def test_again_and_new_with_reasons_and_evidence(town: World):
    found = (await learnt(town, f"{PATH}/member_no:M2", level="product")).json()
    again = {item["item"]: item for item in found["again"]}
    assert set(again) == {"milk", "bread"}
    milk = again["milk"]
    assert (milk["name"], milk["category"], milk["kind"]) == ("The milk", "Dairy", "again")
    assert milk["reason"]["params"]["times"] == 3
    assert len(milk["evidence"]) == 3
    timeline = await town.client("interaction").get("/v1/timelines/member_no:M2")
    assert set(milk["evidence"]) <= {entry["id"] for entry in timeline.json()["items"]}
    assert [item["item"] for item in found["new"]] == ["tea"]
    assert found["basis"] == "own"
    assert found["model"]["customers"] == 8
    assert "100" in found["note"]


async def test_one_list_one_level_and_both_languages(town: World):
    path = f"{PATH}/member_no:M1"
    only = (await learnt(town, path, list="new", level="category", limit=2)).json()
    assert "again" not in only
    assert only["level"] == "category"
    chinese = await town.client("scoring").get(path, headers={"Accept-Language": "zh"})
    assert "天" in chinese.json()["again"][0]["reason"]["text"]
    wrong = await town.client("scoring").get(path, params={"level": "colour"})
    assert wrong.status_code == 422


async def test_what_was_just_bought_or_complained_about_is_on_no_list(town: World):
    """It holds with the next read: nothing has to be learnt again."""
    await publish(town, [order("M3", 0, JAM, MILK, name="fresh")])
    found = (await learnt(town, f"{PATH}/member_no:M3")).json()
    named = {item["item"] for item in found["again"] + found["new"]}
    assert named.isdisjoint({"milk", "jam"})
    why = {one["item"]: one["reason"]["code"] for one in found["left_out"]}
    assert why["milk"] == "just_bought"
    complaint = about(
        "complaint.opened", "M3", "k1", complaint_id="K1", category="taste", product_ids=["bread"]
    )
    await publish(town, [complaint])
    found = (await town.client("scoring").get(f"{PATH}/member_no:M3")).json()
    assert "bread" not in {item["item"] for item in found["again"] + found["new"]}
    [sore] = [one for one in found["left_out"] if one["reason"]["code"] == "complaint"]
    assert (sore["item"], len(sore["evidence"])) == ("bread", 1)
    by_category = (
        await town.client("scoring").get(f"{PATH}/member_no:M3", params={"level": "category"})
    ).json()
    assert "Bakery" not in {item["item"] for item in by_category["again"] + by_category["new"]}


async def test_a_cancelled_order_was_never_bought_and_a_corrected_one_is_what_it_says_now(
    town: World,
):
    await publish(
        town,
        [
            order("M9", 40, TEA, name="c1"),
            order("M9", 40, MILK, name="c2"),
            about("purchase.cancelled", "M9", "c1-x", 39, order_id="c1"),
            order("M9", 39.9, BREAD, name="c2", event="corrected"),
            about(
                "purchase.refunded",
                "M9",
                "c2-r",
                38,
                order_id="c2",
                amount={"amount": "1.00", "currency": "CNY"},
            ),
        ],
    )
    found = (await learnt(town, f"{PATH}/member_no:M9")).json()
    assert [item["item"] for item in found["again"]] == ["bread"]
    assert {item["item"] for item in found["new"]} >= {"milk", "tea"}


async def test_who_never_bought_is_offered_what_is_popular(town: World):
    found = (await learnt(town, f"{PATH}/member_no:N1")).json()
    assert (found["basis"], found["again"]) == ("popular", [])
    assert {found["new"][0]["item"], found["new"][1]["item"]} == {"milk", "bread"}
    assert found["new"][0]["reason"]["code"] == "popular"
    assert "never bought" in found["note"]


async def test_customers_that_are_one_have_one_history(town: World):
    await publish(town, [order("A1", 30, TEA), order("A2", 20, BREAD)])
    await publish(
        town,
        [about("customer.identified", "A1", "link", identifiers={"phone": "+8613800138111"})],
    )
    database = town.kernels["scoring"].database
    one, two = [
        (await town.client("scoring").get(f"/v1/scores/member_no:{member}")).json()["customer_id"]
        for member in ("A1", "A2")
    ]
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO grouping VALUES ($1, $2, 1)", two, one)
    found = (await learnt(town, f"{PATH}/member_no:A2")).json()
    assert found["customer_id"] == one
    assert {item["item"] for item in found["again"]} == {"tea", "bread"}


async def test_together_and_audience(town: World):
    client = town.client("scoring")
    beside = (await learnt(town, f"{PATH}/together/milk")).json()
    assert [item["item"] for item in beside["items"]] in ([], ["tea"], ["tea", "bread"], ["bread"])
    page = (await client.get(f"{PATH}/audience/tea", params={"limit": 2, "count": True})).json()
    rest = (
        await client.get(
            f"{PATH}/audience/tea", params={"limit": 500, "cursor": page["next_cursor"]}
        )
    ).json()
    everybody = page["items"] + rest["items"]
    ids = [item["customer_id"] for item in everybody]
    assert len(set(ids)) == len(ids)
    assert {item["list"] for item in everybody} == {"again", "new"}
    new = (await client.get(f"{PATH}/audience/tea", params={"list": "new"})).json()["items"]
    assert {item["list"] for item in new} == {"new"}
    # Who buys it now is asked no more, although nothing was learnt since.
    await publish(town, [order("M4", 0, TEA, name="just")])
    four = (await client.get("/v1/scores/member_no:M4")).json()["customer_id"]
    assert four in ids
    after = (await client.get(f"{PATH}/audience/tea", params={"limit": 500})).json()["items"]
    assert four not in {item["customer_id"] for item in after}


async def test_nobody_and_nothing_is_known(town: World):
    client = town.client("scoring")
    for path in (f"{PATH}/member_no:nobody", f"{PATH}/01934b5c-7a00-7000-8000-0000000000ff"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")
    for path in (f"{PATH}/together/gold", f"{PATH}/audience/a%2Fb"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "item_not_found")


async def test_before_anybody_bought_the_lists_are_empty_and_say_why(postgres):
    async with world(postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2) as made:
        await publish(made, [about("customer.described", "N1", "n1", traits={})])
        found = (await made.client("scoring").get(f"{PATH}/member_no:N1")).json()
        assert (found["again"], found["new"], found["basis"]) == ([], [], "nothing")
        assert "Nobody has bought" in found["note"]
