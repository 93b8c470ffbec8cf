"""What this process keeps of what was learnt: models and forecasts, loaded once a version."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from services.scoring import offer_queries as queries
from services.scoring.forecast.result import Forecast, Line
from services.scoring.offer_queries import Learnt
from services.scoring.offering.making import Advice, History, advice_in, forecast_in, history_in
from shared.database import ReadConnection
from shared.kernel import Kernel

MOST = 8
"""Things kept: two levels and three measures, and one more while a version takes another's place."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A forecast with its history, and its lines by level and key."""

    forecast: Forecast
    history: History
    lines: dict[tuple[str, str], Line]


@dataclass(slots=True)
class Kept:
    """The newest versions, by name; each is loaded once, however many ask for it."""

    _found: "OrderedDict[tuple[str, object], Any]" = field(default_factory=OrderedDict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, name: str, version: object, load: Callable[[], Awaitable[Any]]) -> Any:
        """What `load` answered for this version; None is asked again."""
        key = (name, version)
        if key not in self._found:
            async with self._lock:
                if key not in self._found:
                    made = await load()
                    if made is None:
                        return None
                    for old in [one for one in self._found if one[0] == name]:
                        del self._found[old]
                    self._found[key] = made
                    while len(self._found) > MOST:
                        self._found.popitem(last=False)
        return self._found.get(key)


def extra(_kernel: Kernel) -> dict[str, Any]:
    """For the process' `app.state`."""
    return {"offers": Kept()}


async def advice(
    request: Request, conn: ReadConnection, level: str
) -> tuple[Learnt, Advice] | None:
    """The model in force; None before there is one."""
    kept: Kept = request.app.state.offers
    for _ in range(2):  # another version may come between the two statements
        known = await queries.find_model(conn, level)
        if known is None:
            return None
        version = known.version

        async def load(version: int = version) -> Advice | None:
            body = await queries.read_model(conn, level, version)
            return None if body is None else await asyncio.to_thread(advice_in, body)

        # By the time as well: after a database was brought back a version may come a second time.
        found = await kept.get(f"model {level}", (version, known.at), load)
        if found is not None:
            return known, found
    return None


async def demand(
    request: Request, conn: ReadConnection, measure: str
) -> tuple[Learnt, Demand] | None:
    """The newest forecast of a measure; None before there is one."""
    kept: Kept = request.app.state.offers
    for _ in range(2):
        known = await queries.find_forecast(conn, measure)
        if known is None:
            return None
        version = known.version

        async def load(version: int = version) -> Demand | None:
            bodies = await queries.read_forecast(conn, measure, version)
            return None if bodies is None else await asyncio.to_thread(_demand, *bodies)

        found = await kept.get(f"forecast {measure}", (version, known.at), load)
        if found is not None:
            return known, found
    return None


def _demand(body: bytes, history: bytes) -> Demand:
    made = forecast_in(body)
    lines: dict[tuple[str, str], Line] = {(line.level, line.key): line for line in made.lines}
    return Demand(made, history_in(history), lines)
