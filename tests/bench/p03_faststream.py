"""P3: the loop beside FastStream: same events, same Kafka, same PostgreSQL, same counters."""

from itertools import islice

from aiokafka import AIOKafkaProducer

from shared.log.kafka import BATCH_BYTES, CONTENT_TYPE
from tests.bench.events import PARTITIONS, Stream, entries
from tests.bench.loops import main_stream, our_loop, program, rate, topic_of
from tests.bench.runner import PEERS_PYTHON, Goal, Measured, Sizes, in_turn, say
from tests.bench.servers import Servers

BATCH_EVENTS = 5000


async def plain_topic(bench: Servers, stream: Stream, events: int) -> str:
    """The first events of a stream in a topic without compression: the peers' environment has nothing to read lz4 with,
    and so they need not."""
    name = bench.name("plain")
    await bench.topic(name, PARTITIONS)
    producer = AIOKafkaProducer(
        bootstrap_servers=bench.kafka.bootstrap, max_batch_size=BATCH_BYTES, linger_ms=20
    )
    await producer.start()
    try:
        for partition, entry in islice(entries(stream), events):
            headers = [
                ("content-type", CONTENT_TYPE.encode()),
                ("origin", str(entry.origin).encode()),
                ("sequence", str(entry.sequence).encode()),
            ]
            await producer.send(
                name,
                entry.value,
                key=entry.key.encode(),
                partition=partition,
                headers=headers,
            )
    finally:
        await producer.stop()
    return name


async def faststream(bench: Servers, topic: str, events: int, *, batch: bool) -> float:
    """One round: events a second."""
    database = bench.database()
    try:
        return rate(
            await program(
                "tests/bench/peers/faststream_loop.py",
                {
                    "servers": bench.kafka.bootstrap,
                    "topic": topic,
                    "database": database,
                    "group": bench.name("g"),
                    "events": events,
                    "batch": batch,
                    "most": BATCH_EVENTS,
                },
                python=PEERS_PYTHON,
            )
        )
    finally:
        bench.drop(database)


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    """Two lines: event by event, and by batches."""
    topic = await topic_of(bench, main_stream(sizes))
    ours = sizes.pick(full=200_000, quick=25_000, tiny=2_000)
    many = sizes.pick(full=60_000, quick=8_000, tiny=1_000)
    few = sizes.pick(full=5_000, quick=500, tiny=200)

    plain = await plain_topic(bench, main_stream(sizes), max(many, few))

    async def tenure() -> float:
        return rate(await our_loop(bench, topic, "counters", ours))

    figures = await in_turn(
        sizes.rounds,
        {
            "tenure": tenure,
            "faststream": lambda: faststream(bench, plain, few, batch=False),
            "faststream by batches": lambda: faststream(bench, plain, many, batch=True),
        },
        said=say,
    )
    return [
        Measured(
            key="P3",
            what=f"loop beside FastStream, {what}",
            unit="events/s",
            goal=Goal(">=", goal),
            contestants={"tenure": figures["tenure"], name: figures[name]},
            ratio_of=("tenure", name),
            note=f"tenure over {ours:,} events of lz4, FastStream over {events:,}, not compressed",
        )
        for name, what, goal, events in (
            ("faststream", "one upsert an event", 30.0, few),
            (
                "faststream by batches",
                f"one upsert statement a batch of up to {BATCH_EVENTS:,}",
                4.0,
                many,
            ),
        )
    ]
