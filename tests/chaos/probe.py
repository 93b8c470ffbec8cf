"""Readers while things break: a canary in every partition that is sold something and looked for in every service
(O6, O8), and people who just look around."""

import asyncio
import contextlib
import random
import time
from collections import Counter

from deploy.local.databases import SERVICES
from tests.chaos.answers import LATER
from tests.chaos.generator import Generator
from tests.chaos.ledger import key_of
from tests.chaos.plant import PARTITIONS, Plant

PAUSE_SECONDS = 0.15
EASE_AFTER_SECONDS = 8.0
BEGIN_SECONDS = 90.0
PLACES = {
    "profile": ("/v1/customers/summary", "/v1/customers?limit=5", "/v1/customers/{name}"),
    "scoring": ("/v1/scores/summary", "/v1/scores?limit=5", "/v1/scores/{name}"),
    "campaign": ("/v1/segments", "/v1/segments/fields"),
    "interaction": ("/v1/timelines/{name}", "/v1/event-types", "/v1/quarantine/interaction"),
}


class Probe:
    """`round_begun` and `round_done` count canary rounds that went well everywhere, for who waits for one."""

    def __init__(self, here: Plant, generator: Generator) -> None:
        self._here = here
        self._generator = generator
        self._random = random.Random(7)
        self._canaries: dict[int, object] = {}
        self._bought: Counter[str] = Counter()
        self._least: Counter[tuple[str, str]] = Counter()
        self._complaints: Counter[str] = Counter()
        self._well = asyncio.Condition()
        self._last_begun = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._holding = False
        self.answers: Counter[tuple[str, int]] = Counter()
        self.rounds = 0
        self.lacking = ""
        """What the last round lacked."""

    async def begin(self) -> None:
        """Find a canary for every partition, and begin."""
        people, until = self._generator.stream.canaries, time.monotonic() + BEGIN_SECONDS
        while len(self._canaries) < PARTITIONS:
            person = people[sum(self._bought.values()) % len(people)]
            partition = await self._sold(person)
            if partition is not None:
                self._canaries.setdefault(partition, person)
            assert time.monotonic() < until, f"canaries only in {sorted(self._canaries)}"
        self.go()

    async def hold(self) -> None:
        """Stop; returns when nothing is on its way."""
        tasks, self._tasks = self._tasks, []
        self._holding = True
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def go(self) -> None:
        self._holding = False
        jobs = self._rounds(), self._look_around()
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def recovered(self, seconds: float) -> float:
        """Seconds until a round that begins from now on has gone well everywhere."""
        began = time.monotonic()
        if await self._goes_well(began, EASE_AFTER_SECONDS):
            return time.monotonic() - began
        self._generator.ease()  # a machine with much else to do
        well = await self._goes_well(began, seconds)
        self._generator.go()
        if not well:
            self._generator.ledger.wrong.append(f"O8: not well after {seconds} s: {self.lacking}")
        return time.monotonic() - began

    async def _goes_well(self, began: float, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._well:
                await self._well.wait_for(lambda: self._last_begun >= began)
                return True
        return False

    async def _rounds(self) -> None:
        while not self._holding:
            began = time.monotonic()
            if await self._round():
                self.rounds += 1
                async with self._well:
                    self._last_begun = began
                    self._well.notify_all()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _sold(self, person) -> int | None:
        """The canary's partition, once its purchase is resolved."""
        event = self._generator.stream.bought(person)
        self._generator.ledger.sent[key_of(event)] = event
        answer = await self._post([event])
        if answer is None:
            return None
        self._bought[person.name] += 1
        position = answer.headers.get("tenure-position")
        return int(position.split(",")[0].split(".")[1]) if position else None

    async def _post(self, events):
        answer = await self._generator.request(
            "POST",
            "interaction-api",
            "/v1/events",
            json=events,
            headers={"Prefer": "wait=2"},
        )
        if answer is None or answer.status_code != 200:
            return None
        self._generator.ledger.acknowledged |= {key_of(event) for event in events}
        return answer

    async def _round(self) -> bool:
        canaries = list(self._canaries.values())
        events = [self._generator.stream.bought(person) for person in canaries]
        for event in events:
            self._generator.ledger.sent[key_of(event)] = event
        answer = await self._post(events)
        if answer is None:
            self.lacking = "the door"
            return False
        for person in canaries:
            self._bought[person.name] += 1
        position = answer.headers.get("tenure-position")
        if not position or any(item.get("customer_id") is None for item in answer.json()["items"]):
            self.lacking = "the resolver"
            return False
        wanted = {person.name: self._bought[person.name] for person in canaries}
        answers = await asyncio.gather(
            *(self._counts(service, name, number, position)
              for service in ("profile", "scoring") for name, number in wanted.items()),
            self._passed("campaign", "/v1/segments", position),
            self._passed("interaction", f"/v1/timelines/{canaries[0].name}", position),
        )  # fmt: skip
        return all(answers)

    async def _read(self, service: str, path: str, position: str = ""):
        headers = {"Tenure-Wait-For": position} if position else {}
        answer = await self._generator.request("GET", f"{service}-api", path, headers=headers)
        self.answers[service, answer.status_code if answer is not None else 0] += 1
        if answer is not None and answer.status_code not in {200, 404, *LATER}:
            self._bad(f"{service} {path}: {answer.status_code} {answer.text[:300]}")
        return answer if answer is not None and answer.status_code == 200 else None

    async def _passed(self, service: str, path: str, position: str) -> bool:
        well = await self._read(service, path, position) is not None
        if not well:
            self.lacking = service
        return well

    async def _counts(self, service: str, name: str, number: int, position: str) -> bool:
        """Read with the token of a write: it is there, and nothing that was read before is gone."""
        path = f"/v1/customers/{name}" if service == "profile" else f"/v1/scores/{name}"
        answer = await self._read(service, path, position)
        if answer is None:
            self.lacking = service
            return False
        said = answer.json()
        found = said["purchases"]["count"] if service == "profile" else said["rfm"]["frequency"]
        if found < number:
            self._bad(f"{service} says {found} purchases of {name} behind a token of {number}")
        if found < self._least[service, name]:
            self._bad(f"{service} went back from {self._least[service, name]} to {found} ({name})")
        self._least[service, name] = max(found, self._least[service, name])
        return True

    async def _look_around(self) -> None:
        people = self._generator.stream.people
        while not self._holding:
            for service in SERVICES:
                name = self._random.choice(people[:30]).name
                path = self._random.choice(PLACES[service]).format(name=name)
                answer = await self._read(service, path)
                if answer is not None and path == f"/v1/customers/{name}":
                    self._never_less(name, answer.json())
            await asyncio.sleep(PAUSE_SECONDS)

    def _never_less(self, name: str, said) -> None:
        """Complaints are never forgotten."""
        if said["merged_from"] or self._generator.merging:
            return
        total = said["complaints"]["total"]
        if total < self._complaints[name]:
            self._bad(f"complaints of {name} went back from {self._complaints[name]} to {total}")
        self._complaints[name] = total

    def _bad(self, what: str) -> None:
        self._generator.ledger.wrong.append(f"O6: {what}")
