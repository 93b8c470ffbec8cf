"""A database belongs to one service and one log; another one is refused before anything is written."""

import secrets

import asyncpg
import httpx
import pytest

from services.profile.service import SERVICE
from services.profile.settings import Settings
from services.scoring.service import SERVICE as SCORING
from shared.genesis import belong
from shared.kernel import open_kernel
from shared.log import Misconfigured, open_log
from shared.loop.worker import Worker
from shared.settings import KernelSettings
from tests.shared.log.test_contract import _fresh
from tests.world import SERVICES, fresh_databases, world

PARTITIONS = 3


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def new_log(request):
    """A function that makes the address and the namespace of a fresh log."""

    async def make() -> dict[str, str]:
        if request.param == "kafka":
            server = request.getfixturevalue("kafka")
            url = f"kafka://{server.bootstrap}"
        else:
            url = await _fresh(request.getfixturevalue("postgres"))
        return {"event_log_url": url, "namespace": f"g{secrets.token_hex(4)}"}

    return make


def kernel_of(url: str, log: dict[str, str], **more):
    settings = KernelSettings(**{"partitions": PARTITIONS, **log, **more})
    return open_kernel(SERVICE, "worker", settings, Settings(database_url=url))


def opened(log: dict[str, str], partitions: int = PARTITIONS):
    return open_log(
        log["event_log_url"],
        namespace=log["namespace"],
        partitions=partitions,
        replication=1,
        client="tests",
    )


async def content(url: str) -> dict[str, list]:
    """Everything in a database, but for the versions of its schema."""
    conn = await asyncpg.connect(url)
    try:
        tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = sorted(row["tablename"] for row in tables)
        return {name: await conn.fetch(f'SELECT * FROM "{name}"') for name in names}
    finally:
        await conn.close()


async def test_a_log_has_one_name_whoever_asks(new_log):
    address = await new_log()
    names = []
    for _ in range(3):
        log = opened(address)
        await log.check()
        names.append(await log.genesis())
        await log.close()
    assert len(set(names)) == 1
    assert names[0].partitions == PARTITIONS
    other = opened(await new_log())
    await other.check()
    assert (await other.genesis()).uuid != names[0].uuid
    await other.close()


async def test_two_who_make_a_log_together_agree(new_log):
    address = await new_log()
    pair = [opened(address), opened(address)]
    for log in pair:
        await log.check()
    assert await pair[0].genesis() == await pair[1].genesis()
    for log in pair:
        await log.close()


async def test_a_database_in_front_of_another_log_is_refused_before_the_first_write(
    postgres, new_log
):
    urls = await fresh_databases(postgres)
    first, second = await new_log(), await new_log()
    logs = {}
    for name, address in {"first": first, "second": second}.items():
        log = opened(address)
        await log.check()
        logs[name] = (await log.genesis()).uuid
        await log.close()
    kernel = kernel_of(urls["profile"], first)
    await belong(kernel)
    await belong(kernel)
    await kernel.close()
    before = await content(urls["profile"])
    stranger = kernel_of(urls["profile"], second)
    with pytest.raises(Misconfigured) as refused:
        await Worker(stranger).run()
    await stranger.close()
    assert logs["first"] in str(refused.value)
    assert logs["second"] in str(refused.value)
    assert "docs/operating.md" in str(refused.value)
    assert await content(urls["profile"]) == before


async def test_databases_of_two_services_cannot_be_mixed_up(postgres):
    urls = await fresh_databases(postgres)
    log = {"event_log_url": urls["log"], "namespace": ""}
    own = kernel_of(urls["profile"], log)
    await own.log.check()
    await belong(own)
    await own.close()
    before = await content(urls["profile"])
    settings = KernelSettings(event_log_url=urls["log"], partitions=PARTITIONS)
    stranger = open_kernel(SCORING, "worker", settings, Settings(database_url=urls["profile"]))
    with pytest.raises(Misconfigured, match="that of profile, not that of scoring"):
        await Worker(stranger).run()
    await stranger.close()
    assert await content(urls["profile"]) == before


async def test_another_number_of_partitions_is_refused(postgres):
    urls = await fresh_databases(postgres)
    address = {"event_log_url": urls["log"], "namespace": ""}
    own = kernel_of(urls["profile"], address)
    await own.log.check()
    await belong(own)
    await own.close()
    others = await fresh_databases(postgres)
    wider = kernel_of(
        urls["profile"], {"event_log_url": others["log"], "namespace": ""}, partitions=7
    )
    await wider.log.check()
    with pytest.raises(Misconfigured):
        await belong(wider)
    await wider.close()


async def test_an_installation_that_had_no_name_gets_one(postgres):
    """Logs and databases that were made before anybody asked."""
    urls = await fresh_databases(postgres)
    conn = await asyncpg.connect(urls["log"])
    await conn.execute("INSERT INTO installation (partitions) VALUES ($1)", PARTITIONS)
    kernel = kernel_of(urls["profile"], {"event_log_url": urls["log"], "namespace": ""})
    await kernel.log.check()
    await belong(kernel)
    name = str(await conn.fetchval("SELECT uuid FROM installation"))
    await conn.close()
    rows = (await content(urls["profile"]))["meta"]
    told = {row["name"]: row["value"] for row in rows}
    assert told == {"service": "profile", "log": name, "partitions": str(PARTITIONS)}
    await kernel.close()


async def test_an_api_changes_nothing_in_a_strangers_database(postgres):
    async with world(postgres, services=SERVICES[:2], workers=False) as here:
        conn = await asyncpg.connect(here.urls["profile"])
        await conn.execute("INSERT INTO meta VALUES ('service', 'scoring')")
        answer = await here.client("profile").post("/v1/customers", json={"name": "Li"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert await conn.fetchval("SELECT count(*) FROM outbox") == 0
        await conn.close()
        other: httpx.Response = await here.post_events(
            {
                "id": "1",
                "source": "shop",
                "type": "survey.answered",
                "customer": {"member_no": "M1"},
                "data": {"survey_id": "s", "kind": "nps", "score": 3},
            }
        )
        assert other.status_code == 200, other.text
