"""Repair an installation whose log lost something: it was restored, mirrored, truncated, or is another one.

    python -m shared.repair [--dry-run] [--accept-log]

Looks through all of `customers`, and through the database of every service whose address is known
(<NAME>_DATABASE_URL), and does what is missing: outboxes are sent again from the first number that the log lacks,
and who has read further than the log goes, or other events than it has, reads again from the first that it has not
seen. Nothing is folded twice: numbers tell what was seen. `inbound` and `backfill` are read again from their
beginning where they are not what they were; the door knows what it has resolved.

`--dry-run` only says what is to be done. `--accept-log`: the databases belong to the log that is here from now on
(one that was brought back under another id). It may be run beside running processes: they begin anew.

Exit codes: 0 done, or nothing to do; 1 something is lost for good, or an address is wrong; 2 how it is used.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.database import Connection, Database, Row
from shared.errors import Gap
from shared.log import Log, Misconfigured, Record, Topic, open_log
from shared.loop.lease import Lease
from shared.loop.read_back import WrongLog, end_of
from shared.migrations import SERVICES, address
from shared.settings import KernelSettings
from shared.tables import ORIGINS

READ_EVENTS = 5000
READ_BYTES = 8 << 20
READ_SECONDS = 10.0
_FLAGS = frozenset({"--dry-run", "--accept-log"})


@dataclass(slots=True)
class Numbers:
    """Which numbers of one origin one partition of the log has."""

    whole_to: int = 0
    """All up to here."""
    beyond: set[int] = field(default_factory=set)

    def add(self, number: int) -> None:
        if number > self.whole_to:
            self.beyond.add(number)
            while self.whole_to + 1 in self.beyond:
                self.whole_to += 1
                self.beyond.remove(self.whole_to)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done in the database of a service."""

    sentence: str
    sql: str
    arguments: tuple[object, ...]


@dataclass(slots=True)
class Findings:
    """What is to be done, by service, and what nobody can do any more."""

    steps: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    lost: list[str] = field(default_factory=list)


class Repair:
    """One look at everything."""

    def __init__(self, log: Log, databases: Mapping[str, Database], partitions: int) -> None:
        self._log = log
        self._databases = databases
        self._partitions = partitions

    async def look(self) -> Findings:
        """Find what is to be done. Raises `Pause` where something is away."""
        found = Findings()
        places = {name: await self._places(database) for name, database in self._databases.items()}
        ends = await self._log.ends("customers")
        for partition in range(self._partitions):
            readers = [
                (name, row)
                for name, rows in places.items()
                for row in rows
                if row["topic"] == "customers" and row["partition"] == partition
            ]
            numbers, unseen = await self._read(partition, ends[partition], readers)
            for name in self._databases:
                await self._outbox(found, name, partition, numbers[name])
            for (name, row), offset in zip(readers, unseen, strict=True):
                if not await self._is_right(row):
                    _reread(found, name, row, offset)
        for name, rows in places.items():
            for row in rows:
                if row["topic"] != "customers" and not await self._is_right(row):
                    _reread(found, name, row, await self._first(row))
        return found

    async def do(self, found: Findings) -> None:
        """All of a service's steps in one transaction."""
        for name, steps in found.steps.items():
            async with self._databases[name].transaction() as conn:
                for step in steps:
                    await conn.execute(step.sql, *step.arguments)

    async def _places(self, database: Database) -> list[Row]:
        async with database.read() as conn:
            return await conn.fetch(
                "SELECT topic, version, partition, next_offset, last_event, mark, seen, clock, epoch,"
                " NULL AS server FROM checkpoint"
            )

    async def _is_right(self, row: Row) -> bool:
        lease = Lease.of(row["topic"], row["version"], row)
        try:
            await end_of(self._log, lease)
        except WrongLog:
            return False
        except Gap:
            return lease.topic != "customers"
        return True

    async def _read(
        self, partition: int, end: int, readers: Sequence[tuple[str, Row]]
    ) -> tuple[dict[str, Numbers], list[int]]:
        """The numbers that a partition has, and for each reader the offset of the first that it has not seen."""
        numbers = {origin: Numbers() for origin in ORIGINS}
        unseen = [end] * len(readers)
        offset = 0
        while offset < end:
            records = await self._log.read(
                "customers",
                partition,
                offset,
                events=READ_EVENTS,
                size=READ_BYTES,
                wait=READ_SECONDS,
            )
            if not records:
                break
            for record in records:
                if record.origin not in numbers or record.sequence is None:
                    continue
                numbers[record.origin].add(record.sequence)
                for n, (_, row) in enumerate(readers):
                    if unseen[n] == end and record.sequence > _seen(row, record):
                        unseen[n] = record.offset
            offset = records[-1].offset + 1
        return numbers, unseen

    async def _outbox(self, found: Findings, name: str, partition: int, has: Numbers) -> None:
        async with self._databases[name].read() as conn:
            row = await conn.fetchrow(
                "SELECT acked_sequence AS acked, (SELECT min(sequence) FROM outbox WHERE partition = $1"
                " AND sequence > $2) AS held FROM relay WHERE partition = $1",
                partition,
                has.whole_to,
            )
        if row is None or row["acked"] <= has.whole_to:
            return
        held = row["held"] or row["acked"] + 1
        if held > has.whole_to + 1:
            found.lost.append(
                f"{name}: numbers {has.whole_to + 1} to {held - 1} of partition {partition} are"
                " neither on the log nor in the outbox any more"
            )
        found.steps[name].append(
            Step(
                f"{name}: send partition {partition} again from number {held}"
                f" (acknowledged were {row['acked']})",
                "UPDATE relay SET acked_sequence = $2 WHERE partition = $1",
                (partition, held - 1),
            )
        )

    async def _first(self, row: Row) -> int:
        """The first offset that a topic which forgets still has."""
        topic: Topic = row["topic"]
        low, high = 0, (await self._log.ends(topic))[row["partition"]]
        while low < high:
            middle = (low + high) // 2 if low else 0
            try:
                await self._log.read(topic, row["partition"], middle, events=1, size=1, wait=1)
            except Gap:
                low = middle + 1
            else:
                high = middle
        return low


