"""What the installation says of itself when everything is quiet: its log, its databases, its answers."""

import asyncio
import contextlib
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.databases import SERVICES
from tests.chaos.keys import Keys
from tests.chaos.letters import Received, Taken
from tests.chaos.marks import marks_in
from tests.chaos.plant import PARTITIONS, Plant

ORIGINS = ("interaction", "profile", "scoring", "campaign")
QUIET_SECONDS = 45.0
LOOKS = 10
SOON_SECONDS = 10.0
_SOON = "now() + make_interval(secs => $1)"
UNSENT = {
    "campaign": "SELECT count(*) AS n FROM message"
    f" WHERE status = 'sending' OR (status = 'scheduled' AND due_at < {_SOON})",
    "interaction": "SELECT count(*) + (SELECT count(*) FROM webhook_place WHERE missed_from IS NOT NULL) AS n"
    " FROM webhook_delivery"
    f" WHERE status = 'sending' OR (status = 'pending' AND next_at < {_SOON})",
}
MESSAGES = "SELECT id, customer_id, purpose, status, reason, due_at, until FROM message"
WAITING = "SELECT event_id FROM webhook_delivery WHERE status = 'pending' AND event_id IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Line:
    """One record of `customers`, opened. `clear`: marks that anybody can read in it."""

    partition: int
    origin: str
    sequence: int
    event: dict[str, Any]
    clear: frozenset[str] = frozenset()


