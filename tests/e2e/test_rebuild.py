"""Rows made anew from the log while they serve: nobody notices, and they come out the same."""

import asyncio
import importlib
import os
import random
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import orjson
import pytest

from deploy.local.run import ROOT
from shared.errors import Fenced
from shared.kernel import open_kernel
from shared.rebuild import BESIDE, Rebuild, swapped_tables
from tests.world import World, add_worker, environment, world

NOW = datetime.now(UTC).replace(microsecond=0)


def events(start: int, count: int, *, people: int = 60) -> list[dict]:
    """Purchases, answers and complaints of a few people, over a year."""
    chance = random.Random(start)
    made = []
    for n in range(start, start + count):
        at = NOW - timedelta(minutes=chance.randint(0, 400 * 24 * 60))
        event = {
            "id": f"e{n}",
            "source": "shop",
            "time": at.isoformat(),
            "customer": {"member_no": f"M{chance.randint(1, people)}"},
        }
        kind = chance.random()
        if kind < 0.7:
            total = {"amount": f"{chance.randint(1, 200)}.50", "currency": "CNY"}
            item = {
                "product_id": "P1",
                "category": chance.choice(["Dairy", "Fruit"]),
                "quantity": 1,
            }
            event |= {
                "type": "purchase.completed",
                "data": {"order_id": f"o{n}", "total": total, "items": [item]},
            }
        elif kind < 0.85:
            event |= {
                "type": "survey.answered",
                "data": {"survey_id": f"s{n}", "kind": "csat", "score": chance.randint(1, 5)},
            }
        else:
            event |= {
                "type": "complaint.opened",
                "data": {"complaint_id": f"c{n}", "category": "quality"},
            }
        made.append(event)
    return made


async def publish(here: World, made: list[dict]) -> None:
    for start in range(0, len(made), 200):
        answer = await here.post_events(made[start : start + 200])
        assert answer.json()["rejected"] == 0, answer.text


async def rebuild(here: World, name: str) -> list[str]:
    """The rebuild of one service beside its worker; what it said."""
    own = importlib.import_module(f"services.{name}.settings").Settings(
        database_url=here.urls[name]
    )
    kernel = open_kernel(here.kernels[name].service, "rebuild", here.settings, own)
    said: list[str] = []
    try:
        await Rebuild(kernel, said.append).run()
    finally:
        await kernel.close()
    return said


async def kept(here: World, name: str) -> dict[str, list[str]]:
    """Every row of the tables that are made anew, as text; what is packed is unpacked, since the order in which a
    map was filled says nothing."""
    found = {}
    async with here.kernels[name].database.read() as conn:
        for table in swapped_tables(here.kernels[name].service):
            rows = await conn.fetch(f"SELECT * FROM {table.name}")
            packed = {column for column in ("state", "view", "told") if column in table.c}
            found[table.name] = sorted(
                orjson.dumps(
                    {
                        key: msgspec.msgpack.decode(value)
                        if key in packed and value
                        else repr(value)
                        for key, value in row.items()
                    },
                    option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS,
                    default=repr,
                ).decode()
                for row in rows
            )
    return found


