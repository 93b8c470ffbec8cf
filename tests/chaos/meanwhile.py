"""18: people are erased while events of theirs are on their way: on `inbound`, put aside there, in an outbox, parked;
or while rows are made anew."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from deploy.local.databases import SERVICES
from tests.chaos.erasing import erase, look_at_receipts
from tests.e2e.workload import Person

if TYPE_CHECKING:
    from tests.chaos.faults import Bench

PEOPLE = 3
FOR_GOOD = 0.5
OLDER = "survey.answered"
"""A type that an older version does not know."""
REBUILD_SECONDS = 90
PATIENCE = 150
"""Looks for what was put aside, a tenth of a second apart."""


async def erase_meanwhile(bench: "Bench") -> str:
    """18: three people are erased while events of theirs are on their way."""
    place, how = bench.random.choice(list(PLACES.items()))
    for _ in range(PATIENCE):
        if len(bench.generator.people()) > 4 * PEOPLE:
            break
        await asyncio.sleep(0.1)
    people = bench.random.sample(bench.generator.people(), PEOPLE)
    more = await how(bench, people)
    done = await look_at_receipts(bench.generator)
    return f"{place}{more}, {'all' if done else 'not all'} receipts are there"


async def _erase(bench: "Bench", people: list[Person]) -> None:
    """All of them; some are never heard of again, the others go on."""
    await asyncio.gather(
        *(
            erase(bench.generator, one.name, for_good=bench.random.random() < FOR_GOOD)
            for one in people
        )
    )


async def _say(bench: "Bench", people: list[Person]) -> None:
    """Each says a few things."""
    stream = bench.generator.stream
    await bench.generator.publish([event for one in people for event in stream.said_by(one)])


async def _stop(bench: "Bench", service: str) -> list[str]:
    """All workers of a service end, one way or another."""
    workers = bench.here.workers(service)
    end = bench.here.ask_to_end if bench.random.random() < 0.5 else bench.here.kill
    await asyncio.gather(*(end(name) for name in workers))
    return workers


async def _on_inbound(bench: "Bench", people: list[Person]) -> str:
    workers = await _stop(bench, "interaction")
    await _say(bench, people)
    await _erase(bench, people)
    for name in workers:
        bench.here.start(name)
    return ""


async def _put_aside(bench: "Bench", people: list[Person]) -> str:
    """The resolver is of a version that does not know a type; once it does, somebody has it try again."""
    workers = await _older(bench, "interaction", OLDER)
    await _say(bench, people)
    find = "SELECT id FROM quarantine WHERE kind = 'quarantined' AND status = 'open' AND event_type = $1"
    for _ in range(PATIENCE):
        entries = await bench.observer.ask("interaction", find, OLDER)
        if len(entries) >= 2 * len(people):
            break
        await asyncio.sleep(0.1)
    await _erase(bench, people)
    await _newer(bench, workers)
    for _ in range(PATIENCE):
        left = await bench.observer.ask("interaction", find, OLDER)
        for row in left:
            path = f"/v1/quarantine/interaction/{row['id']}/replay"
            await bench.generator.request("POST", "interaction-api", path)
        if not left:
            break
        await asyncio.sleep(0.1)
    return f" ({len(entries)} put aside)"


async def _in_outboxes(bench: "Bench", people: list[Person]) -> str:
    """What the resolver has appended, and what was done by command, is not sent yet."""
    here, generator = bench.here, bench.generator
    services = bench.random.choice((("interaction",), ("profile",), ("interaction", "profile")))
    if "interaction" in services:
        for name in here.workers("interaction"):
            (here.failpoints(name) / "resolve.committed").write_text("kill")
        await _say(bench, people)
        await asyncio.sleep(1)
    stopped = [name for service in services for name in await _stop(bench, service)]
    for one in people:
        for command in (generator.note, generator.own, generator.buy):
            await command(one.name)
    await _erase(bench, people)
    for name in stopped:
        here.start(name)
    return f" of {' and '.join(services)}"


async def _parked(bench: "Bench", people: list[Person]) -> str:
    service = bench.random.choice(SERVICES[1:])
    workers = await _older(bench, service, OLDER)
    stream = bench.generator.stream
    await bench.generator.publish([stream.survey(one) for one in people for _ in range(4)])
    for _ in range(PATIENCE):
        parked = await bench.observer.parked(service)
        if parked >= 2 * len(people):
            break
        await asyncio.sleep(0.1)
    await _erase(bench, people)
    await asyncio.sleep(bench.random.uniform(0, 3))
    await _newer(bench, workers)
    return f" by {service} ({parked})"


async def _in_a_rebuild(bench: "Bench", people: list[Person]) -> str:
    service = bench.random.choice(("profile", "profile", "scoring", "campaign", "interaction"))
    process = bench.here.run(f"services.{service}.rebuild")
    await asyncio.sleep(bench.random.uniform(0, 2))
    await _say(bench, people)
    await _erase(bench, people)
    killed = bench.random.random() < 0.3
    if killed:
        process.kill()
        await asyncio.to_thread(process.wait)
        process = bench.here.run(f"services.{service}.rebuild")
    try:
        code = await asyncio.to_thread(process.wait, REBUILD_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = "no end"
    if code != 0:
        said = bench.here.said(f"services.{service}.rebuild")
        bench.generator.ledger.wrong.append(f"O8: the rebuild of {service}: {code}: {said}")
    return f" of {service}{', killed once' if killed else ''}"


async def _older(bench: "Bench", service: str, without: str) -> list[str]:
    """All workers of a service are of a version that does not know a type."""
    workers = bench.here.workers(service)
    await asyncio.gather(*(bench.here.ask_to_end(name) for name in workers))
    for name in workers:
        bench.here.start(name, CHAOS_WITHOUT=without)
    await bench.here.ready(*workers)
    return workers


async def _newer(bench: "Bench", workers: list[str]) -> None:
    """They are of today's again."""
    await asyncio.gather(*(bench.here.ask_to_end(name) for name in workers))
    for name in workers:
        bench.here.start(name)
    await bench.here.ready(*workers)


PLACES: dict[str, Callable[["Bench", list[Person]], Awaitable[str]]] = {
    "on inbound": _on_inbound,
    "put aside on inbound": _put_aside,
    "in outboxes": _in_outboxes,
    "parked": _parked,
    "in a rebuild": _in_a_rebuild,
}
