"""Workers and APIs are killed with SIGKILL over and over, in the middle of what they do: nothing is lost, nothing
is doubled, and the rows are those of an installation in which nothing ever happened."""

import asyncio
import dataclasses
import uuid
from collections import Counter
from datetime import datetime
from decimal import Decimal

import asyncpg
import httpx
import pytest

from services.interaction.ticking import tick
from tests.e2e import workload as stream
from tests.e2e.installation import installation, listed, read_all, reading
from tests.e2e.killer import Killer
from tests.e2e.oracle import expected
from tests.e2e.publisher import Publisher
from tests.e2e.reading import Entry, published, publishers_ids, told, without_repeats
from tests.e2e.rows import by_name, differences, plain_customer, plain_score
from tests.e2e.workload import LATER, NOW, Workload, key_of
from tests.world import SERVICES, fresh_databases, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 20261122
EVENTS = 2600
REPEATED = 0.15
MOST_IN_A_BATCH = 30
PARTITIONS = 8
VICTIMS = (
    *("interaction-worker",) * 3,
    *("interaction-api",) * 3,
    *("profile-worker",) * 3,
    *("scoring-worker",) * 2,
    *("profile-api", "scoring-api"),
)
KILLED_LATER = ("profile-worker", "scoring-worker")


@dataclasses.dataclass
class Outcome:
    """What an installation came to."""

    customers: dict[str, dict]
    scores: dict[str, dict]
    entries: list[Entry]
    states: dict[str, dict]
    """What was told of each customer, by our id."""


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_url(request):
    """Empty: the log is one of the fresh databases."""
    if request.param == "postgresql":
        return ""
    return f"kafka://{request.getfixturevalue('kafka').bootstrap}"


async def test_killed_over_and_over_the_rows_are_those_of_a_calm_run(postgres, log_url, tmp_path):
    work = Workload(SEED)
    events = work.events(EVENTS)
    sent = {key_of(event): event for event in events}
    batches = stream.in_batches(work, stream.with_repeats(work, events, REPEATED), MOST_IN_A_BATCH)

    killed, publisher = await _killed_run(postgres, log_url, tmp_path, work, batches)

    counts = published(killed.entries)
    assert set(counts.values()) == {1}, "an event stands on the log twice"
    assert counts.keys() <= sent.keys()
    assert publisher.acknowledged <= counts.keys(), "an acknowledged event is not on the log"
    assert len(publisher.acknowledged) > EVENTS * 0.9
    accepted = [event for key, event in sent.items() if key in counts]
    _compare_with_oracle(killed, expected(accepted, LATER))
    _compare_with_told(killed)

    work.random.shuffle(accepted)
    calm = await _calm_run(postgres, stream.in_batches(work, accepted, 400))
    _compare_with_told(calm)
    _compare_rows(killed, calm)


async def _killed_run(postgres, log_url, folder, work, batches):
    urls = await fresh_databases(postgres)
    namespace = f"k{uuid.uuid4().hex[:8]}" if log_url else ""
    settings = {
        "EVENT_LOG_URL": log_url or urls["log"],
        "NAMESPACE": namespace,
        "PARTITIONS": str(PARTITIONS),
        "LEASE_SECONDS": "2",
        "CLOCK_TICK_SECONDS": "1",
        "CLOCK_NOW": NOW.isoformat(),
    }
    watch = await asyncpg.connect(postgres.url("postgres"))
    try:
        async with (
            installation(urls, folder, **settings) as here,
            reading(settings["EVENT_LOG_URL"], namespace, PARTITIONS) as log,
        ):
            url = f"{here.address('interaction-api')}/v1/events"
            publisher = Publisher(here.http, url, work.random)
            killer = Killer(here, publisher, watch, work.random)
            await _kill_while_sending(here, killer, publisher, batches, work.random)
            await here.settled(log)
            await _make_it_later(here, killer)
            await here.ready()
            await here.clocks(LATER)
            await here.settled(log)
            assert killer.cut_short > len(VICTIMS) // 3, "hardly a kill hit a batch"
            await _nothing_put_aside(here)
            records = await read_all(log)
            entries = without_repeats(records)
            assert len(records) > len(entries), "nothing was sent twice"
            customers = await here.rows("profile", "/v1/customers")
            scores = await here.rows("scoring", "/v1/scores")
    finally:
        await watch.close()
    return _outcome(customers, scores, entries), publisher


async def _kill_while_sending(here, killer, publisher, batches, random):
    """Let a share of the batches go with every kill, so that there is always work to be cut short."""
    victims = list(VICTIMS)
    random.shuffle(victims)
    share = len(batches) / (len(victims) + 1)
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.send(batches))
        reading_on = group.create_task(_read_all_the_time(here))
        for n in range(1, len(VICTIMS) + 1):
            await publisher.reached(int(share * (n - 1)))
            publisher.allow(int(share * n))
            await killer.next(victims)
        publisher.allow(len(batches))
        reading_on.cancel()


