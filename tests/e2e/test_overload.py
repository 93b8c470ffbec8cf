"""More is asked at once than the installation takes: it does what it can, tells the rest when to come again, keeps its
memory, and loses nothing that it has accepted.

The limits are those of docs/operating.md, smaller here by their settings, so that little work is too much."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson
import pytest

from shared.access import keys
from tests.e2e.installation import Installation, installation, reading
from tests.e2e.load import everything_is_there, is_to_come_again, purchase, until
from tests.world import fresh_databases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PARTITIONS = 4
MIB = 1 << 20
BODY_SECONDS = 3.0
MARGIN = 20.0
"""A machine with much else to do."""
SETTINGS = {
    "PARTITIONS": str(PARTITIONS),
    "REQUESTS_AT_ONCE": "40",
    "BODY_BYTES_AT_ONCE": str(8 * MIB),
    "INTERACTION_IN_FLIGHT_BYTES": str(4 * MIB),
    "BODY_SECONDS": str(BODY_SECONDS),
    "ORIGIN_BODY_SECONDS": str(BODY_SECONDS),
    "ORIGIN_REQUESTS_AT_ONCE": "60",
}
PROCESSES = ("interaction-api", "interaction-worker", "profile-api", "profile-worker")
GROWTH = {"interaction-api": 200 * MIB, "origin": 80 * MIB}
"""How much more memory each may have at its worst moment than before."""

SENDERS = 160
EVENTS = 20
FILLING = 40_000
"""Bytes of each event beside what it says: 800 KB a request, 128 MB in all."""
SLOW = 30
WAITING = 60
IMPATIENT = 40
RATE = 1.0


class Memory:
    """The most memory that processes had."""

    def __init__(self, here: Installation, names: dict[str, int]) -> None:
        self._pids = {name: here.processes[name].pid for name in names}
        self._before = self._now()
        self.growth = dict.fromkeys(names, 0)

    def _now(self) -> dict[str, int]:
        return {name: _resident(pid) for name, pid in self._pids.items()}

    async def watch(self) -> None:
        while True:
            for name, size in self._now().items():
                self.growth[name] = max(self.growth[name], size - self._before[name])
            await asyncio.sleep(0.02)


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


class Crowd:
    """Everybody at once, and what they are answered."""

    def __init__(self, here: Installation, slow_key: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self.answers: Counter[tuple[str, int]] = Counter()
        self._here = here
        self._slow_key = slow_key
        self._doors = [here.address("origin"), here.address("interaction-api")]
        # Whoever reads has connections that nobody's refused upload has gone over.
        self._sending, self._reading = (
            httpx.AsyncClient(
                headers=here.http.headers,
                timeout=60,
                trust_env=False,
                limits=httpx.Limits(max_connections=None),
            )
            for _ in range(2)
        )

    async def comes(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(SLOW):
                group.create_task(self._never_finishes(self._doors[number % 2]))
            for number in range(SENDERS):
                group.create_task(self._sends(self._doors[number % 2], number))
            for _ in range(WAITING):
                group.create_task(self._waits())
            for _ in range(IMPATIENT):
                group.create_task(self._is_impatient())
            group.create_task(self._watches())

    async def close(self) -> None:
        await self._sending.aclose()
        await self._reading.aclose()

    async def _sends(self, door: str, number: int) -> None:
        """A large batch; again after a while where there was no room."""
        batch = [purchase(f"{number}-{n}", n) for n in range(EVENTS)]
        for event in batch:
            event["data"]["note"] = "x" * FILLING
        content = orjson.dumps(batch)
        for _ in range(3):
            try:
                answer = await self._sending.post(
                    f"{door}/v1/events",
                    content=content,
                    headers={"Content-Type": "application/json"},
                )
            except httpx.NetworkError:
                continue  # refused while it was still sending, and cut before it could read so: it sends again
            self.answers["sends", answer.status_code] += 1
            if answer.status_code == 200:
                assert answer.json()["rejected"] == 0, answer.text
                self.acknowledged |= {
                    event["id"]: f"member_no:{event['customer']['member_no']}" for event in batch
                }
                return
            is_to_come_again(answer)
            await asyncio.sleep(0.5)

    async def _never_finishes(self, door: str) -> None:
        """It says that it has much to send, sends a little, and waits. So does the other side, but not for long."""
        place = urlsplit(door)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            head = (
                f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Authorization: {self._here.http.headers['Authorization']}\r\n"
                f"Content-Length: 100000\r\n\r\n"
            )
            writer.write(head.encode() + b"[" * 1000)
            started = time.monotonic()
            async with asyncio.timeout(BODY_SECONDS + MARGIN):
                line = await reader.readline()
                status = int(line.split()[1])
                text = (await reader.read()).decode() if status == 408 else ""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self.answers["never finishes", status] += 1
        assert status in {408, 503}, line
        if status == 408:
            assert time.monotonic() - started > BODY_SECONDS / 2
            assert '"code":"body_late"' in text

    async def _waits(self) -> None:
        """For what nobody will ever write; as often as it is told to come again."""
        while True:
            answer = await self._reading.get(
                f"{self._doors[0]}/v1/timelines/member_no:M1",
                headers={"Tenure-Wait-For": "interaction.0.999999999"},
            )
            self.answers["waits", answer.status_code] += 1
            if answer.status_code == 504:
                assert answer.json()["code"] == "not_caught_up"
                assert int(answer.headers["Retry-After"]) >= 1
                return
            is_to_come_again(answer)
            await asyncio.sleep(1)

    async def _is_impatient(self) -> None:
        """A caller who may ask so often and no oftener."""
        answer = await self._reading.get(
            f"{self._here.address('profile-api')}/v1/customers",
            headers={"Authorization": f"Bearer {self._slow_key}"},
        )
        self.answers["is impatient", answer.status_code] += 1
        assert answer.status_code in {200, 429, 503}, answer.text
        if answer.status_code == 429:
            assert answer.json()["code"] == "rate_limited"
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["RateLimit-Limit"] == f"{RATE:g}"

    async def _watches(self) -> None:
        """Who watches the process is never refused."""
        for _ in range(5):
            for path in ("/healthz", "/metrics"):
                answer = await self._reading.get(self._here.address("interaction-api") + path)
                assert answer.status_code == 200
            await asyncio.sleep(0.2)


async def test_too_much_at_once(postgres, tmp_path):
    urls = await fresh_databases(postgres)
    slow_key = await _key_with_a_rate(urls["access"])
    async with (
        installation(urls, tmp_path, only=PROCESSES, **SETTINGS) as here,
        reading(urls["log"], "", PARTITIONS) as log,
    ):
        here.start_origin()
        await until(lambda: _answers(here), "the origin answers")
        first = [purchase(f"first-{n}", n) for n in range(20)]
        assert (await _post(here, first)).status_code == 200
        memory = Memory(here, GROWTH)
        watching = asyncio.create_task(memory.watch())
        crowd = Crowd(here, slow_key)
        try:
            await crowd.comes()
        finally:
            watching.cancel()
            await crowd.close()
        for what, expected in (
            ("sends", {200, 503}),
            ("waits", {504}),
            ("is impatient", {200, 429}),
            ("never finishes", {408}),
        ):
            assert {status for one, status in crowd.answers if one == what} >= expected, what
        for name, most in GROWTH.items():
            assert memory.growth[name] < most, f"{name}: {memory.growth[name] / MIB:.0f} MiB more"
        metrics = (await here.http.get(f"{here.address('interaction-api')}/metrics")).text
        for reason in ("requests", "body"):
            assert (
                f'tenure_http_refused_total{{reason="{reason}",service="interaction"}}' in metrics
            )
        assert 'tenure_http_body_bytes{service="interaction"} 0.0' in metrics

        last = [purchase(f"last-{n}", n) for n in range(20)]
        assert (await _post(here, last)).json()["accepted"] == 20
        sold = {one["id"]: f"member_no:{one['customer']['member_no']}" for one in (*first, *last)}
        await everything_is_there(here, log, crowd.acknowledged | sold)


async def _answers(here: Installation) -> bool:
    """Not whether all are ready: there are not all."""
    with contextlib.suppress(httpx.TransportError):
        url = f"{here.address('origin')}/v1/event-types"
        return (await here.http.get(url)).status_code == 200
    return False


async def _post(here: Installation, events: list[dict]) -> httpx.Response:
    return await here.http.post(f"{here.address('origin')}/v1/events", json=events)


async def _key_with_a_rate(url: str) -> str:
    raw = keys.new_key()
    conn = await asyncpg.connect(url)
    try:
        await keys.register(conn, raw, name="slow", scopes=["read"], rate=RATE)
    finally:
        await conn.close()
    return raw
