"""The door: events in, a verdict for each, and no answer before the log has acknowledged.

Requests that arrive while an append is under way are appended together by the next one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client import Counter

from services.interaction import arrivals
from services.interaction.arrivals import CUSTOMER_ID, NUMBER, Arrival
from services.interaction.judging import Judge, Refused
from services.interaction.naming import name_customers
from services.interaction.passed import Passed
from services.interaction.plain import Plain
from services.interaction.recalling import UNKNOWN_CONTENT
from services.interaction.sent import CloudEvent, Sent, Translated, Unreadable
from shared import metrics
from shared.access import Caller
from shared.deadlines import Deadlines
from shared.errors import FieldError, Pause, Unavailable
from shared.failpoints import hit
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.log import Entry, Topic
from shared.log.batching import Batching

RESOLVED_POLL_SECONDS = 0.01
APPEND_SECONDS = 8.0
"""How long a caller waits for the log. After that the outcome is unknown; sending again is harmless."""


class Verdict(msgspec.Struct):
    """What became of one event, in the order sent."""

    id: str | None
    status: str
    code: str | None = None
    errors: Sequence[FieldError] = ()
    params: dict[str, Any] = {}
    arrival: Arrival | None = None
    key: bytes = b""
    """What stands for `source` and `id`, where there is an arrival."""
    customer_id: UUID | None = None


class Door:
    """Judges, looks for repeats, appends."""

    def __init__(self, kernel: Kernel, *, in_flight_bytes: int) -> None:
        self._kernel = kernel
        self._most_bytes = in_flight_bytes
        self._judge = Judge(kernel.settings, kernel.clock)
        self._partitions = kernel.settings.partitions
        self._secret = kernel.settings.inbound_secret.encode()
        self._lanes: dict[Topic, Batching] = {
            topic: Batching(kernel.log, topic) for topic in ("inbound", "backfill")
        }
        self._deadlines = Deadlines()
        self._passed = Passed(kernel.database)
        self._bytes = 0

    async def take(
        self,
        events: Sequence[Sent],
        caller: Caller,
        history: str | None,
        *,
        received: datetime | None = None,
    ) -> list[Verdict]:
        """A verdict for each event; those accepted are on the log. `received`: now, unless the caller has looked
        at the clock before. Raises `Unavailable`."""
        received = received or self._kernel.clock()
        verdicts = [self._verdict(event, caller, history, received) for event in events]
        await self._name_customers(verdicts)
        _repeats_within(verdicts)
        await self._repeats_before(verdicts)
        lane: Topic = "inbound" if history is None else "backfill"
        accepted = [v.arrival for v in verdicts if v.status == "accepted" and v.arrival]
        await self._append(lane, accepted)
        _count(verdicts)
        return verdicts

    def _verdict(
        self, event: Sent, caller: Caller, history: str | None, received: datetime
    ) -> Verdict:
        if isinstance(event, Unreadable):
            problem = event.problem
            return Verdict(event.id, "rejected", problem.code, problem.errors, problem.params)
        try:
            if isinstance(event, Plain):
                shown: str | None = event.id
                arrival = self._judge.plain(event, caller.name, history, received)
            else:
                shown = _shown_id(event)
                arrival = self._judged(event, caller, history, received)
        except Refused as refused:
            return Verdict(shown, "rejected", refused.code, refused.errors, refused.params)
        if not caller.may_publish(arrival.source):
            params = {"source": arrival.source}
            error = FieldError("/source", "source_not_allowed", params)
            return Verdict(shown, "rejected", error.code, [error], params)
        key = arrivals.door_key(arrival.source, arrival.id)
        return Verdict(shown, "accepted", arrival=arrival, key=key)

    def _judged(
        self, event: Sent, caller: Caller, history: str | None, received: datetime
    ) -> Arrival:
        """Raises `Refused`, with pointers into what was sent."""
        if isinstance(event, CloudEvent):
            return self._judge.attributes(
                event.sent, default_source=caller.name, history=history, received=received
            )
        if not isinstance(event, Translated):
            return self._judge.event(
                event, default_source=caller.name, history=history, received=received
            )
        try:
            return self._judge.event(
                event.event,
                default_source=caller.name,
                history=history,
                received=received,
                content=event.content,
            )
        except Refused as refused:
            errors = [
                replace(error, pointer=event.place(error.pointer)) for error in refused.errors
            ]
            raise Refused(refused.code, errors, refused.params) from refused

    async def _name_customers(self, verdicts: Sequence[Verdict]) -> None:
        """Where an event names a customer by our id or number, they must exist."""
        named = [
            (v, v.arrival)
            for v in verdicts
            if v.arrival and not v.arrival.customer.keys().isdisjoint((CUSTOMER_ID, NUMBER))
        ]
        if not named:
            return
        async with self._kernel.database.read() as conn:
            found = await name_customers(conn, [arrival for _, arrival in named])
        for (verdict, _), arrival in zip(named, found, strict=True):
            if arrival is not None:
                verdict.arrival = arrival
            else:
                verdict.status, verdict.code = "rejected", "customer_not_found"
                verdict.errors = [FieldError("/customer", "customer_not_found", {})]

    async def _repeats_before(self, verdicts: Sequence[Verdict]) -> None:
        """What was resolved already is known here; what is still on its way the resolver drops."""
        passed = await self._passed.find([v.key for v in verdicts if v.arrival])
        if not passed:
            return
        for verdict in verdicts:
            if verdict.arrival is not None and verdict.key in passed:
                row = passed[verdict.key]
                _compare(verdict, verdict.arrival, row["content"].hex())
                if verdict.status == "duplicate":
                    verdict.customer_id = row["customer_id"]

    async def _append(self, lane: Topic, accepted: Sequence[Arrival]) -> None:
        entries = [self._entry(arrival) for arrival in accepted]
        size = sum(len(entry.value) for _, entry in entries)
        if self._bytes and self._bytes + size > self._most_bytes:
            raise Unavailable("unavailable", "too many events are being written")
        self._bytes += size
        try:
            await self._acknowledged(lane, entries)
        finally:
            self._bytes -= size

    async def _acknowledged(self, lane: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        """Return when the log has them. Raises `Unavailable`."""
        try:
            with self._deadlines.within(APPEND_SECONDS):
                await self._lanes[lane].append(entries)
        except (Pause, TimeoutError) as error:
            raise Unavailable("unavailable", "the log is away", retry_after=2) from error
        hit("door.appended")

    def _entry(self, arrival: Arrival) -> tuple[int, Entry]:
        value = arrivals.encode(arrival)
        type_, identifier = arrivals.strongest(arrival.customer)
        key = f"{type_}:{identifier}"
        entry = Entry(key, value, signature=arrivals.sign(value, self._secret))
        return partition_of(key, self._partitions), entry

    async def close_history(self, history: str) -> None:
        """Mark the end of a backfill behind everything that was accepted before, on every partition."""
        now = self._kernel.clock()
        arrival = Arrival(
            id=history,
            source="tenure/interaction",
            type=arrivals.CLOSE,
            time=now,
            utcoffset=0,
            receivedtime=now,
            contenthash="",
            customer={},
            data=msgspec.Raw(b"{}"),
        )
        value = arrivals.encode(arrival)
        entry = Entry(key="", value=value, signature=arrivals.sign(value, self._secret))
        partitions = range(self._kernel.settings.partitions)
        await self._acknowledged("backfill", [(partition, entry) for partition in partitions])

    async def resolved(self, verdicts: Sequence[Verdict], seconds: float) -> bool:
        """Wait until all that was accepted has its customer, and what repeats it in the same request; answer
        whether it has."""
        until = asyncio.get_running_loop().time() + seconds
        waiting: defaultdict[bytes, list[Verdict]] = defaultdict(list)
        for verdict in verdicts:
            if verdict.arrival and verdict.status != "rejected" and verdict.customer_id is None:
                waiting[verdict.key].append(verdict)
        while waiting:
            async with self._kernel.database.read() as conn:
                rows = await conn.fetch(
                    "SELECT key, content, customer_id FROM door WHERE key = ANY($1)", list(waiting)
                )
            for row in rows:
                for verdict in waiting.pop(row["key"]):
                    # Where somebody sent other content at the same time, only one of them has passed.
                    content = row["content"].hex()
                    arrival = verdict.arrival
                    if arrival and content in (arrival.contenthash, UNKNOWN_CONTENT.hex()):
                        verdict.customer_id = row["customer_id"]
            if waiting and asyncio.get_running_loop().time() >= until:
                return False
            if waiting:
                await asyncio.sleep(RESOLVED_POLL_SECONDS)
        return True


def _shown_id(event: Sent) -> str | None:
    """What its publisher calls it, where that can be shown."""
    if isinstance(event, CloudEvent):
        event = event.sent
    elif isinstance(event, Translated):
        event = event.event
    id_ = event.get("id") if isinstance(event, dict) else None
    return id_ if isinstance(id_, str) else None


def _count(verdicts: Sequence[Verdict]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for verdict in verdicts:
        what = verdict.status, verdict.arrival.type if verdict.arrival else "unusable"
        counts[what] = counts.get(what, 0) + 1
    for what, count in counts.items():
        _counter(*what).inc(count)


@cache
def _counter(status: str, type_: str) -> Counter:
    """Looking it up by its labels costs more than counting does; there are few."""
    return metrics.events_ingested.labels(status, type_)


def _repeats_within(verdicts: Sequence[Verdict]) -> None:
    """The same event twice in one request."""
    first: dict[bytes, Arrival] = {}
    for verdict in verdicts:
        if verdict.arrival is None or verdict.status != "accepted":
            continue
        known_one = first.setdefault(verdict.key, verdict.arrival)
        if known_one is not verdict.arrival:
            _compare(verdict, verdict.arrival, known_one.contenthash)


def _compare(verdict: Verdict, arrival: Arrival, contenthash: str) -> None:
    """Something came before under the same source and id: the same, or something else?"""
    same = contenthash in (arrival.contenthash, UNKNOWN_CONTENT.hex())
    verdict.status = "duplicate" if same else "rejected"
    verdict.code = None if same else "conflicting_duplicate"
    verdict.errors = ()