def _seen(row: Row, record: Record) -> int:
    seen: int = row["seen"][ORIGINS.index(record.origin or "")]
    return seen


def _reread(found: Findings, name: str, row: Row, offset: int) -> None:
    found.steps[name].append(
        Step(
            f"{name}: read {row['topic']} {row['partition']} from offset {offset} on"
            f" (it was at {row['next_offset']})",
            "UPDATE checkpoint SET next_offset = $4, mark = NULL, epoch = epoch + 1, owner = NULL,"
            " until = NULL WHERE topic = $1 AND version = $2 AND partition = $3",
            (row["topic"], row["version"], row["partition"], offset),
        )
    )


async def accept(log: Log, databases: Mapping[str, Database], *, dry_run: bool) -> list[str]:
    """Let the databases belong to the log that is here; answer what was, or would be, changed."""
    uuid = (await log.genesis()).uuid
    said = []
    for name, database in databases.items():
        async with database.transaction() as conn:
            known = await _log_of(conn)
            if known not in (None, uuid):
                said.append(f"{name}: it belongs to the log {uuid} from now on, no more to {known}")
                if not dry_run:
                    await conn.execute("UPDATE meta SET value = $1 WHERE name = 'log'", uuid)
    return said


async def _log_of(conn: Connection) -> str | None:
    found: str | None = await conn.fetchval("SELECT value FROM meta WHERE name = 'log'")
    return found


async def repair(*, dry_run: bool, accept_log: bool) -> int:
    """Look, say, and do it unless it is a trial."""
    settings = KernelSettings()
    log = open_log(
        settings.event_log_url,
        namespace=settings.namespace,
        partitions=settings.partitions,
        replication=settings.replication,
        client="repair",
    )
    urls = {name: address(name) for name in SERVICES}
    databases = {name: Database(url, name="repair", size=2) for name, url in urls.items() if url}
    try:
        await log.check()
        said = await accept(log, databases, dry_run=dry_run) if accept_log else []
        work = Repair(log, databases, settings.partitions)
        found = await work.look()
        said += [step.sentence for steps in found.steps.values() for step in steps]
        for sentence in said or ["nothing to do: the log has everything that was sent and read"]:
            print(sentence)
        for sentence in found.lost:
            print(f"LOST {sentence}", file=sys.stderr)
        if not dry_run:
            await work.do(found)
        return 1 if found.lost else 0
    finally:
        await log.close()
        for database in databases.values():
            await database.close()


def main(arguments: list[str]) -> int:
    """See the module."""
    if not set(arguments) <= _FLAGS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return asyncio.run(
            repair(dry_run="--dry-run" in arguments, accept_log="--accept-log" in arguments)
        )
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
