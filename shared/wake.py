"""A hint from one process to another that there is something to read: LISTEN and NOTIFY, carrying nothing.

It may be lost; whoever waits looks again after a while in any case.
"""

import asyncio
import contextlib
from typing import Any

import asyncpg

from shared.database import CONNECT_SECONDS, Database

INTERVAL_SECONDS = 0.02
RETRY_SECONDS = 1.0


class Hint:
    """One channel. `give` is cheap and may be called after every commit; `wait` returns early at a hint."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._given = asyncio.Event()
        self._heard = asyncio.Event()
        self._giver: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def give(self) -> None:
        """Tell every process that waits on this channel, and this one at once."""
        self._heard.set()
        self._given.set()
        if self._giver is None:
            self._giver = asyncio.create_task(self._give())

    def nudge(self) -> None:
        """Tell only this process."""
        self._heard.set()

    async def wait(self, seconds: float) -> None:
        """Return at a hint, or after `seconds`."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it forgets a cancellation that comes together with the hint.
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        self._heard.clear()

    async def _give(self) -> None:
        while True:
            await self._given.wait()
            self._given.clear()
            with contextlib.suppress(Exception):
                async with self._database.connection() as conn:
                    await conn.execute(f"NOTIFY {self._channel}")
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                await self._listen_once()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        conn = await asyncpg.connect(self._database.url, timeout=CONNECT_SECONDS)
        gone = asyncio.Event()
        try:
            conn.add_termination_listener(lambda *_: gone.set())
            await conn.add_listener(self._channel, self._hear)
            self._heard.set()  # what was said before we listened is looked up once
            await gone.wait()
        finally:
            conn.terminate()

    def _hear(self, *_: Any) -> None:
        self._heard.set()

    async def close(self) -> None:
        tasks = [task for task in (self._giver, self._listener) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
