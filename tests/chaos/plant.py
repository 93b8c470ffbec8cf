"""A whole installation of real processes, with a proxy before every server, that a fault can take apart."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx

from deploy.local import children
from deploy.local.databases import SERVICES
from deploy.local.kafka import KafkaServer
from deploy.local.ports import free_port
from deploy.local.postgres import PostgresServer
from deploy.local.processes import end, spawn
from deploy.local.state import ROOT
from deploy.local.temporary import temporary_postgres
from tests.chaos.letters import SETTINGS as OF_LETTERS
from tests.chaos.letters import MailServer, Receiver
from tests.chaos.proxy import Proxy
from tests.world import environment, fresh_databases, new_key

PARTITIONS = 4
LEASE_SECONDS = 2.0
WORKERS_EACH = 2
DISK_BYTES = 1 << 30
"""Of a server's disk. In memory, so that it can be filled in no time."""
START_SECONDS = 300.0
KEYRING_SECONDS = 1.0
"""How long a process remembers a key."""
DATABASES = (*SERVICES, "keyring")
"""Each behind a proxy of its own, whatever the log is."""
SETTINGS = {
    "PARTITIONS": str(PARTITIONS),
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "STATEMENT_SECONDS": "1",
    "IDLE_IN_TRANSACTION_SECONDS": "0.5",
    "KEYRING_SECONDS": str(KEYRING_SECONDS),
    "CLOCK_TICK_SECONDS": "10",
    "ANSWER_SECONDS": "8",
    "LANGUAGE": "en",
    "LOG_LEVEL": "WARNING",
}


