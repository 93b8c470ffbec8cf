"""A worker is killed on its way: what it was about to send arrives, under the same id, and everything else once."""

import asyncio
import os
import signal
import sys
from collections import Counter
from typing import Any

import pytest

from tests.interaction.webhooks.desk import Desk, a_world
from tests.interaction.webhooks.receiver import Reply, receiving
from tests.world import environment

EVENTS = 5


async def worker(urls: dict[str, str], failpoints: str) -> asyncio.subprocess.Process:
    variables = {
        **os.environ,
        **environment(urls),
        "FAILPOINTS": failpoints,
        "INTERACTION_WEBHOOKS_PRIVATE": "true",
        "INTERACTION_WEBHOOKS_SECONDS": "1",
        "LEASE_SECONDS": "2",
        "WORKER_NAME": "one",
        "LOG_LEVEL": "ERROR",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.interaction.worker", env=variables
    )


async def delivered(desk: Desk, hook: dict[str, Any], count: int) -> None:
    """Wait until so many are, and no others are there."""
    until = asyncio.get_running_loop().time() + 60
    while [one["status"] for one in await desk.deliveries(hook)] != ["delivered"] * count:
        assert asyncio.get_running_loop().time() < until, await desk.deliveries(hook)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("place", "most"),
    [
        ("fold.written", 1),
        ("fold.committed", 1),
        ("webhook.claimed", 1),
        ("webhook.answered", 2),
    ],
)
async def test_killed(postgres, tmp_path, place: str, most: int):
    """`most`: how often an event may arrive."""
    async with a_world(postgres, workers=False) as here, receiving() as there:
        desk = Desk(here)
        there.judge = lambda _: Reply(seconds=0.05)
        hook = await desk.add(there.url, "interaction.recorded")
        process = await worker(here.urls, str(tmp_path))
        try:
            for n in range(EVENTS):
                if n == 2:  # nothing is under way then, so it is certain what the kill hits
                    await delivered(desk, hook, n)
                    (tmp_path / place).write_text("kill")
                body = {"customer": {"member_no": f"M-{n}"}, "kind": "call", "subject": f"s{n}"}
                answer = await desk.client.post("/v1/interactions", json=body)
                assert answer.status_code in {201, 202}, answer.text
            assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
            process = await worker(here.urls, str(tmp_path))
            await delivered(desk, hook, EVENTS)
        finally:
            process.terminate()
            await process.wait()
        times = Counter(one.id for one in there.got)
        assert len(times) == EVENTS
        assert set(times.values()) <= {*range(1, most + 1)}
        assert max(times.values()) == most
        assert {one.verified(hook["secret"])["data"]["data"]["subject"] for one in there.got} == {
            f"s{n}" for n in range(EVENTS)
        }
        attempts = [one["attempts"] for one in await desk.deliveries(hook)]
        crashed_in_sending = place.startswith("webhook.")
        assert (max(attempts) > 1) == crashed_in_sending
