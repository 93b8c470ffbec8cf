"""The second half of a batch: what the rows mean now, what is to be announced, and writing both.

A customer of one part is one row. Of several parts each keeps its own state in its own row, written by the owner of
its own partition only; what is read of the customer stands in the row of the head and is derived from all parts
together, under the lock of the head's row, whenever one of them changes. The head's partition says by which clock and
policies, whoever derives it: else two partitions of which one is behind would contradict each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client import Counter

from shared import metrics
from shared.codec import Event
from shared.database import Connection
from shared.grouping import Move
from shared.ids import partition_of
from shared.language import CustomerNumbered
from shared.log import Entry
from shared.loop.rows import ALWAYS, Held, Packed, Rows
from shared.own_events import own_event
from shared.policies import as_known_to
from shared.projection import Announcement, Policies
from shared.service import Service

Entries = list[tuple[int, Entry]]


class Known(NamedTuple):
    """By what a partition derives its customers."""

    clock: datetime | None
    policies: Policies


@dataclass(slots=True)
class _Alone:
    """What comes of the customers who are one part each."""

    entries: Entries = field(default_factory=list)
    unnumbered: list[UUID] = field(default_factory=list)
    """Those who have earned a number."""
    packed: Packed = field(default_factory=Packed)


@dataclass(slots=True, kw_only=True)
class Telling:
    """The rows of one projection in one transaction of one or several partitions."""

    service: Service
    conn: Connection
    rows: Rows
    version: int
    """Of the folds."""
    partitions: int
    known: dict[int, Known]
    """What the partitions know after the transaction; that of others is added as it is read."""
    causes: dict[UUID, Event]
    """The last event of each part that the batches touched."""

    async def write(self, held: Iterable[Held], moved: Mapping[UUID, Move]) -> Entries:
        """Derive, announce and write the customers to whom these parts belong. `held`: taken one by one. `moved`:
        those that have another head from now on."""
        projection = self.rows.projection
        alone = _Alone()
        late: list[Held] = []
        parts: list[Held] = []
        for one in held:
            if not one.alone or one.customer_id in moved:
                parts.append(one)
            elif projection.needs_items(one.state, self._known(one).policies):
                late.append(one)
            else:
                self._finish(one, alone)
        if late:
            items = await self.rows.load_all_items(self.conn, [one.customer_id for one in late])
            for one in late:
                self.rows.put(one, items.get(one.customer_id, {}))
                one.state = projection.walk(one.state, self._known(one).policies)
                self._finish(one, alone)
        entries = alone.entries + await self._number(alone.unnumbered)
        await self.rows.write(self.conn, alone.packed)
        if parts:
            entries += await self._write_parts(parts, moved)
        return entries

    def _finish(self, one: Held, alone: "_Alone") -> None:
        """Derive, announce and pack a customer who is one part."""
        projection, known = self.rows.projection, self._known(one)
        view = projection.derive(one.state, *known)
        if not one.history:
            alone.entries += self._said(one, projection.announce(one.told, view, known.clock))
        if _needs_number(view):
            alone.unnumbered.append(one.customer_id)
        self.rows.pack(alone.packed, one, view)

    async def _write_parts(self, parts: Sequence[Held], moved: Mapping[UUID, Move]) -> Entries:
        """Write each part by itself, then the customers that lost, kept or got one of them."""
        entries: Entries = []
        heads: set[UUID] = set()
        for part in parts:
            move = moved.get(part.customer_id)
            head = part.head if move is None else move.head
            heads |= {part.head, head}
            if move is not None and part.head == part.customer_id != head:
                leave = self.rows.projection.leave
                entries += self._said(part, leave(part.told, move.event.time))
            part.head = head
            if part.customer_id in self.causes:
                self.causes.setdefault(head, self.causes[part.customer_id])
        await self.rows.write_parts(self.conn, parts)
        own, recalled = frozenset(self.known), await self._recalled()
        written: list[tuple[Held, Any]] = []
        for head, group in (await self.rows.group(self.conn, heads)).items():
            known = await self._as_known_to(partition_of(str(head), self.partitions))
            view = self._judged(group, known)
            first = group[0]
            first.parts = len(group)
            if own & recalled:
                first.told_at = ALWAYS  # nothing is said here: the head's partition looks again
            elif not any(part.history or self._is_in(recalled, part) for part in group):
                said = self.rows.projection.announce(first.told, view, known.clock)
                entries += self._said(first, said)
            written.append((first, view))
        unnumbered = [first.customer_id for first, view in written if _needs_number(view)]
        entries += await self._number(unnumbered)
        await self.rows.write_heads(self.conn, written)
        return entries

    async def _recalled(self) -> frozenset[int]:
        """Partitions of a database that went back which do not know yet what they had said and folded. Of a customer
        with a part there nobody speaks before they do, and make the customer due."""
        rows = await self.conn.fetch("SELECT partition FROM relay WHERE recalled_to IS NOT NULL")
        return frozenset(row["partition"] for row in rows)

    def _is_in(self, recalled: frozenset[int], part: Held) -> bool:
        """Whether the part lives in one of them; nearly always there are none."""
        return bool(recalled) and partition_of(str(part.customer_id), self.partitions) in recalled

    def _judged(self, group: Sequence[Held], known: Known) -> Any:
        """The view of a customer, from all of the parts."""
        projection = self.rows.projection
        together = projection.grouped([part.state for part in group])
        return projection.derive(projection.walked(together, known.policies), *known)

    def _known(self, one: Held) -> Known:
        assert one.partition is not None, "whoever folds a row says where it lives"
        return self.known[one.partition]

    async def _as_known_to(self, partition: int) -> Known:
        if partition not in self.known:
            self.known[partition] = Known(*await as_known_to(self.conn, self.version, partition))
        return self.known[partition]

    def _said(self, one: Held, announcements: Sequence[Announcement]) -> Entries:
        made = []
        for announcement in announcements:
            one.told = self.rows.projection.tell(one.told, announcement)
            _announcements(self.service.name, announcement.type).inc()
            made.append(self._entry(one.customer_id, announcement, one.cause))
        one.cause = None
        return made

    async def _number(self, unnumbered: Sequence[UUID]) -> Entries:
        """Number the customers that have earned one."""
        if self.service.claims is None or not unnumbered:
            return []
        clocks = [known.clock for known in self.known.values() if known.clock is not None]
        at = max([event.receivedtime for event in self.causes.values()] or clocks)
        numbers = await self.service.claims(self.conn, unnumbered, at.year)
        return [
            self._entry(key, Announcement("customer.numbered", CustomerNumbered(number=number), at))
            for key, number in numbers.items()
        ]

    def _entry(self, key: UUID, one: Announcement, because: str | None = None) -> tuple[int, Entry]:
        subject = str(key)
        entry = own_event(
            self.service.name,
            one.type,
            one.data,
            one.time,
            subject=subject,
            cause=self.causes.get(key),
            because=because,
        )
        return partition_of(subject, self.partitions), entry


@lru_cache(maxsize=256)
def _announcements(service: str, type_: str) -> Counter:
    """Looking a counter up by its labels costs more than counting."""
    return metrics.announcements.labels(service, type_)


def _needs_number(view: Any) -> bool:
    return getattr(view, "needs_number", False)
