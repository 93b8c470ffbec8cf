"""The faults, by the numbers of docs/reliability.md. Each breaks something and mends it before it returns; what
becomes of the installation is for others to find out."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.local.databases import SERVICES
from deploy.local.postgres import PostgresServer
from shared.log import open_log
from shared.relay import Relay
from tests.chaos.erasing import erase, look_at_receipts
from tests.chaos.generator import Generator
from tests.chaos.ledger import Restored
from tests.chaos.meanwhile import OLDER, erase_meanwhile
from tests.chaos.observer import Observer
from tests.chaos.plant import DATABASES, KEYRING_SECONDS, LEASE_SECONDS, PARTITIONS, Plant
from tests.chaos.probe import Probe
from tests.chaos.writing import misbehave
from tests.world import fresh_databases

REQUEST_SECONDS = 2.5
"""How long a client waits for the broker, see tests/chaos/process.py."""
WAKINGS = 5
ARMED_SECONDS = 3.0
OF_WORKERS = (
    *("relay.read", "relay.sent", "relay.acknowledged", "append.locked", "fold.written"),
    *("fold.appended", "fold.committed", "settle.appended", "rows.locked", "lease.claimed"),
)
OF_RESOLVER = ("resolve.begun", "resolve.appended", "resolve.committed")
OF_APIS = {
    "interaction": ("door.appended", "command.locked", "command.written", "command.committed"),
    "profile": ("command.locked", "command.written", "command.committed", "append.locked"),
}
CLIENTS = 50
REFUSED_SECONDS = 6.0
"""How long those who must not write a word are watched."""
RECEIPT_SECONDS, ERASED_SECONDS = 90.0, 15.0
"""How long a receipt may take at a quiet moment, and how long one is waited for while others work."""


class LeftOut(Exception):  # noqa: N818 - nothing went wrong
    """What the fault would break is not there."""


@dataclass
class Bench:
    """What a fault has at hand."""

    here: Plant
    generator: Generator
    observer: Observer
    probe: Probe
    random: random.Random

    async def still(self) -> None:
        """Nobody does anything any more, and all is folded and sent."""
        await self.generator.hold()
        await self.probe.hold()
        await self.observer.quiet()

    async def receipts(self) -> None:
        """Every erasure is done."""
        until = time.monotonic() + RECEIPT_SECONDS
        while not await look_at_receipts(self.generator):
            if time.monotonic() > until:
                receipts = await self.observer.listed("profile", "/v1/erasures")
                late = [one for one in receipts if one["status"] != "done"]
                raise AssertionError(f"not done after {RECEIPT_SECONDS} s: {late}")
            await asyncio.sleep(0.2)

    def go(self) -> None:
        self.probe.go()
        self.generator.go()


Fault = Callable[[Bench], Awaitable[str]]
"""Answers in a few words what it did."""


# 1 and 2: processes --------------------------------------------------------------------------------


async def _armed(bench: Bench, name: str, action: str) -> str:
    """Arm a place in a process and wait until it has come by; empty where it did not."""
    service, _, kind = name.partition("-")
    places = OF_WORKERS if kind != "api" else OF_APIS.get(service, ())
    if kind != "api" and service == "interaction":
        places += OF_RESOLVER
    if not places:
        return ""
    place = bench.random.choice(places)
    armed = bench.here.failpoints(name) / place
    armed.write_text(action)
    for _ in range(int(ARMED_SECONDS / 0.01)):
        if not armed.exists():
            return place
        await asyncio.sleep(0.01)
    armed.unlink(missing_ok=True)
    return ""


async def kill(bench: Bench) -> str:
    """1: SIGKILL, at a named place or at any moment."""
    here = bench.here
    workers, apis = here.workers(), here.apis()
    name = bench.random.choice(workers if bench.random.random() < 0.7 else apis)
    place = await _armed(bench, name, "kill") if bench.random.random() < 0.7 else ""
    if not (place and await here.gone(name, 2)):
        await asyncio.sleep(bench.random.uniform(0, 0.3))
        await here.kill(name)
        place = ""
    await asyncio.sleep(bench.random.choice((0, 0, 0.5, LEASE_SECONDS)))
    here.start(name)
    return f"{name} at {place or 'any moment'}"


async def freeze(bench: Bench) -> str:
    """2: SIGSTOP for three leases, at a named place or at any moment; then it goes on as if nothing had happened."""
    here = bench.here
    name = bench.random.choice(here.workers())
    place = await _armed(bench, name, "stop") if bench.random.random() < 0.8 else ""
    here.send(name, signal.SIGSTOP)
    await asyncio.sleep(3 * LEASE_SECONDS)
    for _ in range(WAKINGS):  # we may have stopped it just before it stopped itself
        here.send(name, signal.SIGCONT)
        if (await here.readiness(name, 1.0))[0]:
            break
    return f"{name} at {place or 'any moment'}"


# 3 and 4: servers ----------------------------------------------------------------------------------


async def broker(bench: Bench) -> str:
    """3: the broker is killed and started again, or stands still for longer than a request may take."""
    kafka = bench.here.kafka
    if kafka is None:
        return await database(bench)
    if bench.random.random() < 0.5:
        kafka.process.kill()
        await asyncio.to_thread(kafka.process.wait)
        await asyncio.to_thread(kafka.start, seconds=150)
        return "killed"
    kafka.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(REQUEST_SECONDS + bench.random.uniform(0.5, 2))
    kafka.process.send_signal(signal.SIGCONT)
    return "stood still"


async def database(bench: Bench) -> str:
    """4: PostgreSQL shuts down at once, stands still, or ends connections."""
    server = bench.here.postgres
    what = bench.random.choice(("immediate", "frozen", "terminated", "terminated"))
    if what == "immediate":
        server.process.send_signal(signal.SIGQUIT)
        await asyncio.to_thread(server.process.wait)
        await asyncio.sleep(bench.random.uniform(0, 0.5))
        await asyncio.to_thread(server.start)
    elif what == "frozen":
        stopped = _stop_all(server.process.pid)
        await asyncio.sleep(bench.random.uniform(1.5, 4))
        for pid in reversed(stopped):
            _signal(pid, signal.SIGCONT)
    else:
        for _ in range(3):
            conn = await asyncpg.connect(server.url("postgres"))
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname LIKE 'w%' AND random() < 0.4"
            )
            await conn.close()
            await asyncio.sleep(0.3)
    return what


def _stop_all(pid: int) -> list[int]:
    """Stop a process and its children, the parent first: it can start nobody else then."""
    stopped, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        if _signal(one, signal.SIGSTOP):
            stopped.append(one)
            children = Path(f"/proc/{one}/task/{one}/children")
            waiting += map(int, children.read_text().split())
    return stopped


def _signal(pid: int, sign: signal.Signals) -> bool:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return False
    return True


# 5: the network ------------------------------------------------------------------------------------


async def network(bench: Bench) -> str:
    """5: between one server and everybody who uses it: answers get lost, delay, resets, half-open connections."""
    proxy = bench.random.choice([*bench.here.proxies.values(), bench.here.proxies["interaction"]])
    what = bench.random.choice(("deaf", "slow", "reset", "half open", "frozen"))
    if what == "deaf":
        proxy.deaf = True
        await asyncio.sleep(bench.random.uniform(0.2, 2))
        proxy.reset()
    elif what == "slow":
        proxy.delay = bench.random.uniform(0.05, 0.3)
        await asyncio.sleep(2)
    elif what == "reset":
        for _ in range(4):
            proxy.reset()
            await asyncio.sleep(bench.random.uniform(0, 0.5))
    elif what == "half open":
        proxy.half_open()
    else:
        proxy.freeze()
        await asyncio.sleep(bench.random.uniform(1, 4))
    proxy.heal()
    return f"{proxy.name}: {what}"


# 6 and 7: relays and workers -----------------------------------------------------------------------


async def resend(bench: Bench) -> str:
    """6: a relay sends again what it has sent; and another one does so at the same time, from further back."""
    here, service = bench.here, bench.random.choice(SERVICES)
    conn = await here.connect(service)
    back = bench.random.choice((5, 50, 400))
    again = "UPDATE relay SET acked_sequence = greatest(0, acked_sequence - $1)"
    try:
        await conn.execute(again, back)
        if bench.random.random() < 0.5:
            return f"{service}, {back} back"
        await _second_relay(bench, service)
        await conn.execute(again, 2 * back)
    finally:
        await conn.close()
    return f"{service}, {back} back, by two"


async def _second_relay(bench: Bench, service: str) -> None:
    from shared.database import Database

    here = bench.here
    database = Database(here.urls[service], name="a second relay", size=2)
    log = open_log(
        here.log_url, namespace="", partitions=PARTITIONS, replication=1, client="second"
    )
    try:
        for partition in range(PARTITIONS):
            await Relay(service, database, log, partition).send()
    finally:
        await log.close()
        await database.close()


async def scale(bench: Bench) -> str:
    """7: 2 -> 4 -> 1 -> 2 workers of one service; or all processes of one, one after the other."""
    here, service = bench.here, bench.random.choice(SERVICES)
    workers = [f"{service}-worker-{n}" for n in (1, 2, 3, 4)]
    if bench.random.random() < 0.5:
        for name in (workers[0], workers[1], f"{service}-api"):
            await here.ask_to_end(name)
            here.start(name)
            await here.ready(name)
        return f"{service} one after the other"
    for name in workers[2:]:
        here.start(name)
    await here.ready(*workers[2:])
    for name in workers[1:]:
        await here.ask_to_end(name)
    await asyncio.sleep(0.5)
    here.start(workers[1])
    return f"{service} 2 -> 4 -> 1 -> 2"


# 8, 9 and 12: going back, going astray, starting over ----------------------------------------------


async def restore(bench: Bench) -> str:
    """8: one database is put back to what it was some seconds ago; the log knows better."""
    here, service = bench.here, bench.random.choice(DATABASES)
    server, name = here.postgres, here.database(service)
    copy = f"{name}_copy"
    _copy_database(server, name, copy)
    await asyncio.sleep(bench.random.uniform(2, 5))
    if service == "keyring":
        await _erased_since(bench)
    await bench.still()
    # Of the keyring's users it is profile that knows who was erased, and looks when it starts.
    stopped = here.workers("profile") if service == "keyring" else here.of(service)
    for one in stopped:
        await here.kill(one)
    await bench.observer.keys.read()
    await asyncio.to_thread(server.drop_database, name)
    _copy_database(server, copy, name)
    await asyncio.to_thread(server.drop_database, copy)
    bench.generator.ledger.restored.append(Restored(service, time.monotonic()))
    if service == "keyring":
        await asyncio.sleep(2 * KEYRING_SECONDS)  # nobody remembers a key that is not there
    for one in stopped:
        here.start(one)
    bench.go()
    return service


async def _erased_since(bench: Bench) -> None:
    """Some are erased of whom the copy has the keys."""
    people = bench.generator.people()
    for one in bench.random.sample(people, min(len(people), 2)):
        await erase(bench.generator, one.name)
    for _ in range(int(ERASED_SECONDS / 0.2)):
        if await look_at_receipts(bench.generator):
            return
        await asyncio.sleep(0.2)


def _copy_database(server: PostgresServer, name: str, copy: str) -> None:
    """Nobody may be connected while a database is copied."""
    server.query("postgres", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    server.query(
        "postgres",
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    server.query("postgres", f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')
    for one in (name, copy):
        server.query("postgres", f'ALTER DATABASE "{one}" ALLOW_CONNECTIONS true')


async def _log_put_back(bench: Bench) -> str:
    """The log is put back to what it was some seconds ago, and everybody is started on it: nobody may write a
    word. Then they get the right one again."""
    here, kafka = bench.here, bench.here.kafka
    folder = kafka._dir
    earlier, right = folder.with_name("earlier"), folder.with_name("right")
    await bench.still()
    kafka.process.kill()
    await asyncio.to_thread(kafka.process.wait)
    shutil.copytree(folder, earlier)
    await asyncio.to_thread(kafka.start, seconds=150)
    bench.go()
    await bench.probe.recovered(90)
    await bench.still()
    everybody = list(here.processes)
    await asyncio.gather(*(here.kill(name) for name in everybody))
    kafka.process.kill()
    await asyncio.to_thread(kafka.process.wait)
    folder.rename(right)
    earlier.rename(folder)
    await asyncio.to_thread(kafka.start, seconds=150)
    before = [await bench.observer.ends(topic) for topic in ("customers", "inbound")]
    for name in everybody:
        here.start(name)
    for name in everybody:
        await here.looked(name)
    await asyncio.sleep(REFUSED_SECONDS)
    after = [await bench.observer.ends(topic) for topic in ("customers", "inbound")]
    wrong, said = bench.generator.ledger.wrong, set()
    if before != after:
        wrong.append(f"O1: a log that was put back was written on: {before} -> {after}")
    for name in here.workers():
        status, answer = await here.readiness(name)
        if status == 200:
            wrong.append(f"O8: {name} takes a log that was put back: {answer}")
        said |= set(answer.get("missing") or ["ended" if here.processes[name].poll() else "?"])
    await asyncio.gather(*(here.kill(name) for name in everybody))
    kafka.process.kill()
    await asyncio.to_thread(kafka.process.wait)
    shutil.rmtree(folder)
    right.rename(folder)
    await asyncio.to_thread(kafka.start, seconds=150)
    for name in everybody:
        here.start(name)
    bench.go()
    return f"the log put back, and refused: {', '.join(sorted(said))}"


async def astray(bench: Bench) -> str:
    """9: a worker is started with another service's database, with another log or another keyring; or the log itself is
    put back to an earlier state. They must refuse."""
    here = bench.here
    if here.kafka is not None and bench.random.random() < 1 / 3:
        return await _log_put_back(bench)
    service, other = bench.random.sample(SERVICES, 2)
    name = f"{service}-worker-4"
    chance = bench.random.random()
    if chance < 0.4:
        what = f"{service} with the database of {other}"
        here.start(name, **{f"{service.upper()}_DATABASE_URL": here.urls[other]})
    elif chance < 0.6:
        what = f"{service} with another keyring"
        here.start(name, KEYRING_URL=(await fresh_databases(here.postgres))["keyring"])
    else:
        what = f"{service} with another log"
        elsewhere = (
            {"NAMESPACE": "astray"}
            if here.kafka is not None
            else {"EVENT_LOG_URL": (await fresh_databases(here.postgres))["log"]}
        )
        here.start(name, **elsewhere)
    if not await here.gone(name, 120) or not here.processes[name].returncode:
        bench.generator.ledger.wrong.append(f"O8: {what} was not refused: {here.said(name)}")
        await here.kill(name)
    here.processes.pop(name)
    return what


async def rebuild(bench: Bench) -> str:
    """12: the rows of a service are made anew beside the live ones, after a kill or two."""
    here, service = bench.here, bench.random.choice(("profile", "scoring", "campaign"))
    kills = bench.random.choice((0, 0, 1, 2))
    for _ in range(kills):
        process = here.run(f"services.{service}.rebuild")
        await asyncio.sleep(bench.random.uniform(1, 5))
        process.kill()
        await asyncio.to_thread(process.wait)
    process = here.run(f"services.{service}.rebuild")
    try:
        code = await asyncio.to_thread(process.wait, 90)
    except subprocess.TimeoutExpired:
        process.kill()
        code = "no end"
    if code != 0:
        said = here.said(f"services.{service}.rebuild")
        bench.generator.ledger.wrong.append(f"O8: the rebuild of {service}: {code}: {said}")
    return f"{service}, {kills} kills before"


# 10 and 11: what cannot be used --------------------------------------------------------------------


def _poison(bench: Bench) -> list[tuple[str, bytes]]:
    mark = f"{bench.random.getrandbits(64):016x}"
    event = {
        "specversion": "1.0",
        "id": f"poison-{mark}",
        "source": "chaos",
        "type": "purchase.completed",
        "time": "2026-01-01T00:00:00Z",
        "customer": f"member_no:P{mark}",
        "data": {"order_id": mark, "total": {"amount": "1.00", "currency": "CNY"}},
    }

    def changed(**changes) -> bytes:
        return json.dumps({**event, **changes}).encode()

    total = {"amount": str(2**70), "currency": "CNY"}
    return [
        ("bytes", bytes([0xFF, 0xFE]) + mark.encode()),
        ("half an event", changed()[:-20]),
        ("a NUL", changed(data={**event["data"], "order_id": f"{mark}\0"})),
        ("2^70", changed(data={**event["data"], "total": total})),
        ("the year 1", changed(time="0001-01-01T00:00:00Z")),
        ("the year 2999", changed(time="2999-01-01T00:00:00Z")),
        ("too large", changed(data={**event["data"], "note": "x" * 700_000})),
        ("nobody", changed(customer="member_no:null")),
        ("an unknown type", changed(type=f"chaos.{mark}")),
        ("a lone surrogate", changed().replace(mark[:4].encode(), b"\\ud800", 1)),
    ]


async def poison(bench: Bench) -> str:
    """10: what nobody can use, straight onto `inbound`."""
    chosen = bench.random.sample(_poison(bench), 4)
    if bench.here.kafka is None:
        raise LeftOut("the log is PostgreSQL's")
    producer = AIOKafkaProducer(
        bootstrap_servers=bench.here.log_url.removeprefix("kafka://"),
        enable_idempotence=True,
        max_request_size=1_000_000,
    )
    await producer.start()
    try:
        for what, value in chosen:
            bench.generator.ledger.poison[value] = what
            await producer.send_and_wait(
                "inbound",
                value,
                key=b"chaos",
                partition=bench.random.randrange(PARTITIONS),
                headers=[("content-type", b"application/cloudevents+json")],
            )
    finally:
        await producer.stop()
    return ", ".join(what for what, _ in chosen)


async def versions(bench: Bench) -> str:
    """11: one of two workers is of an older version that does not know a type; then it is of today's again."""
    here, service = bench.here, bench.random.choice(("profile", "scoring", "campaign"))
    both = [f"{service}-worker-1", f"{service}-worker-2"]
    await asyncio.gather(*(here.ask_to_end(name) for name in both))
    here.start(both[0], CHAOS_WITHOUT=OLDER)
    here.start(both[1])
    await here.ready(*both)
    stream = bench.generator.stream
    await bench.generator.publish([stream.survey(person) for person in stream.people[:12]])
    await asyncio.sleep(1)
    parked = await bench.observer.parked(service)
    await here.ask_to_end(both[0])
    here.start(both[0])
    for _ in range(300):
        if not await bench.observer.parked(service):
            break
        await asyncio.sleep(0.1)
    return f"{service} parked {parked}"


