"""P5: one event a request over 32 connections, beside a bare uvicorn that echoes the same requests."""

from tests.bench.client import Answered, send
from tests.bench.publishing import events, posts
from tests.bench.runner import Goal, Measured, Memory, Sizes, in_turn, peak_mb, say
from tests.bench.running import bare, running
from tests.bench.servers import Servers

CONNECTIONS = 32
CUSTOMERS = 10_000


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=10_000, quick=4_000, tiny=400)
    round_ = 0
    answered: dict[str, list[Answered]] = {"tenure": [], "uvicorn echo": []}
    async with (
        running(bench, only=["interaction-api"]) as run,
        bare("echo", log=bench.folder) as echo,
    ):

        def requests() -> list[bytes]:
            made = list(events(f"p5-{round_}", count, customers=CUSTOMERS, seed=round_))
            return posts(made, 1, run.key)

        async def tenure() -> float:
            nonlocal round_
            round_ += 1
            done = await send(run.port("interaction-api"), requests(), connections=CONNECTIONS)
            answered["tenure"].append(done)
            return done.per_second

        async def uvicorn() -> float:
            done = await send(echo, requests(), connections=CONNECTIONS)
            answered["uvicorn echo"].append(done)
            return done.per_second

        contestants = {"tenure": tenure, "uvicorn echo": uvicorn}
        for contestant in contestants.values():  # warm
            await contestant()
        for one in answered.values():
            one.clear()
        figures = await in_turn(sizes.rounds, contestants, said=say)
        memory = {"interaction API": Memory(peak_mb(run.pid("interaction-api")))}
    ratio = ("tenure", "uvicorn echo")
    note = f"{count:,} requests a round over {CONNECTIONS} connections"
    return [
        Measured(
            key="P5",
            what="ingest, one event a request, beside a bare uvicorn echo",
            unit="events/s",
            goal=Goal(">=", 0.2),
            contestants=figures,
            ratio_of=ratio,
            note=note,
            memory=memory,
        ),
        Measured(
            key="P5",
            what="the same: p99 of the answers",
            unit="ms",
            goal=Goal("<=", 5),
            contestants={name: [one.p99 for one in found] for name, found in answered.items()},
            ratio_of=ratio,
            note=note,
        ),
    ]
