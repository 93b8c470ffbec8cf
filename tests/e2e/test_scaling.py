"""Workers come and go in order, 1 -> 4 -> 1, and of two each is restarted in turn: whoever reads sees no error, and no
event waits longer than twice the lease."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable

import asyncpg
import pytest

from tests.e2e.installation import Installation, installation, read_all, reading
from tests.e2e.load import purchase, until
from tests.e2e.reading import published, without_repeats
from tests.world import fresh_databases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LEASE = 5.0
PARTITIONS = 8
PROCESSES = ("interaction-api", "interaction-worker", "profile-api", "profile-worker")
MORE = ("second", "third", "fourth")


class Probe:
    """One new customer after the other: told to the door, then looked for until profile has them."""

    def __init__(self, here: Installation) -> None:
        self.delays: list[float] = []
        self.statuses: set[int] = set()
        self._here = here

    async def run(self) -> None:
        number = 0
        while True:
            number += 1
            sale = purchase(f"s{number}", number)
            door = f"{self._here.address('interaction-api')}/v1/events"
            answer = await self._here.http.post(door, json=sale)
            assert answer.status_code == 200, answer.text
            started = time.monotonic()
            path = f"{self._here.address('profile-api')}/v1/customers/member_no:M{number}"
            await until(lambda path=path: self._known(path), path, 60, every=0.02)
            self.delays.append(time.monotonic() - started)

    async def _known(self, path: str) -> bool:
        answer = await self._here.http.get(path)
        self.statuses.add(answer.status_code)
        return answer.status_code == 200


async def shares(url: str) -> dict[str, int]:
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch(
            "SELECT owner, count(*) AS n FROM checkpoint WHERE topic = 'customers' GROUP BY owner"
        )
    finally:
        await conn.close()
    return {row["owner"]: row["n"] for row in rows}


async def shared(url: str, rule: Callable[[dict[str, int]], bool], what: str) -> None:
    async def so() -> bool:
        return rule(await shares(url))

    await until(so, what, 60)


async def moved(probe: Probe) -> None:
    """Let some more go through."""
    seen = len(probe.delays)

    async def more() -> bool:
        return len(probe.delays) > seen + 3

    await until(more, "the probe goes on", 60)


async def end(here: Installation, name: str) -> None:
    here.processes[name].terminate()
    await asyncio.to_thread(here.processes[name].wait, 20)


async def test_one_four_one_and_one_after_the_other(postgres, tmp_path):
    urls = await fresh_databases(postgres)
    settings = {
        "EVENT_LOG_URL": urls["log"],
        "PARTITIONS": str(PARTITIONS),
        "LEASE_SECONDS": str(LEASE),
        "NAMESPACE": f"s{uuid.uuid4().hex[:6]}",
    }
    async with (
        installation(urls, tmp_path, only=PROCESSES, **settings) as here,
        reading(urls["log"], "", PARTITIONS) as log,
    ):
        probe = Probe(here)
        probing = asyncio.create_task(probe.run())
        try:
            await moved(probe)
            for name in MORE:
                here.start_another("profile-worker", name)
            await shared(urls["profile"], lambda n: sorted(n.values()) == [2, 2, 2, 2], "four")
            await moved(probe)
            for name in MORE:
                await end(here, f"{name}-profile-worker")
            await shared(urls["profile"], lambda n: list(n.values()) == [PARTITIONS], "one")
            workers = ("profile-worker", "interaction-worker")
            for name in workers:
                here.start_another(name, "second")
            for name in workers:
                await shared(urls[name.partition("-")[0]], lambda n: len(n) == 2, "two share")
            for name in workers:  # whoever is left takes over at once
                await moved(probe)
                await end(here, name)
                here.start(name)
                await shared(urls[name.partition("-")[0]], lambda n: len(n) == 2, "two share")
            await moved(probe)
            assert not probing.done(), probing
        finally:
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probing
        assert probe.statuses <= {200, 404}
        assert max(probe.delays) < 2 * LEASE
        counts = published(without_repeats(await read_all(log)))
        assert set(counts.values()) == {1}