# 13 to 16 -------------------------------------------------------------------------------------------


async def merge_storm(bench: Bench) -> str:
    """13: customers are merged and split as fast as it goes: chains, opposite merges, under traffic."""
    if not bench.generator.merging:
        raise LeftOut("nothing merges here")
    merges = bench.generator.ledger.merges
    before = len(merges)
    await bench.generator.storm(at_once=6, each=5)
    states = Counter(merge.state for merge in merges[before:])
    return ", ".join(f"{n} {state}" for state, n in sorted(states.items()))


async def race(bench: Bench) -> str:
    """14: fifty clients at once want what one of them can have; whoever serves them is killed meanwhile."""
    here = bench.here
    racing = asyncio.create_task(bench.generator.race(CLIENTS))
    name = bench.random.choice(["profile-api", *here.workers("profile")])
    place = await _armed(bench, name, "kill") if bench.random.random() < 0.8 else ""
    if place:
        await here.gone(name, 2)
        here.start(name)
    edits, sent = await racing
    killed = f", {name} killed at {place}" if place else ""
    return f"{edits} edited, one command sent {sent} times{killed}"


async def clocks(bench: Bench) -> str:
    """15: the clock of one process is wrong by up to ten minutes, from now on."""
    here = bench.here
    name = bench.random.choice([*here.workers(), *here.apis()])
    here.offsets[name] = bench.random.uniform(-600, 600)
    await here.ask_to_end(name)
    here.start(name)
    return f"{name} by {here.offsets[name]:.0f} s"


