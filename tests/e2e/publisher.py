"""Posts batches while processes die under it, and writes down what was acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import httpx

from tests.e2e.workload import Event, Key, key_of

PATIENCE_SECONDS = 120.0


class Publisher:
    """Several senders at a time. An answer that never came is an unknown outcome: mostly tried again, in the
    same batch or in two halves, sometimes given up."""

    def __init__(self, http: httpx.AsyncClient, url: str, random: Random) -> None:
        self.acknowledged: set[Key] = set()
        self.outcomes: Counter[str] = Counter()
        self.in_flight = 0
        self._http = http
        self._url = url
        self._random = random
        self._allowed = 0
        self._sent = 0
        self._more = asyncio.Event()
        self._moved = asyncio.Event()

    def allow(self, batches: int) -> None:
        """Send up to the batch of this number."""
        self._allowed = batches
        self._more.set()

    async def reached(self, batches: int) -> None:
        """Wait until the batches up to this number are on their way or done."""
        while self._sent < batches:
            self._moved.clear()
            await self._moved.wait()

    async def send(self, batches: Sequence[list[Event]], senders: int = 4) -> None:
        """Return when every batch was acknowledged or given up."""
        left = iter(batches)
        async with asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(self._sender(left))

    async def _sender(self, batches: Iterator[list[Event]]) -> None:
        for batch in batches:
            while self._sent >= self._allowed:
                self._more.clear()
                await self._more.wait()
            self._sent += 1
            self._moved.set()
            await self._deliver(batch)

    async def _deliver(self, batch: list[Event]) -> None:
        tries = [batch]
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while tries:
            outcome = await self._post(tries[-1])
            self.outcomes[outcome] += 1
            if outcome == "acknowledged":
                tries.pop()
                continue
            assert asyncio.get_running_loop().time() < until, f"nobody takes them: {self.outcomes}"
            chance = self._random.random()
            if outcome == "unknown" and chance < 0.1:
                self.outcomes["given up"] += 1
                tries.pop()
            elif outcome == "unknown" and chance < 0.4 and len(tries[-1]) > 1:
                whole = tries.pop()
                middle = len(whole) // 2
                tries += [whole[middle:], whole[:middle]]
            await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def _post(self, events: list[Event]) -> str:
        """What became of it: acknowledged, unavailable, refused (nobody was there), unknown."""
        self.in_flight += 1
        try:
            answer = await self._http.post(self._url, json=events)
        except httpx.ConnectError:
            return "refused"
        except httpx.TransportError:
            return "unknown"
        finally:
            self.in_flight -= 1
        if answer.status_code == 503:
            assert answer.headers["Retry-After"].isdigit()
            return "unavailable"
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert [item["id"] for item in said["items"]] == [event["id"] for event in events]
        statuses = Counter(item["status"] for item in said["items"])
        assert set(statuses) <= {"accepted", "duplicate"}, said
        assert (said["accepted"], said["duplicate"]) == (
            statuses["accepted"],
            statuses["duplicate"],
        )
        self.outcomes += statuses
        self.acknowledged |= {key_of(event) for event in events}
        return "acknowledged"
