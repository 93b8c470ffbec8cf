"""`make run`, step by step."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from deploy.local import children
from deploy.local.children import ORIGIN, PROGRAMS, Program
from deploy.local.databases import (
    DATABASES,
    create_databases,
    database_name,
    database_variables,
    url_of,
)
from deploy.local.errors import LocalRunError, MissingTool, PortInUse, StartFailed
from deploy.local.kafka import KafkaServer
from deploy.local.options import Options
from deploy.local.ports import is_free
from deploy.local.postgres import PostgresServer
from deploy.local.processes import size_of, spawn
from deploy.local.readiness import unready
from deploy.local.state import (
    ROOT,
    changed_versions,
    kept_ports,
    kept_secret,
    write_atomically,
    write_environment,
    write_processes,
)
from deploy.local.supervisor import Child, Process, Supervisor, exit_code

DEMO = ("deploy.demo",)
_READY_WITHIN = 180.0
_REMIND_EVERY = 15.0
_LOOK_EVERY = 0.2


def say(sentence: str) -> None:
    """One line for the person at the terminal; who closed the terminal is not told."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


class LocalRun:
    """One run, from the checks to the end of the last process.

    `start`, then `serve`, which only an exception ends; `stop` in any case."""

    def __init__(self, options: Options, local: Path, heed: Callable[[], None]) -> None:
        """`heed` is called in every wait and raises when it is time to end."""
        self._heed = heed
        self._options = options
        self._local = local
        self._folder = options.folder(local)
        self._logs = self._folder / "logs"
        self._environment: dict[str, str] = dict(os.environ)
        self._supervisor = Supervisor(say=say, changed=self._write_processes)
        self._demo: Process | None = None

    def start(self) -> None:
        """Everything up to the line `ready`. Raises LocalRunError."""
        self._check()
        self._logs.mkdir(parents=True, exist_ok=True)
        say(f"Tenure keeps everything of this run in {_short(self._folder)}")
        self._environment |= database_variables(self._start_postgres())
        for step in (self._start_log, self._migrate, self._start_programs, self._await_ready):
            self._heed()
            step()
        say(f"ready: {self._options.url}")

    def serve(self) -> NoReturn:
        """Replays the demo and keeps everything running. Raises LocalRunError."""
        self._start_demo()
        while True:
            self._heed()
            self._supervisor.look()
            self._look_at_demo()
            time.sleep(_LOOK_EVERY)

    def stop(self) -> None:
        end_of_demo = self._demo
        if end_of_demo is not None:
            end_of_demo.terminate()
        self._supervisor.stop()
        if end_of_demo is not None:
            end_of_demo.kill()
            end_of_demo.wait()
        for name in ("processes.json", "environment"):
            self._local.joinpath(name).unlink(missing_ok=True)

    # Steps ---------------------------------------------------------------------------------------

    def _check(self) -> None:
        host, port = self._options.host, self._options.port
        try:
            free = is_free(port, host)
        except OSError as error:
            raise LocalRunError(
                f"HOST={host}: this machine cannot listen there ({error})."
            ) from None
        if not free:
            raise PortInUse(
                f"port {port} of {host} is in use; choose another one: make run PORT={port + 1}"
            )
        own_kafka = self._options.log == "kafka" and not self._options.event_log_url
        missing = KafkaServer.missing() if own_kafka else None
        if missing:
            raise MissingTool(f"{missing} Install it, or run without LOG=kafka.")

    def _start_postgres(self) -> dict[str, str]:
        """Addresses of the databases, all of which exist afterwards."""
        names = {name: database_name(name, self._options.namespace) for name in DATABASES}
        if self._options.database_url:
            say("making databases on the server of DATABASE_URL")
            create_databases(self._options.database_url, list(names.values()))
            return {key: url_of(self._options.database_url, name) for key, name in names.items()}
        say("starting PostgreSQL")
        server = PostgresServer(self._folder / "postgres", log_path=self._logs / "postgresql.log")
        self._add_server("postgresql", server)
        for name in names.values():
            server.create_database(name)
        return {key: server.url(name) for key, name in names.items()}

    def _start_log(self) -> None:
        note = self._local / "kafka"
        note.unlink(missing_ok=True)
        url = self._options.event_log_url
        if self._options.log == "kafka" and not url:
            server = KafkaServer(self._folder / "kafka", log_path=self._logs / "kafka.log")
            if not server.fetched:
                say("fetching Kafka from Maven Central (once)")
                server.fetch()
            say("starting Kafka")
            self._add_server("kafka", server)
            url = server.url
        if url:
            self._environment["EVENT_LOG_URL"] = url
        if self._options.log == "kafka":
            write_atomically(note, url.removeprefix("kafka://") + "\n")

    def _migrate(self) -> None:
        say("running migrations")
        versions = json.loads(self._run_module("shared.migrations", "versions"))
        path = self._folder / "versions.json"
        changed = changed_versions(path, versions)
        self._run_module("shared.migrations", "upgrade")
        for name in dict.fromkeys(one.partition(".")[0] for one in changed):
            say(f"the code folds differently now: making the rows of {name} anew")
            self._environment["INBOUND_SECRET"] = kept_secret(self._local / "secret")
            self._run_module(f"services.{name}.rebuild")
        write_atomically(path, json.dumps(versions, indent=1) + "\n")
        key = kept_secret(self._local / "key")
        create = ("create", "--name", "local", "--scope", "admin", "--key", key)
        self._run_module("shared.keys", *create)
        write_environment(self._local / "environment", self._environment)

    def _start_programs(self) -> None:
        names = [program.name for program in PROGRAMS]
        ports = kept_ports(self._folder / "ports.json", names, [self._options.port])
        secret = kept_secret(self._local / "secret")
        options = self._options
        self._environment |= children.variables(ports, secret)
        self._environment |= children.origin_variables(options.host, options.port, self._local)
        for program in PROGRAMS:
            self._heed()
            say(f"starting {program.name}")
            self._add_program(program, children.address(ports[program.name]))
        say("starting the origin")
        self._add_program(ORIGIN, options.url)

    def _await_ready(self) -> None:
        say("waiting until everything is ready")
        waiting = {c.name: c.address for c in self._supervisor.children if c.address}
        started = reminded = time.monotonic()
        while lacking := unready(waiting):
            waiting = {name: waiting[name] for name in lacking}
            self._heed()
            self._supervisor.look()
            now = time.monotonic()
            words = "; ".join(f"{name}: {lacks}" for name, lacks in lacking.items())
            if now - started > _READY_WITHIN:
                raise StartFailed(f"not everything got ready ({words}); the logs: {self._logs}")
            if now - reminded > _REMIND_EVERY:
                reminded = now
                say(f"still waiting for {words}")
            time.sleep(_LOOK_EVERY)

    def _start_demo(self) -> None:
        options = self._options
        if options.demo == "none":
            return
        command = [sys.executable, "-m", *DEMO, "--origin", options.url]
        command += ["--key-file", str(self._local / "key"), "--mode", options.demo]
        command += ["--state", str(self._folder / "demo")]
        command += ["--processes", str(self._local / "processes.json")]
        self._demo = spawn(command, log_path=None, env=self._environment, cwd=ROOT)
        self._write_processes()

    def _look_at_demo(self) -> None:
        if self._demo is None or self._demo.poll() is None:
            return
        if self._demo.returncode != 0:
            say(
                f"the demo ended with {exit_code(self._demo)}; everything else goes on, and the "
                "next make run goes on with the demo"
            )
        self._demo = None
        self._write_processes()

    # Tools ---------------------------------------------------------------------------------------

    def _add_server(self, name: str, server: PostgresServer | KafkaServer) -> None:
        def begin() -> Process:
            server.start()
            assert server.process is not None
            return server.process

        self._supervisor.add(Child(name, begin, server.log_path, stop=server.stop))

    def _add_program(self, program: Program, address: str) -> None:
        log = self._logs / f"{program.name}.log"
        environment = self._environment | children.own_variables(program)

        def begin() -> Process:
            return spawn(program.command, log_path=log, env=environment, cwd=ROOT)

        self._supervisor.add(Child(program.name, begin, log, address))

    def _run_module(self, module: str, *arguments: str) -> str:
        """What `python -m module ...` prints; its other words go to a log. Raises StartFailed."""
        log = self._logs / f"{module}.log"
        before = size_of(log)
        command = [sys.executable, "-m", module, *arguments]
        with log.open("ab") as errors:
            done = subprocess.run(
                command, cwd=ROOT, env=self._environment, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        if done.returncode != 0:
            said = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
            last = said[-1] if said else f"exit code {done.returncode}"
            what = " ".join((module, *arguments[:1]))
            raise StartFailed(f"{what} failed: {last} (see {log})")
        return done.stdout

    def _write_processes(self) -> None:
        entries: list[Mapping[str, Any]] = [_entry("supervisor", os.getpid())]
        entries += self._supervisor.entries()
        if self._demo is not None:
            entries.append(_entry("demo", self._demo.pid))
        write_processes(self._local / "processes.json", self._options.url, entries)


def _entry(name: str, pid: int) -> Mapping[str, Any]:
    return {"name": name, "pid": pid, "address": None, "log": None}


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return f"{path.relative_to(ROOT)}/"
    return f"{path}/"
