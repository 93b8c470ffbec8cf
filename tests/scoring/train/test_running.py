"""Trainings as tasks, from outside: a shop on the log, a worker, the API."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
import pytest

from services.scoring import policies as rules
from services.scoring.promoting import BY_ITSELF
from services.scoring.task import fit
from services.scoring.train import command, running, schedule
from services.scoring.train.order import Order
from services.scoring.train.running import Interrupted, compute
from shared import metrics
from shared.database import Database
from shared.kernel import Kernel
from tests.scoring.train.shops import NOW, put_shop
from tests.world import World, world

CUSTOMERS = 150
PARTITIONS = 2


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[World]:
    async with world(postgres, services=["scoring"], partitions=PARTITIONS) as made:
        await put_shop(made.kernels["scoring"].log, CUSTOMERS, PARTITIONS, seed=2)
        await made.settled(60)
        yield made


@pytest.fixture(scope="module")
async def database(town: World) -> AsyncIterator[Database]:
    made = Database(town.urls["scoring"], name="test")
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def trained(town: World) -> dict:
    """The training of the shop, when it is done."""
    client = town.client("scoring")
    asked = await client.post("/v1/models/churn/train", json={"seed": 3})
    assert asked.status_code == 202, asked.text
    assert asked.json()["status"] == "queued"
    again = await client.post("/v1/models/churn/train", json={"seed": 3})
    assert (again.status_code, again.json()["code"]) == (409, "training_at_work")
    return await ended(town, asked.headers["Location"])


async def ended(town: World, where: str) -> dict:
    for _ in range(600):
        found = (await town.client("scoring").get(where)).json()
        if found["status"] in {"done", "failed"}:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def version_of(town: World, version: int) -> dict:
    answer = await town.client("scoring").get(f"/v1/models/churn/{version}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def counted(outcome: str) -> float:
    labels = {"service": "scoring", "kind": "churn", "outcome": outcome}
    found = metrics.registry.get_sample_value("tenure_learnings_total", labels)
    assert found is not None, "shown from 0 on"
    return found


def order(town: World, **how: object) -> Order:
    settings = town.settings
    return Order(
        event_log_url=settings.event_log_url,
        namespace=settings.namespace,
        partitions=settings.partitions,
        replication=settings.replication,
        **how,
    )


async def test_a_training_makes_a_candidate(town, trained):
    assert (trained["status"], trained["progress"], trained["code"]) == ("done", 1, None)
    made = await version_of(town, trained["version"])
    assert made["trained"]["passes"]
    assert made["status"] in {"candidate", "shadow"}, "the shadow is told to every partition"
    assert made["kind"] == "calibrated"
    assert (made["trained"]["seed"], made["trained"]["customers"]) == (3, CUSTOMERS)
    assert set(made["trained"]["position"]) == {"0", "1"}
    assert made["quality"][0]["populations"][0]["auc"]["model"]["value"] > 0.6
    assert made["quality"][0]["reliability"]
    assert made["importance"]
    listed = (await town.client("scoring").get("/v1/models/churn?count=true")).json()
    assert listed["items"][0] | {"status": 0, "status_label": 0} == made | {
        "status": 0,
        "status_label": 0,
    }
    found = made["quality"][0]["gate"]
    assert found["difference"]["low"] <= found["difference"]["value"]
    assert f"{found['difference']['value']:+.3f}" in " ".join(made["notes"])
    assert listed["total"] == len(listed["items"]) == trained["version"] + 1
    [newest] = (await town.client("scoring").get("/v1/models/churn/trainings")).json()["items"]
    assert newest == trained


async def test_what_is_in_force_is_not_touched_by_a_training(town, trained):
    model, *_ = (await town.client("scoring").get("/v1/models")).json()["items"]
    assert (model["kind"], model["status"]) == ("bg_nbd", "in_force")


async def test_another_process_makes_the_same_bytes(town, trained):
    """The worker's made the version; one of ours makes it again from the same position and seed."""
    made = await version_of(town, trained["version"])
    again = await compute(order(town, seed=3, position=made["trained"]["position"]), lambda _: None)
    assert sha256(again).hexdigest() == made["trained"]["digest"]


