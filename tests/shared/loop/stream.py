"""A partition of the log, as one owner after the other folds it."""

from shared.log import Record
from tests.shared.loop.bench import Bench
from tests.shared.loop.tally import records


class Stream:
    """Hands one batch after the other to the owner, numbered on."""

    def __init__(self, bench: Bench, owner) -> None:
        self.bench = bench
        self.owner = owner
        self._count = 0

    def next(self, *values: bytes) -> list[Record]:
        made = records(values, offset=self._count, sequence=self._count + 1)
        self._count += len(values)
        return made

    async def send(self, *values: bytes) -> None:
        """Fold one batch, and settle what is due."""
        await self.owner.fold(self.next(*values))

    async def taken_over(self) -> None:
        """The owner dies; the next one takes its lease."""
        await self.bench.execute("UPDATE checkpoint SET until = now() - interval '1 second'")
        self.owner = await self.bench.owned("the next one")
