"""GET /v1/scores, from outside."""

from collections import Counter

import asyncpg
import httpx
import pytest

from services.scoring.policies import BANDS, CELLS, CLASSES
from services.scoring.projector import State
from shared.database import Database
from shared.language import PolicyPublished
from shared.policies import store_policy
from shared.projection import Policy
from tests.scoring.people import CLOCK, customer, put, shopper
from tests.world import World

SCORES = ("churn", "rfm", "matrix", "value", "loyalty", "next_purchase", "satisfaction")
PEOPLE = 23
NEVER = 3
RFM = Policy(
    "rfm",
    1,
    {
        "customers": 100,
        "fitted_at": "2026-01-01T00:00:00Z",
        "recency": [1_768_000_000_000_000, 1_770_000_000_000_000, 1_775_000_000_000_000, None],
        "frequency": [2, 3, 5, 8],
        "monetary": {"CNY": [1010, 2020, 4000, 8000]},
    },
)


@pytest.fixture(scope="module")
async def scoring(here: World) -> httpx.AsyncClient:
    database = Database(here.urls["scoring"], name="test")
    async with database.transaction() as conn:
        states = [shopper(number) for number in range(1, PEOPLE + 1)] + [State()] * NEVER
        await put(conn, states, {"rfm": RFM})
        await store_policy(conn, 0, PolicyPublished("rfm", 1, dict(RFM.body)), CLOCK)
    await database.close()
    return here.client("scoring")


async def every(client: httpx.AsyncClient, **params) -> list[dict]:
    """The whole list, page by page."""
    items: list[dict] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get("/v1/scores", params={**params, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def test_one_customer(scoring):
    answer = await scoring.get(f"/v1/scores/{customer(7)}")
    assert answer.status_code == 200
    assert "Tenure-Freshness" in answer.headers
    body = answer.json()
    assert set(body) == {"customer_id", "erased", "at", *SCORES, "prospect"}
    assert body["erased"] is False
    assert all(body[name] for name in SCORES if name != "satisfaction")
    assert body["customer_id"] == str(customer(7))
    churn, rfm = body["churn"], body["rfm"]
    assert 0 <= churn["probability"] <= 1
    assert (churn["horizon_days"], churn["model"]) == (90, "churn@0")
    assert churn["band"] in BANDS
    assert {"feature", "value", "usual", "effect", "text"} <= set(churn["reasons"][0])
    assert churn["evidence"]
    assert {"text", "band_then"} <= set(churn["nearest_change"])
    assert rfm["monetary"] == {"amount": "80.56", "currency": "CNY"}
    assert rfm["frequency"] == 8
    assert {rfm["r"], rfm["f"], rfm["m"]} <= {1, 2, 3, 4, 5}
    assert rfm["class"] in CLASSES


async def test_words_follow_the_language(scoring):
    texts = {}
    for language in ("zh", "en"):
        answer = await scoring.get(
            f"/v1/scores/{customer(7)}", headers={"Accept-Language": language}
        )
        body = answer.json()
        texts[language] = [
            body["rfm"]["label"],
            body["churn"]["label"],
            body["churn"]["nearest_change"]["text"],
            *(reason["text"] for name in SCORES if body[name] for reason in body[name]["reasons"]),
            body["matrix"]["label"],
            body["matrix"]["nearest_change"]["text"],
            body["rfm"]["nearest_change"]["text"],
            body["loyalty"]["nearest_change"]["text"],
        ]
    for chinese, english in zip(texts["zh"], texts["en"], strict=True):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert english.isascii()
        assert "{" not in chinese + english


async def test_who_never_bought(scoring):
    answer = await scoring.get(f"/v1/scores/{customer(PEOPLE + 1)}")
    assert answer.json() == {
        "customer_id": str(customer(PEOPLE + 1)),
        "erased": False,
        "at": None,
        **dict.fromkeys((*SCORES, "prospect")),
    }


@pytest.mark.parametrize("reference", [str(customer(999)), "member_no:none", "nonsense", "C1"])
async def test_nobody(scoring, reference):
    answer = await scoring.get(f"/v1/scores/{reference}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "customer_not_found"


async def test_the_watch_list_begins_with_the_greatest_risk(scoring):
    items = await every(scoring, limit=500)
    risks = [item["churn"]["probability"] for item in items if item["churn"]]
    assert risks == sorted(risks, reverse=True)
    assert len(risks) == PEOPLE
    assert [item["churn"] for item in items[PEOPLE:]] == [None] * NEVER


@pytest.mark.parametrize(
    "sort",
    [
        "-churn.probability",
        "churn.probability",
        "-last_purchase_at",
        "last_purchase_at",
        "-rfm.frequency",
        "rfm.frequency",
        "-value.spend_year",
        "value.spend_year",
    ],
)
@pytest.mark.parametrize("limit", [7, PEOPLE])
async def test_pages_are_the_whole_list(scoring, sort, limit):
    whole = await every(scoring, sort=sort, limit=500)
    paged = await every(scoring, sort=sort, limit=limit)
    assert paged == whole
    assert len({item["customer_id"] for item in paged}) == PEOPLE + NEVER
    assert all(item["churn"] is None for item in paged[PEOPLE:])


@pytest.mark.parametrize("sort", ["rfm.frequency", "-rfm.frequency"])
async def test_sorted_by_frequency(scoring, sort):
    items = await every(scoring, sort=sort)
    orders = [item["rfm"]["frequency"] for item in items[:PEOPLE]]
    assert orders == sorted(orders, reverse=sort.startswith("-"))


async def test_sorted_by_value(scoring):
    items = (await every(scoring, sort="-value.spend_year"))[:PEOPLE]
    spent = [float(item["value"]["spend_year"]["amount"]) for item in items]
    assert spent == sorted(spent, reverse=True)
    assert len(set(spent)) > 1


async def test_a_cell_of_the_matrix(scoring):
    everybody = (await every(scoring))[:PEOPLE]
    cells = Counter(item["matrix"]["class"] for item in everybody)
    assert cells == {"watch": PEOPLE}
    assert len(await every(scoring, matrix="watch")) == PEOPLE
    assert await every(scoring, matrix="core") == []


async def test_filters_and_count(scoring):
    everybody = (await every(scoring))[:PEOPLE]
    bands = Counter(item["churn"]["band"] for item in everybody)
    classes = Counter(item["rfm"]["class"] for item in everybody)
    assert len(bands) > 1
    for band in BANDS:
        answer = await scoring.get(
            "/v1/scores", params={"churn_band": band, "count": True, "limit": 1}
        )
        assert answer.json()["total"] == bands[band]
        assert len(await every(scoring, churn_band=band, limit=2)) == bands[band]
    for name, customers in classes.items():
        found = await every(scoring, rfm_class=name, limit=3)
        assert {item["rfm"]["class"] for item in found} == {name}
        assert len(found) == customers


async def test_an_absorbed_customer_answers_with_the_survivor(scoring, here):
    conn = await asyncpg.connect(here.urls["scoring"])
    absorbed, survivor = customer(2), customer(1)
    try:
        await conn.execute("UPDATE score SET head = $1 WHERE customer_id = $2", survivor, absorbed)
        await conn.execute("UPDATE score SET parts = 2 WHERE customer_id = $1", survivor)
        answer = await scoring.get(f"/v1/scores/{absorbed}")
        assert answer.json()["customer_id"] == str(survivor)
        assert answer.json()["value"]["spend"]["amount"] == "50.08", "what both have spent"
        listed = {item["customer_id"] for item in await every(scoring)}
        assert str(absorbed) not in listed
        assert str(survivor) in listed
    finally:
        await conn.execute("UPDATE score SET head = customer_id, parts = 1")
        await conn.close()


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"cursor": "bogus"}, 400, "invalid_cursor"),
        ({"cursor": "W10"}, 400, "invalid_cursor"),
        ({"churn_band": "huge"}, 422, "validation_failed"),
        ({"rfm_class": "huge"}, 422, "validation_failed"),
        ({"matrix": "huge"}, 422, "validation_failed"),
        ({"sort": "name"}, 422, "validation_failed"),
        ({"limit": 0}, 422, "validation_failed"),
        ({"limit": 501}, 422, "validation_failed"),
    ],
)
async def test_bad_questions(scoring, params, status, code):
    answer = await scoring.get("/v1/scores", params=params)
    assert answer.status_code == status
    body = answer.json()
    assert body["code"] == code
    if status == 422:
        assert body["errors"][0]["pointer"] == f"?{next(iter(params))}"


