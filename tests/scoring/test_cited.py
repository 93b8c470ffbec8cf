"""Every `name@version` that an answer cites is found in the registry (or among the policies), republished ones too."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.scoring import fits
from services.scoring.api.answers import score_answer
from services.scoring.fits import NAMES
from services.scoring.policies import CDNOW, CHURN
from services.scoring.projector import derive
from services.scoring.projector.details import describe
from services.scoring.queries import Scored
from shared.database import Database
from shared.projection import Policy
from tests.scoring.offering.shops import NOW, learnt, order, publish
from tests.scoring.people import CLOCK, shopper
from tests.world import World, world

LABEL = re.compile(r"[a-z-]+@\d+")
MILK, BREAD, TEA = ("milk", "Dairy"), ("bread", "Bakery"), ("tea", "Drinks")
MEMBERS = 110


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[World]:
    async with world(
        postgres, services=["interaction", "scoring"], clock_tick_seconds=0.2, partitions=2
    ) as made:
        events = [
            order(f"M{n}", days + n % 9, MILK, BREAD, *([TEA] if n % 2 else []))
            for n in range(MEMBERS)
            for days in (70, 42, 14)[: 1 + n % 3]
        ]
        seen = [
            {
                "id": f"n{n}",
                "source": "shop",
                "type": "customer.described",
                "time": (NOW - timedelta(days=40 + n)).isoformat(),
                "customer": {"member_no": f"N{n}"},
                "data": {"traits": {"source": "expo"}},
            }
            for n in range(40)
        ]
        await publish(made, [*events, *seen])
        await learnt(made, "/v1/forecasts")
        yield made


def cited(answer: Any) -> Iterator[str]:
    """All labels that stand anywhere in an answer."""
    if isinstance(answer, dict):
        for value in answer.values():
            yield from cited(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from cited(value)
    elif isinstance(answer, str) and LABEL.fullmatch(answer):
        yield answer


async def found(town: World, label: str) -> dict[str, Any]:
    """What is said of a label."""
    name, _, version = label.partition("@")
    of = "policies" if name == "scoring" else "models"
    answer = await town.client("scoring").get(f"/v1/{of}/{name}/{version}")
    assert answer.status_code == 200, (label, answer.text)
    told: dict[str, Any] = answer.json()
    assert told["model" if of == "models" else "policy"] == label
    return told


PATHS = (
    "/v1/scores?limit=500",
    "/v1/scores/summary",
    "/v1/scores/member_no:M2",
    "/v1/scores/member_no:N1",
    "/v1/prospects?limit=500",
    "/v1/prospects/summary",
    "/v1/policies/scoring",
    "/v1/models",
    "/v1/recommendations/member_no:M2",
    "/v1/recommendations/member_no:M2?level=category",
    "/v1/forecasts",
    "/v1/forecasts?measure=lines",
    "/v1/forecasts?measure=money",
    "/v1/matrix/reviews/current",
)


async def everything(town: World) -> set[str]:
    labels: set[str] = set()
    for path in PATHS:
        answer = await town.client("scoring").get(path)
        assert answer.status_code == 200, (path, answer.text)
        labels |= set(cited(answer.json()))
    return labels


async def test_whatever_is_cited_is_found(town: World) -> None:
    labels = await everything(town)
    names = {label.partition("@")[0] for label in labels}
    assert names >= {CHURN, *NAMES, "scoring"}
    for label in labels:
        await found(town, label)


async def test_also_when_a_version_is_put_in_force_again(town: World) -> None:
    """Version 0 is published under a number of its own: value and next purchase cite that number."""
    client = town.client("scoring")
    before = (await client.get("/v1/scores/member_no:M2")).json()["value"]["model"]
    promoted = await client.post("/v1/models/churn/promote", json={"version": 0})
    assert promoted.is_success, promoted.text
    await town.settled()
    score = (await client.get("/v1/scores/member_no:M2")).json()
    assert score["churn"]["model"] == "churn@0"
    again = score["value"]["model"]
    assert again != before
    told = await found(town, again)
    assert (told["status"], told["about"]["churn"]) == ("in_force", "churn@0")
    default = await found(town, "churn@0")
    assert told["parameters"] == default["parameters"]
    assert (await found(town, before))["status"] == "retired"
    for label in await everything(town):
        await found(town, label)
    listed = (await client.get("/v1/models/purchases?count=true&limit=1")).json()
    assert listed["items"] == [told]
    assert listed["total"] == 1 + int(again.partition("@")[2])


def test_a_score_cites_the_model_that_it_was_read_by() -> None:
    """A row that is not derived again yet was kept by the model before; what is said of it is of the new one."""
    state = shopper(3)
    body = msgspec.to_builtins(msgspec.structs.replace(CDNOW, version=4))
    known = {CHURN: Policy(CHURN, 7, body)}
    view = derive(state, CLOCK, {})
    [details] = describe([(state, view)], known)
    told = score_answer(Scored("somebody", state, view), details, "en")
    assert view.model == "churn@0"
    assert told["churn"]["model"] == told["loyalty"]["model"] == "churn@4"
    assert told["value"]["model"] == told["next_purchase"]["model"] == "purchases@7"


async def test_what_was_learnt_is_found_when_another_version_has_come(town: World) -> None:
    """The model itself is gone by then."""
    client = town.client("scoring")
    first = (await learnt(town, "/v1/forecasts")).json()["model"]["name"]
    await publish(town, [order(f"L{n}", 3 + n % 5, MILK) for n in range(150)])
    newest = (await learnt(town, "/v1/forecasts")).json()["model"]["name"]
    assert newest != first
    assert (await found(town, first))["status"] == "retired"
    assert (await found(town, newest))["status"] == "in_force"
    listed = (await client.get("/v1/models/demand-units")).json()["items"]
    assert [one["model"] for one in listed][:1] == [newest]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", [CHURN, *NAMES])
async def test_each_says_what_it_is_in_both_languages(
    town: World, name: str, language: str
) -> None:
    answer = await town.client("scoring").get(
        f"/v1/models/{name}", headers={"Accept-Language": language}
    )
    items = answer.json()["items"]
    assert items
    shape = (await town.client("scoring").get("/v1/models/churn/0")).json().keys()
    for item in items:
        assert item.keys() == shape
        for text in (item["meaning"], item["kind_label"], item["status_label"], *item["notes"]):
            assert "{" not in text
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")


async def test_the_list_is_paged(town: World) -> None:
    client, names, cursor = town.client("scoring"), [], ""
    while cursor is not None:
        page = (
            await client.get("/v1/models", params={"limit": 4, "cursor": cursor or None})
        ).json()
        names += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    whole = (await client.get("/v1/models?count=true")).json()
    assert names == [one["name"] for one in whole["items"]] == [CHURN, *NAMES]
    assert whole["total"] == len(names)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/models/purchases/9999", None, 404, "model_not_found"),
        ("GET", "/v1/models/recommend-product/0", None, 404, "model_not_found"),
        ("GET", "/v1/models?cursor=bogus", None, 400, "invalid_cursor"),
        ("POST", "/v1/models/purchases/train", {}, 404, "model_not_trainable"),
        ("POST", "/v1/models/rfm/promote", {"version": 1}, 404, "model_not_trainable"),
        ("POST", "/v1/models/demand-units/shadow", {"version": 1}, 404, "model_not_trainable"),
        ("DELETE", "/v1/models/prospects/shadow", None, 404, "model_not_trainable"),
        ("GET", "/v1/models/population/trainings", None, 404, "model_not_trainable"),
    ],
)
async def test_what_there_is_not(
    town: World, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = await town.client("scoring").request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"] != code


async def test_versions_before_the_first_fit(here: World) -> None:
    """An empty installation cites versions 0."""
    for name in ("purchases", "rfm", "population", "prospects"):
        one = (await here.client("scoring").get(f"/v1/models/{name}/0")).json()
        assert one["status"] == "in_force"
        assert one["notes"]


async def test_only_the_newest_versions_are_kept(town: World) -> None:
    database = Database(town.urls["scoring"], name="test")
    async with database.transaction() as conn:
        for version in range(1, fits.KEPT + 6):
            await fits.remember(conn, "recommend-colour", version, NOW, "{}")
        kept = await conn.fetch("SELECT version FROM learnt WHERE name = 'recommend-colour'")
        await conn.execute("DELETE FROM learnt WHERE name = 'recommend-colour'")
    await database.close()
    assert sorted(row["version"] for row in kept) == list(range(6, fits.KEPT + 6))
