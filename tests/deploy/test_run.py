import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import __main__ as entry
from deploy.local import run as module
from deploy.local.children import Program
from deploy.local.options import options
from deploy.local.ports import free_port
from deploy.local.processes import alive, hold
from deploy.local.run import LocalRun
from deploy.local.state import ROOT


@dataclass(frozen=True, slots=True)
class _StandIn(Program):
    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.deploy.stand_in", self.port_variable]


class _Enough(Exception):  # noqa: N818
    """The test has seen what it wanted."""


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def modules_run(monkeypatch):
    """What would have been run as `python -m`: stand-ins have neither tables nor keys."""
    seen = []

    def run_module(_self, name, *arguments):
        seen.append((name, *arguments))
        return '{"profile": 1}'

    monkeypatch.setattr(LocalRun, "_run_module", run_module)
    real = {"interaction-api", "profile-api", "scoring-api"}
    programs = tuple(
        _StandIn(program.name, program.module, program.port_variable)
        for program in module.PROGRAMS
        if program.name in real
    )
    monkeypatch.setattr(module, "PROGRAMS", programs)
    monkeypatch.setattr(
        module.children,
        "variables",
        lambda ports, _secret: {p.port_variable: str(ports[p.name]) for p in programs},
    )
    return seen


@pytest.fixture
def local(open_dir):
    return open_dir / ".local"


def _run(local: Path, port: int, heed=lambda: None, **more: str) -> LocalRun:
    return LocalRun(options({"PORT": str(port), "DEMO": "none", **more}), local, heed)


def _processes(local: Path) -> dict[str, dict]:
    found = json.loads((local / "processes.json").read_text())
    return {process["name"]: process for process in found["processes"]}


def test_a_run_from_the_first_step_to_the_last(local, port, modules_run, capsys):
    steps = iter(("kill", "look"))
    before = {}

    def heed():
        now = _processes(local)
        if not before:
            return
        if next(steps, "") == "kill":
            os.kill(now["profile-api"]["pid"], signal.SIGKILL)
            os.kill(now["postgresql"]["pid"], signal.SIGKILL)
        elif all(now[name]["pid"] not in {None, before[name]["pid"]} for name in KILLED):
            raise _Enough

    KILLED = ("profile-api", "postgresql")  # noqa: N806 - a constant of this test
    run = _run(local, port, heed)
    try:
        run.start()
        before |= _processes(local)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200
        assert before.keys() >= {"supervisor", "postgresql", "interaction-api", "origin"}
        assert before["origin"]["address"] == f"http://127.0.0.1:{port}"
        with pytest.raises(_Enough):
            run.serve()
        after = _processes(local)
    finally:
        run.stop()
    said = capsys.readouterr().out.splitlines()
    assert f"ready: http://127.0.0.1:{port}" in said
    assert any("profile-api ended with exit code -9 (SIGKILL)" in line for line in said)
    assert any("postgresql ended with" in line for line in said)
    assert after["profile-api"]["address"] == before["profile-api"]["address"]
    assert not any(alive(p["pid"]) for p in after.values() if p["name"] != "supervisor")
    assert not (local / "processes.json").exists()
    key = (local / "key").read_text().strip()
    assert ("shared.keys", "create", "--name", "local", "--scope", "admin", "--key", key) in (
        modules_run
    )


def test_the_second_start_keeps_key_and_ports_and_minds_changed_folds(local, port, modules_run):
    kept = []
    for _ in range(2):
        run = _run(local, port)
        try:
            run.start()
            kept.append((
                (local / "key").read_text(), _processes(local)["profile-api"]["address"],
            ))  # fmt: skip
        finally:
            run.stop()
    assert kept[0] == kept[1]
    (local / "postgresql-log" / "versions.json").write_text('{"profile": 0}')
    assert ("services.profile.rebuild",) not in modules_run
    run = _run(local, port)
    try:
        run.start()
    finally:
        run.stop()
    assert ("services.profile.rebuild",) in modules_run


@pytest.mark.usefixtures("modules_run")
def test_a_demo_that_fails_leaves_the_rest_alone(local, port, monkeypatch, capsys):
    seen = set()

    def heed():
        seen.add(run._demo)
        if len(seen) == 2 and run._demo is None:
            raise _Enough

    monkeypatch.setattr(module, "DEMO", ("tests.deploy.no_such_demo",))
    run = _run(local, port, heed, DEMO="small")
    try:
        run.start()
        with pytest.raises(_Enough):
            run.serve()
        assert "origin" in _processes(local)
    finally:
        run.stop()
    assert "the demo ended with exit code 1; everything else goes on" in capsys.readouterr().out


def _refusal(local: Path, **variables: str) -> str:
    """What `python -m deploy.local` says on standard error, where it exits with 1."""
    environment = {**os.environ, "LOCAL_DIR": str(local), "DEMO": "none", **variables}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_port_in_use_is_one_sentence(local):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _refusal(local, PORT=str(port))
    assert f"port {port} of 127.0.0.1 is in use" in said
    assert "PORT=" in said


def test_a_host_that_is_not_here_is_one_sentence(local, port):
    assert "HOST=203.0.113.1" in _refusal(local, PORT=str(port), HOST="203.0.113.1")


def test_a_second_run_is_one_sentence(local, port):
    with hold(local / "lock", ""):
        assert "another make run of this checkout" in _refusal(local, PORT=str(port))


def test_a_missing_java_is_one_sentence(local, port):
    said = _refusal(local, PORT=str(port), LOG="kafka", PATH="/nonexistent", JAVA_HOME="")
    assert "Java 17" in said
    assert "without LOG=kafka" in said


@pytest.mark.parametrize(
    ("module", "argument", "code"),
    [
        ("deploy.local", "--help", 0),
        ("deploy.local", "--demo", 2),
        ("services.profile.rebuild", "--help", 0),
        ("services.profile.rebuild", "now", 2),
    ],
)
def test_a_question_starts_nothing(local, module, argument, code):
    done = subprocess.run(
        [sys.executable, "-m", module, argument],
        cwd=ROOT, env={**os.environ, "LOCAL_DIR": str(local)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code
    assert f"usage: python -m {module}" in done.stdout + done.stderr
    assert not local.exists() or not list(local.iterdir())


def test_a_stop_while_starting_is_clean(local, port, until):
    command = [sys.executable, "-m", "deploy.local"]
    environment = {**os.environ, "LOCAL_DIR": str(local), "PORT": str(port), "DEMO": "none"}
    pid_file = local / "postgresql-log" / "postgres" / "postmaster.pid"
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        until(pid_file.exists, "PostgreSQL's start")
        run.terminate()
        said, _ = run.communicate(timeout=40)
    assert run.returncode == 0
    assert "stopped" in said
    assert not pid_file.exists()


def test_a_stop_that_python_swallows_is_heeded_all_the_same(monkeypatch):
    """As when the signal comes while the hooks around a fork run: what they raise is ignored."""
    monkeypatch.setattr(entry, "_STOPS", (signal.SIGUSR1,))
    ending = entry._Ending(with_parent=False)
    ending.heed()
    with contextlib.suppress(entry._Stop):
        os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(entry._Stop):
        ending.heed()
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
