"""The table of what was measured, and its place in docs/performance.md."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.runner import Measured, Memory, Sizes, load, peer_version, version

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
HEAD = (
    "| | what | medians (lowest to highest of the rounds) | ratio (of single rounds) | goal | |\n"
    "| --- | --- | --- | --- | --- | --- |"
)
OURS = ("aiokafka", "asyncpg", "msgspec", "orjson", "uvloop", "uvicorn", "pydantic")
PEERS = ("quixstreams", "faststream", "eventsourcing", "aiokafka", "asyncpg")


def figure(value: float) -> str:
    """Three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.2g}"


def spread(figures: Sequence[float]) -> str:
    """Median (lowest to highest); one figure alone as it is."""
    middle = figure(statistics.median(figures))
    if len(figures) == 1:
        return middle
    return f"{middle} ({figure(min(figures))} to {figure(max(figures))})"


def line(one: Measured) -> str:
    """One row of the table."""
    medians = "; ".join(
        f"{name} {spread(figures)}" for name, figures in one.contestants.items() if figures
    )
    ratio = ""
    if one.ratio is not None:
        ratio = f"**{figure(one.ratio)}**"
        if len(one.ratios) > 1:
            ratio += f" ({figure(min(one.ratios))} to {figure(max(one.ratios))})"
    goal = f"{one.goal.op} {figure(one.goal.value)}" if one.goal else ""
    met = {True: "met", False: "**missed**", None: ""}[one.met]
    what = one.what if not one.note else f"{one.what}; {one.note}"
    return f"| {one.key} | {what} | {medians} {one.unit} | {ratio} | {goal} | {met} |"


def memory_line(process: str, memory: Memory) -> str:
    """One row of the table of memory."""
    early, late = ("" if value is None else figure(value) for value in (memory.early, memory.late))
    return f"| {process} | {figure(memory.peak)} | {early} | {late} |"


def table(found: Sequence[Measured], failed: Mapping[str, str]) -> str:
    """Everything that was measured, then memory, then what could not be measured and why."""
    parts = ["\n".join([HEAD, *(line(one) for one in found)])]
    kept = {
        f"{process} ({one.key}, {one.what})": memory
        for one in found
        for process, memory in one.memory.items()
    }
    if kept:
        head = "| memory, MB | peak | after a fifth | at the end |\n| --- | --- | --- | --- |"
        parts.append("\n".join([head, *(memory_line(*item) for item in kept.items())]))
    if failed:
        parts.append(
            "\n".join(f"{key} could not be measured: {why}" for key, why in failed.items())
        )
    return "\n\n".join(parts)


def about(sizes: Sizes, seconds: float) -> str:
    """Which run it was, on what."""
    started = {"full": "make bench", "quick": "make bench QUICK=1", "tiny": "a trial"}[sizes.name]
    ours = ", ".join(version(name) for name in OURS)
    peers = ", ".join(peer_version(name) for name in PEERS)
    return (
        f"Run: `{started}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes, {sizes.rounds} rounds"
        f" each, {len(os.sched_getaffinity(0))} cores ({platform.machine()}), load {load():.1f} at its end.\n"
        f"Python {platform.python_version()}, {ours}. Peers: {peers}."
    )


def write_page(page: Path, said: str, text: str) -> None:
    """Put the table between the marks of the page. Raises ValueError where it has none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the table: {BEGIN} ... {END}")
    page.write_text(f"{before}{BEGIN}\n\n{said}\n\n{text}\n\n{END}{after}")
