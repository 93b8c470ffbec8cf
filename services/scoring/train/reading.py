"""The log, from its beginning to a position, as facts."""

from collections.abc import Mapping

from services.scoring.train.facts import Gathering
from shared.codec import decode
from shared.errors import Poison, UnknownType
from shared.log import Log, Record

READ_EVENTS = 2_000
READ_BYTES = 8 << 20
READ_SECONDS = 10.0


class EndsEarly(Exception):  # noqa: N818 - it says what is wrong
    """A partition of the log does not reach the position."""


async def gather(
    log: Log, position: Mapping[int, int], told: "Progress | None" = None
) -> Gathering:
    """Everything before the position (an offset for each partition), each event once."""
    gathering = Gathering()
    progress = told or Progress()
    progress.total = sum(position.values())
    for partition, end in sorted(position.items()):
        await _partition(log, partition, end, gathering, progress)
    return gathering


class Progress:
    """How many records were read; `tell` is called now and then."""

    total = 0
    done = 0

    def tell(self) -> None:
        """Nobody listens."""


async def _partition(
    log: Log, partition: int, end: int, gathering: Gathering, progress: Progress
) -> None:
    offset, seen = 0, dict[str, int]()
    while offset < end:
        records = await log.read(
            "customers", partition, offset, events=READ_EVENTS, size=READ_BYTES, wait=READ_SECONDS
        )
        if not records:
            raise EndsEarly(f"partition {partition} ends before {end}")
        for record in records:
            if record.offset < end:
                _take(record, seen, gathering)
        offset = records[-1].offset + 1
        progress.done += len(records)
        progress.tell()


def _take(record: Record, seen: dict[str, int], gathering: Gathering) -> None:
    """The next number of its origin is taken; a repeat is not, nor what will come again behind a
    hole."""
    if record.origin is None or record.sequence is None:
        return
    if record.sequence != seen.get(record.origin, 0) + 1:
        return
    seen[record.origin] = record.sequence
    try:
        event = decode(
            record.value,
            origin=record.origin,
            sequence=record.sequence,
            partition=record.partition,
            offset=record.offset,
            recordedtime=record.recorded_at,
        )
    except (UnknownType, Poison):
        gathering.unread += 1
        return
    gathering.take(event)
