"""P6: `GET /v1/customers/{id}` (key checked, as fresh as it says, in words) beside the same row by bare ASGI and
asyncpg with its default pool."""

import random

from tests.bench.client import Answered, request, send
from tests.bench.publishing import events, posts
from tests.bench.runner import Goal, Measured, Memory, Sizes, in_turn, peak_mb, say
from tests.bench.running import Watch, bare, running
from tests.bench.servers import Servers

CONNECTIONS = 16
NEEDED = ("interaction-api", "interaction-worker", "profile-api", "profile-worker")


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    customers = sizes.pick(full=5_000, quick=1_000, tiny=50)
    count = sizes.pick(full=20_000, quick=5_000, tiny=300)
    answered: dict[str, list[Answered]] = {"tenure": [], "bare": []}
    async with running(bench, only=NEEDED) as run:
        bought = list(events("p6", 4 * customers, customers=customers))
        await send(run.port("interaction-api"), posts(bought, 500, run.key), connections=2)
        async with Watch(run, ["interaction", "profile"]) as watch:
            await watch.caught_up()
        for name in NEEDED:
            if name != "profile-api":
                run.here.kill(name)
        conn = await run.connect("profile")
        ids = [str(row[0]) for row in await conn.fetch("SELECT customer_id FROM profile")]
        await conn.execute("VACUUM ANALYZE profile")
        await conn.close()
        chance = random.Random(6)
        wanted = [chance.choice(ids) for _ in range(count)]
        key = {"Authorization": f"Bearer {run.key}"}
        url = run.here.urls["profile"]
        async with bare("row", arguments=[url], log=bench.folder) as other:

            async def tenure() -> float:
                asked = [request("GET", f"/v1/customers/{id_}", headers=key) for id_ in wanted]
                return await answers("tenure", run.port("profile-api"), asked)

            async def asyncpg() -> float:
                return await answers("bare", other, [request("GET", f"/{id_}") for id_ in wanted])

            async def answers(name: str, port: int, asked: list[bytes]) -> float:
                done = await send(port, asked, connections=CONNECTIONS)
                answered[name].append(done)
                return done.per_second

            contestants = {"tenure": tenure, "bare": asyncpg}
            for contestant in contestants.values():  # warm
                await contestant()
            for one in answered.values():
                one.clear()
            figures = await in_turn(sizes.rounds, contestants, said=say)
        memory = {"profile API": Memory(peak_mb(run.pid("profile-api")))}
    ratio = ("tenure", "bare")
    note = f"{count:,} reads a round of {len(ids):,} customers over {CONNECTIONS} connections"
    return [
        Measured(
            key="P6",
            what="GET /v1/customers/{id} beside bare ASGI and asyncpg",
            unit="requests/s",
            goal=Goal(">=", 0.6),
            contestants=figures,
            ratio_of=ratio,
            note=note,
            memory=memory,
        ),
        Measured(
            key="P6",
            what="the same: p99 of the answers",
            unit="ms",
            goal=Goal("<=", 2),
            contestants={name: [one.p99 for one in found] for name, found in answered.items()},
            ratio_of=ratio,
            note=note,
        ),
    ]
