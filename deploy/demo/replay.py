"""One replay: send what was not acknowledged yet, close the history, wait, tell."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from deploy.demo import baskets, shift
from deploy.demo.catch_up import caught_up
from deploy.demo.display import Display
from deploy.demo.door import Door, client
from deploy.demo.errors import ReplayError
from deploy.demo.ledger import Ledger
from deploy.demo.plan import Batch, Plan, prepare


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    origin: str
    key_file: Path
    mode: str
    state: Path
    processes: Path
    in_flight: int
    batch: int


def run(options: Options, now: datetime, display: Display) -> None:
    """Replay, or say that it was done before. Raises ReplayError."""
    key = _key(options.key_file)
    ledger = Ledger(options.state / f"progress-{options.mode}")
    if ledger.finished is not None:
        display.say(f"already replayed {ledger.finished.events} events")
        _tell_what_to_try(options, ledger.finished.household, display)
        return
    began = time.monotonic()
    plan, history = _plan(options, now)
    display.say(f"{history}: {plan.events:,} events prepared in {time.monotonic() - began:.1f} s")
    asyncio.run(_replay(options, key, history, plan, ledger, display))
    _tell_what_to_try(options, plan.household, display)


def _key(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ReplayError(f"The key cannot be read: {error}.") from error


def _plan(options: Options, now: datetime) -> tuple[Plan, str]:
    """All batches, and the name of the import: another shift or mode is another import."""
    lines = baskets.load(small=options.mode == "small")
    weeks = shift.kept(options.state / "shift.json", lines.last_utc, now)
    history = f"completejourney-{weeks.weeks}-{options.mode}"
    plan = prepare(lines, weeks, batch_events=options.batch)
    pa.default_memory_pool().release_unused()
    return plan, history


async def _replay(
    options: Options, key: str, history: str, plan: Plan, ledger: Ledger, display: Display
) -> None:
    left = [batch for batch in plan.batches if not ledger.has(batch)]
    sending = sum(batch.events for batch in left)
    if sending < plan.events:
        display.say(f"{plan.events - sending:,} events were acknowledged before")
    began = time.monotonic()
    async with client(options.origin, key, options.in_flight) as http:
        door = Door(http, history, display.waiting)
        await _send_all(door, left, plan.events, options.in_flight, ledger, display)
        if left or not ledger.closed:
            await door.close()
            ledger.close()
    await caught_up(options.processes, display.behind)
    ledger.finish(plan)
    seconds = time.monotonic() - began
    display.say(f"replayed {plan.events} events")
    display.say(
        f"{sending:,} sent and folded in {seconds:.1f} s, {sending / seconds:,.0f} events/s"
    )


async def _send_all(
    door: Door, left: list[Batch], total: int, in_flight: int, ledger: Ledger, display: Display
) -> None:
    """Send with several requests in flight: any order of arrival folds to the same rows."""
    done = total - sum(batch.events for batch in left)

    async def send(batches: Iterator[Batch]) -> None:
        nonlocal done
        for batch in batches:
            await door.send(batch)
            ledger.acknowledge(batch)
            done += batch.events
            display.sent(done, total)

    batches = iter(left)
    display.sent(done, total)
    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(in_flight):
                senders.create_task(send(batches))
    except* ReplayError as errors:
        raise errors.exceptions[0] from None


def _tell_what_to_try(options: Options, household: str, display: Display) -> None:
    customer = f"member_no:{household}"
    here, key = Path.cwd(), options.key_file
    shown = key.relative_to(here) if key.is_relative_to(here) else key
    curl = f'curl -s -H "Authorization: Bearer $(cat {shown})"'
    display.say("Try:")
    for path in (
        "/v1/customers?churn_band=high&sort=-purchases.spend&limit=5",
        "/v1/customers/summary",
        f"/v1/customers/{customer}?include=scores",
        f"/v1/customers/{customer}/lifecycle",
        f"/v1/timelines/{customer}?limit=5",
        f"/v1/scores/{customer}",
    ):
        display.say(f"  {curl} '{options.origin}{path}'")
