"""Filling the new tables of a rebuild: several processes fold some partitions each.

A partition is folded by one process at a time, which has claimed it in the checkpoints of the new tables. Those who
help are told in one line of JSON how far to fold, and answer in lines of JSON; they end when whoever started them does.
What several partitions have to do with (customers that are one) they leave to the process that exchanges the tables.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

import msgspec

from shared.database import Database
from shared.errors import Fenced
from shared.ids import partition_of
from shared.kernel import Kernel
from shared.loop.lease import Leases
from shared.loop.refolding import Refolding
from shared.loop.runner import Runner
from shared.tables import ORIGINS

BESIDE = "rebuilding"
"""The schema of the new tables while they are filled."""
OWNER = "rebuild"
IN_FLIGHT = 2
CHUNK = 2000
"""Rows that are derived in one transaction."""
LOOK_SECONDS = 0.005
_TOLD_SECONDS = 0.5
_TOLD_KEYS = 1000
AWAY = "the database was away for a moment, or somebody else has the new tables"
_LIMITS = {"statement_timeout": "60000", "lock_timeout": "5000", "synchronous_commit": "off"}
"""Nothing of what is beside need survive anything: only the exchange waits until all of it is on disk."""

Progress = Callable[[int], None]
"""Is told again and again how many events are folded, or rows derived."""


class RebuildFailedError(Exception):
    """One sentence; the old rows serve on."""


def _nobody(_done: int) -> None:
    pass


def open_beside(kernel: Kernel) -> Database:
    """The service's database, new tables first."""
    return Database(
        kernel.own.database_url,
        name=f"{kernel.service.name} rebuild",
        limits=_LIMITS | {"search_path": f"{BESIDE}, public"},
    )


@dataclass(slots=True)
class Partition:
    """One partition while it is folded anew."""

    folding: Refolding
    runner: Runner

    @property
    def place(self) -> int:
        """Up to where it is folded and written."""
        return self.folding.committed.next_offset


@dataclass(slots=True)
class Filling:
    """Some partitions, folded by this process."""

    kernel: Kernel
    leases: Leases
    parts: dict[int, Partition]

    @classmethod
    async def claim(cls, kernel: Kernel, beside: Database, owner: str, most: int) -> Self:
        """Claim up to so many partitions that nobody folds."""
        leases = leases_of(kernel, beside, owner)
        async with beside.transaction() as conn:
            claimed = await leases.claim(conn, most, [])
        slots = asyncio.Semaphore(IN_FLIGHT)
        parts = {}
        for lease in claimed:
            folding = Refolding(kernel.service, leases, lease, kernel.log, slots, kernel.keyring)
            runner = Runner(
                service=f"{kernel.service.name}-rebuild",
                leases=leases,
                lease=lease,
                handler=folding,
                log=kernel.log,
                slots=slots,
                most_events=kernel.settings.batch_events,
                settings=kernel.settings,
            )
            parts[lease.partition] = Partition(folding, runner)
        return cls(kernel, leases, parts)

    async def release(self) -> None:
        """Let another process go on where this one has come to."""
        async with self.leases.database.transaction() as conn:
            for part in self.parts.values():
                await self.leases.release(conn, part.folding.committed)

    def behind(self, ends: Mapping[int, int]) -> int:
        """How many offsets are not folded yet."""
        return sum(max(0, ends[n] - part.place) for n, part in self.parts.items())

    async def fold_to(
        self,
        ends: Mapping[int, int],
        progress: Progress = _nobody,
        *,
        numbers: Mapping[int, int] | None = None,
    ) -> None:
        """Fold up to these offsets, and up to these numbers of the service's own. Raises RebuildFailedError, and Fenced
        where a partition of the new tables is another's, or the database was started anew."""
        own = ORIGINS.index(self.kernel.service.name)
        parts = {n: part for n, part in self.parts.items() if part.place < ends[n]}
        if numbers is not None:
            parts = dict(self.parts)
        for n, part in parts.items():
            part.folding.upto = ends[n]
        total = sum(ends[n] - part.place for n, part in parts.items())
        async with _running(parts) as running:
            while True:
                for n, part in parts.items():
                    if part.runner.stopped is not None:
                        raise RebuildFailedError(
                            f"partition {n} cannot be folded: {part.runner.stopped}"
                        )
                    if running[n].done():
                        running[n].result()
                        raise Fenced
                left = sum(max(0, ends[n] - part.place) for n, part in parts.items())
                short = numbers is not None and any(
                    part.folding.committed.seen[own] < numbers[n] for n, part in parts.items()
                )
                if not left and not short:
                    break
                ahead = (
                    max(0, ends[n] - part.runner.lease.next_offset) for n, part in parts.items()
                )
                progress(total - sum(ahead))
                await asyncio.sleep(LOOK_SECONDS)
        await self._wait_for_commits(parts)

    async def _wait_for_commits(self, parts: Mapping[int, Partition]) -> None:
        """A runner goes on beyond what was asked for, and may have been ended while its transaction was being
        committed: rows read before that is decided, and written after it, would undo what it folded. Every one of
        these transactions holds its checkpoint until it is over."""
        async with self.leases.database.transaction() as conn:
            await conn.execute(
                "SELECT FROM checkpoint WHERE partition = ANY($1) ORDER BY partition FOR UPDATE",
                list(parts),
            )
            leases = [
                await self.leases.reload(conn, part.folding.committed) for part in parts.values()
            ]
        for part, lease in zip(parts.values(), leases, strict=True):
            await part.folding.load(lease)

    async def derive(self, progress: Callable[[int, int], None]) -> None:
        """Derive what was touched since the last time. All partitions must be ours."""
        touched: defaultdict[tuple[int, int], set[UUID]] = defaultdict(set)
        for part in self.parts.values():
            for projection, keys in part.folding.take_touched():
                for key in keys:
                    touched[self._home(key), projection].add(key)
        work = [
            (self.parts[n].folding, projection, chunk)
            for (n, projection), keys in touched.items()
            for chunk in _chunks(sorted(keys))
        ]
        total, done = sum(len(keys) for _, _, keys in work), 0
        for folding, projection, keys in work:
            await folding.derive(projection, keys)
            done += len(keys)
            progress(done, total)

    async def derive_alone(self) -> None:
        """Derive those of them that live here and were never made one with others; the others stay touched."""
        for n, part in self.parts.items():
            for index, keys in part.folding.take_touched():
                for chunk in _chunks(keys):
                    async with self.leases.database.connection() as conn:
                        rows = await conn.fetch(
                            "SELECT customer_id FROM grouping WHERE customer_id = ANY($1)", chunk
                        )
                    left = {row["customer_id"] for row in rows}
                    left.update(key for key in chunk if self._home(key) != n)
                    await part.folding.derive(index, [key for key in chunk if key not in left])
                    part.folding.touched[index].update(left)

    def _home(self, key: UUID) -> int:
        """The partition in which a part lives."""
        return partition_of(str(key), self.kernel.settings.partitions)


