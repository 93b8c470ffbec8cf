"""One run: faults in an order that follows from the seed, an oracle every few of them."""

import asyncio
import random
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from deploy.local.errors import StartFailed
from tests.chaos.faults import FAULTS, Bench, LeftOut
from tests.chaos.generator import Generator
from tests.chaos.ledger import Ledger
from tests.chaos.observer import Observer
from tests.chaos.oracle import MEMBERS_BOUGHT, Oracle
from tests.chaos.plant import WORKERS_EACH, Plant, plant
from tests.chaos.probe import Probe
from tests.chaos.searching import Search
from tests.chaos.writing import want

CHECK_EVERY = 10
RECOVERED_SECONDS = 90.0
CALM_SECONDS = (0.2, 1.0)


@dataclass
class Done:
    """One fault that was."""

    number: int
    kind: str
    what: str
    recovered: float
    """Seconds from its end until everything was well."""


@dataclass
class Report:
    """What a run came to."""

    seed: int
    log: str
    seconds: float = 0.0
    faults: list[Done] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    events: int = 0
    commands: int = 0
    repeated: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    erased: int = 0
    """Parts of customers that were erased."""
    told: dict[str, int] = field(default_factory=dict)
    """Messages by how they stand, and webhooks."""


def drawn(seed: int, count: int, kinds: list[int] | None) -> list[int]:
    """The faults of a seed, by their numbers."""
    numbers = [n for n in FAULTS if kinds is None or n in kinds]
    weights = [FAULTS[n][1] for n in numbers]
    return random.Random(seed).choices(numbers, weights, k=count)


async def run(
    seed: int,
    numbers: Sequence[int],
    *,
    log: str = "kafka",
    first_port: int = 0,
    workers: int = WORKERS_EACH,
    check_every: int = CHECK_EVERY,
    keep: Path | None = None,
) -> Report:
    """Do it all. What is wrong stands in the report; it ends early once anything is. `keep`: where what there is to
    look at then is kept, in a folder of the seed's."""
    report, began = Report(seed, log), time.monotonic()
    async with plant(log, first_port, workers) as here:
        generator = Generator(here, seed)
        generator.merging = await _merges(here)
        observer, oracle = Observer(here), Oracle(generator.ledger)
        await observer.keys.begin()
        search = Search(here, oracle.forgotten)
        probe = Probe(here, generator)
        segment = await _segment(here)
        await want(here)
        bench = Bench(here, generator, observer, probe, random.Random(seed + 2))
        generator.start()
        try:
            await probe.begin()
            generator.go()
            await asyncio.sleep(2)
            for n, number in enumerate(numbers, start=1):
                await one_fault(bench, probe, number, report)
                if n % check_every == 0 or n == len(numbers) or generator.ledger.wrong:
                    await _check(bench, oracle, search, segment, report)
                if report.wrong:
                    break
        except Exception:  # noqa: BLE001 - the report says what it was
            report.wrong.append(f"harness: {traceback.format_exc()}")
        finally:
            report.wrong += generator.ledger.wrong
            report.events = len(generator.ledger.sent)
            report.commands = len(generator.ledger.commands)
            report.repeated = oracle.repeated
            report.erased = len(oracle.forgotten.erased)
            report.answers = {f"{s} {code}": n for (s, code), n in sorted(probe.answers.items())}
            report.rounds = probe.rounds
            report.told = dict(oracle.told.stands)
            await generator.stop()
            await probe.hold()
            await observer.close()
            if report.wrong:
                await _keep_logs(here, report)
                if keep is not None:
                    _keep_all(here, generator.ledger, keep / str(seed))
    report.seconds = time.monotonic() - began
    return report


async def one_fault(bench: Bench, probe: Probe, number: int, report: Report) -> None:
    """Break something and wait until all is well again. What cannot be broken here is left out."""
    await asyncio.sleep(bench.random.uniform(*CALM_SECONDS))
    fault = FAULTS[number][0]
    try:
        what = await fault(bench)
    except LeftOut as why:
        print(f"     kind {number:2} {fault.__name__} is left out: {why}", flush=True)
        return
    seconds = await probe.recovered(RECOVERED_SECONDS)
    report.faults.append(Done(number, fault.__name__, what, seconds))
    print(
        f"{len(report.faults):4} kind {number:2} {fault.__name__}: {what}; well after {seconds:.1f} s"
        f" ({len(bench.generator.ledger.acknowledged)} events)",
        flush=True,
    )
    ended = bench.here.ended()
    for name in ended:
        code = bench.here.processes[name].returncode
        report.wrong.append(f"O8: {name} ended with {code}: {bench.here.said(name)}")


