"""The two commands' first half, as a new user has it: everything starts, replays a real grocer's customers, agrees with
the raw data to the cent, survives kills, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from deploy.demo import expected
from deploy.local.kafka import KafkaServer
from deploy.local.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 150
STOP_SECONDS = 60


class Run:
    """One `python -m deploy.local`, its output in a file."""

    def __init__(self, home: Path, log: str, port: int) -> None:
        self.home, self.port = home, port
        self.said = home / f"said-{time.monotonic_ns()}"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "LOCAL_DIR": str(home / "local"),
                    "PORT": str(port),
                    "LOG": log,
                    "DEMO": "small",
                    "LANGUAGE": "en",
                },
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, words: str, seconds: float = READY_SECONDS) -> str:
        until = time.monotonic() + seconds
        while words not in (text := self.said.read_text(errors="replace")):
            assert self.process.poll() is None, text
            assert time.monotonic() < until, text
            time.sleep(0.2)
        return text

    def processes(self) -> dict[str, dict]:
        listed = json.loads((self.home / "local" / "processes.json").read_text())
        return {one["name"]: one for one in listed["processes"]}

    def pids(self) -> list[int]:
        return [one["pid"] for one in self.processes().values() if one["pid"]]

    def client(self) -> httpx.Client:
        key = (self.home / "local" / "key").read_text().strip()
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def check_households(client: httpx.Client, weeks: int) -> None:
    """Purchases and spend of every household, against the raw data."""
    raw = expected.by_household(weeks)
    found = {}
    cursor = None
    while True:
        params = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/customers", params=params).json()
        for item in page["items"]:
            [member] = [i["value"] for i in item["identifiers"] if i["type"] == "member_no"]
            found[int(member)] = item
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == sorted(raw.index)[: len(found)]
    assert len(found) == 200
    for household, item in found.items():
        row = raw.loc[household]
        assert item["purchases"]["count"] == row["orders"], household
        spend = Decimal(item["purchases"]["spend_by_currency"]["USD"]) * 100
        assert spend == int(row["spend"]), household
        assert datetime.fromisoformat(item["last_purchase_at"]) == row["last_at"], household


def check_page(client: httpx.Client) -> None:
    """The start page shows how many, and nobody."""
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    status = client.get("/status.json")
    assert "member_no" not in status.text
    assert "C2026" not in page.text + status.text
    assert client.get("/readyz").json()["ready"] is True
    assert client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("log", ["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_new_users_first_run(tmp_path: Path, log: str) -> None:
    if log == "kafka" and (missing := KafkaServer.missing()):
        if os.environ.get("CI"):
            pytest.fail(f"CI needs Kafka: {missing}")
        pytest.skip(f"NO KAFKA, ITS TESTS ARE SKIPPED: {missing}")
    home = tmp_path
    home.chmod(0o755)
    port = free_port()
    run = Run(home, log, port)
    try:
        run.wait_for("ready: http://127.0.0.1")
        said = run.wait_for("replayed ")
        assert "replayed 13409 events" in said
        key = (home / "local" / "key").read_text()
        weeks = json.loads(next((home / "local").rglob("shift.json")).read_text())["weeks"]
        with run.client() as client:
            check_households(client, weeks)
            check_page(client)
        victim = run.processes()["profile-worker"]["pid"]
        os.kill(victim, signal.SIGKILL)
        run.wait_for("profile-worker")
        for pid in run.pids():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        run.process.wait(STOP_SECONDS)

        run = Run(home, log, port)
        run.wait_for("ready: http://127.0.0.1")
        assert "already replayed" in run.wait_for("already replayed")
        assert (home / "local" / "key").read_text() == key
        with run.client() as client:
            check_households(client, weeks)
        pids = run.pids()
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(STOP_SECONDS) is not None
        assert not [pid for pid in pids if alive(pid)]
    finally:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.process.wait(STOP_SECONDS)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = Run(tmp_path, "postgresql", taken.getsockname()[1])
        assert run.process.wait(60) != 0
        assert (
            len([line for line in run.said.read_text().splitlines() if "port" in line.lower()]) == 1
        )
