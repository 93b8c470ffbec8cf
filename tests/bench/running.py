"""Our own processes as the local run starts them, on the benchmark's servers; and what they use."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import asyncpg

from deploy.local.ports import free_port
from deploy.local.processes import end, spawn
from deploy.local.run import ROOT
from shared.log import Log
from tests.bench.runner import PEERS_PYTHON
from tests.bench.servers import Servers
from tests.e2e.installation import Installation, installation, reading
from tests.world import environment, fresh_databases

PARTITIONS = 8
_ENDING = ((2, 10), (9, 5))
_TICK = os.sysconf("SC_CLK_TCK")


class Running:
    """An installation with what a measurement asks of it."""

    def __init__(
        self, here: Installation, log: Log, key: str, environment: Mapping[str, str]
    ) -> None:
        self.here = here
        self.log = log
        self.key = key
        self.environment = dict(environment)
        """What a command beside the processes is told."""

    def port(self, name: str) -> int:
        return int(self.here.address(name).rpartition(":")[2])

    def pid(self, name: str) -> int:
        return self.here.processes[name].pid

    async def connect(self, service: str) -> asyncpg.Connection:
        return await asyncpg.connect(self.here.urls[service])


@contextlib.asynccontextmanager
async def running(
    bench: Servers, *, only: Iterable[str] = (), **settings: str
) -> AsyncIterator[Running]:
    """All processes (or only those named) over fresh databases and topics, ready."""
    os.environ.setdefault("INBOUND_SECRET", "a secret of the benchmark")
    urls = await fresh_databases(bench.postgres)
    namespace, folder = bench.name("n"), bench.folder / bench.name("logs")
    told = {
        "EVENT_LOG_URL": bench.kafka.url,
        "NAMESPACE": namespace,
        "PARTITIONS": str(PARTITIONS),
        "LOG_LEVEL": "INFO",
        **settings,
    }
    try:
        async with (
            reading(bench.kafka.url, namespace, PARTITIONS) as log,
            installation(urls, folder, only=only, **told) as here,
        ):
            key = here.http.headers["Authorization"].removeprefix("Bearer ")
            yield Running(here, log, key, environment(urls) | told)
    finally:
        for url in urls.values():
            bench.drop(url)


@contextlib.asynccontextmanager
async def bare(name: str, *, arguments: Sequence[str] = (), log: Path) -> AsyncIterator[int]:
    """A bare server (`tests.bench.bare.<name>`) while the block runs; its port."""
    port = free_port(())
    command = [sys.executable, "-m", f"tests.bench.bare.{name}", str(port), *arguments]
    process = spawn(command, log_path=log / f"{name}.log", env=os.environ, cwd=ROOT)
    try:
        await _listens(port)
        yield port
    finally:
        end(process, _ENDING)  # type: ignore[arg-type]


async def _listens(port: int, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def told_by(*command: str, peer: bool = False) -> str:
    """What a program prints."""
    python = str(PEERS_PYTHON) if peer else sys.executable
    process = await asyncio.create_subprocess_exec(
        python, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return said.decode().strip()


# Where everybody is ------------------------------------------------------------------------------


class Watch:
    """How far the services are, by their checkpoints and outboxes; one connection each."""

    def __init__(self, run: Running, services: Sequence[str]) -> None:
        self._run = run
        self._services = services
        self._connections: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> Self:
        for service in self._services:
            self._connections[service] = await self._run.connect(service)
        return self

    async def __aexit__(self, *_: object) -> None:
        for conn in self._connections.values():
            await conn.close()

    async def _places(self, service: str) -> dict[str, int]:
        """Sums over the partitions: of each topic what is folded, of the outbox what is not sent."""
        conn = self._connections[service]
        rows = await conn.fetch("SELECT topic, sum(next_offset) AS at FROM checkpoint GROUP BY 1")
        unsent = await conn.fetchval(
            "SELECT coalesce(sum(coalesce((SELECT max(sequence) FROM outbox AS o"
            " WHERE o.partition = r.partition), 0) - r.acked_sequence), 0) FROM relay AS r"
        )
        return {row["topic"]: int(row["at"]) for row in rows} | {"unsent": int(unsent)}

    async def caught_up(self, *, every: float = 0.02, seconds: float = 900.0) -> float:
        """Wait until everything on the log is folded by all, and nothing is to be sent; the moment at which that was
        first seen, of `time.monotonic`."""
        until = time.monotonic() + seconds
        first: tuple[float, object] | None = None
        while True:
            now = time.monotonic()
            if now > until:
                raise TimeoutError(f"not caught up within {seconds} s")
            ends = {
                topic: sum((await self._run.log.ends(topic)).values())
                for topic in ("inbound", "customers")
            }
            quiet = True
            for service in self._services:
                places = await self._places(service)
                wanted = ["customers", *(["inbound"] if service == "interaction" else [])]
                quiet = quiet and all(places.get(topic, 0) >= ends[topic] for topic in wanted)
                quiet = quiet and places["unsent"] == 0
            if not quiet:
                first = None
            elif first is None or first[1] != ends:
                first = (now, ends)
            elif now - first[0] > 5 * every:
                return first[0]
            await asyncio.sleep(every)

    async def folded(self, service: str, topic: str = "customers") -> int:
        """Records that the service is past, over all partitions."""
        return (await self._places(service)).get(topic, 0)


# What they use -----------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, with that of children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[n]) for n in (11, 12, 13, 14)) / _TICK


def cpu_of_tree(pid: int) -> float:
    """The same with that of its living children: a PostgreSQL server's backends."""
    total = cpu_seconds(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            total += cpu_seconds(int(child))
    return total


def used(bench: Servers, run: Running) -> dict[str, float]:
    """Seconds of CPU so far of every process."""
    seconds = {name: cpu_seconds(process.pid) for name, process in run.here.processes.items()}
    for name, pid in bench.pids().items():
        seconds[name] = cpu_of_tree(pid)
    return seconds


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before.get(name, 0.0) for name in after}
