"""Campaign's database goes back in time: what was sent since is not sent again, and counts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from shared.settings import KernelSettings
from tests import world as worlds
from tests.campaign.messaging.office import NOW, SERVICES, Office
from tests.campaign.messaging.sink import DROP, Sink, sink
from tests.shared.test_restored import copied, name_of
from tests.world import World, fresh_databases


@asynccontextmanager
async def at_work(
    urls: dict[str, str], settings: KernelSettings, key: str, there: Sink
) -> AsyncIterator[Office]:
    here = World(urls, settings, key=key)
    office = Office(here, there)
    async with AsyncExitStack() as stack:
        for name in SERVICES:
            await worlds._add_api(stack, here, name)
            await worlds.add_worker(stack, here, name)
        office.open()
        yield office


async def test_nothing_is_sent_twice(postgres):
    urls = await fresh_databases(postgres)
    settings = KernelSettings(
        event_log_url=urls["log"],
        access_url=urls["access"],
        keyring_url=urls["keyring"],
        partitions=3,
        lease_seconds=5,
        language="en",
        clock_now=NOW,
    )
    key = await worlds.new_key(urls["access"], ["admin"])
    kept = f"{name_of(urls['campaign'])}_kept"
    later = (NOW + timedelta(hours=1)).isoformat()
    async with sink() as there:
        async with at_work(urls, settings, key, there) as office:
            who = {
                name: await office.somebody()
                for name in ("sent", "uncertain", "failed", "cancelled", "planned", "new")
            }
            old = {name: await office.written(who[name], send_at=later) for name in who}
        await copied(postgres, name_of(urls["campaign"]), kept)

        async with at_work(urls, settings, key, there) as office:
            await office.do(old["cancelled"], "cancel")
            for name, step, said in (
                ("sent", "on_data", None),
                ("uncertain", "on_data", DROP),
                ("failed", "on_rcpt", "550 no"),
            ):
                setattr(there, step, lambda _, said=said: said)
                await office.rows("UPDATE message SET due_at = $2 WHERE id = $1", old[name], NOW)
                await office.became(old[name])
                office.open()
            fresh = [await office.written(who["new"]) for _ in range(2)]
            became = {one: await office.became(one) for one in (*old.values(), *fresh)}
            came = {name: len(office.arrived(member)) for name, member in who.items()}
            assert came == {
                "sent": 1,
                "new": 2,
                "uncertain": 0,
                "failed": 0,
                "cancelled": 0,
                "planned": 0,
            }

        await copied(postgres, kept, name_of(urls["campaign"]))
        async with at_work(urls, settings, key, there) as office:
            await office.here.settled(60)
            statuses = {name: (await office.became(message)) for name, message in old.items()}
            assert statuses == {
                "sent": ("sent", None),
                "uncertain": ("uncertain", "recalled"),
                "failed": ("failed", "refused"),
                "cancelled": ("cancelled", "cancelled"),
                "planned": ("scheduled", None),
                "new": ("scheduled", None),
            }
            assert became[old["planned"]] == ("scheduled", None)
            for message in fresh:
                found = await office.read(message)
                assert (found["status"], found["text"], found["customer_id"]) == (
                    "sent",
                    None,
                    (await office.read(old["new"]))["customer_id"],
                )
            await office.rows("UPDATE message SET due_at = $1 WHERE due_at IS NOT NULL", NOW)
            assert await office.became(old["planned"]) == ("sent", None)
            assert await office.became(old["new"]) == ("sent", None)
            assert {name: len(office.arrived(member)) for name, member in who.items()} == came | {
                "planned": 1,
                "new": 3,
            }
            assert await office.became(await office.written(who["new"])) == ("withheld", "capped")
            assert (await office.do(fresh[0], "resend")).json()["code"] == "wrong_state"
            await office.rows("UPDATE message SET status = 'failed' WHERE id = $1", fresh[0])
            assert (await office.do(fresh[0], "resend")).json()["code"] == "text_gone"
            retold = await office.told(old["sent"])
            assert [one["type"] for one in retold] == ["message.sent"], "said once"
