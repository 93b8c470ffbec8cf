"""GET /v1/models and /v1/policies/scoring, from outside; the periodic fit behind them."""

from datetime import timedelta

import asyncpg
import httpx
import pytest

from services.scoring import policies as rules
from services.scoring.task import fit
from shared.database import Database
from shared.language import PolicyPublished
from shared.policies import store_policy
from tests.scoring.people import CLOCK, put, shopper
from tests.world import World


@pytest.fixture
async def database(here: World):
    made = Database(here.urls["scoring"], name="test")
    yield made
    await made.close()


@pytest.fixture
def client(here: World) -> httpx.AsyncClient:
    return here.client("scoring")


@pytest.fixture(autouse=True)
async def emptied(here: World):
    conn = await asyncpg.connect(here.urls["scoring"])
    await conn.execute("TRUNCATE score, score_item, policy")
    await conn.close()


async def publish(database: Database, policies: list[PolicyPublished]) -> None:
    """What every partition does with a published policy; one of them is ahead."""
    async with database.transaction() as conn:
        for policy in policies:
            await store_policy(conn, 0, policy, CLOCK)
            await store_policy(conn, 1, policy, CLOCK + timedelta(seconds=1))


async def fitted(database: Database, clock=CLOCK) -> list[PolicyPublished]:
    async with database.read() as conn:
        return await fit(conn, clock)


async def populate(database: Database, people: int) -> None:
    async with database.transaction() as conn:
        await put(conn, [shopper(number) for number in range(1, people + 1)])


async def test_too_few_customers_are_not_fitted(database):
    await populate(database, 99)
    assert await fitted(database) == []


async def test_nobody_at_all_is_not_fitted(database):
    assert await fitted(database) == []


async def test_a_hundred_customers_are_enough(database):
    await populate(database, 100)
    churn, cuts, usual = await fitted(database)
    assert (churn.name, churn.version) == ("churn", 1)
    assert (cuts.name, cuts.version) == ("rfm", 1)
    assert (usual.name, usual.version) == ("population", 1)
    assert churn.body["customers"] == cuts.body["customers"] == usual.body["customers"] == 100


async def test_an_unchanged_policy_is_not_published_again(database):
    await populate(database, 120)
    await publish(database, await fitted(database))
    assert await fitted(database) == []
    later = await fitted(database, CLOCK + timedelta(days=30))
    assert [(policy.name, policy.version) for policy in later] == [("churn", 2)]


async def test_the_default_model_is_named_for_what_it_is(client):
    model, *_ = (await client.get("/v1/models")).json()["items"]
    assert (model["model"], model["published_at"]) == ("churn@0", None)
    assert "CDNOW" in model["source"]
    assert "100" in model["notes"][0]


async def test_published_models_are_shown_with_how_sure_they_are(client, database):
    await populate(database, 120)
    policies = await fitted(database)
    await publish(database, policies)
    model, *_ = (await client.get("/v1/models")).json()["items"]
    assert model["model"] == "churn@1"
    assert [parameter["name"] for parameter in model["parameters"]] == ["r", "alpha", "a", "b"]
    published = policies[0].body["parameters"]
    assert {p["name"]: p["value"] for p in model["parameters"]} == published
    assert model["customers"] == 120
    assert model["log_likelihood"] < 0
    one = (await client.get("/v1/models/churn/1")).json()
    assert one == model
    assert (await client.get("/v1/scores/summary")).json()["model"] == model


async def test_versions_newest_first_in_pages(client, database):
    await populate(database, 120)
    await publish(database, await fitted(database))
    await publish(database, await fitted(database, CLOCK + timedelta(days=30)))
    body = (await client.get("/v1/models/churn")).json()
    assert [item["version"] for item in body["items"]] == [2, 1, 0]
    paged, cursor = [], None
    for _ in range(3):
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/models/churn", params=params)).json()
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == body["items"]
    assert cursor is None


@pytest.mark.parametrize("path", ["/v1/models/value", "/v1/models/churn/9", "/v1/models/value/0"])
async def test_no_such_model(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "model_not_found"
    assert answer.json()["message"] != "model_not_found"


async def test_bands_and_classes_in_force(client, database):
    body = (await client.get("/v1/policies/scoring")).json()
    assert body["version"] == 0
    assert [band["band"] for band in body["bands"]] == list(rules.BANDS)
    edges = [(band["from"], band["to"]) for band in body["bands"]]
    assert edges == [(0, 0.3), (0.3, 0.6), (0.6, 1)]
    cells = [(c["r"], c["fm"]) for named in body["classes"] for c in named["cells"]]
    assert len(cells) == len(set(cells)) == 25
    assert body["rfm"] is None
    await populate(database, 120)
    await publish(database, await fitted(database))
    cuts = (await client.get("/v1/policies/scoring")).json()["rfm"]
    assert cuts["policy"] == "rfm@1"
    assert len(cuts["recency"]) == len(cuts["frequency"]) == len(cuts["monetary"]["CNY"]) == 4


async def test_the_documentation_shows_every_path_with_an_example(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in (
        "/v1/scores",
        "/v1/scores/{customer}",
        "/v1/scores/summary",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/models/{name}/{version}",
        "/v1/policies/scoring",
    ):
        content = paths[path]["get"]["responses"]["200"]["content"]["application/json"]
        assert content["example"], path
