"""P4: 500 events a request through `/v1/events` (key checked, validated, repeats looked up, acknowledged by Kafka)
beside aiokafka's `send_batch` of the same events' bytes."""

import json

import orjson

from tests.bench.client import send
from tests.bench.publishing import events, posts
from tests.bench.runner import Goal, Measured, Memory, Sizes, in_turn, peak_mb, say
from tests.bench.running import PARTITIONS, running, told_by
from tests.bench.servers import Servers

A_REQUEST = 500
CONNECTIONS = 4
CUSTOMERS = 10_000


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=50_000, quick=15_000, tiny=1_000)
    topic = bench.name("p4")
    await bench.topic(topic, PARTITIONS)
    lines = bench.folder / topic
    lines.write_bytes(b"\n".join(map(orjson.dumps, events("bare", count, customers=CUSTOMERS))))
    round_ = 0
    async with running(bench, only=["interaction-api"]) as run:

        async def tenure() -> float:
            nonlocal round_
            round_ += 1
            made = list(events(f"p4-{round_}", count, customers=CUSTOMERS, seed=round_))
            sent = posts(made, A_REQUEST, run.key)
            done = await send(run.port("interaction-api"), sent, connections=CONNECTIONS)
            return count / done.seconds

        async def aiokafka() -> float:
            arguments = (bench.kafka.bootstrap, topic, str(PARTITIONS), str(lines))
            said = await told_by("-m", "tests.bench.bare.produce", *arguments)
            return count / float(json.loads(said))

        await tenure()  # connections, caches and Kafka's segments are there from now on
        figures = await in_turn(sizes.rounds, {"tenure": tenure, "aiokafka": aiokafka}, said=say)
        memory = {"interaction API": Memory(peak_mb(run.pid("interaction-api")))}
    return [
        Measured(
            key="P4",
            what="ingest, 500 events a request, beside aiokafka's send_batch",
            unit="events/s",
            goal=Goal(">=", 0.5),
            contestants=figures,
            ratio_of=("tenure", "aiokafka"),
            note=f"{count:,} events a round over {CONNECTIONS} connections",
            memory=memory,
        )
    ]
