"""A number that is missing on the log stops its partition. Once the outbox it came from has been sent again from
there on, it stands further along, and all that follows it once more: then what stands behind the hole is passed
over here, and folded in its place."""

from shared.errors import Gap
from shared.log import Log, Record

LOOK_EVENTS = 5000
LOOK_BYTES = 8 << 20
LOOK_SECONDS = 0.5


class Missing(Gap):
    """`origin` goes from `seen` to the number of `record`."""

    def __init__(self, record: Record, origin: str, seen: int) -> None:
        super().__init__(
            f"partition {record.partition}: {origin} goes from {seen} to {record.sequence}"
            f" at offset {record.offset}"
        )
        self.partition = record.partition
        self.offset = record.offset
        self.number = (origin, seen + 1)


class Gaps:
    """The missing numbers of one partition of `customers`, and how far the log was searched for them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._coming: set[tuple[str, int]] = set()
        self._searched: dict[tuple[str, int], int] = {}

    def coming(self, origin: str, sequence: int) -> bool:
        """Whether that number is known to stand further along."""
        return (origin, sequence) in self._coming

    async def search(self, missing: Missing) -> bool:
        """Look for the number behind the hole, from where the last search ended."""
        offset = self._searched.get(missing.number, missing.offset)
        while records := await self._log.read(
            "customers",
            missing.partition,
            offset,
            events=LOOK_EVENTS,
            size=LOOK_BYTES,
            wait=LOOK_SECONDS,
        ):
            if any((record.origin, record.sequence) == missing.number for record in records):
                self._coming.add(missing.number)
                return True
            offset = records[-1].offset + 1
            self._searched[missing.number] = offset
        return False