async def test_a_cursor_of_another_order_is_bogus(scoring):
    page = (await scoring.get("/v1/scores", params={"limit": 1})).json()
    answer = await scoring.get(
        "/v1/scores", params={"cursor": page["next_cursor"], "sort": "churn.probability"}
    )
    assert answer.json()["code"] == "invalid_cursor"


async def test_summary_counts_everybody_once(scoring):
    body = (await scoring.get("/v1/scores/summary")).json()
    assert body["total"] == PEOPLE + NEVER
    assert body["never_bought"] == NEVER
    assert [group["band"] for group in body["by_band"]] == list(BANDS)
    assert [group["class"] for group in body["by_class"]] == list(CLASSES)
    assert sum(group["customers"] for group in body["by_band"]) == PEOPLE
    assert sum(group["customers"] for group in body["by_class"]) == PEOPLE
    assert [group["matrix"] for group in body["by_matrix"]] == list(CELLS)
    assert sum(group["customers"] for group in body["by_matrix"]) == PEOPLE
    assert body["unclassified"] == 0
    assert body["model"]["model"] == "churn@0"


@pytest.mark.parametrize("path", ["/v1/scores", "/v1/scores/summary", "/v1/models"])
async def test_a_key_with_the_right_scope_is_needed(scoring, here, path):
    assert (await scoring.get(path, headers={"Authorization": ""})).status_code == 401
    key = await here.new_key("publish")
    answer = await scoring.get(path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
