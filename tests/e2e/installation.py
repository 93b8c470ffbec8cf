"""An installation of real processes, for tests that kill them."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.local import children
from deploy.local.children import ORIGIN, PROGRAMS, Program
from deploy.local.ports import free_port
from deploy.local.processes import end, spawn
from deploy.local.state import ROOT
from shared.log import Log, Record, open_log
from tests.world import SERVICES, environment, new_key

WORKERS = tuple(f"{service}-worker" for service in SERVICES)
APIS = tuple(f"{service}-api" for service in SERVICES)
START_SECONDS = 90.0
LOOK_SECONDS = 0.1


class Installation:
    """Processes over databases that somebody else runs; each can be killed and started again."""

    def __init__(
        self, urls: Mapping[str, str], folder: Path, key: str, settings: Mapping[str, str]
    ) -> None:
        """`settings`: environment variables beside those that name databases and ports."""
        self.urls = dict(urls)
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._programs: dict[str, Program] = {program.name: program for program in PROGRAMS}
        self._ports: dict[str, int] = {}
        for name in (*self._programs, ORIGIN.name):
            self._ports[name] = free_port(self._ports.values())
        secret = os.environ["INBOUND_SECRET"]
        self._environment = {
            **os.environ,
            **environment(self.urls),
            **children.variables(self._ports, secret),
            "LANGUAGE": "en",
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False
        )

    def address(self, name: str) -> str:
        return children.address(self._ports[name])

    def tell(self, **settings: str) -> None:
        """What processes started from now on are told."""
        self._environment |= settings

    def start(self, name: str) -> None:
        program = self._programs[name]
        self._spawn(name, program, children.own_variables(program))

    def start_origin(self) -> None:
        """The origin in front of the services."""
        host, port = "127.0.0.1", self._ports[ORIGIN.name]
        self._spawn(ORIGIN.name, ORIGIN, children.origin_variables(host, port, self.folder))

    def start_another(self, name: str, called: str = "another") -> None:
        """One more worker of a service, beside its first."""
        program = self._programs[name]
        port = free_port(self._ports.values())
        own = {"WORKER_NAME": f"{called}-{name}", program.port_variable: str(port)}
        self._spawn(f"{called}-{name}", program, own)

    def _spawn(self, name: str, program: Program, variables: Mapping[str, str]) -> None:
        self.processes[name] = spawn(
            program.command,
            log_path=self.folder / f"{name}.log",
            env={**self._environment, **variables},
            cwd=ROOT,
        )

    def kill(self, name: str) -> None:
        """SIGKILL; returns when it is gone."""
        process = self.processes[name]
        assert process.poll() is None, f"{name} ended by itself: {self.said(name)}"
        process.kill()
        process.wait()

    def said(self, name: str) -> str:
        """The end of a process's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)  # one that a test has frozen could not end
        for process in self.processes.values():
            end(process, ((signal.SIGTERM, 10), (signal.SIGKILL, 5)))

    async def lives(self, name: str) -> bool:
        """Whether the process answers at all."""
        try:
            answer = await self.http.get(f"{self.address(name)}/healthz")
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    async def readiness(self, name: str) -> tuple[int, dict[str, Any]]:
        """Status and content of /readyz; 0 where nobody answers."""
        try:
            answer = await self.http.get(f"{self.address(name)}/readyz")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def ready(self, seconds: float = START_SECONDS, names: Iterable[str] = ()) -> None:
        """Wait until the named processes (all) are ready."""
        waiting = list(names or self.processes)
        deadline = _Deadline(seconds)
        while waiting:
            answers = {name: await self.readiness(name) for name in waiting}
            waiting = [name for name, (status, _) in answers.items() if status != 200]
            ended = [name for name in waiting if self.processes[name].poll() is not None]
            assert not ended, "".join(map(self._state, ended))
            if waiting:
                await deadline.next(lambda: "".join(map(self._state, waiting)))

    async def settled(self, log: Log, seconds: float = 120.0) -> None:
        """Wait until everything on the log is folded and announced, and nothing comes after it."""
        deadline, before = _Deadline(seconds), None
        while True:
            ends = {topic: await log.ends(topic) for topic in ("inbound", "customers")}
            answers = [await self.readiness(name) for name in WORKERS if name in self.processes]
            assert not any("stopped" in said for _, said in answers), answers
            quiet = all(status == 200 and said["caught_up"] for status, said in answers)
            if quiet and ends == before:
                return
            before = ends if quiet else None
            await deadline.next(lambda: f"{answers}{''.join(map(self._state, WORKERS))}")

    async def clocks(self, at: datetime, seconds: float = 60.0) -> None:
        """Wait until every partition of every service has heard that it is `at`."""
        deadline = _Deadline(seconds)
        for service in SERVICES:
            conn = await asyncpg.connect(self.urls[service])
            try:
                query = "SELECT count(*) FROM checkpoint WHERE topic = 'customers' AND clock IS DISTINCT FROM $1"
                while await conn.fetchval(query, at):
                    await deadline.next(lambda: f"the clock of {service} is not {at}")
            finally:
                await conn.close()

    def _state(self, name: str) -> str:
        code = self.processes[name].poll()
        return f"\n{name} ({'runs' if code is None else f'ended with {code}'}): {self.said(name)}"

    async def rows(self, service: str, path: str) -> list[dict[str, Any]]:
        """All items of a list."""
        return await listed(self.http, f"{self.address(f'{service}-api')}{path}")


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._until = self._loop.time() + seconds

    async def next(self, what: Any) -> None:
        """Wait a moment before looking again; fail when the time is over."""
        assert self._loop.time() < self._until, f"not within {self._seconds} s: {what()}"
        await asyncio.sleep(LOOK_SECONDS)


async def listed(http: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await http.get(
            url, params={"limit": "500", **({"cursor": cursor} if cursor else {})}
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        cursor = page["next_cursor"]
    return items


async def read_all(log: Log) -> list[Record]:
    """Every record of `customers`, partition by partition."""
    found: list[Record] = []
    for partition, end_offset in (await log.ends("customers")).items():
        offset = 0
        while offset < end_offset:
            records = await log.read(
                "customers", partition, offset, events=5000, size=32 << 20, wait=5
            )
            assert records, f"partition {partition} ends at {end_offset}, read up to {offset}"
            found += records
            offset = records[-1].offset + 1
    return found


@asynccontextmanager
async def installation(
    urls: Mapping[str, str], folder: Path, *, only: Iterable[str] = (), **settings: str
) -> AsyncIterator[Installation]:
    """All processes (or only those named), ready; they are gone afterwards."""
    key = await new_key(urls["access"], ["admin"])
    made = Installation(urls, folder, key, settings)
    try:
        for name in only or [program.name for program in PROGRAMS]:
            made.start(name)
        await made.ready()
        yield made
    finally:
        made.stop()
        await made.http.aclose()


@asynccontextmanager
async def reading(url: str, namespace: str, partitions: int) -> AsyncIterator[Log]:
    """The log as an onlooker reads it."""
    log = open_log(
        url, namespace=namespace, partitions=partitions, replication=1, client="onlooker"
    )
    try:
        yield log
    finally:
        await log.close()
