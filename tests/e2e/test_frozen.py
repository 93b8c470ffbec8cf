"""One after the other is frozen, or away, while tills sell and people read: every request ends in time with an answer
that says what to do, who needs nothing of what is frozen notices nothing, and afterwards everything goes on by itself.

The time-outs are those of docs/operating.md, shorter here by their settings."""

import asyncio
import time
import uuid

import pytest

from deploy.local.temporary import temporary_postgres
from tests.e2e.freezing import frozen
from tests.e2e.installation import APIS, WORKERS, Installation, installation, reading
from tests.e2e.load import READS, Load, everything_is_there, under_load, until
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


async def postgresql_is_frozen(here, load, server):
    with frozen(server.pid):
        await is_refused(load, *EVERYTHING)
        await say_missing(here, "database")
    await goes_well(load)


async def an_api_is_frozen(here, load):
    others = Others(load, "profile")
    with frozen(here.processes["profile-api"].pid):
        await is_refused(load, "profile")
        others.noticed_nothing()
    await goes_well(load)


async def a_worker_is_frozen(here, load):
    """Its service answers, and says how old its answers are; what waits for it is told so; another takes over."""
    others = Others(load)
    with frozen(here.processes["profile-worker"].pid):
        profile = here.address("profile-api")
        position = await _sold(here)
        late = await here.http.get(
            f"{profile}/v1/customers/member_no:M1", headers={"Tenure-Wait-For": position}
        )
        assert late.status_code == 504, late.text
        assert late.json()["code"] == "not_caught_up"
        assert int(late.headers["Retry-After"]) >= 1
        tagged = await here.http.post(
            f"{profile}/v1/customers/member_no:M1/tags", json={"tag": "need:quality-first"}
        )
        assert tagged.status_code == 202, tagged.text
        read = await here.http.get(f"{profile}/v1/customers/member_no:M1")
        assert float(read.headers["Tenure-Freshness"]) > 1

        here.start_another("profile-worker")
        await _reaches(here, position)
        await _reaches(here, tagged.headers["Tenure-Position"])
    others.noticed_nothing()
    # Both live now; whatever the first one believed to own, it finds out.
    await _reaches(here, await _sold(here))
    another = here.processes.pop("another-profile-worker")
    another.terminate()
    await asyncio.to_thread(another.wait, 30)
    await goes_well(load)


async def _sold(here) -> str:
    """The position of a sale to M1 that interaction has resolved."""
    event = {
        "id": uuid.uuid4().hex,
        "source": "desk",
        "type": "interaction.recorded",
        "customer": {"member_no": "M1"},
        "data": {"kind": "call"},
    }
    answer = await here.http.post(
        f"{here.address('interaction-api')}/v1/events", json=event, headers={"Prefer": "wait=10"}
    )
    return answer.headers["Tenure-Position"]


async def _reaches(here, position: str) -> None:
    async def reached() -> bool:
        answer = await here.http.get(
            f"{here.address('profile-api')}/v1/customers/member_no:M1",
            headers={"Tenure-Wait-For": position},
        )
        assert answer.status_code in {200, 504}, answer.text
        return answer.status_code == 200

    await until(reached, f"profile reaches {position}")


async def the_origin_is_frozen(here, load):
    """Who asks it waits; who asks the services is answered. It goes on with what came meanwhile."""
    with frozen(here.processes["origin"].pid):
        await asyncio.sleep(1)
        before = len(load.answers)
        for service, path in READS.items():
            answer = await here.http.get(f"{here.address(f'{service}-api')}{path}")
            assert answer.status_code == 200, answer.text
        assert len(load.answers) == before
    others = Others(load)
    await goes_well(load)
    others.noticed_nothing()


async def a_service_is_away(here, load):
    """Killed, and nobody starts it: the rest lives, and says that something is missing."""
    others = Others(load, "scoring")
    here.kill("scoring-api")
    await is_refused(load, "scoring")
    whole = await here.http.get(
        f"{here.address('origin')}/v1/customers/member_no:M1", params={"include": "scores"}
    )
    assert whole.status_code == 200, whole.text
    origin = await here.http.get(f"{here.address('origin')}/readyz")
    assert origin.status_code == 503
    assert any("scoring" in missing for missing in origin.json()["missing"])
    others.noticed_nothing()
    here.start("scoring-api")
    await goes_well(load)


async def test_whoever_is_frozen_the_rest_answers(tmp_path):
    with temporary_postgres() as server:
        urls = await fresh_databases(server)
        async with (
            installation(urls, tmp_path, **SETTINGS) as here,
            reading(urls["log"], "", PARTITIONS) as log,
        ):
            here.start_origin()
            await here.ready(names=["origin"])
            await _first_sales(here)
            async with under_load(here, here.address("origin"), MOST_SECONDS) as load:
                await goes_well(load)
                await postgresql_is_frozen(here, load, server)
                await an_api_is_frozen(here, load)
                await a_worker_is_frozen(here, load)
                await the_origin_is_frozen(here, load)
                await a_service_is_away(here, load)
                await here.ready(names=["origin"])
            await everything_is_there(here, log, load.acknowledged)


async def _first_sales(here: Installation) -> None:
    """There is somebody to be read about."""
    await _sold(here)
    for name, path in (("profile", "customers"), ("scoring", "scores")):
        url = f"{here.address(f'{name}-api')}/v1/{path}/member_no:M1"

        async def known(url: str = url) -> bool:
            return (await here.http.get(url)).status_code == 200

        await until(known, f"{name} knows M1")


@pytest.mark.kafka
async def test_a_frozen_broker_stops_what_is_written_and_nothing_else(postgres, kafka, tmp_path):
    urls = await fresh_databases(postgres)
    namespace = f"f{uuid.uuid4().hex[:8]}"
    settings = SETTINGS | {"EVENT_LOG_URL": kafka.url, "NAMESPACE": namespace}
    async with (
        installation(urls, tmp_path, **settings) as here,
        reading(kafka.url, namespace, PARTITIONS) as log,
    ):
        here.start_origin()
        await here.ready(names=["origin"])
        await _first_sales(here)
        async with under_load(here, here.address("origin"), MOST_SECONDS) as load:
            await goes_well(load)
            others = Others(load, "sale")
            with frozen(kafka.process.pid):
                await is_refused(load, "sale")
                await say_missing(here, "log")
                others.noticed_nothing()
            await goes_well(load)
        await everything_is_there(here, log, load.acknowledged)
