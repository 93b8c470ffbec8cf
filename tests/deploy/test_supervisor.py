import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.errors import LocalRunError, StartFailed
from deploy.local.processes import alive, spawn
from deploy.local.supervisor import Child, Supervisor


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _child(tmp_path, name: str, program: str) -> Child:
    log = tmp_path / f"{name}.log"

    def begin():
        return spawn([sys.executable, "-c", program], log_path=log, env=os.environ)

    return Child(name, begin, log)


SLEEPS = "import time; time.sleep(60)"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(clock, said):
    made = Supervisor(say=said.append, clock=clock)
    yield made
    made.stop()


def _kill(child: Child) -> None:
    child.process.kill()
    child.process.wait()


def _go_on(supervisor: Supervisor, clock: Clock, seconds: float) -> None:
    """Twenty rounds, each when what was begun has ended."""
    for _ in range(20):
        for child in supervisor.children:
            if child.process is not None:
                child.process.wait()
        supervisor.look()
        clock.now += seconds


def test_names_the_dead_and_starts_it_again_after_a_pause(tmp_path, supervisor, clock, said):
    supervisor.add(_child(tmp_path, "worker", SLEEPS))
    child = supervisor.children[0]
    first = child.process.pid
    supervisor.look()
    assert said == []
    _kill(child)
    supervisor.look()
    assert "worker" in said[0]
    assert "exit code -9 (SIGKILL)" in said[0]
    assert str(child.log_path) in said[0]
    assert supervisor.entries()[0]["pid"] is None
    clock.now += 0.3
    supervisor.look()
    assert supervisor.entries()[0]["pid"] not in {None, first}


def test_every_change_of_a_pid_is_told(tmp_path, clock):
    seen = []
    supervisor = Supervisor(
        say=lambda _: None, changed=lambda: seen.append(supervisor.entries()), clock=clock
    )
    supervisor.add(_child(tmp_path, "api", SLEEPS))
    _kill(supervisor.children[0])
    supervisor.look()
    clock.now += 1
    supervisor.look()
    pids = [entries[0]["pid"] for entries in seen]
    assert pids[1] is None
    assert len(set(pids)) == 3
    supervisor.stop()


def test_gives_up_on_what_dies_five_times_within_a_minute(tmp_path, supervisor, clock):
    supervisor.add(_child(tmp_path, "api", "raise SystemExit(3)"))
    child = supervisor.children[0]
    with pytest.raises(LocalRunError, match=r"api ended 5 times.*exit code 3.*api\.log"):
        _go_on(supervisor, clock, 6)
    assert len(child.deaths) == 5


def test_goes_on_with_what_dies_now_and_then(tmp_path, supervisor, clock, said):
    supervisor.add(_child(tmp_path, "api", SLEEPS))
    for _ in range(12):
        _kill(supervisor.children[0])
        supervisor.look()
        clock.now += 16
        supervisor.look()
    assert len(said) == 12


def test_a_server_that_does_not_come_back_counts_as_dying(supervisor, clock):
    def begin():
        if supervisor.children[0].process is None and clock.now == 0:
            return subprocess.Popen(["true"])
        raise StartFailed("PostgreSQL did not start (no space left).")

    supervisor.add(Child("postgresql", begin, None))
    supervisor.children[0].process.wait()
    with pytest.raises(LocalRunError, match="no space left"):
        _go_on(supervisor, clock, 5.1)


def test_stops_the_stubborn_too_and_servers_last(tmp_path, monkeypatch, until):
    from deploy.local import supervisor as module

    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    supervisor = Supervisor(say=lambda _: None)
    order = []
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); "
    server = _child(tmp_path, "server", SLEEPS)
    server.stop = lambda: order.append([c.process.poll() for c in supervisor.children])
    supervisor.add(server)
    supervisor.add(_child(tmp_path, "polite", SLEEPS))
    supervisor.add(_child(tmp_path, "stubborn", deaf + SLEEPS))
    until(lambda: "deaf" in (tmp_path / "stubborn.log").read_text(), "the stubborn one's start")
    supervisor.stop()
    assert order == [[None, -signal.SIGTERM, -signal.SIGKILL]]
    server.process.kill()
    server.process.wait()


def test_children_die_with_a_killed_parent(tmp_path, until):
    program = (
        "import os, sys, time; from pathlib import Path; from deploy.local.processes import spawn\n"
        "child = spawn(['sleep', '60'], log_path=None, env=os.environ)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
        parent.wait()
        until(lambda: not _runs(child), "the end of the child")


def _runs(pid: int) -> bool:
    """A zombie that nobody collects (no init in a container) has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_is_not_for_the_children(tmp_path, supervisor):
    supervisor.add(_child(tmp_path, "api", SLEEPS))
    pid = supervisor.children[0].process.pid
    assert os.getpgid(pid) != os.getpgid(0)
