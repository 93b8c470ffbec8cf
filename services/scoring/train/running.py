"""Trainings as tasks: asked for in a row, done by one worker in a process of its own, kept as a version.

Whoever works on a row gives a sign of life now and then. A row without one is taken up again, a few
times; then it is reported failed. Whatever happens, what is in force is not touched.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson

from services.scoring import learning, promoting, registry
from services.scoring.policies import CHURN
from services.scoring.train.errors import CannotTrain
from services.scoring.train.order import Order
from shared.database import Connection, Database, ReadConnection
from shared.errors import Conflict
from shared.kernel import Kernel
from shared.logging import get_logger
from shared.outbox import OUTBOX
from shared.service import Task
from shared.settings import KernelSettings

BEAT_SECONDS = 2.0
STALE_SECONDS = 30
MOST_ATTEMPTS = 3
KEPT_TRAININGS = 200
KEPT_VERSIONS = 100
"""Of those that were never in force; the newest."""
_LINE_BYTES = 64 << 20
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

log = get_logger(__name__)


class Interrupted(Exception):  # noqa: N818 - somebody else's doing
    """The process ended without an answer; `code` is what is said if it does so every time."""

    def __init__(self, code: str = "training_interrupted") -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Training:
    """One training as it stands."""

    name: str
    number: int
    status: str
    progress: float
    seed: int
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int
    version: int | None
    code: str | None
    context: dict[str, Any]


_COLUMNS = (
    "name, number, status, progress, seed, asked_by, asked_at, started_at, ended_at, attempts,"
    " version, code, context"
)


def _training(row: Any) -> Training:
    values = dict(row)
    values["context"] = values["context"] or {}
    return Training(**values)


async def ask(
    conn: Connection,
    name: str,
    seed: int,
    by: str,
    now: datetime,
    *,
    owner: str | None = None,
    position: Mapping[str, int] | None = None,
) -> int:
    """Put a training in the queue; answer its number. Raises Conflict where one is at work already.

    With an `owner` it is at work at once, by them."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 13))", name)
    busy = await conn.fetchval(
        "SELECT number FROM model_training WHERE name = $1 AND status IN ('queued', 'running')",
        name,
    )
    if busy is not None:
        raise Conflict("training_at_work", detail=f"/v1/models/{name}/trainings/{busy}")
    newest = await conn.fetchval("SELECT max(number) FROM model_training WHERE name = $1", name)
    number = (newest or 0) + 1
    await conn.execute(
        "INSERT INTO model_training (name, number, status, progress, seed, position, asked_by,"
        " asked_at, started_at, beat_at, owner, attempts)"
        " VALUES ($1, $2, $3, 0, $4, $5::jsonb, $6, $7, $8, now(), $9, $10)",
        name,
        number,
        "running" if owner else "queued",
        seed,
        None if position is None else orjson.dumps(dict(position)).decode(),
        by,
        now,
        now if owner else None,
        owner,
        1 if owner else 0,
    )
    await _trim(conn, name)
    return number


async def _trim(conn: Connection, name: str) -> None:
    """The oldest trainings go, and the oldest versions that were never in force."""
    await conn.execute(
        "DELETE FROM model_training WHERE name = $1 AND status IN ('done', 'failed') AND number <="
        " (SELECT max(number) FROM model_training WHERE name = $1) - $2",
        name,
        KEPT_TRAININGS,
    )
    await conn.execute(
        "DELETE FROM model_version AS v WHERE v.name = $1 AND v.version IN ("
        " SELECT version FROM model_version AS o WHERE o.name = $1 AND NOT EXISTS ("
        "  SELECT FROM model_promotion AS p WHERE p.name = o.name AND p.version = o.version)"
        " ORDER BY version DESC OFFSET $2)",
        name,
        KEPT_VERSIONS,
    )