async def test_a_candidate_that_is_not_worse_is_looked_at_by_itself(town, trained):
    await town.settled(60)
    found = (await town.client("scoring").get("/v1/models/churn/shadow")).json()
    assert (found["shadow"], found["by"]) == (f"churn@{trained['version']}", BY_ITSELF)


async def test_a_shadow_says_what_would_move(town, trained):
    client = town.client("scoring")
    assert (await client.delete("/v1/models/churn/shadow")).is_success
    await town.settled(60)
    assert (await client.get("/v1/models/churn/shadow")).json()["shadow"] is None
    answer = await client.post("/v1/models/churn/shadow", json={"version": trained["version"]})
    assert answer.status_code in {200, 202}
    for _ in range(100):
        found = (await client.get("/v1/models/churn/shadow")).json()
        if found["scored"] == found["customers"] == CUSTOMERS:
            break
        await asyncio.sleep(0.1)
    assert found["shadow"] == f"churn@{trained['version']}"
    assert found["since"]
    assert found["scored"] == sum(one["customers"] for one in found["bands"]) == CUSTOMERS
    assert found["moved"] == found["higher"] + found["lower"] == len(found["items"])
    assert all(one["from"] != one["to"] for one in found["items"])
    assert (await version_of(town, trained["version"]))["status"] == "shadow"
    paged = (await client.get("/v1/models/churn/shadow?limit=1")).json()
    assert paged["items"] == found["items"][:1]


async def test_a_promotion_holds_everywhere_and_explains_itself(town, trained):
    client, version = town.client("scoring"), trained["version"]
    for attempt in range(2):
        answer = await client.post(
            "/v1/models/churn/promote",
            json={"version": version, "override": {"reason": "Agreed with sales"}},
            headers={"Idempotency-Key": "promote-it"},
        )
        assert answer.status_code in {200, 202}, answer.text
        assert (answer.headers.get("Idempotent-Replay") == "true") == bool(attempt)
    await town.settled(60)
    found = await version_of(town, version)
    assert (found["status"], found["promoted"]["override"]) == ("in_force", "Agreed with sales")
    page = (await client.get("/v1/scores?limit=500&sort=-churn.probability")).json()["items"]
    assert {one["churn"]["model"] for one in page} == {f"churn@{version}"}
    assert {one["next_purchase"]["model"] for one in page} == {
        one["value"]["model"] for one in page
    }
    assert all(one["value"]["model"].startswith("purchases@") for one in page)
    for one in page:
        churn = one["churn"]
        assert churn["reasons"]
        assert churn["evidence"]
        assert churn["nearest_change"]["text"]
        short, long = (horizon["probability"] for horizon in churn["horizons"])
        assert short >= long == churn["probability"]
        assert one["loyalty"]["probability"] == pytest.approx(1 - long)
        for horizon in one["loyalty"]["horizons"]:
            assert horizon["probability"] >= one["loyalty"]["probability"] - 1e-6
    shadow = (await client.get("/v1/models/churn/shadow")).json()
    assert (shadow["shadow"], shadow["scored"]) == (None, 0), "it is in force now"
    audit = (await client.get("/v1/audit/scoring")).json()["items"]
    assert any(one["route"] == "/v1/models/{name}/promote" for one in audit)


async def test_the_daily_fit_leaves_a_promoted_model_in_force(town, database, trained):
    async with database.read() as conn:
        published = await fit(conn, NOW + timedelta(days=40))
    [churn] = [one for one in published if one.name == rules.CHURN]
    assert churn.body["calibrated"] is not None
    assert churn.body["version"] == trained["version"]


async def worse(database: Database, like: int) -> int:
    """A version that a simple rule beats."""
    async with database.transaction() as conn:
        row = await conn.fetchrow("SELECT * FROM model_version WHERE version = $1", like)
        body = orjson.loads(row["body"]) | {"passes": False}
        await conn.execute(
            "INSERT INTO model_version VALUES ($1, 900, $2, $3, $4, false, $5)",
            *(row[name] for name in ("name", "trained_at", "trained_by")),
            "another",
            orjson.dumps(body),
        )
    return 900