@dataclass
class Seen:
    """Everything at one quiet moment."""

    lines: list[Line] = field(default_factory=list)
    """Those that are new since the last look."""
    customers: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    timeline: dict[tuple[str, str], int] = field(default_factory=dict)
    put_aside: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: dict[str, dict[int, list[int]]] = field(default_factory=dict)
    erased: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is answered of customers who were erased, by our id of the part."""
    receipts: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, bytes | None] = field(default_factory=dict)
    """What the keyring has of each customer; None: destroyed."""
    lost: set[str] = field(default_factory=set)
    """Customers of whom a key was lost with the keyring's last seconds."""
    messages: list[Any] = field(default_factory=list)
    """How each stands, with campaign."""
    taken: list[Taken] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    secret: str = ""
    """With which what was received is signed."""
    waiting: set[str] = field(default_factory=set)
    """Ids of events of which webhooks are due later."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    slack: float = 0.0
    """Seconds by which the clocks of processes are apart."""


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """It waits for tasks that it cancels; of one that had not begun it hears, and we through it, that it was."""
    with contextlib.suppress(asyncio.CancelledError):
        await consumer.stop()


class Observer:
    """Reads past the proxies, apart from the broker, which sends everybody through its own."""

    def __init__(self, here: Plant) -> None:
        self._here = here
        self._at = dict.fromkeys(range(PARTITIONS), 0)
        self._connections: dict[str, asyncpg.Connection] = {}
        self.keys = Keys(here)

    async def ask(self, service: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
        for attempt in (1, 2):
            conn = self._connections.get(service)
            if conn is None or conn.is_closed():
                conn = self._connections[service] = await self._here.connect(service)
            try:
                return await conn.fetch(query, *arguments)
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
                await conn.close(timeout=1)
                if attempt == 2:
                    raise
        raise AssertionError

    async def close(self) -> None:
        for conn in self._connections.values():
            conn.terminate()

    async def quiet(self) -> float:
        """Wait until all is folded, sent and announced; seconds that it took. Nothing may come in meanwhile."""
        began, before = time.monotonic(), None
        while True:
            now = await self._position()
            if now is not None and now == before:
                return time.monotonic() - began
            if time.monotonic() - began > QUIET_SECONDS:
                raise AssertionError(f"not quiet after {QUIET_SECONDS} s: {await self._why()}")
            before = now
            await asyncio.sleep(0.15)

    async def _position(self) -> Any:
        """Where everything stands; None while something is still on its way."""
        heads, seen = await self._heads(), {}
        for service in SERVICES:
            seen[service] = await self._checkpoints(service)
            for partition, numbers in seen[service].items():
                wanted = [heads[origin].get(partition, 0) for origin in ORIGINS]
                if list(numbers) != wanted:
                    return None
            for row in await self.ask(service, "SELECT partition, acked_sequence FROM relay"):
                if row["acked_sequence"] != heads[service].get(row["partition"], 0):
                    return None
            if await self._due(service) or await self._unsent(service):
                return None
        ends = await self.ends("inbound")
        rows = await self.ask(
            "interaction", "SELECT partition, next_offset FROM checkpoint WHERE topic = 'inbound'"
        )
        if any(row["next_offset"] < ends[row["partition"]] for row in rows):
            return None
        return heads, ends

    async def _why(self) -> str:
        heads = await self._heads()
        told = {service: await self._checkpoints(service) for service in SERVICES}
        acked = {
            service: dict(await self.ask(service, "SELECT partition, acked_sequence FROM relay"))
            for service in SERVICES
        }
        ready = {name: await self._here.readiness(name) for name in self._here.processes}
        lacking = {name: said for name, said in ready.items() if said[0] != 200}
        due = {
            service: (await self._due(service), await self._unsent(service)) for service in SERVICES
        }
        return f"outboxes {heads}; seen {told}; acknowledged {acked}; due {due}; {lacking}"

    async def _due(self, service: str) -> int:
        table = {"profile": "profile", "scoring": "score", "campaign": "audience"}.get(service)
        if table is None:
            return 0
        rows = await self.ask(
            service,
            f"SELECT count(*) AS due FROM {table} AS r JOIN checkpoint AS c ON c.partition = r.partition"
            " AND c.topic = 'customers' WHERE r.due_at <= c.clock",
        )
        return rows[0]["due"]

    async def _unsent(self, service: str) -> int:
        """Messages and webhooks that are under way or due soon; where clocks are apart, due by all of them."""
        if service not in UNSENT:
            return 0
        slack = self._slack()
        before = -slack - SOON_SECONDS if slack else SOON_SECONDS
        return (await self.ask(service, UNSENT[service], before))[0]["n"]

    async def _heads(self) -> dict[str, dict[int, int]]:
        return {
            service: dict(
                await self.ask(
                    service, "SELECT partition, max(sequence) FROM outbox GROUP BY partition"
                )
            )
            for service in SERVICES
        }

    async def _checkpoints(self, service: str) -> dict[int, list[int]]:
        rows = await self.ask(
            service, "SELECT partition, seen FROM checkpoint WHERE topic = 'customers'"
        )
        return {row["partition"]: row["seen"] for row in rows}

    # The log -------------------------------------------------------------------------------------

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._here.log_url.removeprefix("kafka://"),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
        )

    async def ends(self, topic: str) -> dict[int, int]:
        """The offset behind the last record of each partition."""
        if self._here.kafka is None:
            return await self._ends_in_postgres(topic)
        consumer = self._consumer()
        await consumer.start()
        try:
            found = await consumer.end_offsets([TopicPartition(topic, n) for n in self._at])
            return {one.partition: end for one, end in found.items()}
        finally:
            await _stop(consumer)

    async def lines(self) -> list[Line]:
        """What stands on `customers` behind what was read before."""
        in_kafka = self._here.kafka is not None
        found = await (self._lines_in_kafka() if in_kafka else self._lines_in_postgres())
        await self.keys.read()
        return [replace(line, event=self.keys.opened(line.event)) for line in found]

    async def _lines_in_kafka(self) -> list[Line]:
        ends, found = await self.ends("customers"), []
        consumer = self._consumer()
        await consumer.start()
        try:
            for partition, end in ends.items():
                where = TopicPartition("customers", partition)
                consumer.assign([where])
                consumer.seek(where, self._at[partition])
                while self._at[partition] < end:
                    for record in (await consumer.getmany(timeout_ms=5000)).get(where, []):
                        headers = dict(record.headers)
                        origin, number = headers["origin"].decode(), int(headers["sequence"])
                        beside = b"\n".join([record.key or b"", *headers.values()])
                        found.append(_line(partition, origin, number, record.value, beside))
                        self._at[partition] = record.offset + 1
        finally:
            await _stop(consumer)
        return found

    async def _log(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self.ask("log", query, *arguments)

    async def _ends_in_postgres(self, topic: str) -> dict[int, int]:
        rows = await self._log(f"SELECT partition, max(sequence) FROM {topic} GROUP BY partition")
        return dict.fromkeys(self._at, 0) | dict(rows)

    async def _lines_in_postgres(self) -> list[Line]:
        found = []
        for partition, at in self._at.items():
            rows = await self._log(
                "SELECT sequence, origin, origin_sequence, value FROM customers"
                " WHERE partition = $1 AND sequence > $2 ORDER BY sequence",
                partition,
                at,
            )
            found += [
                _line(partition, row["origin"], row["origin_sequence"], row["value"])
                for row in rows
            ]
            self._at[partition] = rows[-1]["sequence"] if rows else at
        return found

    # Answers -------------------------------------------------------------------------------------

    async def look(self, segment: str) -> Seen:
        """Everything, at a moment at which nothing happens: where a tick of the clock came in between, again. What
        stands in an outbox before must be on the log already, or it is missing from what is read there."""
        lines: list[Line] = []
        between = []
        for attempt in range(LOOKS):
            still = attempt > 0 and self._slack() > 0
            with self._standing_still() if still else contextlib.nullcontext():
                position, began = await self._position(), time.monotonic()
                came: Any = "on its way"
                if position is not None:
                    lines += await self.lines()
                    seen = await self._answers(segment, lines)
                    came = await self._behind(position[0])
            if not came:
                return seen
            between.append(f"{came} in {time.monotonic() - began:.1f} s")
            await self.quiet()
        raise AssertionError(f"something happened during each of {LOOKS} looks: {between}")

    @contextlib.contextmanager
    def _standing_still(self) -> Iterator[None]:
        """By several clocks, what an API whose clock is ahead took in busy minutes is due only minutes later, one after
        another: then whoever sends it stands still."""
        names = [one for one in self._here.processes if one.startswith("campaign-worker")]
        try:
            for name in names:
                self._here.send(name, signal.SIGSTOP)
            yield
        finally:
            for name in names:
                self._here.send(name, signal.SIGCONT)

    async def _behind(self, heads: dict[str, dict[int, int]]) -> dict[str, int]:
        """How many events, by service and type, its outboxes have behind `heads`."""
        found: Counter[str] = Counter()
        for service, numbers in heads.items():
            for partition in range(PARTITIONS):
                rows = await self.ask(
                    service,
                    "SELECT value FROM outbox WHERE partition = $1 AND sequence > $2",
                    partition,
                    numbers.get(partition, 0),
                )
                found.update(f"{service}: {orjson.loads(row['value'])['type']}" for row in rows)
        return dict(found)

    async def _answers(self, segment: str, lines: list[Line]) -> Seen:
        timeline: defaultdict[tuple[str, str], int] = defaultdict(int)
        for row in await self.ask("interaction", "SELECT value FROM timeline"):
            event = orjson.loads(row["value"])
            timeline[event["source"], event["sourceid"]] += 1
        return Seen(
            lines=lines,
            customers=await self.listed("profile", "/v1/customers"),
            scores=await self.listed("scoring", "/v1/scores"),
            members={
                one["customer_id"]
                for one in await self.listed("campaign", f"/v1/segments/{segment}/members")
            },
            timeline=dict(timeline),
            put_aside=[
                {"service": service, **row}
                for service in SERVICES
                for row in await self.ask(
                    service, "SELECT kind, reason, status, event_type, value FROM quarantine"
                )
            ],
            checkpoints={service: await self._checkpoints(service) for service in SERVICES},
            erased=await self._erased(),
            receipts=await self.listed("profile", "/v1/erasures"),
            keys=self.keys.held,
            lost=self.keys.lost(),
            messages=await self.ask("campaign", MESSAGES),
            taken=list(self._here.mail.taken),
            received=list(self._here.receiver.received),
            secret=self._here.receiver.secret,
            waiting={str(row["event_id"]) for row in await self.ask("interaction", WAITING)},
            slack=self._slack(),
        )

    def _slack(self) -> float:
        offsets = [0.0, *self._here.offsets.values()]
        return max(offsets) - min(offsets)

    async def _erased(self) -> dict[str, dict[str, Any]]:
        """By our id of the part."""
        address = self._here.address("profile-api")
        found = {}
        for row in await self.ask("profile", "SELECT customer_id FROM erased"):
            part = str(row["customer_id"])
            answer = await self._here.http.get(f"{address}/v1/customers/{part}")
            assert answer.status_code == 200, f"{part}: {answer.status_code} {answer.text}"
            found[part] = answer.json()
        return found

    async def parked(self, service: str) -> int:
        rows = await self.ask(
            service,
            "SELECT count(*) AS n FROM quarantine WHERE kind = 'parked' AND status <> 'applied'",
        )
        return rows[0]["n"]

    async def listed(self, service: str, path: str) -> list[dict[str, Any]]:
        """All items of a list."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while cursor is not None:
            answer = await self._here.http.get(
                f"{self._here.address(f'{service}-api')}{path}",
                params={"limit": "500", **({"cursor": cursor} if cursor else {})},
            )
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            cursor = page["next_cursor"]
        return items


def _line(partition: int, origin: str, number: int, value: bytes, beside: bytes = b"") -> Line:
    return Line(partition, origin, number, orjson.loads(value), frozenset(marks_in(value + beside)))
