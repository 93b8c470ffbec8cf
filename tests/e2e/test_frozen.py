"""One after the other is frozen, or away, while tills sell and people read: every request ends in time with an answer
that says what to do, who needs nothing of what is frozen notices nothing, and afterwards everything goes on by itself.

The time-outs are those of docs/operating.md, shorter here by their settings."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from deploy.local.temporary import temporary_postgres
from tests.e2e.freezing import frozen
from tests.e2e.installation import APIS, WORKERS, Installation, installation, reading
from tests.e2e.load import NOBODY, READS, Load, everything_is_there, under_load, until
from tests.e2e.test_away import kill_server
from tests.world import fresh_databases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PARTITIONS = 4
ANSWER_SECONDS = 5.0
ORIGIN_SECONDS = 8.0
MARGIN = 10.0
"""A machine with much else to do."""
SETTINGS = {
    "PARTITIONS": str(PARTITIONS),
    "LEASE_SECONDS": "2",
    "CLOCK_TICK_SECONDS": "1",
    "BODY_SECONDS": str(ANSWER_SECONDS),
    "ANSWER_SECONDS": str(ANSWER_SECONDS),
    "ORIGIN_BODY_SECONDS": str(ANSWER_SECONDS),
    "ORIGIN_ANSWER_SECONDS": str(ORIGIN_SECONDS),
}
MOST_SECONDS = ORIGIN_SECONDS + MARGIN
EVERYTHING = ("sale", "interaction", "profile", "scoring", "campaign")


@dataclass(frozen=True)
class Victims:
    """Services, of whose processes one is stopped in some way: others on each log, so that all have their turn."""

    api_frozen: str
    api_away: str
    worker_frozen: str
    worker_away: str


VICTIMS = {
    "postgresql": Victims("profile", "scoring", "profile", "campaign"),
    "kafka": Victims("interaction", "campaign", "interaction", "scoring"),
}
LOGS = ["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)]


async def goes_well(load: Load, times: int = 3) -> None:
    """All are answered with 200 again."""
    async with asyncio.TaskGroup() as group:
        for what in EVERYTHING:
            group.create_task(load.sees(what, 200, times))


async def is_refused(load: Load, *what: str) -> None:
    async with asyncio.TaskGroup() as group:
        for one in what:
            group.create_task(load.sees(one, 503))


async def say_missing(here: Installation, what: str) -> None:
    """/readyz of every process names it, and is not slow itself."""
    async with asyncio.TaskGroup() as group:
        for name in (*APIS, *WORKERS):
            group.create_task(_says_missing(here, name, what))


async def _says_missing(here: Installation, name: str, what: str) -> None:
    async def named() -> bool:
        started = time.monotonic()
        status, said = await here.readiness(name)
        assert time.monotonic() - started < ANSWER_SECONDS + MARGIN, name
        return status == 503 and what in said["missing"]

    await until(named, f"{name} misses {what}")


class Others:
    """What needs nothing of the frozen one is answered with 200 all the time."""

    def __init__(self, load: Load, *affected: str) -> None:
        self._load, self._affected = load, affected
        self._since = len(load.answers)

    def noticed_nothing(self) -> None:
        answers = self._load.answers[self._since :]
        others = [one for one in answers if one.what not in self._affected]
        assert {one.what for one in others} == set(EVERYTHING) - set(self._affected)
        assert {one.status for one in others} == {200}, others


async def a_database_is_frozen(here, load, server):
    with frozen(server.pid):
        await is_refused(load, *EVERYTHING)
        await say_missing(here, "database")
    await goes_well(load)


async def a_database_is_away(here, load, server):
    kill_server(server.pid)
    await asyncio.to_thread(server.process.wait, 20)
    await is_refused(load, *EVERYTHING)
    await say_missing(here, "database")
    await asyncio.to_thread(server.start)
    await goes_well(load)


async def the_broker_is_frozen(here, load, kafka):
    """What is written stops, and nothing else."""
    others = Others(load, "sale")
    with frozen(kafka.process.pid):
        await is_refused(load, "sale")
        await say_missing(here, "log")
        others.noticed_nothing()
    await goes_well(load)


def needing(service: str) -> tuple[str, ...]:
    """What nobody answers without the API of a service."""
    return ("sale", service) if service == "interaction" else (service,)


async def an_api_is_frozen(here, load, service):
    others = Others(load, *needing(service))
    with frozen(here.processes[f"{service}-api"].pid):
        await is_refused(load, *needing(service))
        others.noticed_nothing()
    await goes_well(load)


async def an_api_is_away(here, load, service):
    """Killed, and nobody starts it: the rest lives, and says that something is missing."""
    others = Others(load, *needing(service))
    here.kill(f"{service}-api")
    await is_refused(load, *needing(service))
    whole = await here.http.get(
        f"{here.address('origin')}/v1/customers/member_no:M1", params={"include": "scores"}
    )
    assert whole.status_code == 200, whole.text
    origin = await here.http.get(f"{here.address('origin')}/readyz")
    assert origin.status_code == 503
    assert any(service in missing for missing in origin.json()["missing"])
    others.noticed_nothing()
    here.start(f"{service}-api")
    await goes_well(load)


async def a_worker_is_frozen(here, load, service):
    """Its service answers, and says how old its answers are; what waits for it is told so; another takes over."""
    others = Others(load)
    with frozen(here.processes[f"{service}-worker"].pid):
        written = await _written(here, service)
        here.start_another(f"{service}-worker")
        await written.arrives(here)
    others.noticed_nothing()
    # Both live now; whatever the first one believed to own, it finds out.
    await _reaches(here, service, await _sold(here))
    another = here.processes.pop(f"another-{service}-worker")
    another.terminate()
    await asyncio.to_thread(another.wait, 30)
    await goes_well(load)


async def a_worker_is_away(here, load, service):
    others = Others(load)
    here.kill(f"{service}-worker")
    written = await _written(here, service)
    here.start(f"{service}-worker")
    await written.arrives(here)
    others.noticed_nothing()
    await goes_well(load)


@dataclass(frozen=True)
class Written:
    """What was written while a worker was out: positions that its service is to reach, and an event that it is to
    resolve."""

    service: str
    positions: list[str]
    event: dict | None = None

    async def arrives(self, here) -> None:
        for position in self.positions:
            await _reaches(here, self.service, position)
        if self.event is not None:
            # Where it is not resolved yet it is taken a second time, and dropped behind the door.
            answer = await _publish(here, self.event, wait=10)
            assert answer.json()["items"][0]["customer_id"], answer.text
            answer = await _publish(here, self.event, wait=10)
            assert answer.json()["items"][0]["status"] == "duplicate", answer.text


async def _written(here, service: str) -> Written:
    """Whoever writes while the worker of a service is out is told what is done and what is not seen yet."""
    own, positions, event = here.address(f"{service}-api"), [], None
    if service == "interaction":
        event = _call()
        taken = await _publish(here, event, wait=1)
        assert taken.json()["items"][0]["customer_id"] is None, taken.text
        assert "Tenure-Position" not in taken.headers
        body = {"customer": "member_no:M1", "kind": "visit"}
        done = await here.http.post(f"{own}/v1/interactions", json=body)
    else:
        positions.append(await _sold(here))
        done = None
    if service == "profile":
        body = {"tag": "need:quality-first"}
        done = await here.http.post(f"{own}/v1/customers/member_no:M1/tags", json=body)
    if done is not None:
        assert done.status_code == 202, done.text
        positions.append(done.headers["Tenure-Position"])
    late = await here.http.get(f"{own}{READS[service]}", headers={"Tenure-Wait-For": positions[0]})
    assert late.status_code == 504, late.text
    assert late.json()["code"] == "not_caught_up"
    assert int(late.headers["Retry-After"]) >= 1
    read = await here.http.get(f"{own}{READS[service]}")
    assert read.status_code == 200, read.text
    if service != "interaction":  # without whom nothing new is on the log
        assert float(read.headers["Tenure-Freshness"]) > 1
    return Written(service, positions, event)


def _call() -> dict:
    return {
        "id": uuid.uuid4().hex,
        "source": "desk",
        "type": "interaction.recorded",
        "customer": {"member_no": "M1"},
        "data": {"kind": "call"},
    }


async def _publish(here, event: dict, *, wait: int):
    answer = await here.http.post(
        f"{here.address('interaction-api')}/v1/events",
        json=[event],
        headers={"Prefer": f"wait={wait}"},
    )
    assert answer.status_code == 200, answer.text
    return answer


async def _sold(here) -> str:
    """The position of a call by M1 that interaction has resolved."""
    return (await _publish(here, _call(), wait=10)).headers["Tenure-Position"]


async def _reaches(here, service: str, position: str) -> None:
    async def reached() -> bool:
        answer = await here.http.get(
            f"{here.address(f'{service}-api')}{READS[service]}",
            headers={"Tenure-Wait-For": position},
        )
        assert answer.status_code in {200, 504}, answer.text
        return answer.status_code == 200

    await until(reached, f"{service} reaches {position}")


async def the_origin_is_frozen(here, load):
    """Who asks it waits; who asks the services is answered. It goes on with what came meanwhile."""
    with frozen(here.processes["origin"].pid):
        await asyncio.sleep(1)
        before = len(load.answers)
        await _services_answer(here)
        assert len(load.answers) == before
    others = Others(load)
    await goes_well(load)
    others.noticed_nothing()


async def the_origin_is_away(here, load):
    """Nobody is answered by it; the services' own addresses go on, and so does it once it is started again."""
    with load.may_find_nobody():
        here.kill("origin")
        await load.sees("sale", NOBODY)
        await _services_answer(here)
        here.start_origin()
        await here.ready(names=["origin"])
        await goes_well(load)
    others = Others(load)
    await goes_well(load)
    others.noticed_nothing()