async def test_worse_than_its_baseline_is_refused_until_somebody_says_why(town, database, trained):
    client, version = town.client("scoring"), await worse(database, trained["version"])
    assert (await version_of(town, version))["status"] == "refused"
    refused = await client.post("/v1/models/churn/promote", json={"version": version})
    assert (refused.status_code, refused.json()["code"]) == (409, "model_worse_than_baseline")
    empty = {"version": version, "override": {"reason": " "}}
    assert (await client.post("/v1/models/churn/promote", json=empty)).status_code == 422
    wanted = {"version": version, "override": {"reason": "The season has turned"}}
    assert (await client.post("/v1/models/churn/promote", json=wanted)).is_success
    await town.settled(60)
    found = await version_of(town, version)
    assert found["status"] == "in_force"
    assert found["promoted"]["override"] == "The season has turned"
    back = {"version": 0}
    assert (await client.post("/v1/models/churn/promote", json=back)).is_success
    await town.settled(60)
    model, *_ = (await client.get("/v1/models")).json()["items"]
    assert (model["model"], model["status"]) == ("churn@0", "in_force")
    assert (await version_of(town, version))["status"] == "retired"
    assert (await client.get("/v1/models/churn/901")).status_code == 404, "a number of a policy"


def passing(like: bytes, seed: int, *, passes: bool = True) -> bytes:
    """Another model, which is like one that there is."""
    return orjson.dumps(orjson.loads(like) | {"seed": seed, "passes": passes})


async def test_what_somebody_looks_at_is_not_taken_away(town, database, trained, monkeypatch):
    """And one that is worse is not looked at by itself."""
    client, body = town.client("scoring"), await _body(town.urls["scoring"], trained["version"])
    seeds = iter((71, 72, 73))

    async def another(_order: Order, _told: object) -> bytes:
        seed = next(seeds)
        return passing(body, seed, passes=seed != 73)

    monkeypatch.setattr(running, "compute", another)

    async def train_one() -> int:
        answer = await client.post("/v1/models/churn/train", json={"seed": 0})
        done = await ended(town, answer.headers["Location"])
        await town.settled(60)
        return done["version"]

    async def looked_at() -> str | None:
        return (await client.get("/v1/models/churn/shadow")).json()["shadow"]

    first = await train_one()
    assert await looked_at() == f"churn@{first}"
    assert (await client.delete("/v1/models/churn/shadow")).is_success
    chosen = {"version": trained["version"]}
    assert (await client.post("/v1/models/churn/shadow", json=chosen)).is_success
    await train_one()
    assert await looked_at() == f"churn@{trained['version']}", "a person chose it"
    assert (await client.delete("/v1/models/churn/shadow")).is_success
    await train_one()
    assert await looked_at() is None


def scheduled(town: World, days: int) -> Kernel:
    kernel = town.kernels["scoring"]
    return replace(kernel, own=kernel.own.model_copy(update={"train_days": days}))


async def newest_asked(database: Database) -> Any:
    async with database.transaction() as conn:
        return await conn.fetchrow(
            "SELECT number, asked_by, position, seed FROM model_training ORDER BY number DESC LIMIT 1"
        )


