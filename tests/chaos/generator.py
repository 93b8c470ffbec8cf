"""Publishers and people at work while things break; every step goes into the ledger."""

import asyncio
import random
import time
import uuid

import httpx

from tests.chaos.answers import GONE, LATER, code_of
from tests.chaos.erasing import FOR_GOOD, erase, look_at_receipts
from tests.chaos.ledger import Command, Event, Ledger, Merge, key_of, name_of, names_in
from tests.chaos.marks import new_mark
from tests.chaos.plant import Plant
from tests.chaos.workload import Stream
from tests.chaos.writing import write
from tests.e2e.workload import Person

MOST_IN_A_BATCH = 6
PUBLISHERS, PEOPLE = 2, 2
PATIENCE = 40
"""Attempts after which a command or a batch is given up; its outcome is unknown then."""
TAGS = 5
LEAST_KNOWN = 30
"""Nobody is forgotten before so many are known."""
RECEIPTS_SECONDS = 0.5


class Generator:
    """`go` and `hold` start and stop it; `hold` returns when nothing is on its way."""

    def __init__(self, here: Plant, seed: int) -> None:
        self.ledger = Ledger()
        self.stream = Stream(seed)
        self.random = random.Random(seed + 1)
        self.merging = False
        """Whether the installation can merge customers."""
        self._here = here
        self._going = asyncio.Event()
        self._busy = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._known: list[str] = []
        self._lost: set[str] = set()

    def start(self) -> None:
        jobs = [self._publish] * PUBLISHERS + [self._command] * PEOPLE
        jobs += [self._receipts, self._write]
        self._tasks = [asyncio.create_task(self._repeat(job)) for job in jobs]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go(self) -> None:
        self._going.set()

    def ease(self) -> None:
        """Begin nothing new for now; what is on its way goes on."""
        self._going.clear()

    async def hold(self) -> None:
        self._going.clear()
        while self._busy:
            self._look_for_errors()
            await asyncio.sleep(0.02)

    def _look_for_errors(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _repeat(self, job) -> None:
        while True:
            await self._going.wait()
            self._busy += 1
            try:
                await job()
            finally:
                self._busy -= 1
            await asyncio.sleep(self.random.uniform(0.05, 0.3))

    async def request(
        self, method: str, process: str, path: str, **options
    ) -> httpx.Response | None:
        """The answer; None where none came, so that the outcome is unknown. An error of ours is written down."""
        try:
            answer = await self._here.http.request(
                method, f"{self._here.address(process)}{path}", **options
            )
        except httpx.TransportError as error:
            self.ledger.outcomes[type(error).__name__] += 1
            return None
        self.ledger.outcomes[f"{answer.status_code}"] += 1
        if answer.status_code >= 500 and answer.status_code not in LATER:
            self.ledger.wrong.append(
                f"O6: {method} {path}: {answer.status_code} {answer.text[:300]}"
            )
        return answer

    # Events --------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        await self.publish(self.stream.batch(MOST_IN_A_BATCH))

    async def publish(self, batch: list[Event]) -> None:
        """Send until it is acknowledged, mostly."""
        tries = [batch] if batch else []
        for event in batch:
            self.ledger.sent.setdefault(key_of(event), event)
            self.ledger.first_sent.setdefault(key_of(event), time.monotonic())
        for _ in range(PATIENCE):
            if not tries:
                return
            answer = await self.request("POST", "interaction-api", "/v1/events", json=tries[-1])
            if answer is not None and answer.status_code == 200:
                self._acknowledge(tries.pop(), answer.json())
                continue
            if answer is not None and answer.status_code not in LATER:
                self.ledger.wrong.append(
                    f"O6: /v1/events: {answer.status_code} {answer.text[:300]}"
                )
                return
            chance = self.random.random()
            if answer is None and chance < 0.1:
                tries.pop()  # a publisher that died
            elif answer is None and chance < 0.4 and len(tries[-1]) > 1:
                whole = tries.pop()
                tries += [whole[len(whole) // 2 :], whole[: len(whole) // 2]]
            await asyncio.sleep(self.random.uniform(0.05, 0.5))

    def _acknowledge(self, batch: list[Event], said: dict) -> None:
        for event, item in zip(batch, said["items"], strict=True):
            if item["status"] == "rejected":
                self.ledger.wrong.append(f"O7: {key_of(event)} was rejected: {item}")
            else:
                self.ledger.outcomes[item["status"]] += 1
                self.ledger.acknowledged.add(key_of(event))
                self.ledger.first_acknowledged.setdefault(key_of(event), time.monotonic())
                name = name_of(event)
                if name not in self._known and name not in self._lost:
                    self._known.append(name)

    # Commands ------------------------------------------------------------------------------------

    async def _command(self) -> None:
        if not self._known:
            return
        kinds = [self._tag, self._untag, self.own, self.buy, self.note, self._forget]
        weights = [5, 2, 3, 3, 2, 0.4]
        if self.merging:
            kinds += [self._merge, self._split]
            weights += [1, 1]
        (kind,) = self.random.choices(kinds, weights)
        await kind(self.random.choice(self._known[:60]))

    async def _ask(
        self, command: Command, method: str, process: str, path: str, good: set[int], **options
    ) -> httpx.Response | None:
        self.ledger.commands.append(command)
        return await self._until_answered(command, method, process, path, good, **options)

    async def _until_answered(
        self, command: Command, method: str, process: str, path: str, good: set[int], **options
    ) -> httpx.Response | None:
        """Ask until there is an answer; None where there never was one, or it was no."""
        if command.keyed:
            options["headers"] = {"Idempotency-Key": command.mark}
        for _ in range(PATIENCE):
            command.attempts += 1
            answer = await self.request(method, process, path, **options)
            if answer is not None and answer.status_code in good:
                command.done = True
                return answer
            if answer is not None and answer.status_code not in LATER | {409}:
                return None
            if answer is not None and code_of(answer) in GONE:
                return None
            await asyncio.sleep(self.random.uniform(0.05, 0.5))
        return None

    def _new_tag(self, name: str) -> Command:
        mark = new_mark(self.random)
        body = {"tag": f"chaos:{self.random.randrange(TAGS)}", "reason": mark}
        return Command("tag.added", name, mark, body, keyed=True)

    async def _tag(self, name: str) -> None:
        command = self._new_tag(name)
        self.ledger.commands.append(command)
        answer = await self._give(command)
        if answer is not None and self.random.random() < 0.15:
            await self._again("profile-api", f"/v1/customers/{name}/tags", command, answer)

    async def _give(self, tag: Command) -> httpx.Response | None:
        path = f"/v1/customers/{tag.name}/tags"
        return await self._until_answered(
            tag, "POST", "profile-api", path, {201, 202}, json=tag.body
        )

    async def _again(
        self, process: str, path: str, command: Command, first: httpx.Response
    ) -> None:
        """The same request once more: it was done before."""
        headers = {"Idempotency-Key": command.mark}
        answer = await self.request("POST", process, path, json=command.body, headers=headers)
        if answer is None or answer.status_code in LATER or code_of(answer) in GONE:
            return
        replayed = answer.headers.get("idempotent-replay") == "true"
        if answer.status_code not in {first.status_code, 201, 202} or not replayed:
            said = f"{answer.status_code} {dict(answer.headers)} {answer.text[:200]}"
            self.ledger.wrong.append(f"O4: {path} repeated is not known: {said}")

    async def _untag(self, name: str) -> None:
        mark = new_mark(self.random)
        tag = f"chaos:{self.random.randrange(TAGS)}"
        command = Command("tag.removed", name, mark, {"tag": tag, "reason": mark})
        path = f"/v1/customers/{name}/tags/{tag}"
        await self._ask(command, "DELETE", "profile-api", path, {200, 202}, params={"reason": mark})

    def _new_edit(self, name: str) -> Command:
        mark = new_mark(self.random)
        return Command("customer.edited", name, mark, {"owner": mark})

    async def own(self, name: str) -> None:
        """Somebody is to care for this customer from now on."""
        await self._edit(self._new_edit(name))

    async def _edit(self, command: Command, **options) -> None:
        path = f"/v1/customers/{command.name}"
        await self._ask(
            command, "PATCH", "profile-api", path, {200, 202}, json=command.body, **options
        )

    async def buy(self, name: str) -> None:
        """A purchase by command; the time is told, so that nothing hangs on whose clock it was."""
        mark = uuid.UUID(int=self.random.getrandbits(128)).hex
        type_, _, value = name.partition(":")
        body = {
            "customer": {type_: value},
            "order_id": mark,
            "total": self.stream._money("CNY"),
            "at": self.stream._time().isoformat(),
            "source": "desk",
        }
        command = Command("purchase.completed", name, mark, body, keyed=True)
        answer = await self._ask(
            command, "POST", "interaction-api", "/v1/purchases", {201, 202}, json=body
        )
        if answer is not None and self.random.random() < 0.15:
            await self._again("interaction-api", "/v1/purchases", command, answer)

    async def note(self, name: str) -> None:
        """A contact that somebody writes down."""
        mark = uuid.UUID(int=self.random.getrandbits(128)).hex
        body = {
            "customer": name,
            "kind": "call",
            "at": self.stream._time().isoformat(),
            "handled_by": mark,
            "content": f"Says {new_mark(self.random)}, and no more.",
        }
        command = Command("interaction.recorded", name, mark, body, keyed=True)
        await self._ask(
            command, "POST", "interaction-api", "/v1/interactions", {201, 202}, json=body
        )

    async def _write(self) -> None:
        await write(self)

    # Erasures ------------------------------------------------------------------------------------

    async def _forget(self, name: str) -> None:
        if len(self._known) < LEAST_KNOWN:
            return
        is_person = self.stream.person(name) is not None
        await erase(self, name, for_good=is_person and self.random.random() < FOR_GOOD)

    async def _receipts(self) -> None:
        if any(one.done is None for one in self.ledger.erasures):
            await look_at_receipts(self)
        await asyncio.sleep(RECEIPTS_SECONDS)

    def people(self) -> list[Person]:
        """Those who are known, and go on."""
        return [one for one in self.stream.people if one.name in self._known]

    def lose(self, name: str) -> None:
        """Nothing is sent under that name any more, and nobody asks for it."""
        self._lost.add(name)
        self._known = [known for known in self._known if known != name]
        self.stream.lose(name)

    # Races ---------------------------------------------------------------------------------------

    async def race(self, clients: int) -> tuple[int, int]:
        """Half of the clients have read the same record and want to be the next to change it; the other half send one
        and the same command. Answers how many edits were told to be done, and how often the command was sent."""
        name = self.random.choice(self._known[:60])
        read = await self.request("GET", "profile-api", f"/v1/customers/{name}")
        etag = None if read is None else read.headers.get("ETag")
        edits = [self._new_edit(name) for _ in range(clients // 2)] if etag else []
        tag = self._new_tag(name)
        self.ledger.races.append(edits)
        self.ledger.commands.append(tag)
        await asyncio.gather(
            *(self._edit(edit, headers={"If-Match": etag}) for edit in edits),
            *(self._give(tag) for _ in range(clients // 2)),
        )
        return sum(edit.done for edit in edits), tag.attempts if tag.done else 0

    # Merges --------------------------------------------------------------------------------------

    async def storm(self, at_once: int, each: int) -> None:
        """Merge and split a few customers over and over, several at once: chains, opposite merges, one in two."""
        few = self.random.sample(self._known, min(12, len(self._known)))

        async def one() -> None:
            for _ in range(each):
                if self.random.random() < 0.6:
                    await self._merge(self.random.choice(few), few)
                else:
                    await self._split("")

        await asyncio.gather(*(one() for _ in range(at_once)))

    async def _merge(self, name: str, among: list[str] | None = None) -> None:
        among = among or self._known[:60]
        others = self.random.sample(among, min(len(among), self.random.choice((1, 1, 2))))
        names = tuple(dict.fromkeys([name, *others]))
        if len(names) < 2:
            return
        merge = Merge(names)
        self.ledger.merges.append(merge)
        headers = {"Idempotency-Key": uuid.UUID(int=self.random.getrandbits(128)).hex}
        body = {"parts": list(names), "reason": f"Says {new_mark(self.random)}."}
        for _ in range(PATIENCE):
            answer = await self.request(
                "POST", "profile-api", "/v1/merges", json=body, headers=headers
            )
            if answer is not None and answer.status_code in {200, 201, 202}:
                merge.state, merge.id = "made", answer.json().get("id") or ""
                return
            if answer is not None and answer.status_code not in LATER:
                merge.state = "refused"
                return
            await asyncio.sleep(self.random.uniform(0.05, 0.5))

    async def _split(self, _: str) -> None:
        made = [merge for merge in self.ledger.merges if merge.state == "made" and merge.id]
        if not made:
            return
        merge = self.random.choice(made)
        merge.state = "splitting"
        for _ in range(PATIENCE):
            answer = await self.request("DELETE", "profile-api", f"/v1/merges/{merge.id}")
            if answer is not None and answer.status_code in {200, 202, 204, 404, 409}:
                merge.state = "split" if answer.status_code < 300 else "splitting"
                return
            await asyncio.sleep(self.random.uniform(0.05, 0.5))


def links_of(ledger: Ledger) -> list[tuple[str, ...]]:
    """Names that some event says are one, or a merge that may be in force."""
    of_events = [names_in(event["customer"]) for event in ledger.sent.values()]
    of_merges = [merge.names for merge in ledger.merges if merge.state not in {"refused", "split"}]
    return [tuple(names) for names in (*of_events, *of_merges) if len(names) > 1]
