"""The log's contract in memory, with a place for whatever may go wrong on the way."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from shared.log import Entry, Genesis, Record, Topic

Point = Literal["before", "after"]


class MemoryLog:
    """Entries arrive a few at a time, as with a broker; `at` is called before and after each such part, and may
    wait or raise."""

    def __init__(self, partitions: int = 1, *, part: int = 1000) -> None:
        self._records: dict[tuple[Topic, int], list[Record]] = defaultdict(list)
        self._noted: dict[tuple[Topic, str], dict[int, int]] = defaultdict(dict)
        self._partitions = partitions
        self._part = part
        self._grown = asyncio.Event()

    async def at(self, point: Point, entries: Sequence[tuple[int, Entry]]) -> None:
        """Replaced by tests."""

    async def append(self, topic: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        for start in range(0, len(entries), self._part):
            some = entries[start : start + self._part]
            await self.at("before", some)
            for partition, entry in some:
                self._store(topic, partition, entry)
            self._wake()
            await self.at("after", some)

    def _store(self, topic: Topic, partition: int, entry: Entry) -> None:
        records = self._records[topic, partition]
        records.append(
            Record(
                partition=partition,
                offset=len(records),
                recorded_at=datetime.now(UTC),
                key=entry.key,
                value=entry.value,
                origin=entry.origin,
                sequence=entry.sequence,
                signature=entry.signature,
            )
        )

    def put(self, records: Sequence[Record], topic: Topic = "customers") -> None:
        """Append records as they are; their offsets are those of this log."""
        for record in records:
            here = self._records[topic, record.partition]
            here.append(msgspec.structs.replace(record, offset=len(here)))
        self._wake()

    def all(self, partition: int = 0, topic: Topic = "customers") -> list[Record]:
        return list(self._records[topic, partition])

    def _wake(self) -> None:
        event, self._grown = self._grown, asyncio.Event()
        event.set()

    async def read(
        self, topic: Topic, partition: int, offset: int, *, events: int, size: int, wait: float
    ) -> list[Record]:
        try:
            async with asyncio.timeout(max(wait, 0.001)):
                while len(self._records[topic, partition]) <= offset:
                    await self._grown.wait()
        except TimeoutError:
            return []
        found: list[Record] = []
        for record in self._records[topic, partition][offset : offset + events]:
            found.append(record)
            size -= len(record.value)
            if size <= 0:
                break
        return found

    async def ends(self, topic: Topic) -> dict[int, int]:
        return {p: len(self._records[topic, p]) for p in range(self._partitions)}

    async def note(self, reader: str, topic: Topic, offsets: Mapping[int, int]) -> None:
        self._noted[topic, reader] |= offsets

    async def noted(self, topic: Topic, readers: Iterable[str]) -> dict[str, dict[int, int]]:
        told = {reader: dict(self._noted[topic, reader]) for reader in readers}
        return {reader: places for reader, places in told.items() if places}

    async def check(self) -> None: ...

    async def genesis(self) -> Genesis:
        return Genesis("00000000-0000-7000-8000-000000000000", self._partitions)

    async def close(self) -> None: ...
