"""A steady load through the origin: tills that sell, people who read, and a book of everything that was answered."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx

from shared.log import Log
from tests.e2e.installation import Installation, read_all
from tests.e2e.reading import published, without_repeats

TILLS = 2
CUSTOMERS = 20
PAUSE_SECONDS = 0.2
SOURCE = "shop"
READS: Mapping[str, str] = {
    "interaction": "/v1/timelines/member_no:M1",
    "profile": "/v1/customers/member_no:M1",
    "scoring": "/v1/scores/member_no:M1",
    "campaign": "/v1/segments",
}


NOBODY = 0
"""The status of a request that nobody has answered."""


@dataclass(frozen=True)
class Answer:
    """`what`: `sale`, or the service that was read. `status`: `NOBODY` where nobody answered."""

    what: str
    status: int
    seconds: float


class Load:
    """Every sale is sent until it is acknowledged, under the same id."""

    def __init__(self, here: Installation, url: str, most_seconds: float) -> None:
        """`most_seconds`: no answer may take longer."""
        self.acknowledged: dict[str, str] = {}
        """The customer (`type:value`) of each event."""
        self.answers: list[Answer] = []
        self._url = url
        self._most_seconds = most_seconds
        self._http = httpx.AsyncClient(
            headers=here.http.headers, timeout=2 * most_seconds, trust_env=False
        )
        self._made = 0
        self._may_find_nobody = False

    async def sell_and_read(self) -> None:
        async with asyncio.TaskGroup() as group:
            for till in range(TILLS):
                group.create_task(self._till(till))
            for service, path in READS.items():
                group.create_task(self._reader(service, path))

    async def close(self) -> None:
        await self._http.aclose()

    @contextlib.contextmanager
    def may_find_nobody(self) -> Iterator[None]:
        """Inside the block connections may be refused and broken."""
        self._may_find_nobody = True
        yield
        self._may_find_nobody = False

    async def _till(self, till: int) -> None:
        while True:
            self._made += 1
            sale = purchase(f"{till}-{self._made}", self._made % CUSTOMERS)
            answer = await self.ask("sale", "POST", "/v1/events", json=[sale])
            while answer.status_code != 200:
                await asyncio.sleep(0.2)
                answer = await self.ask("sale", "POST", "/v1/events", json=[sale])
            assert answer.json()["accepted"] + answer.json()["duplicate"] == 1, answer.text
            self.acknowledged[sale["id"]] = f"member_no:{sale['customer']['member_no']}"
            await asyncio.sleep(PAUSE_SECONDS)

    async def _reader(self, service: str, path: str) -> None:
        while True:
            await self.ask(service, "GET", path)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self, what: str, method: str, path: str, **request) -> httpx.Response:
        """One request, and what must hold of every answer: in time, and 200 or a reason to come again."""
        started = time.monotonic()
        try:
            answer = await self._http.request(method, f"{self._url}{path}", **request)
        except httpx.TransportError:
            assert self._may_find_nobody, what
            answer = httpx.Response(NOBODY)
        seconds = time.monotonic() - started
        self.answers.append(Answer(what, answer.status_code, seconds))
        assert seconds < self._most_seconds, f"{what}: {seconds:.1f} s, {answer.text}"
        if answer.status_code not in {200, NOBODY}:
            is_to_come_again(answer)
        return answer

    async def sees(self, what: str, status: int, times: int = 1) -> None:
        """Wait until so many answers of this status have come from now on."""
        since = len(self.answers)

        async def seen() -> bool:
            found = [
                one for one in self.answers[since:] if (one.what, one.status) == (what, status)
            ]
            return len(found) >= times

        await until(seen, f"{what} is answered with {status}")


def is_to_come_again(answer: httpx.Response) -> None:
    """A problem document that says when."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    problem = answer.json()
    assert problem["status"] == 503
    assert problem["code"] in {"unavailable", "overloaded"}
    assert problem["message"]


def purchase(id_: str, customer: int) -> dict:
    return {
        "id": id_,
        "source": SOURCE,
        "type": "purchase.completed",
        "customer": {"member_no": f"M{customer}"},
        "data": {"order_id": id_, "total": {"amount": "1.00", "currency": "CNY"}},
    }


@contextlib.asynccontextmanager
async def under_load(here: Installation, url: str, most_seconds: float) -> AsyncIterator[Load]:
    """Selling and reading as long as the block runs; what they find wrong ends it."""
    load = Load(here, url, most_seconds)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(load.sell_and_read())
            yield load
            task.cancel()
    finally:
        await load.close()


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 60, *, every: float = 0.1
) -> None:
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, f"{what}: not within {seconds} s"
        await asyncio.sleep(every)


async def everything_is_there(
    here: Installation, log: Log, acknowledged: Mapping[str, str]
) -> None:
    """Each event that was acknowledged is on the log once, and in its customer's count; none stands there twice."""
    await here.ready(names=[name for name in here.processes if name != "origin"])
    await here.settled(log)
    published_once = published(without_repeats(await read_all(log)))
    assert set(published_once.values()) == {1}
    sales = {id_ for source, id_ in published_once if source == SOURCE}
    assert acknowledged.keys() <= sales
    customers = await here.rows("profile", "/v1/customers")
    bought = {_name(one): one["purchases"]["count"] for one in customers}
    assert sum(bought.values()) == len(sales)
    for name, count in Counter(acknowledged.values()).items():
        assert bought[name] >= count, name
    if "scoring-api" in here.processes:
        scores = await here.rows("scoring", "/v1/scores")
        assert sum(score["rfm"]["frequency"] for score in scores) == len(sales)


def _name(customer: dict) -> str:
    [named] = [f"{one['type']}:{one['value']}" for one in customer["identifiers"]]
    return named