async def _read_all_the_time(here):
    """Readers get an answer, or are told to come again; or the process is gone."""
    paths = {"profile-api": "/v1/customers/summary", "scoring-api": "/v1/scores/summary"}
    while True:
        for name, path in paths.items():
            try:
                answer = await here.http.get(f"{here.address(name)}{path}")
            except httpx.TransportError:
                continue
            assert answer.status_code in {200, 503}, answer.text
        await asyncio.sleep(0.2)


async def _make_it_later(here, killer):
    """A day and a half passes: time alone changes rows, and what is fitted is fitted again. Under kills, too."""
    here.tell(CLOCK_NOW=LATER.isoformat())
    for name in ("interaction-api", "interaction-worker"):
        here.kill(name)
        here.start(name)
    await here.ready(names=["interaction-worker"])
    victims = list(KILLED_LATER)
    while victims:
        await killer.next(victims)


async def _nothing_put_aside(here):
    for service in SERVICES:
        assert await here.rows(service, f"/v1/quarantine/{service}") == []


async def _calm_run(postgres, batches):
    """The same events in another order, in other batches, over another number of partitions."""
    async with world(postgres, clock_now=NOW, partitions=5) as here:
        for batch in batches:
            answer = await here.post_events(batch)
            assert answer.status_code == 200
            assert answer.json()["accepted"] == len(batch), answer.text
        await here.settled(60)
        await tick(dataclasses.replace(here.kernels["interaction"], clock=lambda: LATER))
        await here.settled(60)
        async with reading(here.urls["log"], "", 5) as log:
            entries = without_repeats(await read_all(log))
        customers = await listed(here.client("profile"), "/v1/customers")
        scores = await listed(here.client("scoring"), "/v1/scores")
    return _outcome(customers, scores, entries)


def _outcome(customers, scores, entries):
    rows = by_name(customers)
    names = {row["id"]: name for name, row in rows.items()}
    by_customer = {names[score["customer_id"]]: score for score in scores}
    assert len(by_customer) == len(scores)
    return Outcome(rows, by_customer, entries, told(entries))


def _compare_with_oracle(outcome, oracle):
    assert outcome.customers.keys() == oracle.keys()
    assert outcome.scores.keys() == oracle.keys()
    for name, wanted in oracle.items():
        customer, score = outcome.customers[name], outcome.scores[name]
        purchases = customer["purchases"]
        spend = {code: Decimal(text) for code, text in purchases["spend_by_currency"].items()}
        last = customer["last_purchase_at"]
        assert purchases["count"] == wanted["orders"], name
        assert spend == wanted["spend"], name
        assert (datetime.fromisoformat(last) if last else None) == wanted["last"], name
        assert customer["complaints"] == wanted["complaints"], name
        if wanted["last"] is None:
            assert score["rfm"] is None, name
            continue
        money = {"amount": wanted["spend"][wanted["main"]], "currency": wanted["main"]}
        for shown in (purchases["spend"], score["rfm"]["monetary"]):
            assert {**shown, "amount": Decimal(shown["amount"])} == money, name
        assert score["rfm"]["frequency"] == wanted["orders"], name
        assert score["rfm"]["recency_days"] == wanted["recency"], name
        reasons = {one["feature"]: one["value"] for one in score["churn"]["reasons"]}
        assert reasons.get("open_complaints", 0) == wanted["complaints"]["open"], name


def _compare_with_told(outcome):
    """What was told last is so."""
    classes = Counter()
    for name, customer in outcome.customers.items():
        said, score = outcome.states[customer["id"]], outcome.scores[name]
        band = score["churn"]["band"] if score["churn"] else None
        rfm_class = score["rfm"]["class"] if score["rfm"] else None
        derived = {tag["tag"] for tag in customer["tags"]}
        assert said["tags"] == derived, name
        assert said.get("state") == customer["lifecycle"]["state"], name
        assert said.get("number") == customer["number"], name
        assert said.get("band") == band == customer["scores"]["churn_band"], name
        assert said.get("rfm_class") == rfm_class == customer["scores"]["rfm_class"], name
        cell = score["matrix"]["class"] if score["matrix"] else None
        assert said.get("matrix") == cell == customer["scores"]["matrix"], name
        classes.update((customer["lifecycle"]["state"], band, rfm_class))
    assert {"low", "high", "champion", "mature", "silent", "lost"} <= classes.keys(), classes


def _compare_rows(killed, calm):
    assert killed.customers.keys() == calm.customers.keys()
    found = []
    killed_ids, calm_ids = publishers_ids(killed.entries), publishers_ids(calm.entries)
    for name in killed.customers:
        found += differences(
            plain_customer(killed.customers[name], killed_ids),
            plain_customer(calm.customers[name], calm_ids),
            name,
        )
        found += differences(
            plain_score(killed.scores[name], killed_ids),
            plain_score(calm.scores[name], calm_ids),
            f"{name}/scores",
        )
    assert not found, "\n".join(found[:40])