async def test_a_model_is_trained_every_so_many_days(town, database, trained, monkeypatch):
    body = await _body(town.urls["scoring"], trained["version"])

    async def at_once(order: Order, _told: object) -> bytes:
        assert order.position == (await newest_asked(database))["position"]
        return body

    monkeypatch.setattr(running, "compute", at_once)
    kernel = scheduled(town, 7)
    await schedule.train_when_due(scheduled(town, 0))
    before = (await newest_asked(database))["number"]
    await schedule.train_when_due(kernel)
    asked = await newest_asked(database)
    assert (asked["number"], asked["asked_by"], asked["seed"]) == (before + 1, "schedule", 0)
    ends = await kernel.log.ends("customers")
    assert asked["position"] == {str(key): offset for key, offset in ends.items()}
    await ended(town, f"/v1/models/churn/trainings/{asked['number']}")
    await schedule.train_when_due(kernel)
    assert (await newest_asked(database))["number"] == before + 1, "the week is not over"

    async def back(days: int, known: int) -> None:
        async with database.transaction() as conn:
            await conn.execute(
                "UPDATE task SET done_at = done_at - $1 * interval '1 day',"
                " note = note || jsonb_build_object('days', $2::int) WHERE name = 'schedule'",
                days,
                known,
            )

    async with database.read() as conn:
        days = await conn.fetchval("SELECT sum(purchase_days) FROM score")
    await back(8, days - schedule.ENOUGH_NEW + 1)
    await schedule.train_when_due(kernel)
    assert (await newest_asked(database))["number"] == before + 1, "too little is new"
    now = await schedule.occasion(kernel)
    assert now is None, "it is looked for again a day later"
    async with database.transaction() as conn:
        await conn.execute(
            "UPDATE task SET note = note || '{\"histories\": 9}' WHERE name = 'schedule'"
        )
    now = await schedule.occasion(kernel)
    assert (now.train, now.known) == (False, days - schedule.ENOUGH_NEW + 1), (
        "a backfill was closed"
    )
    await schedule.train_when_due(kernel)
    await back(1, days - schedule.ENOUGH_NEW)
    await asyncio.gather(*(schedule.train_when_due(kernel) for _ in range(3)))
    asked = await newest_asked(database)
    assert asked["number"] == before + 2, "one of several who believe to be the owner asks"
    await ended(town, f"/v1/models/churn/trainings/{asked['number']}")


async def test_no_training_is_due_while_a_backfill_is_open(town, database, trained):
    async with database.transaction() as conn:
        await conn.execute("DELETE FROM task WHERE name = 'schedule'")
        who = await conn.fetchval("SELECT customer_id FROM score LIMIT 1")
        await conn.execute("UPDATE score SET history = '[\"h\"]' WHERE customer_id = $1", who)
    try:
        assert await schedule.occasion(scheduled(town, 7)) is None
    finally:
        async with database.transaction() as conn:
            await conn.execute("UPDATE score SET history = '[]' WHERE customer_id = $1", who)
    assert (await schedule.occasion(scheduled(town, 7))).train


async def test_killed_in_the_middle_it_is_taken_up_again(town, tmp_path, monkeypatch, trained):
    (tmp_path / "train.read").write_text("kill")
    monkeypatch.setitem(os.environ, "FAILPOINTS", str(tmp_path))
    before, *_ = (await town.client("scoring").get("/v1/models")).json()["items"]
    answer = await town.client("scoring").post("/v1/models/churn/train", json={"seed": 4})
    done = await ended(town, answer.headers["Location"])
    assert (done["status"], done["attempts"]) == ("done", 2)
    now, *_ = (await town.client("scoring").get("/v1/models")).json()["items"]
    assert now == before


async def test_killed_again_and_again_it_is_reported_failed(town, monkeypatch, trained):
    async def die(_order: Order, _told: object) -> bytes:
        raise Interrupted

    monkeypatch.setattr(running, "compute", die)
    before = counted("failed")
    answer = await town.client("scoring").post("/v1/models/churn/train", json={"seed": 5})
    done = await ended(town, answer.headers["Location"])
    assert (done["status"], done["attempts"]) == ("failed", 3)
    assert counted("failed") == before + 1, "once, however often it was tried"
    assert done["code"] == "training_interrupted"
    assert "3" in done["message"]


async def test_whose_owner_is_gone_is_taken_up(town, database, trained, monkeypatch):
    """And the same model again is the same version."""
    async with database.transaction() as conn:
        body = await conn.fetchval(
            "SELECT body FROM model_version WHERE version = $1", trained["version"]
        )

    async def at_once(_order: Order, _told: object) -> bytes:
        return body

    monkeypatch.setattr(running, "compute", at_once)
    async with database.transaction() as conn:
        number = await running.ask(conn, "churn", 3, "somebody", NOW, owner="gone")
        await conn.execute(
            "UPDATE model_training SET beat_at = now() - interval '1 hour' WHERE number = $1",
            number,
        )
    done = await ended(town, f"/v1/models/churn/trainings/{number}")
    assert (done["status"], done["attempts"]) == ("done", 2)
    assert done["version"] == trained["version"]


