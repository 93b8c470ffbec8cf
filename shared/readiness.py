"""What /readyz says: whether a process can serve, and, of a worker, how far behind it is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import structlog

from shared import metrics
from shared.database import ReadConnection, Row
from shared.errors import Pause
from shared.kernel import Kernel
from shared.loop.rows import ALWAYS
from shared.loop.worker import Worker
from shared.outbox import OUTBOX
from shared.quarantine import Kind

_logger = structlog.get_logger(__name__)

MEASURE_SECONDS = 5.0

CHECK_SECONDS = 2.0
"""What does not answer within this is missing, as if it had refused: a broker that is gone says nothing."""

COUNTED = 10_000
"""Open entries of the quarantine that are counted; the order is that of an index."""

Readiness = Callable[[], Awaitable[Mapping[str, Any]]]
Check = Callable[[], Awaitable[None]]


async def _lacking(checks: Mapping[str, Check]) -> list[str]:
    """Names of the checks that fail; all are made at the same time, and none is waited for longer."""

    async def succeeds(check: Check) -> bool:
        try:
            await check()
        except Exception:  # noqa: BLE001 - whatever it is, it is missing
            return False
        return True

    tasks = {name: asyncio.create_task(succeeds(check)) for name, check in checks.items()}
    try:
        await asyncio.wait(tasks.values(), timeout=CHECK_SECONDS)
        return [name for name, task in tasks.items() if not (task.done() and task.result())]
    finally:
        for task in tasks.values():
            task.cancel()


def api_readiness(kernel: Kernel) -> Readiness:
    """An API process is ready when its database, the keys of callers and of customers and the log answer."""

    async def readiness() -> Mapping[str, Any]:
        missing = await _lacking(
            {
                "database": _database(kernel),
                "access": _access(kernel),
                "keyring": _keyring(kernel),
                "log": _log(kernel),
            }
        )
        return {
            "ready": not missing,
            "service": kernel.service.name,
            "process": kernel.process,
            "missing": missing,
        }

    return readiness


def _database(kernel: Kernel) -> Check:
    async def check() -> None:
        async with kernel.database.read() as conn:
            await conn.fetchval("SELECT 1 FROM checkpoint LIMIT 1")

    return check


def _access(kernel: Kernel) -> Check:
    async def check() -> None:
        if not await kernel.access.reachable():
            raise Pause("access")

    return check


def _keyring(kernel: Kernel) -> Check:
    async def check() -> None:
        if kernel.settings.keyring_url:
            await kernel.keyring.uuid()

    return check


def _log(kernel: Kernel) -> Check:
    async def check() -> None:
        await kernel.log.ends("customers")

    return check


def worker_readiness(kernel: Kernel, worker: Worker) -> Readiness:
    """A worker is ready when it has found its log and database, and no partition of it stands still."""

    async def readiness() -> Mapping[str, Any]:
        answer: dict[str, Any] = {
            "ready": False,
            "service": kernel.service.name,
            "process": kernel.process,
            "missing": [] if worker.prepared else ["start"],
        }
        lacking = await _lacking(
            {"database": _database(kernel), "keyring": _keyring(kernel), "log": _log(kernel)}
        )
        answer["missing"] += lacking
        if not lacking:
            try:
                answer |= await _behind(kernel, worker)
            except Exception as error:
                _logger.warning("progress_unknown", exc_info=error)
                answer["missing"].append("log or database")
        stopped = {
            f"{topic}-{partition}": runner.stopped
            for (topic, partition), runner in worker.runners.items()
            if runner.stopped
        }
        if stopped:
            answer["stopped"] = stopped
            answer["missing"].append("a stopped partition")
        answer["ready"] = not answer["missing"]
        metrics.ready.labels(kernel.service.name).set(answer["ready"])
        return answer

    return readiness


async def _behind(kernel: Kernel, worker: Worker) -> dict[str, Any]:
    name = kernel.service.name
    events = 0
    async with kernel.database.read() as conn:
        checkpoints = await conn.fetch(
            "SELECT topic, partition, next_offset, clock FROM checkpoint WHERE version = $1",
            kernel.service.version,
        )
        acked = await conn.fetch("SELECT partition, acked_sequence FROM relay")
        heads = await OUTBOX.heads(conn, range(kernel.settings.partitions))
        due = dict.fromkeys(range(kernel.settings.partitions), 0)
        for projection in kernel.service.projections:
            for row in await _due(conn, kernel, projection.table.name):
                due[row["partition"]] += row["due"]
        await _count_quarantine(conn, name)
    ends = {topic: await kernel.log.ends(topic) for topic in worker.leases}
    for row in checkpoints:
        if row["topic"] in ends:
            behind = max(0, ends[row["topic"]][row["partition"]] - row["next_offset"])
            metrics.lag_events.labels(name, row["topic"], row["partition"]).set(behind)
            events += behind
        if row["clock"] is not None and row["topic"] == "customers":
            age = (kernel.clock() - row["clock"]).total_seconds()
            metrics.clock_age.labels(name, row["partition"]).set(max(0.0, age))
    for partition, count in due.items():
        metrics.due_rows.labels(name, partition).set(count)
    outbox = 0
    for row in acked:
        depth = heads[row["partition"]] - row["acked_sequence"]
        metrics.outbox_depth.labels(name, row["partition"]).set(depth)
        metrics.outbox_acknowledged.labels(name, row["partition"]).set(row["acked_sequence"])
        outbox += depth
    waiting = sum([await task.pending(kernel) for task in kernel.service.tasks if task.pending])
    return {
        # Before it is prepared there may be no checkpoint to be behind, and much to read.
        "caught_up": worker.prepared and not (events or outbox or any(due.values()) or waiting),
        "lag": {"events": events, "seconds": _oldest(worker) if events else 0.0},
        "outbox": outbox,
        "due": sum(due.values()) + waiting,
        "at": datetime.now(UTC).isoformat(),
    }


async def _due(conn: ReadConnection, kernel: Kernel, table: str) -> list[Row]:
    """Rows whose time has come, by partition."""
    return await conn.fetch(
        f"SELECT r.partition, count(*) AS due FROM {table} AS r JOIN checkpoint AS c"
        " ON c.partition = r.partition AND c.topic = 'customers' AND c.version = $1"
        " WHERE r.due_at <= coalesce(c.clock, $2) GROUP BY r.partition",
        kernel.service.version,
        ALWAYS,
    )


async def _count_quarantine(conn: ReadConnection, service: str) -> None:
    """Open entries by kind. Publishers decide how many there are, so no more than `COUNTED` are looked at."""
    rows = await conn.fetch(
        "SELECT kind, count(*) AS entries FROM"
        " (SELECT kind FROM quarantine WHERE status = 'open' ORDER BY reason LIMIT $1) AS open"
        " GROUP BY kind",
        COUNTED,
    )
    found = {row["kind"]: row["entries"] for row in rows}
    for kind in get_args(Kind):
        metrics.quarantine_open.labels(service, kind).set(found.get(kind, 0))


async def measure(readiness: Readiness) -> None:
    """Keep the gauges of lag, outbox, clock and due rows up to date, whoever asks or does not."""
    while True:
        await readiness()
        await asyncio.sleep(MEASURE_SECONDS)


def _oldest(worker: Worker) -> float:
    return max((runner.behind_seconds for runner in worker.runners.values()), default=0.0)
