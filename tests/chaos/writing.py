"""People write to customers, others want to be told what happens; and 17: who carries it misbehaves."""

import asyncio
import signal
import time
import uuid
from typing import TYPE_CHECKING

from tests.chaos.ledger import Command, Letter
from tests.chaos.letters import MARK, OF_MAIL, OF_WEBHOOKS, WELL
from tests.chaos.plant import LEASE_SECONDS, Plant

if TYPE_CHECKING:
    from tests.chaos.faults import Bench
    from tests.chaos.generator import Generator

MARKETING, OPT_IN = 0.4, 0.15
WANTED = ("complaint.opened", "lifecycle.*", "message.*")
"""Types of events that are sent to the receiver of webhooks."""
MOST_WRITTEN_TO = 25
"""Customers, so that the cap on marketing is met."""
AT_ONCE = 8
ARMED_SECONDS = 4.0
WAKINGS = 5
STILL_SECONDS = 3 * LEASE_SECONDS + 2
PLACES = {
    "mail.claimed": "campaign",
    "mail.told": "campaign",
    "webhook.claimed": "interaction",
    "webhook.answered": "interaction",
}
KILLED, STOPPED = 0.4, 0.1


async def want(here: Plant) -> None:
    """The receiver wants to be told of some events from now on."""
    answer = await here.http.post(
        f"{here.address('interaction-api')}/v1/webhooks",
        json={"url": here.receiver.url, "types": list(WANTED)},
    )
    assert answer.status_code == 201, answer.text
    here.receiver.secret = answer.json()["secret"]


async def write(generator: "Generator") -> None:
    """A message to a customer who has an address; now and then a consent."""
    people = [one for one in generator.people() if "email" in one.customer][:MOST_WRITTEN_TO]
    if not people:
        return
    person = generator.random.choice(people)
    if generator.random.random() < OPT_IN:
        data = {"channel": "email", "granted": generator.random.random() < 0.9}
        stream = generator.stream
        consent = stream._event(person, "consent.changed", stream._time(), data, "crm")
        await generator.publish([{**consent, "customer": dict(person.customer)}])
    purpose = "marketing" if generator.random.random() < MARKETING else "service"
    mark = uuid.UUID(int=generator.random.getrandbits(128)).hex
    body = {
        "customer": person.name,
        "channel": "email",
        "purpose": purpose,
        "subject": "To {{name|you}}",
        "text": f"Of this there is one only: {MARK}{mark}.\n",
    }
    letter = Letter(Command("message", person.name, mark, body, keyed=True), purpose)
    generator.ledger.letters.append(letter)
    answer = await generator._until_answered(
        letter.command, "POST", "campaign-api", "/v1/messages", {201, 202}, json=body
    )
    if answer is not None:
        letter.id, letter.at = answer.json()["id"], time.monotonic()


async def misbehave(bench: "Bench") -> str:
    """17: the mail server and the receiver of webhooks misbehave; who sends is killed, or stands still, meanwhile."""
    here, random = bench.here, bench.random
    mail, receiver = here.mail, here.receiver
    mail.mood, receiver.mood = random.choice((WELL, *OF_MAIL)), random.choice((WELL, *OF_WEBHOOKS))
    what = f"mail {mail.mood}, webhooks {receiver.mood}"
    chance, place, seconds = random.random(), random.choice(list(PLACES)), random.uniform(1, 4)
    rest = random.choice((0, 0.5, LEASE_SECONDS))
    writing = asyncio.gather(*(write(bench.generator) for _ in range(AT_ONCE)))
    try:
        if chance < KILLED:
            what += await _killed(bench, place, rest)
        elif chance < KILLED + STOPPED:
            what += await _stopped(bench, place)
        await asyncio.sleep(seconds)
    finally:
        mail.mood = receiver.mood = WELL
        await writing
    return what


async def _killed(bench: "Bench", place: str, rest: float) -> str:
    """Whoever comes by there."""
    names = await _met(bench, place, "kill")
    await asyncio.sleep(rest)
    for name in names:
        await bench.here.gone(name, 2)
        bench.here.start(name)
    return f", {' and '.join(names) or 'nobody'} killed at {place}"


async def _stopped(bench: "Bench", place: str) -> str:
    """For so long that others take over, and take for lost what was begun."""
    names = await _met(bench, place, "stop")
    await asyncio.sleep(STILL_SECONDS if names else 0)
    for name in names:
        for _ in range(WAKINGS):  # it answers nobody before
            bench.here.send(name, signal.SIGCONT)
            if (await bench.here.readiness(name, 1.0))[0]:
                break
    return f", {' and '.join(names) or 'nobody'} stood still at {place}"


async def _met(bench: "Bench", place: str, action: str) -> list[str]:
    """Arm a place in all workers of its service until one has come by; those that have."""
    here = bench.here
    armed = {name: here.failpoints(name) / place for name in here.workers(PLACES[place])}
    for file in armed.values():
        file.write_text(action)
    for _ in range(int(ARMED_SECONDS / 0.01)):
        if not all(file.exists() for file in armed.values()):
            break
        await asyncio.sleep(0.01)
    met = []
    for name, file in armed.items():
        try:
            file.unlink()
        except FileNotFoundError:  # taken away, if at the last moment
            met.append(name)
    return met