async def _services_answer(here) -> None:
    for service, path in READS.items():
        answer = await here.http.get(f"{here.address(f'{service}-api')}{path}")
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("log", LOGS)
async def test_whoever_is_frozen_or_away_the_rest_answers(log, request, tmp_path):
    kafka = request.getfixturevalue("kafka") if log == "kafka" else None
    victims = VICTIMS[log]
    async with _shop(kafka, tmp_path) as (here, server, onlooker):
        async with under_load(here, here.address("origin"), MOST_SECONDS) as load:
            await goes_well(load)
            if kafka is not None:
                await the_broker_is_frozen(here, load, kafka)
                await a_database_is_away(here, load, server)
            await a_database_is_frozen(here, load, server)
            await an_api_is_frozen(here, load, victims.api_frozen)
            await an_api_is_away(here, load, victims.api_away)
            await a_worker_is_frozen(here, load, victims.worker_frozen)
            await a_worker_is_away(here, load, victims.worker_away)
            await the_origin_is_frozen(here, load)
            await the_origin_is_away(here, load)
            await here.ready(names=["origin"])
        await everything_is_there(here, onlooker, load.acknowledged)


@contextlib.asynccontextmanager
async def _shop(kafka, folder) -> AsyncIterator[tuple]:
    """An installation with its origin over a database of its own, somebody to be read about, and the log."""
    with temporary_postgres() as server:
        urls = await fresh_databases(server)
        namespace = f"f{uuid.uuid4().hex[:8]}" if kafka else ""
        url = kafka.url if kafka else urls["log"]
        settings = {**SETTINGS, "EVENT_LOG_URL": url, "NAMESPACE": namespace}
        async with (
            installation(urls, folder, **settings) as here,
            reading(url, namespace, PARTITIONS) as log,
        ):
            here.start_origin()
            await here.ready(names=["origin"])
            await _first_sales(here)
            yield here, server, log


async def _first_sales(here: Installation) -> None:
    """There is somebody to be read about."""
    await _sold(here)
    for name, path in (("profile", "customers"), ("scoring", "scores")):
        url = f"{here.address(f'{name}-api')}/v1/{path}/member_no:M1"

        async def known(url: str = url) -> bool:
            return (await here.http.get(url)).status_code == 200

        await until(known, f"{name} knows M1")