async def crowd(bench: Bench) -> str:
    """16: nobody gets at a table for a while; or 600 readers wait for what never comes; or a disk is full."""
    here, service = bench.here, bench.random.choice(SERVICES)
    chance = bench.random.random()
    if here.disks and chance > 0.5:
        return await _full(bench, bench.random.choice(sorted(here.disks)))
    if chance < 0.25:
        which = bench.random.choice((service, service, "keyring"))
        table = "customer_key" if which == "keyring" else "checkpoint"
        conn = await here.connect(which)
        try:
            async with conn.transaction():
                await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(bench.random.uniform(1, 3))
        finally:
            await conn.close()
        return f"{which}: {table} locked"
    path = {"profile": "/v1/customers", "scoring": "/v1/scores", "campaign": "/v1/segments"}
    headers = {"Tenure-Wait-For": f"profile.{bench.random.randrange(PARTITIONS)}.999999999"}
    asked = [
        bench.generator.request(
            "GET", f"{service}-api", path.get(service, "/v1/event-types"), headers=headers
        )
        for _ in range(600)
    ]
    answers = await asyncio.gather(*asked)
    found = sorted({answer.status_code for answer in answers if answer is not None})
    return f"{service}: 600 wait: {found}"


async def _full(bench: Bench, which: str) -> str:
    """Nothing can be written on a server's disk for some seconds. A server that fell over is started again."""
    here = bench.here
    server = here.postgres if which == "postgresql" else here.kafka
    filler, until = here.disks[which] / "filler", time.monotonic() + bench.random.uniform(2, 4)
    with filler.open("wb") as file:
        while time.monotonic() < until:
            free = os.statvfs(filler)
            size = free.f_bavail * free.f_frsize
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(1, size))
            await asyncio.sleep(0.05)
    fell = server.process.poll() is not None
    filler.unlink()
    if not fell:
        await asyncio.sleep(1)  # it may yet
        fell = server.process.poll() is not None
    if fell:
        await asyncio.to_thread(server.start)
    return f"{which}: disk full{', and it fell over' if fell else ''}"


FAULTS: dict[int, tuple[Fault, int]] = {
    1: (kill, 24),
    2: (freeze, 8),
    3: (broker, 5),
    4: (database, 9),
    5: (network, 18),
    6: (resend, 10),
    7: (scale, 4),
    8: (restore, 3),
    9: (astray, 2),
    10: (poison, 5),
    11: (versions, 3),
    12: (rebuild, 3),
    13: (merge_storm, 5),
    14: (race, 4),
    15: (clocks, 4),
    16: (crowd, 5),
    17: (misbehave, 5),
    18: (erase_meanwhile, 5),
}
"""By number: the fault, and how often it is chosen."""