def differing(mine: dict[str, list[str]], theirs: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Rows that stand on one side only."""
    return [(table, row) for table in mine for row in sorted(set(mine[table]) ^ set(theirs[table]))]


async def announced(here: World, name: str) -> dict[str, tuple[str, str | None]]:
    """What the service has said since it was made: by id the type, and because of what."""
    async with here.kernels[name].database.read() as conn:
        rows = await conn.fetch("SELECT value FROM outbox ORDER BY partition, sequence")
    bodies = [orjson.loads(row["value"]) for row in rows]
    return {body["id"]: (body["type"], body.get("cause")) for body in bodies}


READS = {
    "interaction": "/v1/timelines/member_no:M1",
    "profile": "/v1/customers/member_no:M1",
    "scoring": "/v1/scores/member_no:M1",
    "campaign": "/v1/segments",
}


@asynccontextmanager
async def read_all_the_time(here: World, name: str):
    """A reader that sees no error, and nobody go back."""
    answers = []

    async def read() -> None:
        while True:
            answer = await here.client(name).get(
                READS[name], params={"limit": "500"} if name in ("interaction", "campaign") else {}
            )
            assert answer.status_code == 200, answer.text
            body = answer.json()
            if name == "profile":
                answers.append(body["purchases"]["count"])
            elif name == "interaction":
                answers.append(len(body["items"]))
            assert answers == sorted(answers)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(read())
    try:
        yield
    finally:
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError), outcome


async def test_the_same_rows_while_they_serve(postgres):
    """Also those of customers who were merged; events that come meanwhile are in both."""
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 600))
        await here.settled(90)
        for name in ("profile", "interaction"):
            meanwhile = asyncio.create_task(
                publish(
                    here,
                    [
                        e
                        for e in events(10_000 * len(name) + 1000, 150)
                        if e["type"] == "purchase.completed"
                    ],
                )
            )
            async with read_all_the_time(here, name):
                said = await rebuild(here, name)
                await meanwhile
                await here.settled(90)
            assert said[-1] == "the new rows serve"
            rows = await kept(here, name)
            await rebuild(here, name)
            await here.settled(90)
            again = await kept(here, name)
            assert differing(again, rows) == []
            assert "rebuild" not in {cause for _, cause in (await announced(here, name)).values()}


async def test_what_differs_is_told_afterwards_and_only_that(postgres, monkeypatch):
    """As after a change of the code: it knows no favourites any more."""
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 300))
        await here.settled(90)
        kernel = here.kernels["profile"]
        before = await announced(here, "profile")
        real = kernel.service.projections[0].derive

        def derive(state, clock, policies):
            view = real(state, clock, policies)
            favourites = [tag for tag in view.derived if tag.tag.startswith("favourite:")]
            return msgspec.structs.replace(
                view,
                tags=[tag for tag in view.tags if tag not in favourites],
                derived=[tag for tag in view.derived if tag not in favourites],
            )

        object.__setattr__(kernel.service.projections[0], "derive", derive)
        try:
            await rebuild(here, "profile")
            await here.settled(90)
            rows = await kept(here, "profile")
            after = await announced(here, "profile")
            told = {said for id_, said in after.items() if id_ not in before}
            assert told == {("tag.dropped", "rebuild")}
            await rebuild(here, "profile")
            await here.settled(90)
            assert await announced(here, "profile") == after
            assert differing(await kept(here, "profile"), rows) == []
        finally:
            object.__setattr__(kernel.service.projections[0], "derive", real)


@pytest.mark.slow
async def test_killed_at_any_moment_the_old_rows_serve_on(postgres):
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 400))
        await here.settled(90)
        rows = await kept(here, "profile")
        variables = os.environ | environment(here.urls) | {"EVENT_LOG_URL": here.urls["log"]}
        chance = random.Random(7)
        ended = 0
        for _ in range(6):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.profile.rebuild", cwd=ROOT, env=variables,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            words = await process.stdout.readline()  # it has begun
            assert words
            try:
                await asyncio.wait_for(process.wait(), chance.uniform(0.0, 0.6))
                ended += 1
            except TimeoutError:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            answer = await here.client("profile").get(READS["profile"])
            assert answer.status_code == 200
        await here.settled(60)
        assert differing(await kept(here, "profile"), rows) == []
        await publish(here, events(1000, 50))
        await here.settled(60)
        rows = await kept(here, "profile")
        await rebuild(here, "profile")
        await here.settled(90)
        assert differing(await kept(here, "profile"), rows) == []
        async with here.kernels["profile"].database.read() as conn:
            assert await conn.fetchval("SELECT to_regnamespace($1)", BESIDE) is None


async def test_what_no_worker_had_folded_is_kept_beside_the_rows_too(postgres):
    """Whose identifiers are whose, policies, erasures: the worker is away, and only the rebuild folds them."""
    async with AsyncExitStack() as stack:
        names = ("interaction", "profile")
        here = await stack.enter_async_context(world(postgres, services=names, workers=False))
        await add_worker(stack, here, "interaction")
        async with AsyncExitStack() as meanwhile:
            await add_worker(meanwhile, here, "profile")
            await publish(here, events(0, 100))
            await here.settled(60)
        del here.workers["profile"]
        profile = here.client("profile")
        erased = (await profile.get("/v1/customers/member_no:M1")).json()["id"]
        answer = await profile.post("/v1/erasures", json={"customer": erased})
        assert answer.status_code in {201, 202}, answer.text
        policy = (await profile.get("/v1/policies/tags")).json()["body"]
        answer = await profile.put("/v1/policies/tags", json=policy | {"night_share": 0.9})
        assert answer.status_code in {200, 202}, answer.text
        await publish(here, [one | {"customer": {"member_no": "new"}} for one in events(500, 3)])
        await here.settled(60)
        await rebuild(here, "profile")
        assert (await profile.get("/v1/customers/member_no:new")).status_code == 200
        assert (await profile.get("/v1/customers/member_no:M1")).status_code == 404
        assert (await profile.get(f"/v1/customers/{erased}")).json()["erased"]
        await add_worker(stack, here, "profile")
        await here.settled(60)
        receipt = (await profile.get("/v1/erasures")).json()["items"][0]
        assert "profile" in {one["service"] for one in receipt["parts"][0]["services"]}
        assert (await profile.get("/v1/policies/tags")).json()["body"]["night_share"] == 0.9
        rows = await kept(here, "profile")
        await rebuild(here, "profile")
        await here.settled(60)
        assert differing(await kept(here, "profile"), rows) == []


async def begun(here: World, processes: int) -> asyncio.subprocess.Process:
    """The command, as an operator types it."""
    variables = os.environ | environment(here.urls) | {"REBUILD_PROCESSES": str(processes)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.profile.rebuild", cwd=ROOT, env=variables,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_several_processes_make_the_same_rows(postgres):
    """Also of customers whose parts are folded by different ones, and of what comes meanwhile."""
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 600))
        await here.settled(90)
        for n in range(1, 25, 4):
            parts = [f"member_no:M{m}" for m in range(n, n + 3)]
            merged = await here.client("profile").post("/v1/merges", json={"parts": parts})
            assert merged.status_code == 201, merged.text
        await here.settled(60)
        rows = await kept(here, "profile")
        for processes in (4, 1):
            more = [
                one
                for one in events(10_000 * processes, 150)
                if one["type"] == "purchase.completed" and processes > 1
            ]
            process = await begun(here, processes)
            async with read_all_the_time(here, "profile"):
                await publish(here, more)
                said, wrong = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0, wrong
            assert b"the new rows serve" in said
            await here.settled(90)
            if processes > 1:
                rows = await kept(here, "profile")
        assert differing(walked(await kept(here, "profile")), walked(rows)) == []
        assert "rebuild" not in {cause for _, cause in (await announced(here, "profile")).values()}


def walked(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without how far the path of a part was walked: where the part is one with others that is only walked anew, and
    how far it had been before depends on the batches."""
    made = []
    for row in map(orjson.loads, rows["profile"]):
        row["state"] = {k: v for k, v in row["state"].items() if k not in ("walker", "stale")}
        made.append(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode())
    return rows | {"profile": sorted(made)}


async def test_one_of_several_processes_is_killed(postgres):
    """Then there is no rebuild, said in a sentence; and none of them goes on when the first one is killed."""
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 300))
        await here.settled(90)
        rows = await kept(here, "profile")
        for kill_first in (False, True):
            process = await begun(here, 3)
            helpers = []
            while len(helpers) < 2:
                children = ROOT.joinpath(f"/proc/{process.pid}/task/{process.pid}/children")
                helpers = [int(pid) for pid in children.read_text().split()]
                assert process.returncode is None
                await asyncio.sleep(0.005)
            os.kill(process.pid if kill_first else helpers[0], signal.SIGKILL)
            _, wrong = await asyncio.wait_for(process.communicate(), 60)
            if kill_first:
                await asyncio.sleep(2)
            else:
                assert process.returncode == 1
                assert b"a process that helped has ended; the old rows serve on" in wrong
            assert not any(ROOT.joinpath(f"/proc/{pid}").exists() for pid in helpers)
            assert differing(await kept(here, "profile"), rows) == []


async def test_who_has_lost_the_lock_exchanges_nothing(postgres, monkeypatch):
    """With the connection that held it the server may have forgotten what was committed last."""
    async with world(postgres, services=("interaction", "profile")) as here:
        await publish(here, events(0, 100))
        await here.settled(90)
        rows = await kept(here, "profile")
        real = Rebuild._derive

        async def derive(self: Rebuild) -> None:
            await real(self)
            async with here.kernels["profile"].database.connection() as conn:
                await conn.execute("SELECT pg_terminate_backend($1)", self._lock_of)

        with monkeypatch.context() as patched:
            patched.setattr(Rebuild, "_derive", derive)
            with pytest.raises(Fenced):
                await rebuild(here, "profile")
        await here.settled(60)
        assert differing(await kept(here, "profile"), rows) == []
        await rebuild(here, "profile")
