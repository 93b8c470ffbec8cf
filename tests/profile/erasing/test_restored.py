"""Profile's database, or the keyring's, is brought back to before an erasure: nobody comes back with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg

from services.profile.api.identities import Identities
from shared.settings import KernelSettings
from tests import world as worlds
from tests.profile.erasing.people import Person, code_of, done, erase, holding, read
from tests.profile.erasing.test_keys import key_of
from tests.profile.test_merges_api import merge
from tests.shared.test_restored import copied, name_of
from tests.world import SERVICES, World, fresh_databases


@asynccontextmanager
async def at_work(urls: dict[str, str], settings: KernelSettings, key: str) -> AsyncIterator[World]:
    here = World(urls, settings, key=key)
    async with AsyncExitStack() as stack:
        for name in SERVICES:
            await worlds._add_api(stack, here, name)
            await worlds.add_worker(stack, here, name)
        app = here.client("profile")._transport.app
        app.state.identities = Identities(here.client("interaction"), settings.inbound_secret)
        yield here


async def said(here: World, type_: str) -> int:
    """Events of a type in profile's outbox and on the log, each once."""
    conn = await asyncpg.connect(here.urls["log"])
    try:
        rows = await conn.fetch("SELECT DISTINCT value FROM customers")
    finally:
        await conn.close()
    return sum(f'"type":"{type_}"'.encode() in row["value"].replace(b" ", b"") for row in rows)


async def test_nobody_comes_back(postgres):
    urls = await fresh_databases(postgres)
    settings = KernelSettings(
        event_log_url=urls["log"],
        access_url=urls["access"],
        keyring_url=urls["keyring"],
        partitions=3,
        lease_seconds=5,
        language="en",
        keyring_seconds=0.3,
    )
    key = await worlds.new_key(urls["access"], ["admin"])
    async with at_work(urls, settings, key) as here:
        alone, one, other = [await Person().meet(here) for _ in range(3)]
        for person in (alone, one):
            await person.be_spoken_of(here)
        made = await merge(here, one.id, other.id, reason=f"{one.mark} is {other.mark}")
        await here.settled()
    for name in ("profile", "keyring"):
        await copied(postgres, name_of(urls[name]), f"{name_of(urls[name])}_kept")
    async with at_work(urls, settings, key) as here:
        receipts = [await erase(here, alone.id), await erase(here, other.id, one.id)]
        receipts = [await done(here, receipt) for receipt in receipts]
        before = [await read(here, person.id) for person in (alone, other)]
        erasures = await said(here, "customer.erased")
        assert erasures == 2

    await copied(postgres, f"{name_of(urls['keyring'])}_kept", name_of(urls["keyring"]))
    async with at_work(urls, settings, key) as here:
        await until_gone(here, alone, one)

    for name in ("profile", "keyring"):
        await copied(postgres, f"{name_of(urls[name])}_kept", name_of(urls[name]))
    async with at_work(urls, settings, key) as here:
        await here.settled(60)
        await until_gone(here, alone, one)
        after = [await read(here, person.id) for person in (alone, other)]
        assert list(map(timeless, after)) == list(map(timeless, before))
        for receipt in receipts:
            known = await done(here, receipt)
            for name in ("id", "number", "requested_at", "requested_by", "customer_id"):
                assert known[name] == receipt[name], name
            assert services_of(known) == services_of(receipt)
        client = here.client("profile")
        assert code_of(await client.post("/v1/erasures", json={"customer": alone.id})) == (
            *(409, "customer_erased"),
        )
        found = (await client.get(f"/v1/merges/{made['id']}")).json()
        assert (found["status"], found["head"], found["decision"]) == ("merged", other.id, "")
        for person in (alone, one):
            assert await holding(here, "profile", person.mark) <= {"outbox"}
        assert await said(here, "customer.erased") == erasures, "nobody is erased twice"


async def until_gone(here: World, *people: Person) -> None:
    """A worker that starts looks at the keyring first."""
    for _ in range(200):
        if [await key_of(here, person.id) for person in people] == [None] * len(people):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a key came back")


def timeless(customer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in customer.items() if name != "as_of"}


def services_of(receipt: dict[str, Any]) -> list[set[str]]:
    return [{said["service"] for said in part["services"]} for part in receipt["parts"]]
