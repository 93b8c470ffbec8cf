"""P2: the loop beside Quix Streams: same topic, same PostgreSQL, same counters."""

from typing import Any

from tests.bench.loops import main_stream, our_loop, program, rate, topic_of
from tests.bench.runner import PEERS_PYTHON, Goal, Measured, Sizes, in_turn, say
from tests.bench.servers import Servers

COMMIT_EVENTS = 5000


async def quix(bench: Servers, topic: str, events: int, options: dict[str, Any]) -> float:
    """One round: events a second."""
    database, group = bench.database(), bench.name("g")
    try:
        return rate(
            await program(
                "tests/bench/peers/quix_loop.py",
                {
                    "servers": bench.kafka.bootstrap,
                    "topic": topic,
                    "database": database,
                    "group": group,
                    "state": str(bench.folder / group),
                    "events": events,
                    "options": options,
                },
                python=PEERS_PYTHON,
            )
        )
    finally:
        bench.drop(database)


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    """Two lines: at our commit size, and as it comes."""
    topic = await topic_of(bench, main_stream(sizes))
    ours = sizes.pick(full=200_000, quick=25_000, tiny=2_000)
    theirs = sizes.pick(full=60_000, quick=8_000, tiny=1_000)

    async def tenure() -> float:
        return rate(await our_loop(bench, topic, "counters", ours))

    figures = await in_turn(
        sizes.rounds,
        {
            "tenure": tenure,
            "quix": lambda: quix(bench, topic.name, theirs, {"commit_every": COMMIT_EVENTS}),
            "quix at its defaults": lambda: quix(bench, topic.name, theirs, {}),
        },
        said=say,
    )
    return [
        Measured(
            key="P2",
            what=f"loop beside Quix Streams, {what}",
            unit="events/s",
            goal=Goal(">=", goal),
            contestants={"tenure": figures["tenure"], name: figures[name]},
            ratio_of=("tenure", name),
            note=f"tenure over {ours:,} events, Quix Streams over {theirs:,}",
        )
        for name, what, goal in (
            ("quix", f"a commit each {COMMIT_EVENTS:,} events", 4.0),
            ("quix at its defaults", "its defaults (a commit each 5 s)", 2.3),
        )
    ]