async def find_training(
    conn: ReadConnection | Connection, name: str, number: int
) -> Training | None:
    """One training."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM model_training WHERE name = $1 AND number = $2", name, number
    )
    return None if row is None else _training(row)


async def list_trainings(
    conn: ReadConnection, name: str, below: int | None, limit: int
) -> list[Training]:
    """Trainings, newest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM model_training WHERE name = $1"
        " AND ($2::bigint IS NULL OR number < $2) ORDER BY number DESC LIMIT $3",
        name,
        below,
        limit,
    )
    return [_training(row) for row in rows]


async def count_trainings(conn: ReadConnection, name: str) -> int:
    """How many are kept."""
    return int(await conn.fetchval("SELECT count(*) FROM model_training WHERE name = $1", name))


_CLAIM = """
UPDATE model_training SET status = 'running', owner = $1, attempts = attempts + 1, beat_at = now(),
 started_at = coalesce(started_at, $2), progress = 0
WHERE (name, number) = (
 SELECT name, number FROM model_training WHERE status = 'queued'
  OR (status = 'running' AND beat_at < now() - make_interval(secs => $3))
 ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING name, number, seed, position, attempts, asked_by
"""
_BEAT = """
UPDATE model_training SET beat_at = now(), progress = $4
WHERE name = $1 AND number = $2 AND owner = $3 AND status = 'running'
"""
_END = """
UPDATE model_training SET status = $4, ended_at = $5, version = $6, code = $7, context = $8::jsonb,
 progress = CASE WHEN $4 = 'done' THEN 1 ELSE progress END
WHERE name = $1 AND number = $2 AND owner = $3 AND status = 'running'
"""


