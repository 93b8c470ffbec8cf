"""P10: what an event costs with a million customers, to what it costs with ten thousand. From P1's figures."""

from tests.bench.p01_loop import main_stream, many_stream, plain
from tests.bench.runner import Goal, Measured, Sizes
from tests.bench.servers import Servers


async def measure(bench: Servers, sizes: Sizes) -> list[Measured]:
    """Two lines, in microseconds of time an event."""
    figures, _ = await plain(bench, sizes)
    few = f"{main_stream(sizes).customers:,} customers"
    lines = []
    for case, keys, goal in (("zipf", "Zipf(1.1)", 1.25), ("uniform", "uniform", 2.0)):
        many = f"{many_stream(sizes, case).customers:,} customers"
        lines.append(
            Measured(
                key="P10",
                what=f"cost of an event, {many}, {keys}, to {few}, uniform",
                unit="µs",
                goal=Goal("<=", goal),
                contestants={
                    many: [1e6 / rate for rate in figures[f"tenure {case}"]],
                    few: [1e6 / rate for rate in figures["tenure few"]],
                },
                ratio_of=(many, few),
                note="plain counters, as in P1",
            )
        )
    return lines
