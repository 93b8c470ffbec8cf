"""P8: rows made anew from the log: how fast beside folding the same events live, what readers notice of it, how long
the swap takes, and how fast beside the PyPI package `eventsourcing` with the same counters."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Sequence

from deploy.local.run import ROOT
from tests.bench.client import Answered, request, send, sending
from tests.bench.loops import main_stream, our_loop, program, rate, template_of, topic_of
from tests.bench.publishing import events, posts
from tests.bench.runner import PEERS_PYTHON, Goal, Measured, Sizes, in_turn, peer_version, say
from tests.bench.running import Running, Watch, running
from tests.bench.servers import Servers

READS_A_SECOND = 100
CONNECTIONS = 4
LIVE = ("interaction-api", "interaction-worker", "profile-api", "profile-worker")


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    return [
        *await _beside_live(bench, sizes),
        *await _while_reading(bench, sizes),
        *await _beside_peer(bench, sizes),
    ]


async def _rebuilt(bench: Servers, sizes: Sizes, service: str, count: int) -> dict[str, float]:
    """A rebuild of a service over the first records of the preloaded topic, in a database of its own."""
    topic = await topic_of(bench, main_stream(sizes))
    database = await bench.copy(await template_of(bench, service))
    task = {
        "service": service,
        "log": bench.kafka.url,
        "namespace": topic.namespace,
        "database": database,
        "limits": topic.limits(count),
    }
    try:
        return await program("tests.bench.rebuild_program", task)
    finally:
        bench.drop(database)


async def _beside_live(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=150_000, quick=25_000, tiny=1_000)
    topic = await topic_of(bench, main_stream(sizes))

    async def rebuild() -> float:
        return rate(await _rebuilt(bench, sizes, "profile", count))

    async def live() -> float:
        return rate(await our_loop(bench, topic, "profile", count))

    figures = await in_turn(sizes.rounds, {"rebuild": rebuild, "live": live}, said=say)
    return [
        Measured(
            key="P8",
            what="rebuilding profile beside its worker folding the same events live",
            unit="events/s",
            goal=Goal(">=", 3),
            contestants=figures,
            ratio_of=("rebuild", "live"),
            note=f"{count:,} events; live is the worker behind, at its largest batches",
        )
    ]


async def _while_reading(bench: Servers, sizes: Sizes) -> list[Measured]:
    """Reads of profile at a steady rate, without and with a rebuild beside them."""
    count = sizes.pick(full=40_000, quick=8_000, tiny=500)
    before: list[float] = []
    during: list[float] = []
    swaps: list[float] = []
    async with running(bench, only=LIVE) as run:
        made = list(events("p8", count, customers=5_000))
        await send(run.port("interaction-api"), posts(made, 500, run.key), connections=4)
        async with Watch(run, ["interaction", "profile"]) as watch:
            await watch.caught_up()
        asked = await _reads(run)
        for _ in range(sizes.rounds):
            total = READS_A_SECOND * sizes.pick(full=15, quick=5, tiny=1)
            how = {"connections": CONNECTIONS, "rate": READS_A_SECOND}
            calm = await send(run.port("profile-api"), asked, total=total, **how)
            busy, swap = await _read_while_rebuilding(run, asked)
            before.append(calm.p99)
            during.append(busy.p99)
            swaps.append(swap)
            say(f"  p99 {calm.p99:.1f} ms before, {busy.p99:.1f} ms during; swap {swap:.2f} s")
    note = f"{READS_A_SECOND} reads a second; {count:,} events and what they led to"
    return [
        Measured(
            key="P8",
            what="p99 of GET /v1/customers/{id} during a rebuild to before",
            unit="ms",
            goal=Goal("<=", 1.5),
            contestants={"during": during, "before": before},
            ratio_of=("during", "before"),
            note=note,
        ),
        Measured(
            key="P8",
            what="the swap: partitions taken, the rest folded, tables exchanged",
            unit="s",
            contestants={"tenure": swaps},
            note=note,
        ),
    ]


async def _reads(run: Running) -> list[bytes]:
    conn = await run.connect("profile")
    try:
        rows = await conn.fetch("SELECT customer_id FROM profile")
    finally:
        await conn.close()
    ids = [str(row[0]) for row in rows]
    random.Random(8).shuffle(ids)
    key = {"Authorization": f"Bearer {run.key}"}
    return [request("GET", f"/v1/customers/{id_}", headers=key) for id_ in ids]


async def _read_while_rebuilding(run: Running, asked: Sequence[bytes]) -> tuple[Answered, float]:
    """What the readers saw, and the seconds of the swap."""
    how = {"connections": CONNECTIONS, "rate": READS_A_SECOND, "total": 1_000_000}
    async with sending(run.port("profile-api"), asked, **how) as load:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.profile.rebuild", cwd=ROOT,
            env=os.environ | run.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None, "a pipe"
        at = {}
        async for line in process.stdout:
            at[line.decode().strip().partition(": ")[2]] = time.monotonic()
        if await process.wait():
            raise RuntimeError("the rebuild failed")
        answered = (await load.stop()).all_good()
    return answered, at["the new rows serve"] - at["taking over"]


async def _beside_peer(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=150_000, quick=25_000, tiny=1_000)
    theirs = sizes.pick(full=8_000, quick=2_000, tiny=200)
    customers = main_stream(sizes).customers

    async def tenure() -> float:
        return rate(await _rebuilt(bench, sizes, "counters", count))

    async def eventsourcing() -> float:
        url = bench.database()
        task = {
            "host": str(bench.postgres.socket_dir),
            "database": url.rpartition("?")[0].rpartition("/")[2],
            "user": "postgres",
            "events": theirs,
            "customers": min(customers, theirs // 4),
        }
        try:
            program_ = "tests/bench/peers/eventsourcing_rebuild.py"
            return rate(await program(program_, task, python=PEERS_PYTHON))
        finally:
            bench.drop(url)

    contestants = {"tenure": tenure, "eventsourcing": eventsourcing}
    figures = await in_turn(sizes.rounds, contestants, said=say)
    return [
        Measured(
            key="P8",
            what="rebuilding plain counters beside `eventsourcing`",
            unit="events/s",
            goal=Goal(">=", 20),
            contestants=figures,
            ratio_of=("tenure", "eventsourcing"),
            note=f"{count:,} events, {theirs:,} of theirs; {peer_version('eventsourcing')}",
        )
    ]
