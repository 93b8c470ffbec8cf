"""A worker process: it claims its share of the partitions and runs them, relays, and does the timed tasks."""

import asyncio
import contextlib
import gc
import math
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from shared import metrics
from shared.drift import DRIFT_SECONDS, OUTCOMES, check_drift
from shared.errors import is_passing
from shared.failpoints import hit
from shared.genesis import belong
from shared.kernel import Kernel
from shared.language import EVENT_TYPES
from shared.log import Topic
from shared.loop.company import IN_FLIGHT, Company
from shared.loop.folding import Folding
from shared.loop.lease import Lease, Leases
from shared.loop.opening import OfCustomers, OfInbound, Opening
from shared.loop.pacing import Pacing
from shared.loop.read_back import ALL_READ_BACK, ReadBack, all_read_back, to_be_read_back
from shared.loop.recalling import Recalling
from shared.loop.relaying import Relaying
from shared.loop.rows import Rows
from shared.loop.runner import Handler, Runner
from shared.loop.trimming import trim
from shared.replaying import ask_for_known_types, asked_for
from shared.service import Task

TRIM_SECONDS = 600.0
REPLAY_SECONDS = 1.0
NOTE_SECONDS = 0.1
LOST_SECONDS = 0.1
SHORT_SECONDS = 0.5
NOT_YET_SECONDS = 0.2
_logger = structlog.get_logger(__name__)

MakeHandler = Callable[[Leases, Company[Any]], Handler]


def worker_name(kernel: Kernel) -> str:
    """Stable where `WORKER_NAME` says so: then it takes its own leases back at once after a kill."""
    return kernel.settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"