async def _check(
    bench: Bench, oracle: Oracle, search: Search, segment: str, report: Report
) -> None:
    """Wait until all is quiet, and look at everything."""
    await bench.generator.hold()
    await bench.probe.hold()
    try:
        await bench.here.ready(seconds=90)
        report.quiet.append(await bench.observer.quiet())
        await bench.receipts()
        await bench.observer.quiet()
    except AssertionError as error:
        report.wrong += oracle.check_log(await bench.observer.lines())
        report.wrong.append(f"O8: {error}")
        return
    report.wrong += oracle.check(await bench.observer.look(segment))
    report.wrong += await search.look()
    if search.new and not report.wrong:  # what one looks at is made anew
        report.wrong += await search.look_again(bench.observer.quiet)
        report.wrong += oracle.check(await bench.observer.look(segment))
    print(
        f"     quiet after {report.quiet[-1]:.1f} s, {len(oracle.forgotten.erased)} parts erased,"
        f" {len(report.wrong)} things wrong",
        flush=True,
    )
    if not report.wrong:  # else everything stays as it was seen
        bench.go()


async def _merges(here: Plant) -> bool:
    answer = await here.http.get(f"{here.address('profile-api')}/v1/merges")
    return answer.status_code == 200


async def _segment(here: Plant) -> str:
    rule = {"field": "purchases.count", "op": ">=", "value": MEMBERS_BOUGHT}
    answer = await here.http.post(
        f"{here.address('campaign-api')}/v1/segments", json={"name": "Chaos", "rule": rule}
    )
    assert answer.status_code in {201, 202}, answer.text
    return answer.json()["id"]


async def _keep_logs(here: Plant, report: Report) -> None:
    """The last words of everybody, among them where they stand: all tasks, or the threads of who answers nobody."""
    for name in here.processes:
        answers = (await here.readiness(name))[0] != 0
        here.send(name, signal.SIGUSR2 if answers else signal.SIGUSR1)
    await asyncio.sleep(0.5)
    report.wrong += [f"log of {name}: {here.said(name)}" for name in here.processes]


def _keep_all(here: Plant, ledger: Ledger, folder: Path) -> None:
    """All that the processes said, what was sent, and the databases: a copy of the server's folder as of now."""
    folder.mkdir(parents=True)
    shutil.copytree(here.folder / "logs", folder / "logs")
    sent = [{"accepted": key in ledger.acknowledged, **one} for key, one in ledger.sent.items()]
    (folder / "sent.json").write_bytes(orjson.dumps(sent))
    try:
        here.postgres.back_up(folder / "postgres.tar")
    except StartFailed as error:
        print(f"the databases are not kept: {error}", flush=True)


def summary(report: Report) -> str:
    """One page about a run."""
    kinds = Counter(f"{one.number} {one.kind}" for one in report.faults)
    seconds = sorted(one.recovered for one in report.faults) or [0.0]
    wrong = [text for text in report.wrong if not text.startswith("log of")]
    lines = [
        f"seed {report.seed}, log {report.log}: {len(report.faults)} faults in {report.seconds:.0f} s",
        f"faults: {', '.join(f'{kind}: {n}' for kind, n in sorted(kinds.items()))}",
        f"well again: median {seconds[len(seconds) // 2]:.1f} s, at most {seconds[-1]:.1f} s",
        f"quiet after: at most {max(report.quiet, default=0):.1f} s",
        f"{report.events} events, {report.commands} commands, {report.repeated} records sent again",
        f"{report.erased} parts erased; messages: {report.told}",
        f"{report.rounds} canary rounds; reads: {report.answers}",
        f"{len(wrong)} things wrong",
    ]
    return "\n".join([*lines, *report.wrong[:60]])
