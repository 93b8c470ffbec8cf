"""P7: how long from the answer of the door until the event can be read in profile, scoring and campaign.

One purchase at a time, each of a customer of its own who is known already. From the moment its 200 has come, the
customer's row in each of the three databases is asked for every millisecond (every five under load) until the
purchase stands in it: the row is what the APIs read, and they keep nothing in between. The last of the three counts.
"""

import asyncio
import random
import statistics
import time
from typing import Self
from uuid import UUID

import asyncpg
import msgspec
import orjson

from tests.bench.client import percentile, request, sending
from tests.bench.p11_whole_way import whole_way
from tests.bench.publishing import events, posts
from tests.bench.runner import Goal, Measured, Sizes, say
from tests.bench.running import Running, Watch, running
from tests.bench.servers import Servers
from tests.world import SERVICES

ORDERS = {
    "profile": "SELECT orders FROM profile WHERE customer_id = $1",
    "scoring": "SELECT orders FROM score WHERE customer_id = $1",
    "campaign": "SELECT state FROM audience WHERE customer_id = $1",
}
"""How many orders a customer has: a column, or a field of the packed state."""
CUSTOMERS = 10_000
IN_A_REQUEST = 50
"""Of the load: many small requests, as tills send them."""
LATE_SECONDS = 10.0


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=150, quick=50, tiny=5)
    idle: list[list[float]] = []
    loaded: list[list[float]] = []
    async with running(bench) as run, Watch(run, SERVICES) as watch, _Readers(run) as readers:
        sustained = await _sustained(run, watch, sizes)
        await readers.know(count)
        await watch.caught_up()
        for number in range(sizes.rounds):
            idle.append(await readers.latencies(count, every=0.001))
            say(f"  idle: {_words(idle[-1])} (round {number + 1} of {sizes.rounds})")
            rate = sustained / 2
            made = int(rate * sizes.pick(full=40, quick=12, tiny=3))
            sent = posts(
                list(events(f"p7-{number}", made, customers=CUSTOMERS, seed=number)),
                IN_A_REQUEST,
                run.key,
            )
            port = run.port("interaction-api")
            async with sending(port, sent, connections=8, rate=rate / IN_A_REQUEST) as load:
                await asyncio.sleep(1)
                loaded.append(await readers.latencies(count, every=0.005))
                (await load.stop()).all_good()
            say(f"  half the rate: {_words(loaded[-1])} (round {number + 1} of {sizes.rounds})")
            await watch.caught_up()
    note = f"{count} purchases a round; rows asked for every ms; the last of three services"
    busy = f"{sustained / 2:,.0f} events/s beside it, half of what the same run sustained"
    return [
        _measured("p50, idle", idle, 50, 20, note),
        _measured("p99, idle", idle, 99, 60, note),
        _measured("p99, at half the sustained rate", loaded, 99, 200, f"{count} a round; {busy}"),
    ]


def _measured(
    what: str, found: list[list[float]], percent: int, most: float, note: str
) -> Measured:
    return Measured(
        key="P7",
        what=f"accepted by HTTP to readable in profile, scoring and campaign: {what}",
        unit="ms",
        goal=Goal("<=", most),
        contestants={"tenure": [percentile(one, percent) for one in found]},
        note=note,
    )


def _words(found: list[float]) -> str:
    return f"p50 {statistics.median(found):.1f} ms, p99 {percentile(found, 99):.1f} ms"


async def _sustained(run: Running, watch: Watch, sizes: Sizes) -> float:
    """Events a second that the whole way takes, on this machine, now."""
    count = sizes.pick(full=20_000, quick=8_000, tiny=500)
    await whole_way(run, watch, "p7-warm", count // 4)
    found = await whole_way(run, watch, "p7-rate", count)
    say(f"  sustained: {found:,.0f} events/s")
    return found


class _Readers:
    """A connection to each of the three databases, and one to the door."""

    def __init__(self, run: Running) -> None:
        self._run = run
        self._ids: list[UUID] = []
        self._connections: dict[str, asyncpg.Connection] = {}
        self._sold = 0

    async def __aenter__(self) -> Self:
        for service in ORDERS:
            self._connections[service] = await self._run.connect(service)
        port = self._run.port("interaction-api")
        self._answers, self._door = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._door.close()
        for conn in self._connections.values():
            await conn.close()

    async def know(self, count: int) -> None:
        """Have so many customers known, of whom nobody else sends events."""
        sales = [self._sale(n) for n in range(count)]
        url = f"{self._run.here.address('interaction-api')}/v1/events"
        answer = await self._run.here.http.post(url, json=sales, headers={"Prefer": "wait=10"})
        self._ids = [UUID(item["customer_id"]) for item in answer.json()["items"]]

    async def latencies(self, count: int, *, every: float) -> list[float]:
        """Milliseconds of purchases one after the other, with a little pause."""
        chance = random.Random(count)
        found = []
        for n in range(count):
            before = {service: await self._orders(service, self._ids[n]) for service in ORDERS}
            await self._post(self._sale(n))
            at = time.perf_counter()
            readable = (self._readable(one, n, before[one], every) for one in ORDERS)
            found.append(1000 * (max(await asyncio.gather(*readable)) - at))
            await asyncio.sleep(chance.uniform(0.01, 0.06))
        return found

    async def _readable(self, service: str, n: int, before: int, every: float) -> float:
        """The moment at which one order more was there."""
        until = time.perf_counter() + LATE_SECONDS
        while await self._orders(service, self._ids[n]) == before:
            if time.perf_counter() > until:
                raise TimeoutError(f"{service} does not know of an event after {LATE_SECONDS} s")
            await asyncio.sleep(every)
        return time.perf_counter()

    async def _orders(self, service: str, customer: UUID) -> int:
        found = await self._connections[service].fetchval(ORDERS[service], customer)
        if isinstance(found, bytes):
            found = msgspec.msgpack.decode(found).get("orders") if found else None
        return found or 0

    def _sale(self, n: int) -> dict[str, object]:
        self._sold += 1
        return {
            "id": f"p7-{self._sold}",
            "source": "till",
            "type": "purchase.completed",
            "customer": {"member_no": f"X{n}"},
            "data": {
                "order_id": f"p7-{self._sold}",
                "total": {"amount": "35.80", "currency": "CNY"},
            },
        }

    async def _post(self, event: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {self._run.key}"}
        sent = request("POST", "/v1/events", headers=headers, body=orjson.dumps(event))
        self._door.write(sent)
        head = (await self._answers.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await self._answers.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"the door answered {head!r} {body!r}")
