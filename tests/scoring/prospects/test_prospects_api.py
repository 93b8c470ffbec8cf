"""/v1/prospects and /v1/sources, from outside."""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

import httpx
import msgspec
import pytest

from services.scoring import prospect_queries
from services.scoring.projector import State, derive
from services.scoring.screening.fitting import fit
from services.scoring.screening.policy import CLASSES
from shared.codec import Event
from shared.database import Database
from shared.language import PolicyPublished
from shared.policies import store_policy
from shared.projection import Policy
from tests.scoring.people import CLOCK, customer, put
from tests.scoring.projector.folding import folded
from tests.scoring.prospects.crowd import LAST, crowd
from tests.scoring.prospects.test_coming import met, purchase, said
from tests.strategies import START
from tests.world import World, world

PATH = "/v1/prospects"
SOURCES = ("expo", "advert", None)
PEOPLE = 24
BUYERS = 6
YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


@lru_cache
def policy() -> Policy:
    made = fit(crowd(3000), LAST, CLOCK)
    assert made is not None
    return Policy("prospects", 3, msgspec.to_builtins(made))


def prospect(number: int) -> State:
    """First seen 10 to 194 days after the start, of one of three sources; up to seven contacts."""
    day = 10 + 8 * number
    events: list[Event] = [
        said(SOURCES[number % 3], day=day),
        *(met(day=day + at, number=4 + at, channel="store") for at in range(number % 8)),
    ]
    return folded(events)


def buyer(number: int) -> State:
    """Half of them were seen ten days before they bought."""
    day = 30 * number
    before = [said("expo", day=day - 10)] if number % 2 else [said("expo", day=day)]
    return folded([*before, purchase(day, 10_000 * (number + 1))])


@pytest.fixture(scope="module")
async def town(postgres):
    async with world(postgres, services=["scoring"], workers=False, timezone="UTC") as made:
        states = [prospect(n) for n in range(1, PEOPLE + 1)]
        states += [buyer(n) for n in range(BUYERS)] + [State()]
        known = policy()
        database = Database(made.urls["scoring"], name="test")
        async with database.transaction() as conn:
            await put(conn, states, {"prospects": known})
            published = PolicyPublished(known.name, known.version, dict(known.body))
            await store_policy(conn, 0, published, CLOCK)
        await database.close()
        yield made


@pytest.fixture
def scoring(town: World) -> httpx.AsyncClient:
    return town.client("scoring")


async def every(client: httpx.AsyncClient, path: str = PATH, **params) -> list[dict]:
    """The whole list, page by page."""
    items: list[dict] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**params, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def test_who_never_bought_is_listed_the_likeliest_first(scoring):
    found = await scoring.get(PATH, params={"limit": 500, "count": True})
    assert found.json()["total"] == PEOPLE
    items = found.json()["items"]
    assert len(items) == PEOPLE
    probabilities = [one["probability"] for one in items]
    assert probabilities == sorted(probabilities, reverse=True)
    assert items[0]["source"] == "expo"
    assert {one["class"] for one in items} <= set(CLASSES)
    assert "Tenure-Freshness" in found.headers
    assert await every(scoring, limit=5) == items


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("probability", lambda one: one["probability"]),
        ("-probability_28", lambda one: -one["horizons"][0]["probability"]),
        ("-expected_spend", lambda one: -float(one["expected_spend"]["amount"])),
        ("first_seen_on", lambda one: one["first_seen_on"]),
    ],
)
async def test_other_orders(scoring, sort, key):
    items = await every(scoring, sort=sort, limit=7)
    assert len(items) == PEOPLE
    keys = [key(one) for one in items]
    assert keys == sorted(keys)
    cursor = (await scoring.get(PATH, params={"limit": 1})).json()["next_cursor"]
    other = await scoring.get(PATH, params={"sort": sort, "cursor": cursor})
    assert other.json()["code"] == "invalid_cursor"


async def test_filters(scoring):
    expo = await every(scoring, source="expo")
    assert {one["source"] for one in expo} == {"expo"}
    assert len(expo) == PEOPLE // 3
    assert {one["source"] for one in await every(scoring, source="")} == {None}
    assert await every(scoring, source="nowhere") == []
    likely = await every(scoring, min_probability=0.3)
    assert likely
    assert all(one["probability"] >= 0.3 for one in likely)
    hot = await every(scoring, **{"class": "hot"})
    assert {one["class"] for one in hot} == {"hot"}
    since = START + timedelta(days=100)
    late = await every(scoring, **{"from": since.isoformat()})
    early = await every(scoring, to=since.isoformat())
    assert len(late) + len(early) == PEOPLE
    assert min(one["first_seen_on"] for one in late) >= since.date().isoformat()


