"""How everything is measured: contestants in turn, the same number of rounds each, medians and spreads.

A busy machine is as unfair to one as to the other when they take turns; hence only ratios within a round and medians
over rounds are compared. Nothing here knows what is measured.
"""

import importlib.metadata
import os
import statistics
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")

PEERS_PYTHON = Path(__file__).parent.parent.parent / ".venv-peers" / "bin" / "python"
"""Runs what wants other versions of our libraries."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `name`: full (half an hour a half), quick (80 s a half), tiny (a test's few seconds)."""

    name: Literal["full", "quick", "tiny"] = "full"

    @property
    def rounds(self) -> int:
        return self.pick(full=5, quick=3, tiny=1)

    def pick(self, *, full: T, quick: T, tiny: T) -> T:
        """The number of events, customers, seconds... that belongs to this size."""
        return {"full": full, "quick": quick, "tiny": tiny}[self.name]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the ratio (or, where nothing is compared, the median) should reach."""

    op: Literal[">=", "<="]
    value: float

    def met(self, figure: float) -> bool:
        return figure >= self.value if self.op == ">=" else figure <= self.value


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident set of one process, MB."""

    peak: float
    early: float | None = None
    """After a first part of the work (say a fifth of it)."""
    late: float | None = None
    """At its end: flat where it is about what it was early."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One line of the table: contestants, one figure a round each, in the order of the rounds."""

    key: str
    """P1 ... P11."""
    what: str
    unit: str
    """events/s, ms, requests/s..."""
    goal: Goal | None = None
    """Of the ratio where `ratio_of` is set, of the median of the only contestant where it is not."""
    contestants: Mapping[str, Sequence[float]]
    ratio_of: tuple[str, str] | None = None
    """Names of two contestants: the first's figures divided by the second's."""
    note: str = ""
    memory: Mapping[str, Memory] = field(default_factory=dict)
    """By process, in words that a reader knows: "profile worker"."""

    @property
    def medians(self) -> dict[str, float]:
        return {name: statistics.median(figures) for name, figures in self.contestants.items()}

    @property
    def ratio(self) -> float | None:
        """Of the medians."""
        if self.ratio_of is None:
            return None
        medians = self.medians
        return medians[self.ratio_of[0]] / medians[self.ratio_of[1]]

    @property
    def ratios(self) -> list[float]:
        """Of each round by itself."""
        if self.ratio_of is None:
            return []
        ours, theirs = (self.contestants[name] for name in self.ratio_of)
        return [one / other for one, other in zip(ours, theirs, strict=False)]

    @property
    def judged(self) -> float | None:
        """The figure that the goal is about; None where there is none."""
        if self.ratio_of is not None:
            return self.ratio
        medians = list(self.medians.values())
        return medians[0] if len(medians) == 1 else None

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        if self.goal is None or self.judged is None:
            return None
        return self.goal.met(self.judged)


Contestant = Callable[[], Awaitable[float]]
"""One round: does its work, answers its figure."""


async def in_turn(
    rounds: int, contestants: Mapping[str, Contestant], *, said: Callable[[str], None] | None = None
) -> dict[str, list[float]]:
    """Each contestant once in every round, in their order in even rounds and backwards in odd ones, so that nobody
    always comes after the same one."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants) if number % 2 == 0 else list(reversed(contestants))
        for name in names:
            figure = await contestants[name]()
            figures[name].append(figure)
            if said is not None:
                said(f"  {name}: {figure:,.4g} (round {number + 1} of {rounds})")
    return figures


def say(line: str) -> None:
    """What whoever waits for the benchmark may read meanwhile."""
    print(line, flush=True)


def rss_mb(pid: int) -> float:
    """What the process has in memory now, MB."""
    return _status(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most it ever had, or had since `forget_peak`, MB."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak begin anew (Linux)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0  # it has ended and nobody asked yet


def version(package: str) -> str:
    """Of an installed package, as in `name 1.2`."""
    return f"{package} {importlib.metadata.version(package)}"


def peer_version(package: str) -> str:
    """The same of one of the peers' environment."""
    command = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run(
        [str(PEERS_PYTHON), "-c", command], check=False, capture_output=True, text=True
    )
    return f"{package} {done.stdout.strip()}" if done.returncode == 0 else f"{package} (missing)"


def load() -> float:
    """How busy the machine is (load average of a minute), to be said beside the figures."""
    return os.getloadavg()[0]
