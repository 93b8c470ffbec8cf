"""P9: purchase models beside `lifetimes`: fitting, and scoring at once beside one call a customer.

Seconds of processor, of processes that do nothing else (tests/scoring/models/bench.py). `lifetimes` takes minutes for
Pareto/NBD: it is measured once, on fewer customers where not everything is measured, and says so.
"""

import asyncio
from typing import Any

from tests.bench.runner import Goal, Measured, Sizes, in_turn, say
from tests.bench.servers import Servers
from tests.scoring.models.bench import apart

NAMES = {"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD"}
FASTER = {"bg_nbd": 5.0, "pareto_nbd": 20.0}
SCORED = 2_000_000.0
TIMES = 50.0


async def measure(_bench: Servers, sizes: Sizes) -> list[Measured]:
    """Fits, then scores."""
    lines: list[Measured] = []
    for name in sizes.pick(full=("bg_nbd", "pareto_nbd"), quick=("bg_nbd",), tiny=("bg_nbd",)):
        lines.append(await _fit(name, sizes))
        lines += await _score(name, sizes)
    return lines


async def _fit(name: str, sizes: Sizes) -> Measured:
    count = sizes.pick(full=100_000, quick=5_000, tiny=500)
    slow = name == "pareto_nbd"
    rounds = 1 if slow else sizes.rounds

    async def seconds(work: str) -> float:
        found = await asyncio.to_thread(apart, work, name, count)
        return float(found["seconds"])

    figures = await in_turn(
        rounds,
        {"tenure": lambda: seconds("ours"), "lifetimes": lambda: seconds("theirs")},
        said=say,
    )
    ours, theirs = figures["tenure"], figures["lifetimes"]
    return Measured(
        key="P9",
        what=f"fitting {NAMES[name]}, {count:,} customers",
        unit="fits/s of processor",
        goal=Goal(">=", FASTER[name]),
        contestants={"tenure": [1 / one for one in ours], "lifetimes": [1 / one for one in theirs]},
        ratio_of=("tenure", "lifetimes"),
        note="one round: lifetimes takes minutes" if slow and sizes.rounds > 1 else "",
    )


async def _score(name: str, sizes: Sizes) -> list[Measured]:
    count = sizes.pick(full=1_000_000, quick=100_000, tiny=2_000)
    answers: list[dict[str, Any]] = []

    async def once() -> float:
        answers.append(await asyncio.to_thread(apart, "scoring", name, count))
        return float(answers[-1]["p_none"]["a second"])

    figures = await in_turn(sizes.rounds, {"tenure": once}, said=say)
    what = f"P(none in 13 weeks) by {NAMES[name]}, {count:,} customers"
    return [
        Measured(
            key="P9",
            what=what,
            unit="customers/s of processor",
            goal=Goal(">=", SCORED),
            contestants=figures,
        ),
        Measured(
            key="P9",
            what=f"{what}, at once to one call a customer",
            unit="customers/s of processor",
            goal=Goal(">=", TIMES),
            contestants={
                "at once": figures["tenure"],
                "one call each": [
                    one["p_none"]["a second"] / one["p_none"]["times"] for one in answers
                ],
            },
            ratio_of=("at once", "one call each"),
            note="one call each: 2,000 customers",
        ),
    ]
