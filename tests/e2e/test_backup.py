"""A backup is made under load; then everything is destroyed, and brought back: what was acknowledged before is there
once, what came later is sent again by its publishers, and all rows are right."""

import asyncio
import json
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.ports import free_port
from deploy.local.state import ROOT
from tests.e2e import workload as stream
from tests.e2e.installation import listed, read_all, reading
from tests.e2e.oracle import expected
from tests.e2e.publisher import Publisher
from tests.e2e.reading import published, told, without_repeats
from tests.e2e.test_kill import _compare_with_oracle, _outcome
from tests.e2e.test_run import OF_OTHERS, START_SECONDS, Run
from tests.e2e.workload import NOW, Workload, key_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS = 900
MOST_IN_A_BATCH = 15
PARTITIONS = 8


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tenure-backup-"))
    made.chmod(0o711)  # the database's account goes through it
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextmanager
def run_of(local: Path, log: str) -> Iterator[tuple[Run, str]]:
    port = free_port()
    run = Run(
        ROOT,
        LOCAL_DIR=str(local),
        LOG=log,
        PORT=str(port),
        DEMO="none",
        CLOCK_NOW=NOW.isoformat(),
        CLOCK_TICK_SECONDS="1",
        LANGUAGE="en",
    )
    try:
        run.says("^ready:", START_SECONDS)
        yield run, f"http://127.0.0.1:{port}"
    finally:
        run.close()


async def backup(local: Path, log: str, *arguments: str) -> str:
    """What the command prints."""
    kept = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local.backup", *arguments),
        cwd=ROOT,
        env={**kept, "LOCAL_DIR": str(local), "LOG": log},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    return said.decode().strip()


async def settled(http: httpx.AsyncClient, local: Path, seconds: float = 120) -> None:
    """Wait until every worker has caught up, and stays so."""
    processes = json.loads((local / "processes.json").read_text())["processes"]
    workers = [one["address"] for one in processes if one["name"].endswith("-worker")]
    until, quiet = asyncio.get_running_loop().time() + seconds, 0
    while quiet < 5:
        said = [(await http.get(f"{address}/readyz")).json() for address in workers]
        quiet = quiet + 1 if all(one.get("caught_up") for one in said) else 0
        assert asyncio.get_running_loop().time() < until, said
        await asyncio.sleep(0.1)


def client(local: Path) -> httpx.AsyncClient:
    key = (local / "key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(headers=headers, timeout=30, trust_env=False)


async def entries_of(local: Path) -> list:
    said = (local / "environment").read_text()
    [url] = re.findall(r"EVENT_LOG_URL=(\S+)", said)
    async with reading(url.strip("'"), "", PARTITIONS) as log:
        return without_repeats(await read_all(log))


@pytest.mark.parametrize("log", ["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_everything_is_destroyed_and_brought_back(folder: Path, log: str):
    if log == "kafka" and (missing := KafkaServer.missing()):
        pytest.skip(missing)
    local, kept = folder / "local", folder / "kept"
    work = Workload(11)
    events = work.events(EVENTS)
    batches = stream.in_batches(work, events, MOST_IN_A_BATCH)

    with run_of(local, log) as (run, url):
        async with client(local) as http:
            publisher = Publisher(http, f"{url}/v1/events", random.Random(3))
            sending = asyncio.create_task(publisher.send(batches))
            publisher.allow(len(batches) // 3)
            await publisher.reached(len(batches) // 3)
            before = set(publisher.acknowledged)
            publisher.allow(len(batches) * 2 // 3)
            assert await backup(local, log, "create", str(kept)) == str(kept)
            publisher.allow(len(batches))
            await sending
        run.process.kill()  # nothing of it ends in order
        run.process.wait()
    await asyncio.sleep(1)  # its servers die with it
    shutil.rmtree(local)
    assert before, "nothing was acknowledged before the backup"

    await backup(local, log, "restore", str(kept))
    with run_of(local, log) as (_run, url):
        async with client(local) as http:
            await settled(http, local)
            restored = published(await entries_of(local))
            assert set(restored.values()) == {1}
            assert before <= restored.keys()
            for batch in batches:
                answer = await http.post(f"{url}/v1/events", json=batch)
                assert answer.status_code == 200, answer.text
                statuses = {item["status"] for item in answer.json()["items"]}
                assert statuses <= {"accepted", "duplicate"}, answer.text
            await asyncio.sleep(1.5)  # the clock comes once more
            await settled(http, local)
            entries = await entries_of(local)
            counts = published(entries)
            assert set(counts.values()) == {1}
            assert counts.keys() == {key_of(event) for event in events}
            told(entries)
            customers = await listed(http, f"{url}/v1/customers")
            scores = await listed(http, f"{url}/v1/scores")
        _compare_with_oracle(_outcome(customers, scores, entries), expected(events, NOW))