@dataclass(slots=True)
class Work:
    """One training that is ours to do."""

    database: Database
    settings: KernelSettings
    clock: Callable[[], datetime]
    name: str
    number: int
    owner: str
    seed: int
    by: str
    position: dict[str, int] | None
    attempts: int
    last: bool = False
    """Not to be tried again: whoever asked is waiting."""
    progress: float = 0.0
    heard: Callable[[float], None] = lambda _: None
    hint: Callable[[], None] = lambda: None
    """Wakes whoever sends what is told."""

    async def run(self) -> None:
        """Until it is done, failed, or to be tried again."""
        try:
            made = await self._watched()
        except CannotTrain as error:
            await self.end("failed", code=error.code, context=error.context)
            learning.count(learning.CHURN, learning.IMPOSSIBLE)
        except Interrupted as interrupted:
            if self.last or self.attempts >= MOST_ATTEMPTS:
                await self.fail(interrupted.code)
            else:
                log.warning("training_interrupted", model=self.name, number=self.number)
                await self._give_back()
        else:
            await self._keep(made)
            learning.count(learning.CHURN, learning.DONE)
            self.hint()

    async def fail(self, code: str) -> None:
        """Say that it failed, to people and to whoever watches."""
        log.error("training_failed", model=self.name, number=self.number, code=code)
        learning.count(learning.CHURN, learning.FAILED)
        await self.end("failed", code=code)

    async def _watched(self) -> bytes:
        """The model; ends with us, and when the row is not ours any more."""
        order = Order(
            event_log_url=self.settings.event_log_url,
            namespace=self.settings.namespace,
            partitions=self.settings.partitions,
            replication=self.settings.replication,
            position=self.position,
            seed=self.seed,
        )
        work = asyncio.ensure_future(compute(order, self._told))
        try:
            while True:
                done, _ = await asyncio.wait({work}, timeout=BEAT_SECONDS)
                if done:
                    return work.result()
                if not await self._beat():
                    raise Interrupted
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work

    def _told(self, progress: float) -> None:
        self.progress = progress
        self.heard(progress)

    async def _beat(self) -> bool:
        async with self.database.transaction() as conn:
            status = await conn.execute(_BEAT, self.name, self.number, self.owner, self.progress)
        return bool(status.endswith(" 1"))

    async def end(
        self, status: str, *, code: str | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        """Say how it ended."""
        async with self.database.transaction() as conn:
            await self._ended(conn, status, None, code, context)

    async def _ended(
        self,
        conn: Connection,
        status: str,
        version: int | None,
        code: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> bool:
        told = orjson.dumps(dict(context or {}), default=str).decode()
        done = await conn.execute(
            _END, self.name, self.number, self.owner, status, self.clock(), version, code, told
        )
        return bool(done.endswith(" 1"))

    async def _give_back(self) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(
                "UPDATE model_training SET status = 'queued', owner = NULL"
                " WHERE name = $1 AND number = $2 AND owner = $3 AND status = 'running'",
                self.name,
                self.number,
                self.owner,
            )

    async def _keep(self, made: bytes) -> None:
        """As a version; the same model again is the same version. A new one that is not worse than its baseline is
        looked at from now on, beside the one in force."""
        digest = sha256(made).hexdigest()
        async with self.database.transaction() as conn:
            await registry.lock(conn, CHURN)
            version = await conn.fetchval(
                "SELECT version FROM model_version WHERE name = $1 AND digest = $2",
                self.name,
                digest,
            )
            new = version is None
            if version is None:
                version = await registry.next_number(conn)
            if not await self._ended(conn, "done", version):
                return  # somebody else took it up
            if not new:
                return
            passes, now = orjson.loads(made)["passes"], self.clock()
            await conn.execute(
                "INSERT INTO model_version VALUES ($1, $2, $3, $4, $5, $6, $7)",
                self.name,
                version,
                now,
                self.by,
                digest,
                passes,
                made,
            )
            if passes:
                told = await promoting.look_at_new(conn, now, version, self.settings.partitions)
                await OUTBOX.append(conn, told, now)


async def compute(order: Order, told: Callable[[float], None]) -> bytes:
    """Train in a process of its own; it is ended when this is cancelled. Raises CannotTrain, and
    Interrupted where it ended without an answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.scoring.train.compute",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
        env={**os.environ, **dict.fromkeys(_THREADS, "1")},
    )
    assert process.stdin is not None, "a pipe was asked for"
    assert process.stdout is not None, "a pipe was asked for"
    try:
        process.stdin.write(orjson.dumps(_plain(order)) + b"\n")
        await process.stdin.drain()
        async for line in process.stdout:
            said = orjson.loads(line)
            if "progress" in said:
                told(said["progress"])
            elif "model" in said:
                return bytes(said["model"].encode())
            else:
                raise CannotTrain(said["code"], **said["context"])
    except (OSError, orjson.JSONDecodeError):
        raise Interrupted from None
    finally:
        if process.stdout.at_eof():
            await process.wait()  # it ended by itself: how, is its status
        else:
            with suppress(ProcessLookupError):
                process.kill()
        process.stdin.close()
        status = await process.wait()
    raise Interrupted("training_failed" if status > 0 else "training_interrupted")


def _plain(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__struct_fields__}


async def claim(kernel: Kernel) -> Work | None:
    """The oldest training that waits, or whose owner is gone."""
    owner = str(uuid4())
    async with kernel.database.transaction() as conn:
        row = await conn.fetchrow(_CLAIM, owner, kernel.clock(), STALE_SECONDS)
    if row is None:
        return None
    work = Work(
        database=kernel.database,
        settings=kernel.settings,
        clock=kernel.clock,
        name=row["name"],
        number=row["number"],
        owner=owner,
        seed=row["seed"],
        by=row["asked_by"],
        position=row["position"],
        attempts=row["attempts"],
        hint=kernel.outbox_hint.give,
    )
    if work.attempts > MOST_ATTEMPTS:
        await work.fail("training_interrupted")
        return None
    return work


async def work_off(kernel: Kernel) -> None:
    """Do the next training, if there is one."""
    work = await claim(kernel)
    if work is not None:
        log.info("training", model=work.name, number=work.number, attempt=work.attempts)
        await work.run()


TRAIN = Task(name="train", seconds=0.5, run=work_off)
