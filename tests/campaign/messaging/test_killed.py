"""Real workers that are killed, or stand still, between claiming a message and writing down what became of it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.local.state import ROOT
from tests import world as worlds
from tests.campaign.messaging.office import NOW, SENDER, SERVICES, Office
from tests.campaign.messaging.sink import sink
from tests.world import environment, world

SECONDS = 1.0
"""How long handing over may take; what is lost is lost after twice that."""


class Workers:
    """Campaign's workers, as processes."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        number = len(self.running)
        points = self.folder / f"points-{number}"
        points.mkdir()
        variables = environment(self.office.here.urls) | {
            "CAMPAIGN_SMTP_URL": self.office.sink.url,
            "CAMPAIGN_MAIL_FROM": SENDER,
            "CAMPAIGN_MAIL_SECONDS": str(SECONDS),
            "CLOCK_NOW": NOW.isoformat(),
            "LEASE_SECONDS": "2",
            "WORKER_NAME": f"campaign-{number}",
            "FAILPOINTS": str(points),
        }
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            made = subprocess.Popen(
                [sys.executable, "-m", "services.campaign.worker"],
                cwd=ROOT,
                env=os.environ | variables,
                stdout=log,
                stderr=log,
            )
        self.running.append(made)
        return made

    def arm(self, point: str, action: str = "kill") -> None:
        """The next that comes by, of the newest worker."""
        (self.folder / f"points-{len(self.running) - 1}" / point).write_text(action)

    def stop(self) -> None:
        for one in self.running:
            one.send_signal(signal.SIGCONT)
            one.kill()
            one.wait()


@pytest.fixture
async def workers(postgres, tmp_path) -> AsyncIterator[Workers]:
    async with (
        sink() as there,
        world(postgres, services=SERVICES, workers=False, clock_now=NOW) as here,
        AsyncExitStack() as stack,
    ):
        for name in ("interaction", "profile"):
            await worlds.add_worker(stack, here, name)
        office = Office(here, there)
        office.open()
        made = Workers(office, tmp_path)
        made.start()
        try:
            yield made
        finally:
            made.stop()


async def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    limit = asyncio.get_running_loop().time() + seconds
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < limit
        await asyncio.sleep(0.05)


async def asked(office: Office, member: str) -> str:
    """A message, as soon as campaign knows the customer."""

    async def write() -> Any:
        answer = await office.write(member)
        return answer.json()["id"] if answer.status_code == 201 else None

    return str(await until(write))


async def done(office: Office, message: str) -> tuple[str, str | None]:
    async def look() -> Any:
        found = await office.read(message)
        return (found["status"], found["reason"]) if found["done_at"] else None

    found: tuple[str, str | None] = await until(look)
    return found


@pytest.mark.parametrize(("point", "came"), [("mail.claimed", 0), ("mail.told", 1)])
async def test_killed(workers: Workers, point: str, came: int):
    """Before the socket was opened, and after the server took it: nobody can tell, and nobody tries."""
    office = workers.office
    first, second = await office.somebody(), await office.somebody()
    assert await done(office, await asked(office, first)) == ("sent", None)
    workers.arm(point)
    message = await asked(office, second)
    victim = workers.running[0]
    await until(lambda: victim.poll() is not None)
    assert victim.returncode == -signal.SIGKILL
    assert (await office.read(message))["status"] == "sending"
    assert len(office.arrived(second)) == came
    workers.start()
    assert await done(office, message) == ("uncertain", "process_ended")
    after = await asked(office, first)
    assert await done(office, after) == ("sent", None), "life goes on"
    assert len(office.arrived(second)) == came
    assert (await office.read(message))["status"] == "uncertain"


async def test_frozen(workers: Workers):
    """Another takes its work for lost. Awake again it neither begins the text nor writes anything down."""
    office = workers.office
    first, second = await office.somebody(), await office.somebody()
    assert await done(office, await asked(office, first)) == ("sent", None)
    workers.arm("mail.claimed", "stop")
    message = await asked(office, second)
    await until(lambda: not list((workers.folder / "points-0").iterdir()))
    workers.start()
    assert await done(office, message) == ("uncertain", "process_ended")
    workers.running[0].send_signal(signal.SIGCONT)
    log = workers.folder / "worker-0.log"
    await until(lambda: b"message_taken_for_lost" in log.read_bytes())
    assert (await office.read(message))["status"] == "uncertain"
    assert office.arrived(second) == []