@pytest.mark.parametrize(
    "params",
    [
        {"min_probability": 2},
        {"min_probability": "nan"},
        {"class": "boiling"},
        {"source": "x" * 121},
        {"source": "\0"},
        {"sort": "name"},
        {"from": "yesterday"},
        {"cursor": "bogus"},
    ],
)
async def test_nonsense_is_refused(scoring, params):
    answer = await scoring.get(PATH, params=params)
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {"validation_failed", "invalid_cursor", "invalid_text"}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_one_prospect_with_reasons_evidence_and_the_nearest_change(scoring, language):
    words = {"Accept-Language": language}
    found = (await scoring.get(f"/v1/scores/{customer(6)}", headers=words)).json()
    one = found["prospect"]
    assert found["churn"] is None
    assert one["model"] == "prospects@3"
    assert (one["method"], one["source"]) == ("rates", "expo")
    assert one["first_contact"]["kind"] == "visit"
    assert {reason["feature"] for reason in one["reasons"]} == {
        *("source", "kind", "channel", "contacts", "days_since_seen")
    }
    effects = [abs(reason["effect"]) for reason in one["reasons"]]
    assert effects == sorted(effects, reverse=True)
    assert len(one["evidence"]) == 5
    for horizon in one["horizons"]:
        bounds = horizon["interval"]
        assert bounds["low"] < horizon["probability"] < bounds["high"]
    change = one["nearest_change"]
    assert change["class_then"] in CLASSES
    texts = [one["note"], change["text"], *(reason["text"] for reason in one["reasons"])]
    for text in texts:
        assert "{" not in text
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")
    listed = (await scoring.get(PATH, params={"limit": 500}, headers=words)).json()["items"]
    [item] = [item for item in listed if item["customer_id"] == found["customer_id"]]
    assert {name: item[name] for name in one} == one


async def test_who_bought_or_was_never_seen_is_no_prospect(scoring):
    for number in (PEOPLE + 1, PEOPLE + BUYERS + 1):
        found = (await scoring.get(f"/v1/scores/{customer(number)}")).json()
        assert found["prospect"] is None


async def test_the_nearest_change_comes_true(scoring):
    """What silence is said to bring is what is derived on that day."""
    seen = 0
    for number in range(1, PEOPLE + 1):
        found = (await scoring.get(f"/v1/scores/{customer(number)}")).json()["prospect"]
        change = found["nearest_change"]
        if change["change"] == "silence":
            seen += 1
            then = START.fromisoformat(f"{change['until']}T12:00:00+00:00")
            later = derive(prospect(number), then, {"prospects": policy()}).prospect
            assert later is not None
            assert later.prospect_class == change["class_then"] != found["class"]
            assert later.probabilities[-1] == pytest.approx(change["probability_then"], abs=1e-6)
    assert seen


async def test_summary(scoring):
    found = (await scoring.get(f"{PATH}/summary")).json()
    assert found["total"] == PEOPLE
    assert sum(one["prospects"] for one in found["by_class"]) == PEOPLE
    assert [one["horizon_days"] for one in found["quality"]] == [28, 90]
    assert all(one["better"] for one in found["quality"])
    held = found["gate"]
    assert (held["periods"], len(held["begins"])) == (3, 3)
    assert held["begins"] == sorted(held["begins"], reverse=True)
    assert held["gain"]["low"] < held["gain"]["value"] < held["gain"]["high"]
    assert held["passes"]
    assert held["sure"] > 0.9


async def test_very_many_are_counted_from_a_later_day_on_and_it_says_so(scoring, monkeypatch):
    whole = (await scoring.get("/v1/sources", params=YEAR)).json()
    assert whole["note"] is None
    everybody = sum(one["seen"] for one in whole["items"])
    for most in (1, 7, everybody - 1, everybody):
        monkeypatch.setattr(prospect_queries, "MOST_SEEN", most)
        found = (await scoring.get("/v1/sources", params=YEAR)).json()
        counted = sum(one["seen"] for one in found["items"])
        assert 1 <= counted <= most
        assert (found["note"] is None) == (most == everybody)
        assert found["note"] is None or found["from"] in found["note"]
        rest = {"from": YEAR["from"], "to": f"{found['from']}T00:00:00Z"}
        monkeypatch.setattr(prospect_queries, "MOST_SEEN", everybody)
        others = (await scoring.get("/v1/sources", params=rest)).json()
        assert sum(one["seen"] for one in others["items"]) == everybody - counted


