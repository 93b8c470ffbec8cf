"""What has passed the door already: many requests' questions as few statements.

Requests that ask while a statement is under way are answered together by the next one, so that a till's single event
costs a share of a round trip, not one of its own.
"""

import asyncio
from collections.abc import Mapping, Sequence

from shared.database import Database, Row

MOST_KEYS = 5000
"""Of one statement, if more than one request asks."""
COMPANY_SECONDS = 0.001
"""Who came together with others waits so long for more; who comes alone waits for nobody."""

_FIND = "SELECT key, content, customer_id FROM door WHERE key = ANY($1)"


class Passed:
    """Looks up keys of events; each caller waits for the answer to its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[Mapping[bytes, Row]]]] = []
        self._task: asyncio.Task[None] | None = None
        self._company = False

    async def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
        """The rows of those that have passed, and maybe of others. Raises what the database raises."""
        if not keys:
            return {}
        done: asyncio.Future[Mapping[bytes, Row]] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer())
        return await done

    async def _answer(self) -> None:
        while self._waiting:
            if self._company:
                await asyncio.sleep(COMPANY_SECONDS)
            group = self._take()
            if not group:
                return
            self._company = len(group) > 1
            try:
                async with self._database.read() as conn:
                    rows = await conn.fetch(_FIND, [key for keys, _ in group for key in keys])
            except BaseException as error:  # noqa: BLE001 - each caller is told
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
            else:
                found = {row["key"]: row for row in rows}
                for _, done in group:
                    if not done.done():
                        done.set_result(found)

    def _take(self) -> list[tuple[Sequence[bytes], asyncio.Future[Mapping[bytes, Row]]]]:
        """Those who have waited longest, up to a number of keys; at least one. Who has given up is left out."""
        self._waiting = [one for one in self._waiting if not one[1].done()]
        size = count = 0
        while count < len(self._waiting) and (
            not count or size + len(self._waiting[count][0]) <= MOST_KEYS
        ):
            size += len(self._waiting[count][0])
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group
