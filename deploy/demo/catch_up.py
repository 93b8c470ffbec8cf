"""Waiting until every projection has folded and announced everything."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deploy.demo.errors import ReplayError

POLL_SECONDS = 0.3
IN_A_ROW = 2  # an outbox may be empty for a moment between two services
STALLED_SECONDS = 300.0
ANSWER_SECONDS = 5.0


class Standing(NamedTuple):
    """What a worker says of itself; `left` counts events, announcements and due customers."""

    name: str
    caught_up: bool
    left: int
    answered: bool


def workers(path: Path) -> dict[str, str]:
    """Addresses of the worker processes by name, as the supervisor wrote them."""
    try:
        processes = json.loads(path.read_text())["processes"]
        found = {p["name"]: str(p["address"]) for p in processes if p["name"].endswith("-worker")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{path} does not name the processes ({error!r}).") from error
    if not found:
        raise ReplayError(f"{path} names no worker.")
    return found


async def caught_up(
    path: Path, show: Callable[[str], None], *, stalled: float = STALLED_SECONDS
) -> None:
    """Return when all workers have caught up, twice in a row. Restarts are waited for.

    Raises ReplayError when nothing has moved for `stalled` seconds.
    """
    last: list[Standing] = []
    moved_at, in_a_row = time.monotonic(), 0
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        while in_a_row < IN_A_ROW:
            now = await asyncio.gather(*(_ask(client, n, a) for n, a in workers(path).items()))
            in_a_row = in_a_row + 1 if all(worker.caught_up for worker in now) else 0
            if now != last:
                last, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > stalled and not in_a_row:
                raise ReplayError(f"Nothing has moved for {stalled:.0f} s: {_told(now)}.")
            show(_told(now))
            if in_a_row < IN_A_ROW:
                await asyncio.sleep(POLL_SECONDS)


async def _ask(client: httpx.AsyncClient, name: str, address: str) -> Standing:
    try:
        answer: Any = (await client.get(f"{address}/readyz")).json()
        left = answer["lag"]["events"] + answer["outbox"] + answer["due"]
        return Standing(name, bool(answer["caught_up"]) and left == 0, left, answered=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return Standing(name, caught_up=False, left=0, answered=False)


def _told(standings: list[Standing]) -> str:
    """Who is behind, and by how much."""
    behind = [
        f"{s.name} {f'{s.left:,} left' if s.answered else 'does not answer'}"
        for s in standings
        if not s.caught_up
    ]
    return ", ".join(behind) or "all caught up"
