"""One service's database is brought back to an earlier moment while everything else has gone on: nothing is lost,
nothing doubled, nothing said again, and no number is given twice."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from shared.settings import KernelSettings
from tests import world as worlds
from tests.e2e import workload as stream
from tests.e2e.installation import listed, read_all, reading
from tests.e2e.reading import published, told, without_repeats
from tests.world import SERVICES, World, fresh_databases

PARTITIONS = 3
EVENTS = 240


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_url(request):
    """Empty: the log is one of the fresh databases."""
    if request.param == "postgresql":
        return ""
    return f"kafka://{request.getfixturevalue('kafka').bootstrap}"


@asynccontextmanager
async def at_work(urls: dict[str, str], settings: KernelSettings, key: str) -> AsyncIterator[World]:
    here = World(urls, settings, key=key)
    async with AsyncExitStack() as stack:
        for name in SERVICES:
            await worlds._add_api(stack, here, name)
            await worlds.add_worker(stack, here, name)
        yield here


def name_of(url: str) -> str:
    return unquote(urlsplit(url).path.removeprefix("/"))


async def copied(postgres, source: str, target: str) -> None:
    conn = await asyncpg.connect(postgres.url("postgres"))
    try:
        await conn.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", source
        )
        await conn.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')
    finally:
        await conn.close()


async def state_of(here: World, log_url: str) -> dict:
    """What can be read of everything, without when it was asked."""
    customers = await listed(here.client("profile"), "/v1/customers")
    scores = await listed(here.client("scoring"), "/v1/scores")
    complaints = await listed(here.client("interaction"), "/v1/complaints")
    contacts = await listed(here.client("interaction"), "/v1/interactions")
    url = log_url or here.urls["log"]
    async with reading(url, here.settings.namespace, PARTITIONS) as log:
        entries = without_repeats(await read_all(log))
    return {
        "customers": {one["id"]: one for one in customers},
        "scores": {one["customer_id"]: one["rfm"] for one in scores},
        "complaints": {one["id"]: one for one in complaints},
        "contacts": {one["id"]: one for one in contacts},
        "entries": entries,
    }


async def sent(here: World, batches: list) -> Counter:
    statuses: Counter = Counter()
    for batch in batches:
        answer = await here.post_events(batch)
        assert answer.status_code == 200, answer.text
        statuses.update(item["status"] for item in answer.json()["items"])
    return statuses


async def test_every_database_may_go_back(postgres, log_url):
    urls = await fresh_databases(postgres)
    settings = KernelSettings(
        event_log_url=log_url or urls["log"],
        access_url=urls["access"],
        keyring_url=urls["keyring"],
        namespace=f"b{secrets.token_hex(4)}" if log_url else "",
        partitions=PARTITIONS,
        lease_seconds=5,
        language="en",
        clock_now=stream.NOW,
    )
    key = await worlds.new_key(urls["access"], ["admin"])
    work = stream.Workload(7)
    events = work.events(EVENTS)
    batches = stream.in_batches(work, events, 60)
    half = len(batches) // 2

    async with at_work(urls, settings, key) as here:
        await sent(here, batches[:half])
        await here.settled(60)
    for name in SERVICES:
        await copied(postgres, name_of(urls[name]), f"{name_of(urls[name])}_kept")
    async with at_work(urls, settings, key) as here:
        await sent(here, batches[half:])
        contact = {"customer": "member_no:M1", "kind": "call", "subject": "x", "channel": "phone"}
        answer = await here.client("interaction").post("/v1/interactions", json=contact)
        assert answer.status_code in {201, 202}, answer.text
        await here.settled(60)  # profile hears of M1 only now
        path = "/v1/customers/member_no:M1/tags"
        answer = await here.client("profile").post(path, json={"tag": "vip"})
        assert answer.status_code in {201, 202}, answer.text
        await here.settled(60)
        before = await state_of(here, log_url)

    for name in SERVICES:
        await copied(postgres, f"{name_of(urls[name])}_kept", name_of(urls[name]))
        async with at_work(urls, settings, key) as here:
            await here.settled(60)
            assert set(await sent(here, batches)) == {"duplicate"}, name
            await here.settled(60)
            after = await state_of(here, log_url)
        same_as_before(name, before, after)
        before = after


def same_as_before(name: str, before: dict, after: dict) -> None:
    for what in ("customers", "scores", "complaints", "contacts"):
        assert after[what] == before[what], f"{what}, once {name} went back"
    known = [entry.event["id"] for entry in before["entries"]]
    left = [entry for entry in after["entries"] if entry.event["id"] not in set(known)]
    assert {entry.event["type"] for entry in left} <= {"clock.ticked"}, name
    assert set(published(after["entries"]).values()) == {1}, name
    told(after["entries"])
    numbers = [one["number"] for one in after["customers"].values() if one["number"]]
    assert len(numbers) == len(set(numbers))
