"""Many small appends as few large ones: what arrives while one is under way goes together into the next."""

import asyncio
from collections.abc import Sequence

from shared.log import Entry, Log, Topic

MOST_BYTES = 8 << 20
COMPANY_SECONDS = 0.002
"""Who came together with others waits so long for more: appends of many small ones cost what there are of appends.
Who comes alone waits for nobody."""


class Batching:
    """Appends to one topic; each caller waits for the acknowledgement of its own entries."""

    def __init__(self, log: Log, topic: Topic) -> None:
        self._log = log
        self._topic: Topic = topic
        self._waiting: list[tuple[Sequence[tuple[int, Entry]], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._company = False

    async def append(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Return when the log has acknowledged the entries. Raises what the log raises: then the outcome is
        unknown, and sending the same again is harmless."""
        if not entries:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._waiting:
            if self._company:
                await asyncio.sleep(COMPANY_SECONDS)
            group = self._take()
            if not group:
                return
            self._company = len(group) > 1
            try:
                await self._log.append(
                    self._topic, [entry for entries, _ in group for entry in entries]
                )
            except BaseException as error:  # noqa: BLE001 - each caller is told
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in group:
                    if not done.done():
                        done.set_result(None)

    def _take(self) -> list[tuple[Sequence[tuple[int, Entry]], asyncio.Future[None]]]:
        """The callers who have waited longest, up to a number of bytes; at least one. Who has given up waiting
        is left out: they were told that it was not done."""
        self._waiting = [one for one in self._waiting if not one[1].done()]
        size = count = 0
        while count < len(self._waiting) and size < MOST_BYTES:
            size += sum(len(entry.value) for _, entry in self._waiting[count][0])
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group
