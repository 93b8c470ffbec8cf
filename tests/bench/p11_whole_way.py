"""P11: the whole way. Batches through HTTP, resolved, folded and announced by all four services, until nothing is left
to do; what every process uses for it, and that memory stays flat."""

import time

from tests.bench.client import send
from tests.bench.publishing import events, posts
from tests.bench.runner import Goal, Measured, Memory, Sizes, peak_mb, rss_mb, say
from tests.bench.running import Running, Watch, difference, running, used
from tests.bench.servers import Servers, cores
from tests.world import SERVICES

A_REQUEST = 500
CONNECTIONS = 4
CUSTOMERS = 10_000
EARLY = 0.2
CHUNK = 50_000
"""Events of the long run that are made at once."""


async def whole_way(run: Running, watch: Watch, name: str, count: int) -> float:
    """Events a second: from the first request sent to all caught up."""
    made = list(events(name, count, customers=CUSTOMERS, seed=count))
    sent = posts(made, A_REQUEST, run.key)
    began = time.monotonic()
    await send(run.port("interaction-api"), sent, connections=CONNECTIONS)
    return count / (await watch.caught_up() - began)


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=40_000, quick=10_000, tiny=500)
    long = sizes.pick(full=1_000_000, quick=0, tiny=0)
    rates: list[float] = []
    async with running(bench) as run, Watch(run, SERVICES) as watch:
        await whole_way(run, watch, "warm", sizes.pick(full=10_000, quick=5_000, tiny=100))
        before = used(bench, run)
        for number in range(sizes.rounds):
            rates.append(await whole_way(run, watch, f"p11-{number}", count))
            say(f"  tenure: {rates[-1]:,.0f} (round {number + 1} of {sizes.rounds})")
        seconds = difference(before, used(bench, run))
        early: dict[str, float] = {}
        sent = sizes.rounds * count
        if long:
            sent, early = await _long_run(run, watch, sent, long)
        late = _resident(run) if early else {}  # flat or not, only a long run can say
        memory = {
            name: Memory(peak_mb(process.pid), early.get(name), late.get(name))
            for name, process in run.here.processes.items()
        }
        memory |= {name: Memory(peak_mb(pid)) for name, pid in bench.pids().items()}
    return [
        Measured(
            key="P11",
            what="the whole way, HTTP batch to all four services caught up",
            unit="events/s",
            goal=Goal(">=", 4_000),
            contestants={"tenure": rates},
            note=_note(seconds, sizes.rounds * count, sent),
            memory=memory,
        )
    ]


async def _long_run(
    run: Running, watch: Watch, sent: int, total: int
) -> tuple[int, dict[str, float]]:
    """Go on up to `total` events; how many there were, and memory after a fifth of them."""
    early: dict[str, float] | None = None
    while sent < total:
        rate = await whole_way(run, watch, f"long-{sent}", CHUNK)
        sent += CHUNK
        say(f"  {sent:,} events; the last {CHUNK:,} at {rate:,.0f} a second")
        if early is None and sent >= EARLY * total:
            early = _resident(run)
    return sent, early or _resident(run)


def _resident(run: Running) -> dict[str, float]:
    return {name: rss_mb(process.pid) for name, process in run.here.processes.items()}


def _note(seconds: dict[str, float], count: int, sent: int) -> str:
    """What an event costs, in microseconds of processor: it depends less on who else is at work than seconds do."""
    each = {name: 1e6 * one / count for name, one in seconds.items()}
    costs = ", ".join(
        f"{name} {cost:.0f}" for name, cost in sorted(each.items(), key=lambda one: -one[1])
    )
    whole = sum(each.values())
    most = cores() * 1e6 / whole
    return (
        f"processor an event: {whole:.0f} us ({costs}), which is {most:,.0f} events/s where {cores()} cores do"
        f" nothing else; memory after {sent:,} events"
    )
