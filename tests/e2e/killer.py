"""SIGKILL at the worst moments."""

import asyncio
import signal
import time
from collections import Counter
from random import Random
from urllib.parse import unquote, urlsplit

import asyncpg

from tests.e2e.installation import WORKERS, Installation
from tests.e2e.publisher import Publisher

BATCHES = {"interaction": "door|orders|identity|timeline", "profile": "profile", "scoring": "score"}
"""What a statement names that is part of a batch, and not of a lease's renewal or a tick."""


class Killer:
    """Kills in mid-batch: a worker while one of its transactions has written and not committed, an API while it
    is being asked."""

    def __init__(
        self, here: Installation, publisher: Publisher, watch: asyncpg.Connection, random: Random
    ) -> None:
        self.killed: Counter[str] = Counter()
        self.cut_short = 0
        """Kills of which it is certain that they hit a transaction."""
        self._here = here
        self._publisher = publisher
        self._watch = watch
        self._random = random

    async def next(self, victims: list[str]) -> None:
        """Kill one of them that lives; it is started again at once."""
        name = await self._living(victims)
        victims.remove(name)
        if name in WORKERS:
            self.cut_short += await self._stopped_in_a_transaction(name)
        else:
            await self._asked()
        self._here.kill(name)
        self.killed[name] += 1
        if name in WORKERS and self.killed[name] % 2:
            await self._forget_acknowledgements(name)
        self._here.start(name)

    async def _forget_acknowledgements(self, name: str) -> None:
        """As if it had been killed after the log's acknowledgement and before it was written down: the moment is
        too short to be hit by chance. What was sent then is sent again."""
        conn = await asyncpg.connect(self._here.urls[_service(name)])
        try:
            await conn.execute("UPDATE relay SET acked_sequence = greatest(0, acked_sequence - 20)")
        finally:
            await conn.close()

    async def _living(self, victims: list[str]) -> str:
        while True:
            for name in dict.fromkeys(victims):
                if await self._here.lives(name):
                    return name
            await asyncio.sleep(0.02)

    async def _asked(self, seconds: float = 5.0) -> None:
        """Wait until something was acknowledged and more is on its way; not long where nothing is."""
        acknowledged = self._publisher.outcomes["acknowledged"]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(0, 0.02))
            more = self._publisher.outcomes["acknowledged"] > acknowledged
            if more and self._publisher.in_flight:
                return

    async def _stopped_in_a_transaction(self, name: str, seconds: float = 5.0) -> bool:
        """Freeze the worker when it has a transaction open that has written, and see that it stays open."""
        process = self._here.processes[name]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not await self._writing(name):
                await asyncio.sleep(0.001)
                continue
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.005)  # what it had sent already is done by then
            if await self._writing(name, waits_for="ClientRead"):
                return True
            process.send_signal(signal.SIGCONT)
        return False

    async def _writing(self, name: str, waits_for: str = "") -> bool:
        """Whether a transaction of the worker has written some of a batch (and waits for what is to follow)."""
        service = _service(name)
        found: bool = await self._watch.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = $2"
            " AND backend_xid IS NOT NULL AND query ~ $3 AND $4 IN ('', wait_event))",
            unquote(urlsplit(self._here.urls[service]).path.removeprefix("/")),
            f"{service} worker",
            BATCHES[service],
            waits_for,
        )
        return found


def _service(name: str) -> str:
    return name.partition("-")[0]