class Plant:
    """PostgreSQL, Kafka (or PostgreSQL's log), the services' processes, and the proxies between them.

    Processes are called `profile-api`, `profile-worker-1`, ... ."""

    def __init__(
        self, folder: Path, postgres: PostgresServer, kafka: KafkaServer | None, key: str
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.kafka = kafka
        self.proxies: dict[str, Proxy] = {}
        self.disks: dict[str, Path] = {}
        """Small disks of their own: of `postgresql`, of `kafka`. None where nobody may mount any."""
        self.urls: dict[str, str] = {}
        """Past the proxies, on the server's own socket."""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.offsets: dict[str, float] = {}
        """Seconds by which the clock of a process is wrong."""
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"},
            timeout=15,
            trust_env=False,
            limits=httpx.Limits(max_connections=1000, max_keepalive_connections=50),
        )
        self.mail = MailServer()
        self.receiver = Receiver()
        """Of webhooks."""
        self._ports: dict[str, int] = {}
        self._environment: dict[str, str] = {}

    @property
    def log_url(self) -> str:
        if self.kafka is not None:
            return f"kafka://127.0.0.1:{self.proxies['kafka'].port}"
        return self._through(self.urls["log"], "log")

    async def open(self, urls: dict[str, str], first_port: int) -> None:
        """Put proxies before the servers; no process runs yet."""
        self.urls = urls
        ports = iter(range(first_port + 1, first_port + 100)) if first_port else None
        for name in (*self._names(), *DATABASES, "log"):
            self._ports[name] = next(ports) if ports else free_port(self._ports.values())
        for name in DATABASES if self.kafka else (*DATABASES, "log"):
            await self._put(name, self._to_postgres)
        if self.kafka is not None:
            await self._put("kafka", self._to_kafka)
        await self.mail.start()
        await self.receiver.start()
        seen = {name: self._through(urls[name], name) for name in DATABASES}
        told = environment({**urls, **seen})
        main = {program.name: self._ports[_first(program.name)] for program in children.PROGRAMS}
        self._environment = {
            **os.environ,
            **told,
            **children.variables(main, os.environ["INBOUND_SECRET"]),
            **SETTINGS,
            **OF_LETTERS,
            "CAMPAIGN_SMTP_URL": self.mail.url,
            "EVENT_LOG_URL": self.log_url,
        }

    def _names(self) -> list[str]:
        workers = range(1, 5)
        return [
            name
            for service in SERVICES
            for name in (f"{service}-api", *(f"{service}-worker-{n}" for n in workers))
        ]

    async def _put(self, name: str, connect) -> None:
        proxy = self.proxies[name] = Proxy(name, connect)
        await proxy.start(self._ports[name])

    async def _to_postgres(self):
        return await asyncio.open_unix_connection(str(self.postgres.socket_dir / ".s.PGSQL.5432"))

    async def _to_kafka(self):
        host, port = self.kafka.bootstrap.split(":")
        return await asyncio.open_connection(host, int(port))

    def _through(self, url: str, name: str) -> str:
        database = urlsplit(url).path
        port = self.proxies[name].port
        return f"postgresql://postgres@127.0.0.1:{port}{database}?sslmode=disable"

    # Processes -----------------------------------------------------------------------------------

    def address(self, name: str) -> str:
        return children.address(self._ports[name])

    def failpoints(self, name: str) -> Path:
        """The folder in which places of this process are armed."""
        return self.folder / "failpoints" / name

    def start(self, name: str, **settings: str) -> None:
        service, _, kind = name.partition("-")
        module = f"services.{service}.{'app' if kind == 'api' else 'worker'}"
        port = "PORT" if kind == "api" else "WORKER_PORT"
        self.failpoints(name).mkdir(parents=True, exist_ok=True)
        for armed in self.failpoints(name).iterdir():
            armed.unlink()
        self.processes[name] = spawn(
            [sys.executable, "-m", "tests.chaos.process", module],
            log_path=self.folder / "logs" / f"{name}.log",
            env={
                **self._environment,
                f"{service.upper()}_{port}": str(self._ports[name]),
                "FAILPOINTS": str(self.failpoints(name)),
                "CLOCK_OFFSET": str(self.offsets.get(name, 0.0)),
                **({} if kind == "api" else {"WORKER_NAME": name}),
                **settings,
            },
            cwd=ROOT,
        )

    def run(self, module: str) -> subprocess.Popen[bytes]:
        """Something that ends by itself, told what the services are told."""
        return spawn(
            [sys.executable, "-m", module],
            log_path=self.folder / "logs" / f"{module}.log",
            env=self._environment,
            cwd=ROOT,
        )

    def database(self, service: str) -> str:
        """The name of a service's database on the server."""
        return urlsplit(self.urls[service]).path.removeprefix("/")

    def send(self, name: str, sign: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.processes[name].send_signal(sign)

    async def kill(self, name: str) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(name, signal.SIGKILL)
        await self.gone(name)

    async def ask_to_end(self, name: str, seconds: float = 8.0) -> None:
        """SIGTERM; returns when it has ended. Forgets it."""
        self.send(name, signal.SIGTERM)
        if not await self.gone(name, seconds):
            await self.kill(name)
            raise AssertionError(f"{name} did not end within {seconds} s of SIGTERM")
        self.processes.pop(name)

    async def gone(self, name: str, seconds: float = 10.0) -> bool:
        process, until = self.processes[name], time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110 - a child
            await asyncio.sleep(0.01)
        return process.poll() is not None

    def of(self, service: str) -> list[str]:
        return [name for name in self.processes if name.startswith(service)]

    def workers(self, service: str | None = None) -> list[str]:
        return [n for n in self.processes if "-worker" in n and n.startswith(service or "")]

    def apis(self) -> list[str]:
        return [name for name in self.processes if name.endswith("-api")]

    def ended(self) -> list[str]:
        """Those that are gone though nobody meant them to be."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def said(self, name: str, most: int = 3000) -> str:
        log = self.folder / "logs" / f"{name}.log"
        return log.read_text(errors="replace")[-most:] if log.exists() else ""

    async def readiness(self, name: str, seconds: float = 5.0) -> tuple[int, dict]:
        """Status and content of /readyz; 0 where nobody answers."""
        try:
            answer = await self.http.get(f"{self.address(name)}/readyz", timeout=seconds)
            return answer.status_code, answer.json()
        except (httpx.TransportError, ValueError):
            return 0, {}

    async def looked(self, name: str, seconds: float = START_SECONDS) -> None:
        """Wait until a process has ended, or says how it is."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.processes[name].poll() is None:
            if (await self.readiness(name))[0]:
                return
            await asyncio.sleep(0.1)

    async def ready(self, *names: str, seconds: float = START_SECONDS) -> None:
        """Wait until these (all) are ready."""
        waiting, until = list(names or self.processes), time.monotonic() + seconds
        while waiting:
            answers = {name: await self.readiness(name) for name in waiting}
            waiting = [name for name, (status, _) in answers.items() if status != 200]
            if waiting and time.monotonic() > until:
                said = "".join(f"\n{name}: {answers[name]}\n{self.said(name)}" for name in waiting)
                raise AssertionError(f"not ready within {seconds} s: {said}")
            if waiting:
                await asyncio.sleep(0.05)

    async def begin(self, workers: int) -> None:
        for service in SERVICES:
            for number in range(1, workers + 1):
                self.start(f"{service}-worker-{number}")
            self.start(f"{service}-api")
        await self.ready()

    async def connect(self, service: str) -> asyncpg.Connection:
        """A connection past the proxy."""
        return await asyncpg.connect(self.urls[service])

    async def stop(self) -> None:
        for name in self.processes:
            self.send(name, signal.SIGTERM)
            self.send(name, signal.SIGCONT)
        for proxy in self.proxies.values():
            proxy.heal()
        for process in self.processes.values():
            await asyncio.to_thread(end, process, ((signal.SIGTERM, 5), (signal.SIGKILL, 5)))
        await self.http.aclose()
        for server in (*self.proxies.values(), self.mail, self.receiver):
            await server.stop()


def _first(program: str) -> str:
    return program if program.endswith("-api") else f"{program}-1"


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    """A small disk in memory mounted there; None, and an ordinary folder, for who may not mount one."""
    folder.parent.chmod(0o711)
    folder.mkdir(mode=0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=711", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@asynccontextmanager
async def plant(log: str, first_port: int = 0, workers: int = WORKERS_EACH) -> AsyncIterator[Plant]:
    """Everything, running; gone afterwards. `log`: kafka or postgresql. `workers` of each service."""
    os.environ.setdefault("INBOUND_SECRET", "a secret of the tests")
    with (
        tempfile.TemporaryDirectory(prefix="tenure-chaos-", ignore_cleanup_errors=True) as name,
        _disk(Path(name) / "postgresql") as of_postgres,
        _disk(Path(name) / "kafka") as of_kafka,
        temporary_postgres(
            max_wal_size="96MB",
            settings={"min_wal_size": "64MB"},
            within=of_postgres,
        ) as postgres,
    ):
        folder, kafka = Path(name), None
        before_kafka = first_port or free_port()
        if log == "kafka":
            kafka = KafkaServer(folder / "kafka" / "data", advertised_port=before_kafka)
            await asyncio.to_thread(kafka.start, seconds=150)
        urls = await fresh_databases(postgres)
        here = Plant(folder, postgres, kafka, await new_key(urls["access"], ["admin"]))
        disks = {"postgresql": of_postgres, "kafka": of_kafka if kafka else None}
        here.disks = {name: disk for name, disk in disks.items() if disk is not None}
        try:
            here._ports["kafka"] = before_kafka
            await here.open(urls, first_port)
            await here.begin(workers)
            yield here
        finally:
            await here.stop()
            if kafka is not None:
                await asyncio.to_thread(kafka.stop)
