"""PostgreSQL or Kafka is away for a while: whoever asks is told to come again, and soon; whoever works waits; and
when it is back everything goes on by itself, with everything that was accepted."""

import asyncio
import contextlib
import os
import signal
import time
import uuid
from pathlib import Path

import httpx
import pytest

from deploy.local.temporary import temporary_postgres
from tests.e2e.installation import APIS, WORKERS, installation, read_all, reading
from tests.e2e.reading import published, without_repeats
from tests.world import fresh_databases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 10.0
"""Seconds within which everybody who asks gets an answer."""
BACK_SECONDS = 60.0
PARTITIONS = 4
READS = {
    "interaction-api": "/v1/timelines/member_no:M1",
    "profile-api": "/v1/customers/member_no:M1",
    "scoring-api": "/v1/scores/member_no:M1",
}
SETTINGS = {"PARTITIONS": str(PARTITIONS), "LEASE_SECONDS": "2", "CLOCK_TICK_SECONDS": "1"}


class Shop:
    """One purchase after the other, each tried until it is acknowledged."""

    def __init__(self, here) -> None:
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.slowest = 0.0
        self._here = here
        self._url = f"{here.address('interaction-api')}/v1/events"

    async def run(self) -> None:
        number = 0
        while True:
            number += 1
            event = _purchase(number)
            while not await self._sell(event):
                self.refused += 1
                await asyncio.sleep(0.2)
            self.acknowledged.add(event["id"])
            await asyncio.sleep(0.05)

    async def _sell(self, event) -> bool:
        started = time.monotonic()
        answer = await self._here.http.post(self._url, json=[event])
        self.slowest = max(self.slowest, time.monotonic() - started)
        if answer.status_code == 503:
            _check_problem(answer)
            return False
        assert answer.status_code == 200, answer.text
        return True


def _purchase(number: int) -> dict:
    return {
        "id": f"p{number}",
        "source": "shop",
        "type": "purchase.completed",
        "customer": {"member_no": f"M{number % 20}"},
        "data": {"order_id": f"o{number}", "total": {"amount": "1.00", "currency": "CNY"}},
    }


def _check_problem(answer: httpx.Response) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    problem = answer.json()
    assert problem["status"] == 503
    assert problem["code"] == "unavailable"
    assert problem["message"]


@contextlib.asynccontextmanager
async def selling(here):
    """A shop that sells as long as the block runs; nothing but 200 and 503 is answered, and in time."""
    shop = Shop(here)
    task = asyncio.create_task(shop.run())
    try:
        yield shop
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert shop.slowest < PATIENCE, f"one answer took {shop.slowest:.1f} s"


async def until(condition, what: str, seconds: float = BACK_SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.1)


async def sells(shop: Shop, more: int) -> None:
    """Wait until so many more events are acknowledged."""
    wanted = len(shop.acknowledged) + more

    async def sold() -> bool:
        return len(shop.acknowledged) >= wanted

    await until(sold, "the shop sells")


async def is_told_to_wait(here, name: str, path: str) -> None:
    """A read is answered with a problem that says when to come again, in time."""
    started = time.monotonic()
    answer = await here.http.get(f"{here.address(name)}{path}")
    assert time.monotonic() - started < PATIENCE, name
    assert answer.status_code == 503, f"{name}: {answer.text}"
    _check_problem(answer)


async def says_missing(here, name: str, what: str) -> None:
    """/readyz is 503 and names what is away."""

    async def named() -> bool:
        status, said = await here.readiness(name)
        return status == 503 and any(what in word for word in said["missing"])

    await until(named, f"{name} misses {what}", PATIENCE)


async def everything_is_there(here, log, shop: Shop) -> None:
    """After a while all is folded: each event that was acknowledged once, and none twice."""
    await here.ready()
    await here.settled(log)
    counts = published(without_repeats(await read_all(log)))
    assert set(counts.values()) == {1}
    assert {("shop", one) for one in shop.acknowledged} <= counts.keys()
    customers = await here.rows("profile", "/v1/customers")
    assert sum(customer["purchases"]["count"] for customer in customers) == len(counts)
    scores = await here.rows("scoring", "/v1/scores")
    assert sum(score["rfm"]["frequency"] for score in scores) == len(counts)


def pids(here) -> dict[str, int]:
    return {name: process.pid for name, process in here.processes.items()}


def kill_server(pid: int) -> None:
    """The postmaster and every process that it has started, all at once."""
    children = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _parent_of(path) == pid
    ]
    for one in (pid, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def shut_down(pid: int) -> None:
    """PostgreSQL's immediate shutdown: it ends everybody, and recovers when it starts."""
    os.kill(pid, signal.SIGQUIT)


def _parent_of(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def test_postgresql_comes_and_goes(tmp_path):
    """Once its processes are killed, once it is shut down in the middle of everything."""
    with temporary_postgres() as server:
        urls = await fresh_databases(server)
        async with (
            installation(urls, tmp_path, **SETTINGS) as here,
            reading(urls["log"], "", PARTITIONS) as log,
        ):
            before = pids(here)
            async with selling(here) as shop:
                for end in (kill_server, shut_down):
                    await sells(shop, 30)
                    refused = shop.refused
                    end(server.pid)
                    await asyncio.to_thread(server.process.wait, 20)
                    await asyncio.sleep(2.5)  # a key is good for two seconds without its database
                    for name, path in READS.items():
                        await is_told_to_wait(here, name, path)
                        await says_missing(here, name, "database")
                        await says_missing(here, name, "access")
                    for name in WORKERS:
                        await says_missing(here, name, "database")
                    assert shop.refused > refused
                    await asyncio.to_thread(server.start)
                await sells(shop, 30)
            await everything_is_there(here, log, shop)
            assert pids(here) == before, "a process had to be started again"


@pytest.mark.kafka
async def test_kafka_comes_and_goes(postgres, kafka, tmp_path):
    urls = await fresh_databases(postgres)
    namespace = f"a{uuid.uuid4().hex[:8]}"
    settings = SETTINGS | {"EVENT_LOG_URL": kafka.url, "NAMESPACE": namespace}
    async with (
        installation(urls, tmp_path, **settings) as here,
        reading(kafka.url, namespace, PARTITIONS) as log,
    ):
        before = pids(here)
        async with selling(here) as shop:
            await sells(shop, 30)
            kafka.process.kill()
            try:
                kafka.process.wait()
                for name in (*APIS, *WORKERS):
                    await says_missing(here, name, "log")
                for name, path in READS.items():
                    await can_still_be_read(here, name, path)

                async def refused() -> bool:
                    return shop.refused > 0

                await until(refused, "the shop is told to wait", 3 * PATIENCE)
            finally:
                await asyncio.to_thread(kafka.start)
            await sells(shop, 30)
        await everything_is_there(here, log, shop)
        assert pids(here) == before, "a process had to be started again"


async def can_still_be_read(here, name: str, path: str) -> None:
    """What was folded is there without the log, and says that it grows old."""
    started = time.monotonic()
    answer = await here.http.get(f"{here.address(name)}{path}")
    assert time.monotonic() - started < PATIENCE, name
    assert answer.status_code == 200, f"{name}: {answer.text}"
    assert float(answer.headers["Tenure-Freshness"]) >= 0