class Worker:
    """Owns partitions of `customers`, and of `inbound` and `backfill` where the service resolves them."""

    def __init__(self, kernel: Kernel, *, inbound: MakeHandler | None = None) -> None:
        self.kernel = kernel
        self._name = worker_name(kernel)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self.pacing = Pacing(kernel.log, kernel.settings.backfill_window)
        self._giving_way = Pacing(kernel.log, kernel.settings.backfill_window)
        self._rows = [Rows(projection) for projection in kernel.service.projections]
        self._makers: dict[Topic, MakeHandler] = {
            "customers": lambda leases, company: Folding(
                kernel.service,
                leases,
                self._rows,
                kernel.log,
                parked_per_hour=kernel.settings.parked_per_hour,
                company=company,
                keyring=kernel.keyring,
            )
        }
        if inbound is not None:
            self._makers |= {"inbound": inbound, "backfill": inbound}
        self.leases = {topic: self._leases(topic) for topic in self._makers}
        self._companies = {topic: self._company(topic) for topic in self._makers}
        self._recalling = self._company("customers")
        self.runners: dict[tuple[Topic, int], Runner] = {}
        self._running: dict[tuple[Topic, int], asyncio.Task[None]] = {}
        self._ended = asyncio.Event()
        self._asked = False
        self.prepared = False

    def _leases(self, topic: Topic) -> Leases:
        settings = self.kernel.settings
        return Leases(
            database=self.kernel.database,
            topic=topic,
            version=self.kernel.service.version,
            partitions=settings.partitions,
            worker=self._name,
            seconds=settings.lease_seconds,
        )

    def _company(self, topic: Topic) -> Company[Any]:
        settings, slow = self.kernel.settings, topic == "backfill"
        return Company(
            self.kernel.service.name,
            topic,
            self.pacing if slow else self._slots,
            events=settings.backfill_batch_events if slow else settings.batch_events,
            size=settings.batch_bytes,
        )

    def owned(self, topic: Topic = "customers") -> list[int]:
        """The partitions that this process runs."""
        return [
            partition
            for (of, partition), task in self._running.items()
            if of == topic and not task.done()
        ]

    def open(self, topic: Topic = "customers") -> list[int]:
        """Those of them that are read back: what they have to say may be sent."""
        return [one for one in self.owned(topic) if self.runners[topic, one].open]

    async def run(self) -> None:
        """Until it is cancelled; then every lease is given back."""
        await self._prepare()
        relaying = Relaying(
            self.kernel.service.name,
            self.kernel.database,
            self.kernel.log,
            self.kernel.outbox_hint,
            self.open,
            sends_if=ALL_READ_BACK,
        )
        tasks: Sequence[Task] = (
            *self.kernel.service.tasks,
            Task(name="trim", seconds=TRIM_SECONDS, run=trim),
            Task(name="drift", seconds=DRIFT_SECONDS, run=check_drift),
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._manage())
                group.create_task(relaying.run())
                group.create_task(self._watch_replays())
                group.create_task(self._note())
                for task in tasks:
                    group.create_task(self._repeat(task))
        finally:
            await self._let_go()

    async def _prepare(self) -> None:
        """Wait for the database and the log, however long that takes."""
        await self._insist("log", self.kernel.log.check)
        await self._insist("database", lambda: belong(self.kernel))
        for leases in self.leases.values():
            await self._insist("database", leases.prepare)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self.prepared = True

    async def _insist(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await action()
            except Exception as error:
                if not is_passing(error) and type(error).__name__ != "UndefinedTableError":
                    raise
                _logger.warning("waiting", missing=what, cause=type(error).__name__)
                await asyncio.sleep(0.5)
            else:
                return

    async def _manage(self) -> None:
        """Renew, notice what was lost, claim up to a fair share, give one back where that is exceeded."""
        pause = self.kernel.settings.lease_seconds / 3
        # Shown from 0 on, so that the first loss is a rise.
        metrics.leases_lost.labels(self.kernel.service.name)
        if self.kernel.service.projections:
            for outcome in OUTCOMES:
                metrics.drift_checks.labels(self.kernel.service.name, outcome)
        while True:
            try:
                live = await self._heartbeat()
                share = math.ceil(self.kernel.settings.partitions / live)
                for topic, leases in self.leases.items():
                    await self._balance(topic, leases, share)
            except Exception as error:
                _logger.warning("leases_not_renewed", exc_info=error)
                await asyncio.sleep(min(pause, 1.0))
                continue
            metrics.leases_held.labels(self.kernel.service.name).set(len(self.owned()))
            short = (
                len(self.owned()) < share
            )  # a rebuild has some for a moment, or nobody looks after them
            await self._something_ended(min(pause, SHORT_SECONDS) if short else pause)

    async def _something_ended(self, seconds: float) -> None:
        """Return when a partition is not run any more, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
                await asyncio.sleep(LOST_SECONDS)  # who loses one mostly loses all
        self._ended.clear()

    async def _heartbeat(self) -> int:
        """Say that we live; answer how many workers do."""
        async with self.kernel.database.transaction() as conn:
            await conn.execute(
                "INSERT INTO worker VALUES ($1, now() + $2 * interval '1 second')"
                " ON CONFLICT (name) DO UPDATE SET until = excluded.until",
                self._name,
                self.kernel.settings.lease_seconds,
            )
            await conn.execute("DELETE FROM worker WHERE until < now() - interval '1 hour'")
            return int(await conn.fetchval("SELECT count(*) FROM worker WHERE until > now()"))

    async def _balance(self, topic: Topic, leases: Leases, share: int) -> None:
        leased = [self.runners[topic, p].lease for p in self.owned(topic)]
        held = {lease.partition: lease.epoch for lease in leased}
        async with self.kernel.database.transaction() as conn:
            ours = await leases.renew(conn, held, leased[0].server if leased else None)
            claimed = (
                await leases.claim(conn, share - len(ours), list(held)) if len(ours) < share else []
            )
            if topic == "customers":
                await to_be_read_back(conn, [lease.partition for lease in claimed])
        for partition in set(held) - ours:
            await self._end(topic, partition)
            metrics.leases_lost.labels(self.kernel.service.name).inc()
        hit("lease.claimed")
        for lease in claimed:
            await self._end(topic, lease.partition)
            self._begin(leases, lease)
        if len(ours) > share:
            await self._give_back(topic, max(ours))

    def _begin(self, leases: Leases, lease: Lease) -> None:
        settings, slow = self.kernel.settings, lease.topic == "backfill"
        runner = Runner(
            service=self.kernel.service.name,
            leases=leases,
            lease=lease,
            handler=self._makers[lease.topic](leases, self._companies[lease.topic]),
            log=self.kernel.log,
            slots=self.pacing if slow else self._slots,
            most_events=settings.backfill_batch_events if slow else settings.batch_events,
            settings=settings,
            nudge=self.kernel.outbox_hint.nudge,
            giving_way=self._giving_way,
            opening=self._opening(leases),
        )
        key = (lease.topic, lease.partition)
        self._asked = False  # an older version may have parked there what this one knows
        self.runners[key] = runner
        self._running[key] = asyncio.create_task(
            runner.run(), name=f"{lease.topic}-{lease.partition}"
        )
        self._running[key].add_done_callback(lambda _: self._ended.set())

    def _opening(self, leases: Leases) -> Opening:
        if leases.topic != "customers":
            return OfInbound(self.kernel.log, lambda: all_read_back(self.kernel.database))
        service, log = self.kernel.service, self.kernel.log

        def recalling(back: ReadBack) -> Recalling:
            most = self.kernel.settings.parked_per_hour
            company = self._recalling
            return Recalling(
                service,
                leases,
                log,
                back,
                parked_per_hour=most,
                company=company,
                keyring=self.kernel.keyring,
            )

        def remembered() -> None:
            for partition in self.owned():
                self.runners["customers", partition].wake()

        return OfCustomers(leases, ReadBack(service.name, leases, log), recalling, remembered)

    async def _end(self, topic: Topic, partition: int) -> None:
        task = self._running.pop((topic, partition), None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _give_back(self, topic: Topic, partition: int) -> None:
        await self._end(topic, partition)
        async with self.kernel.database.transaction() as conn:
            await self.leases[topic].release(conn, self.runners[topic, partition].lease)

    async def _watch_replays(self) -> None:
        """Wake the partitions in which something put aside is to be tried again."""
        while True:
            try:
                async with self.kernel.database.connection() as conn:
                    if not self._asked:
                        self._asked = True
                        schemas = [kind.dataschema for kind in EVENT_TYPES.values()]
                        await ask_for_known_types(conn, schemas)
                    for key in await asked_for(conn):
                        if key in self.runners:
                            self.runners[key].wake()
            except Exception as error:  # noqa: BLE001 - asked again in a second
                _logger.warning("replays_not_looked_up", cause=type(error).__name__)
            await asyncio.sleep(REPLAY_SECONDS)

    async def _note(self) -> None:
        """Let others, and the log's own tools, see how far this service has come."""
        told: dict[tuple[Topic, int], int] = {}
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            for topic in self.leases:
                places = {p: self.runners[topic, p].lease.next_offset for p in self.owned(topic)}
                new = {p: at for p, at in places.items() if told.get((topic, p), 0) != at}
                try:
                    if new:
                        await self.kernel.log.note(self.kernel.service.name, topic, new)
                        told |= {(topic, p): at for p, at in new.items()}
                except Exception as error:  # noqa: BLE001 - told again in a moment
                    _logger.debug("progress_not_noted", cause=type(error).__name__)

    async def _repeat(self, task: Task) -> None:
        """One worker of the service does it: the one that owns partition 0."""
        while True:
            pause = min(task.seconds, NOT_YET_SECONDS)
            if 0 in self.open():
                try:
                    if await all_read_back(self.kernel.database):
                        pause = task.seconds
                        await task.run(self.kernel)
                except Exception as error:
                    known = is_passing(error)
                    _logger.warning(
                        "task_failed", task=task.name, exc_info=None if known else error
                    )
            await asyncio.sleep(pause)

    async def _let_go(self) -> None:
        """Give every lease back, so that nobody has to wait for its end."""
        for topic, partition in list(self._running):
            try:
                async with asyncio.timeout(2):
                    await self._give_back(topic, partition)
            except Exception as error:
                _logger.warning("lease_not_given_back", partition=partition, exc_info=error)
        try:
            async with asyncio.timeout(2), self.kernel.database.transaction() as conn:
                await conn.execute("DELETE FROM worker WHERE name = $1", self._name)
        except Exception as error:
            _logger.warning("worker_not_signed_off", exc_info=error)