def _chunks(keys: list[UUID]) -> list[list[UUID]]:
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]


def leases_of(kernel: Kernel, beside: Database, owner: str) -> Leases:
    """The leases of the new tables."""
    return Leases(
        database=beside,
        topic="customers",
        version=kernel.service.version,
        partitions=kernel.settings.partitions,
        worker=owner,
        seconds=3600.0,
    )


@asynccontextmanager
async def _running(parts: Mapping[int, Partition]) -> AsyncIterator[dict[int, asyncio.Task[None]]]:
    tasks = {n: asyncio.create_task(part.runner.run()) for n, part in parts.items()}
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


# Those who help ---------------------------------------------------------------------------------


class Order(msgspec.Struct, frozen=True):
    """What a process that helps is to do."""

    owner: str
    share: int
    """Partitions."""
    ends: dict[int, int]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of what it says."""

    folded: int = 0
    touched: tuple[int, int, list[UUID]] | None = None
    """Partition, place of the projection, parts that are still to be derived."""
    failed: str = ""
    done: bool = False


async def help_fill(kernel: Kernel, order: Order) -> None:
    """Fold a share of the partitions, and say so on standard output; ends with whoever holds standard input."""
    watch = asyncio.create_task(_end_with_parent())
    last = 0.0

    def folded(count: int) -> None:
        nonlocal last
        if time.monotonic() - last > _TOLD_SECONDS:
            last = time.monotonic()
            _tell(Told(folded=count))

    beside = open_beside(kernel)
    try:
        filling = await Filling.claim(kernel, beside, order.owner, order.share)
        await filling.fold_to(order.ends, folded)
        await filling.derive_alone()
        for n, part in filling.parts.items():
            for index, keys in part.folding.take_touched():
                for start in range(0, len(keys), _TOLD_KEYS):
                    _tell(Told(touched=(n, index, keys[start : start + _TOLD_KEYS])))
        await filling.release()
        _tell(Told(done=True))
    except (RebuildFailedError, Fenced) as error:
        _tell(Told(failed=str(error) or AWAY))
    finally:
        watch.cancel()
        await beside.close()


def _tell(told: Told) -> None:
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()


async def _end_with_parent() -> None:
    """At once, in the middle of whatever it is: what is not committed is nothing."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    os._exit(1)


@dataclass(frozen=True, slots=True)
class Help:
    """How many other processes help, and the command that starts one, to which its order is added."""

    count: int = 0
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class Crew:
    """The processes that help."""

    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    folded: dict[int, int] = field(default_factory=dict)
    """Events, by process."""
    touched: list[tuple[int, int, list[UUID]]] = field(default_factory=list)

    async def listen(self) -> None:
        """Until all have done their share. Raises RebuildFailedError."""
        await asyncio.gather(*(self._hear(n, one) for n, one in enumerate(self.processes)))

    async def _hear(self, n: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = msgspec.json.decode(line, type=Told)
            if told.failed:
                raise RebuildFailedError(told.failed)
            if told.done:
                return
            if told.touched is not None:
                self.touched.append(told.touched)
            else:
                self.folded[n] = told.folded
        raise RebuildFailedError("a process that helped has ended")


@asynccontextmanager
async def crew(help_: Help, share: int, ends: Mapping[int, int]) -> AsyncIterator[Crew]:
    """Have so many processes fold `share` partitions each up to these offsets; they end with the block."""
    members = Crew()
    try:
        for n in range(help_.count):
            order = Order(f"{OWNER}-{n + 1}", share, dict(ends))
            members.processes.append(
                await asyncio.create_subprocess_exec(
                    *help_.command,
                    msgspec.json.encode(order).decode(),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=1 << 20,
                )
            )
        yield members
    finally:
        for process in members.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def seed(filling: Filling, touched: Sequence[tuple[int, int, list[UUID]]]) -> None:
    """These parts are still to be derived."""
    for n, index, keys in touched:
        filling.parts[n].folding.touched[index].update(keys)