async def test_sources_count_who_was_seen_and_won(scoring):
    found = await every(scoring, "/v1/sources", limit=1, **YEAR)
    by_source = {one["source"]: one for one in found}
    assert set(by_source) == set(SOURCES)
    expo = by_source["expo"]
    assert (expo["seen"], expo["won"], expo["won_at_once"]) == (8 + BUYERS, BUYERS, 3)
    assert expo["prospects"] == 8 + 3
    conversion = expo["conversion"]
    assert conversion["rate"] == pytest.approx(3 / 11, abs=1e-6)
    assert conversion["interval"]["low"] < 3 / 11 < conversion["interval"]["high"]
    assert expo["median_days_to_win"] == 10
    [spent] = expo["first_spend"]
    assert spent["spend"] == {"amount": "2100.00", "currency": "CNY"}
    assert spent["customers"] == BUYERS
    assert sum(one["seen"] for one in expo["by_month"]) == expo["seen"]
    assert [one["month"] for one in expo["by_month"]] == sorted(
        one["month"] for one in expo["by_month"]
    )
    assert by_source["advert"]["won"] == 0
    assert by_source["advert"]["conversion"]["rate"] == 0
    nobody = {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z", "count": True}
    empty = (await scoring.get("/v1/sources", params=nobody)).json()
    assert (empty["items"], empty["total"]) == ([], 0)


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"cursor": "bogus"},
        {"from": "x"},
        {"limit": 0},
    ],
)
async def test_sources_of_nonsense(scoring, params):
    answer = await scoring.get("/v1/sources", params=params)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("to", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_sources_at_the_ends_of_the_calendar(scoring, to):
    assert (await scoring.get("/v1/sources", params={"to": to})).status_code == 200
    assert (await scoring.get(PATH, params={"from": to})).status_code == 200


async def upload(client: httpx.AsyncClient, name: str, unit: str, points: Sequence[tuple]):
    body = {
        "scope": "source",
        "unit": unit,
        "points": [{"key": key, "date": day, "value": value} for key, day, value in points],
    }
    return await client.put(f"/v1/series/{name}", json=body)


async def test_costs_by_source_come_as_series_currencies_apart(scoring):
    points = [
        ("expo", "2026-02-03", 1200.5),
        ("expo", "2026-03-01", 600),
        ("expo", "2025-03-01", 9),
    ]
    assert (await upload(scoring, "costs", "CNY", [*points, ("fair", "2026-05-01", 7)])).is_success
    assert (await upload(scoring, "costs-jp", "JPY", [("expo", "2026-02-03", 3000)])).is_success
    answer = await scoring.get("/v1/sources", params={**YEAR, "count": True})
    found = {one["source"]: one for one in answer.json()["items"]}
    assert answer.json()["total"] == len(found) == 4
    assert found["expo"]["cost"] == [
        {
            "cost": {"amount": "1800.50", "currency": "CNY"},
            "per_won": {"amount": "300.08", "currency": "CNY"},
        },
        {
            "cost": {"amount": "3000", "currency": "JPY"},
            "per_won": {"amount": "500", "currency": "JPY"},
        },
    ]
    by_month = {one["month"]: one for one in found["expo"]["by_month"]}
    assert by_month["2026-02"]["cost"][0]["cost"]["amount"] == "1200.50"
    assert found["fair"]["seen"] == 0
    assert found["fair"]["cost"] == [
        {"cost": {"amount": "7.00", "currency": "CNY"}, "per_won": None}
    ]
    assert [one["month"] for one in found["fair"]["by_month"]] == ["2026-05"]
    assert await every(scoring, "/v1/sources", limit=1, **YEAR) == answer.json()["items"]


async def test_costs_need_a_currency_and_a_source(scoring):
    answer = await upload(scoring, "wrong", "yuan", [("expo", "2026-02-03", 1)])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/unit"
    answer = await upload(scoring, "wrong", "CNY", [(None, "2026-02-03", 1)])
    assert answer.json()["errors"][0]["pointer"] == "/points/0/key"


async def test_before_anything_is_known(here: World):
    """Nobody, then one prospect and no policy: a list, and words that say so."""
    client = here.client("scoring")
    assert (await client.get(PATH, params={"count": True})).json() == {
        "items": [],
        "next_cursor": None,
        "total": 0,
    }
    database = Database(here.urls["scoring"], name="test")
    async with database.transaction() as conn:
        await put(conn, [prospect(3)])
    await database.close()
    [one] = (await client.get(PATH)).json()["items"]
    assert (one["probability"], one["class"], one["method"]) == (None, None, None)
    assert one["model"] == "prospects@0"
    assert "30 prospects" in one["note"]
    summary = (await client.get(f"{PATH}/summary")).json()
    assert (summary["total"], summary["unclassified"], summary["quality"]) == (1, 1, [])