async def test_who_lost_a_training_keeps_nothing(town, database):
    async with database.transaction() as conn:
        number = await running.ask(conn, "nobody's", 3, "somebody", NOW, owner="another")
    kernel = town.kernels["scoring"]
    mine = running.Work(
        database=kernel.database,
        settings=kernel.settings,
        clock=kernel.clock,
        name="nobody's",
        number=number,
        owner="me",
        seed=3,
        by="me",
        position=None,
        attempts=1,
    )
    await mine._keep(b'{"passes": true}')
    async with database.transaction() as conn:
        assert await conn.fetchval("SELECT count(*) FROM model_version WHERE passes") > 0
        assert not await conn.fetchval(
            "SELECT count(*) FROM model_version WHERE name = 'nobody''s'"
        )
        await conn.execute("DELETE FROM model_training WHERE name = 'nobody''s'")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/models/value/train", {}),
        ("GET", "/v1/models/value/trainings", None),
        ("GET", "/v1/models/value/trainings/1", None),
        ("POST", "/v1/models/value/promote", {"version": 0}),
        ("POST", "/v1/models/churn/promote", {"version": 77}),
        ("POST", "/v1/models/value/shadow", {"version": 0}),
        ("POST", "/v1/models/churn/shadow", {"version": 77}),
        ("GET", "/v1/models/value/shadow", None),
        ("DELETE", "/v1/models/value/shadow", None),
        ("GET", "/v1/models/churn/trainings/77", None),
    ],
)
async def test_what_is_not_known(town, method, path, body):
    answer = await town.client("scoring").request(method, path, json=body)
    assert answer.status_code == 404
    assert answer.json()["code"] in {"model_not_found", "training_not_found"}


async def test_an_empty_log_is_a_clear_answer(town, database):
    async with database.transaction() as conn:
        nothing = {"0": 0, "1": 0}
        number = await running.ask(conn, "churn", 3, "somebody", NOW, position=nothing)
    done = await ended(town, f"/v1/models/churn/trainings/{number}")
    assert (done["status"], done["code"]) == ("failed", "not_enough_customers")
    assert done["attempts"] == 1
    assert "0" in done["message"]


def test_the_command_line(town, monkeypatch, tmp_path, capsys, trained):
    settings = town.settings
    monkeypatch.setenv("EVENT_LOG_URL", settings.event_log_url)
    monkeypatch.setenv("PARTITIONS", str(PARTITIONS))
    monkeypatch.setenv("SCORING_DATABASE_URL", town.urls["scoring"])
    said: list[str] = []
    told = ["--dry-run", "--output", str(tmp_path / "model.json"), "--seed", "3"]
    position = json.dumps({"0": 1, "1": 1})
    assert command.main([*told, "--position", position], said.append) == 2
    assert "needs 100" in capsys.readouterr().err


def test_the_command_line_keeps_a_version(town, monkeypatch, tmp_path, trained):
    """The process that computes is another test's matter."""
    kept = asyncio.run(_body(town.urls["scoring"], trained["version"]))

    async def at_once(_order: Order, told: Callable[[float], None]) -> bytes:
        told(0.55)
        return kept

    monkeypatch.setenv("EVENT_LOG_URL", town.settings.event_log_url)
    monkeypatch.setenv("SCORING_DATABASE_URL", town.urls["scoring"])
    monkeypatch.setattr(running, "compute", at_once)
    said: list[str] = []
    assert command.main(["--seed", "3", "--output", str(tmp_path / "out.json")], said.append) == 0
    assert said[:2] == ["50 %", f"churn@{trained['version']}"]
    assert "AUC" in "\n".join(said)
    assert (tmp_path / "out.json").read_bytes() == kept


async def _body(url: str, version: int) -> bytes:
    database = Database(url, name="test")
    try:
        async with database.read() as conn:
            body: bytes = await conn.fetchval(
                "SELECT body FROM model_version WHERE version = $1", version
            )
            return body
    finally:
        await database.close()
