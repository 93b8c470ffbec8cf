"""One round of our loop, in a process of its own: a worker as it is, over the first records of a topic.

    python -m tests.bench.loop_program '{"service": "profile", "log": ..., "database": ..., ...}'

Prints one line of JSON: seconds from the first record read to the last commit, processor seconds, memory. A worker
looks first through what is on the log for events of its own (it reads back): that is left out. What the
service announces is acknowledged by a stand-in and never reaches the topic, so that every round reads the same
records; tasks of the clock (fitting, reviewing) are left out.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared import logging
from shared.http.serving import run
from shared.kernel import open_kernel
from shared.log import Entry, Genesis, Log, Record, Topic
from shared.loop.lease import Lease, Leases
from shared.loop.read_back import ReadBack
from shared.loop.worker import Worker
from shared.service import Service
from shared.settings import KernelSettings, ServiceSettings
from tests.bench.events import PARTITIONS
from tests.bench.runner import peak_mb, rss_mb

LOOK_SECONDS = 0.003
EARLY = 0.2
"""The part of the work after which memory is looked at first."""


class Bounded:
    """A log that ends where it is told to, and takes what is appended without keeping it."""

    def __init__(self, log: Log, limits: Sequence[int]) -> None:
        self._log = log
        self._limits = limits
        self.began: tuple[float, float] | None = None
        """When the first record was handed over: wall clock, processor."""

    async def append(self, topic: Topic, entries: Sequence[tuple[int, Entry]]) -> None:
        pass

    async def read(
        self, topic: Topic, partition: int, offset: int, *, events: int, size: int, wait: float
    ) -> list[Record]:
        left = self._limits[partition] - offset
        if left <= 0:
            await asyncio.sleep(wait)
            return []
        found = await self._log.read(
            topic, partition, offset, events=min(events, left), size=size, wait=wait
        )
        if found and self.began is None:
            self.began = time.perf_counter(), time.process_time()
        return found

    async def ends(self, topic: Topic) -> dict[int, int]:
        return dict(enumerate(self._limits))

    async def note(self, reader: str, topic: Topic, offsets: Mapping[int, int]) -> None:
        await self._log.note(reader, topic, offsets)

    async def noted(self, topic: Topic, readers: Any) -> dict[str, dict[int, int]]:
        return await self._log.noted(topic, readers)

    async def check(self) -> None:
        await self._log.check()

    async def genesis(self) -> Genesis:
        return await self._log.genesis()

    async def close(self) -> None:
        await self._log.close()


class Straight:
    """An opening that looks at nothing: the partition is open at once."""

    def __init__(self, leases: Leases, back: ReadBack) -> None:
        self._leases = leases
        self._back = back

    async def begin(self, _lease: Lease) -> None:
        return None

    def forgotten(self, records: list[Record]) -> list[Record]:
        return records

    async def finish(self, lease: Lease) -> bool:
        async with self._leases.database.transaction() as conn:
            await self._back.open(conn, lease)
        return True


class StraightWorker(Worker):
    """A worker that does not read back. Interaction's would find all of the topic to be its own, and forgotten."""

    def _opening(self, leases: Leases) -> Straight:
        back = ReadBack(self.kernel.service.name, leases, self.kernel.log)
        return Straight(leases, back)


def service_of(name: str) -> Service:
    """By its name; `counters` is the benchmark's own."""
    if name == "counters":
        from tests.bench.counters import SERVICE

        return SERVICE
    found: Service = importlib.import_module(f"services.{name}.service").SERVICE
    return found


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Run until everything up to the limits is committed."""
    settings = KernelSettings(
        event_log_url=task["log"],
        namespace=task["namespace"],
        partitions=PARTITIONS,
        inbound_secret="bench",
        log_level="WARNING",
    )
    service = replace(service_of(task["service"]), tasks=())
    kernel = open_kernel(
        service, "worker", settings, ServiceSettings(database_url=task["database"])
    )
    log = Bounded(kernel.log, task["limits"])
    kernel = replace(kernel, log=log)
    worker = StraightWorker(kernel)
    working = asyncio.create_task(worker.run())
    total, early = sum(task["limits"]), None
    pid = os.getpid()
    try:
        while True:
            done = sum(one.lease.next_offset for one in worker.runners.values())
            if early is None and done >= total * EARLY:
                early = rss_mb(pid)
            if done >= total:
                break
            if working.done():
                await working
            await asyncio.sleep(LOOK_SECONDS)
        assert log.began is not None
        wall, processor = time.perf_counter() - log.began[0], time.process_time() - log.began[1]
        late = rss_mb(pid)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await kernel.close()
    gc.unfreeze()
    return {
        "events": total,
        "seconds": wall,
        "processor": processor,
        "peak": peak_mb(pid),
        "early": early,
        "late": late,
    }


def main() -> None:
    logging.configure(service="bench", process="worker", level="WARNING")
    answer: dict[str, Any] = {}

    async def work() -> None:
        answer.update(await measure(json.loads(sys.argv[1])))

    run(work())
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
